"""The other dialogs: start and coming back, settle, edit, hosts, files, the full output."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input, RadioSet, Select, Static, TextArea

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.events import Settlement
from runbook_tui.core.model import LOCAL, Host
from runbook_tui.ports import Ended, HostKey, KeyRefusal, KeyVerdict, Owner
from runbook_tui.ui.screens.clean import CleanScreen
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import ErrorScreen, MessageScreen, ReasonScreen
from runbook_tui.ui.screens.edit import EditScreen
from runbook_tui.ui.screens.files import ExportScreen, SaveScreen
from runbook_tui.ui.screens.host_key import KeyScreen
from runbook_tui.ui.screens.output import OutputScreen
from runbook_tui.ui.screens.pages import HostsScreen
from runbook_tui.ui.screens.settle import SettleScreen
from runbook_tui.ui.screens.start import ReturnScreen, StartScreen
from tests.ui.books import action, book, step
from tests.ui.pilots import agree, an_app, opened, past_guard, shown, until
from tests.ui.stage import NEW, OLD, migration, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

SIZE = (120, 45)
WANTED = "connect to old (root@old.plop.example) and ask it: id -un; uname -n"


async def test_nothing_is_contacted_before_consent(tmp_path: Path, clock: HeldClock) -> None:
    """The start screen lists what is contacted; without `y` a confirmation asks again, with it the checks start."""
    async with open_stage(tmp_path, clock, agreed=False) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await opened(app, StartScreen)
            await until(lambda: WANTED in shown(app))
            await past_guard(app, clock)
            await pilot.press("enter")
            await until(lambda: app.screen is app.main and not app.flows.busy)
            clock.advance(60)
            await pilot.pause()
            assert not stage.events(ev.Settled)
            assert not any(far.connects for far in stage.far.values())
            await pilot.press("c")
            await opened(app, StartScreen)
            await agree(app, clock, pilot)
            await opened(app, ConfirmScreen)
            assert WANTED in stage.events(ev.Settled)[0].value
            clock.advance(1)
            await until(lambda: all(check.looked for check in stage.engine.checks()))


async def test_with_nothing_to_list_nothing_is_asked(tmp_path: Path, clock: HeldClock) -> None:
    """A run that contacts nothing by itself starts without a question."""
    made = replace(book(("One", (step("1.1", "Look", action("one", "Look", host=LOCAL)),))), hosts={LOCAL: Host(LOCAL)})
    async with open_stage(tmp_path, clock, made, agreed=False) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn and not app.flows.busy)
            assert app.screen is app.main
            await pilot.press("c")
            await opened(app, ConfirmScreen)


async def test_coming_back_says_how_things_stand(tmp_path: Path, clock: HeldClock) -> None:
    """After a pause one screen says what was done, what ended how, what changed in the file, what is next."""
    async with open_stage(tmp_path, clock) as stage:
        await stage.run("users")
        await stage.engine.mark_done("ttl", "at the registrar")
        job = await stage.start("first")
        job.end(Ended(lost="the link broke and stayed away"))
        await stage.engine.idle()
    clock.advance(2 * 86_400)
    since = migration(lambda text: text.replace("nc -z localhost 25", "nc -z localhost 587"))
    async with open_stage(tmp_path, clock, source_now=since, agreed=False) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True):
            await opened(app, StartScreen)
            await until(lambda: "2 of 9 steps; left 2026-11-23" in shown(app))
            text = " ".join(shown(app).replace("│", " ").split())
            for wanted in (
                "2 d ago", "1.1 Create the users: done by anna", "done by hand by anna", "Not known",
                "2.1 Copy the mail a first time is unknown: its processes are gone",
                "l shows and adopts it", "in the file now changed: 3.1 Stop taking mail", "Next",
            ):  # fmt: skip
                assert wanted in text, wanted


async def test_coming_back_fills_with_what_is_found(tmp_path: Path, clock: HeldClock) -> None:
    """After the agreement the page says how what ran has ended, as soon as its host has told; Esc closes it."""
    async with open_stage(tmp_path, clock) as stage:
        job = await stage.start("users")
        before = stage.far
    async with open_stage(tmp_path, clock, agreed=False) as stage:
        for name, far in stage.far.items():
            far.detached.update(before[name].detached)
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await opened(app, StartScreen)
            await until(lambda: "1.1 Create the users on new, confirmed" in shown(app))
            await agree(app, clock, pilot)
            await opened(app, ReturnScreen)
            await until(lambda: "it was found there and runs on" in " ".join(shown(app).replace("│", " ").split()))
            job.end(Ended(exit=4))
            await until(lambda: "it has ended meanwhile, failed" in " ".join(shown(app).replace("│", " ").split()))
            await pilot.press("escape")
            await until(lambda: app.screen is app.main)


def settled(stage: Stage) -> list[tuple[str, str, str, str]]:
    """Give what the operator answered."""
    answers = [(e.action, e.what, e.value, e.subject) for e in stage.events(ev.Settled)]
    return [answer for answer in answers if answer[1] != Settlement.CONSENT]


async def test_settling_a_host_and_a_value(stage: Stage, clock: HeldClock) -> None:
    """The dialog shows what holds, checks values as they are entered, and sends only what is new."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        app.main._go("audit")
        await pilot.press("a")
        await opened(app, SettleScreen)
        await until(lambda: "it does not say on which host" in shown(app))
        app.screen.query_one("#host", Select).value = "old"
        await pilot.pause()
        await pilot.click("#ok")
        await until(lambda: ("audit", Settlement.HOST, "old", "") in settled(stage))
        app.main._go("relay-domains")
        await pilot.press("a")
        await opened(app, SettleScreen)
        await until(lambda: app.screen.query("#literal-0"))
        app.screen.query_one("#literal-0", Input).value = "x; id"
        await pilot.click("#ok")
        await pilot.pause()
        assert isinstance(app.screen, SettleScreen)
        assert "does not match" in str(app.screen.query_one("#problem", Static).content)
        field = app.screen.query_one("#literal-0", Input)
        field.value = "plop.example"
        app.screen.set_focus(field)
        await pilot.press("enter")
        await until(lambda: ("", Settlement.LITERAL, "plop.example", "domain.tld") in settled(stage))
        assert len(settled(stage)) == 2


async def test_an_edit_goes_through_the_same_confirmation_with_both_texts(stage: Stage, clock: HeldClock) -> None:
    """What was edited and what the runbook has are both on the dialog."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("e")
        await opened(app, EditScreen)
        area = app.screen.query_one(TextArea)
        assert area.text == "adduser --disabled-password plop"
        area.text = "adduser --disabled-password --uid 1001 plop"
        await pilot.press("f2")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        await pilot.pause()
        text = shown(app)
        assert "--uid 1001" in text
        assert "As the runbook has it" in text
        assert "adduser --disabled-password plop" in text


async def test_a_file_step_shows_its_diff_with_the_signs(stage: Stage, clock: HeldClock) -> None:
    """The difference is on the dialog, coloured by its signs, and the signs are there."""
    stage.far[NEW].files["/etc/postfix/main.cf"] = b"relay_domains = $mydestination\n"
    await stage.skip("users", "ttl", "first")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(120, 70), notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        await pilot.pause()
        for wanted in (
            "-relay_domains = $mydestination", "+relay_domains = hash:/etc/postfix/relay_domains", "validate succeeds",
            "put back from its backup", "cp -p",
        ):  # fmt: skip
            assert wanted in shown(app), wanted


KEY = HostKey("ssh-ed25519", "SHA256:abcdefghijklmnopqrstuvwxyz", "ssh-ed25519 AAAA")


async def test_a_key_is_trusted_only_by_its_typed_fingerprint(stage: Stage, clock: HeldClock) -> None:
    """Enter accepts nothing, another text is refused, the last six characters are taken with a button of their own."""
    far = stage.far[OLD]
    far.refusal = KeyRefusal(KeyVerdict.UNKNOWN, KEY, "old.test", "192.0.2.1 port 22")
    far.problem = HostError("its host key is not known")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("h")
        await until(lambda: isinstance(app.screen, HostsScreen) and "nobody vouched" in shown(app))
        await pilot.press("t")
        await opened(app, KeyScreen)
        assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in shown(app)
        await pilot.press("enter", *"000000", "enter")
        await until(lambda: "not the fingerprint" in shown(app))
        await pilot.press(*["backspace"] * 6, *"uvwxyz", "enter")
        assert isinstance(app.screen, KeyScreen)
        assert not stage.events(ev.HostPinned)
        await pilot.press("enter")
        await until(lambda: [e.host for e in stage.events(ev.HostPinned)] == ["old"])
        await until(lambda: isinstance(app.screen, HostsScreen) and not app.flows.busy)
        before = far.connects
        await pilot.press("r")
        await until(lambda: far.connects == before + 1)


async def test_a_changed_key_wants_its_whole_fingerprint_and_a_reason(stage: Stage, clock: HeldClock) -> None:
    """Confirming shows the changed key with the way out in focus; both fields are wanted, and both are recorded."""
    expected = HostKey("ssh-ed25519", "SHA256:zyxwvutsrqponmlkjihgfedcba", "ssh-ed25519 BBBB")
    far = stage.far[OLD]
    far.refusal = KeyRefusal(KeyVerdict.CHANGED, KEY, "old.test", expected=(expected,), where="known_hosts line 3")
    far.problem = HostError("its host key has changed")
    await stage.skip("ttl")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("h")
        await until(lambda: isinstance(app.screen, HostsScreen) and "another one was expected" in shown(app))
        await pilot.press("t")
        await opened(app, KeyScreen)
        for wanted in ("has CHANGED", expected.fingerprint, KEY.fingerprint, "known_hosts line 3"):
            assert wanted in shown(app)
        await pilot.press("enter")
        await opened(app, HostsScreen)
        await pilot.press("t")
        await opened(app, KeyScreen)
        await pilot.press("shift+tab", "shift+tab", *"uvwxyz", "enter")
        await until(lambda: "whole fingerprint is wanted" in shown(app))
        await pilot.press(*["backspace"] * 6, *KEY.fingerprint, "enter", "enter")
        await until(lambda: "reason is wanted" in shown(app))
        await pilot.press(*"reinstalled", "enter", "enter")
        await until(lambda: bool(stage.events(ev.HostPinned)))
    pin, = stage.events(ev.HostPinned)
    assert (pin.fingerprint, pin.instead, pin.reason) == (KEY.fingerprint, expected.fingerprint, "reinstalled")


@pytest.mark.parametrize("verdict", [KeyVerdict.REVOKED, KeyVerdict.OTHER_ROLE])
async def test_a_key_that_cannot_be_trusted_has_no_button_for_it(
    stage: Stage, clock: HeldClock, verdict: KeyVerdict
) -> None:
    """A revoked key and another host's are named plainly, when the step is confirmed, and nothing can be typed."""
    role = "new" if verdict is KeyVerdict.OTHER_ROLE else ""
    far = stage.far[OLD]
    far.refusal, far.problem = KeyRefusal(verdict, KEY, "old.test", role=role), HostError("its host key is refused")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("h")
        await until(lambda: isinstance(app.screen, HostsScreen) and "not connected" in shown(app))
        await pilot.press("r")
        await opened(app, KeyScreen)
        assert "cannot be trusted" in shown(app)
        assert ("shows the host key of new" if role else "is revoked") in shown(app)
        assert not app.screen.query("Input, #ok")
    with pytest.raises(Refused, match="cannot be trusted"):
        await stage.engine.trust("old", KEY.fingerprint, "because")


async def test_the_transcript_is_written_once(
    stage: Stage, clock: HeldClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`t` asks for format and path, says where it wrote, for the owner alone, and never overwrites."""
    monkeypatch.chdir(tmp_path)
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("t")
        await opened(app, ExportScreen)
        await until(lambda: "▐●▌ Markdown" in shown(app))
        assert "▐ ▌ JSON" in shown(app)
        app.screen.query_one(RadioSet).query("RadioButton").last().value = True  # type: ignore[attr-defined]
        await until(lambda: "▐ ▌ Markdown" in shown(app) and "▐●▌ JSON" in shown(app))
        await until(lambda: app.screen.query_one("#path", Input).value.endswith(".json"))
        await pilot.press("enter")
        await opened(app, MessageScreen)
        written = tmp_path / "move.json"
        assert json.loads(written.read_text())
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)
        await pilot.press("t")
        await opened(app, ExportScreen)
        app.screen.query_one("#path", Input).value = written.name
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ExportScreen)
        assert "Nothing is overwritten" in shown(app)


async def test_the_full_output_searches_copies_and_saves(stage: Stage, clock: HeldClock, tmp_path: Path) -> None:
    """`o` shows the output alone; `/` finds, `c` copies it, `s` saves it to a new file."""
    await stage.run("users", output=b"first\nneedle [b]\nlast\n")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        app.main._go("users")
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, OutputScreen) and "needle [b]" in shown(app))
        await pilot.press("slash", *"[b]", "enter")
        await until(lambda: "found [b]" in shown(app))
        await pilot.press("c")
        assert app.clipboard == "first\nneedle [b]\nlast"
        await pilot.press("s")
        await opened(app, SaveScreen)
        app.screen.query_one("#path", Input).value = str(tmp_path / "out.txt")
        await pilot.press("enter")
        await opened(app, MessageScreen)
        assert (tmp_path / "out.txt").read_text() == "first\nneedle [b]\nlast\n"


async def test_a_lock_is_taken_over_only_by_the_hosts_typed_name(stage: Stage, clock: HeldClock) -> None:
    """Hosts… names who holds a host; `o` asks for the host's name, and takes the lock when it is typed."""
    far = stage.far[OLD]
    far.held = Owner("other-1", "bob@laptop", "2026-11-23T01:00:00Z")
    with pytest.raises(Refused, match="bob@laptop, since 2026-11-23 01:00:00 UTC"):
        await stage.engine.take_over("old")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("h")
        await until(lambda: isinstance(app.screen, HostsScreen) and "bob@laptop" in shown(app))
        await pilot.press("o")
        await opened(app, ReasonScreen)
        await pilot.press(*"new", "enter")
        await opened(app, ErrorScreen)
        await pilot.press("enter")
        await opened(app, HostsScreen)
        assert far.held is not None
        await pilot.press("o")
        await opened(app, ReasonScreen)
        await pilot.press(*"old", "enter")
        await opened(app, MessageScreen)
        assert [(e.host, e.previous.partition(",")[0]) for e in stage.events(ev.LockTaken)] == [
            ("old", "another run of this runbook: bob@laptop")
        ]
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, HostsScreen) and "bob@laptop" not in shown(app))


async def test_cleaning_up_names_the_hosts_and_wants_a_y(tmp_path: Path, clock: HeldClock) -> None:
    """Refused with the reason while the run is open; then the dialog names each host, and what became of it is said."""
    made = book(("One", (step("1.1", "Look", action("one", "Look", host=NEW)),)))
    async with open_stage(tmp_path, clock, made) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn and not app.flows.busy)
            await pilot.press("D")
            await until(lambda: "Clean up is refused: the run is not closed" in shown(app))
            await stage.run("one")
            await until(lambda: not app.main.refused()["clean"])
            await pilot.press("D")
            await opened(app, CleanScreen)
            await until(lambda: "new  1 folder of this run" in shown(app))
            await agree(app, clock, pilot)
            await opened(app, MessageScreen)
            await until(lambda: "new: 1 folder removed" in shown(app))
            assert stage.events(ev.JobsRemoved)[0].host == "new"
