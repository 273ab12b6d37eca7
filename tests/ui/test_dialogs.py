"""The other dialogs: start and coming back, settle, edit, hosts, files, the full output."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from textual.widgets import Input, RadioSet, Select, Static, TextArea

from runbook_tui.core.events import Settlement
from runbook_tui.core.proposal import YES
from runbook_tui.core.run import Verb
from runbook_tui.ports import HostKey
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import ErrorScreen, MessageScreen, ReasonScreen
from runbook_tui.ui.screens.edit import EditScreen
from runbook_tui.ui.screens.files import ExportScreen, SaveScreen
from runbook_tui.ui.screens.output import OutputScreen
from runbook_tui.ui.screens.pages import HostsScreen
from runbook_tui.ui.screens.settle import SettleScreen
from runbook_tui.ui.screens.start import StartScreen
from tests.ui.books import IDENTITIES, OLD, migration
from tests.ui.pilots import HeldClock, agree, an_app, past_guard, shown, until
from tests.ui.scripted import Scripted, with_resume

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SIZE = (120, 45)
WANTED = "connect to old (root@old.plop.example) and ask it: id -un; uname -n"


async def test_nothing_is_contacted_before_consent(clock: HeldClock) -> None:
    """The start screen lists what is contacted; without `y` a confirmation asks again, with it the checks start."""
    scripted = Scripted(migration(), identities=dict(IDENTITIES), wanted=[WANTED])
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: isinstance(app.screen, StartScreen))
        await until(lambda: WANTED in shown(app))
        await past_guard(app, clock)
        await pilot.press("enter")
        await until(lambda: app.screen is app.main and not app.flows.busy)
        assert scripted.calls == []
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, StartScreen))
        await agree(app, clock, pilot)
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        assert scripted.calls[0] == ("consent",)


async def test_with_nothing_to_list_nothing_is_asked(scripted: Scripted, clock: HeldClock) -> None:
    """A run that contacts nothing by itself starts without a question."""
    scripted.agreed = False
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True):
        await until(lambda: ("consent",) in scripted.calls)
        assert app.screen is app.main


async def test_coming_back_says_how_things_stand(scripted: Scripted, clock: HeldClock) -> None:
    """After a pause one screen says what was done, what ended how, what changed in the file, what is next."""
    await scripted.run("users")
    await scripted.mark_done("ttl", "at the registrar")
    proposal = await scripted.propose("first", Verb.CONFIRM)
    await scripted.confirm(proposal, YES)
    scripted.lose("the link broke and stayed away")
    with_resume(scripted)
    scripted.drift = {"smtp": "changed"}
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True):
        await until(lambda: isinstance(app.screen, StartScreen))
        await until(lambda: "2 of 9 steps done" in shown(app))
        text = shown(app)
        for wanted in (
            "✓ done  1.1 Create the users", "? unknown  2.1 Copy the mail a first time: the link broke",
            "≠ changed  3.1 Stop taking mail", "Next: 2.1",
        ):  # fmt: skip
            assert wanted in text, wanted


async def test_settling_a_host_and_a_value(scripted: Scripted, clock: HeldClock) -> None:
    """The dialog shows what holds, checks values as they are entered, and sends only what is new."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        app.main._go("audit")
        await pilot.press("a")
        await until(lambda: isinstance(app.screen, SettleScreen))
        await until(lambda: "it does not say on which host" in shown(app))
        app.screen.query_one("#host", Select).value = "old"
        await pilot.pause()
        await pilot.click("#ok")
        await until(lambda: ("settle", "audit", Settlement.HOST, "old", "") in scripted.calls)
        app.main._go("relay-domains")
        await pilot.press("a")
        await until(lambda: isinstance(app.screen, SettleScreen))
        app.screen.query_one("#literal-0", Input).value = "x; id"
        await pilot.click("#ok")
        await pilot.pause()
        assert isinstance(app.screen, SettleScreen)
        assert "does not match" in str(app.screen.query_one("#problem", Static).content)
        app.screen.query_one("#literal-0", Input).value = "plop.example"
        await pilot.click("#ok")
        wanted = ("settle", "relay-domains", Settlement.LITERAL, "plop.example", "domain.tld")
        await until(lambda: wanted in scripted.calls)


async def test_an_edit_goes_through_the_same_confirmation_with_both_texts(scripted: Scripted, clock: HeldClock) -> None:
    """What was edited and what the runbook has are both on the dialog."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("e")
        await until(lambda: isinstance(app.screen, EditScreen))
        area = app.screen.query_one(TextArea)
        assert area.text == "adduser --disabled-password plop"
        area.text = "adduser --disabled-password --uid 1001 plop"
        await pilot.press("f2")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        await pilot.pause()
        text = shown(app)
        assert "--uid 1001" in text
        assert "As the runbook has it" in text
        assert "adduser --disabled-password plop" in text


async def test_a_file_step_shows_its_diff_with_the_signs(scripted: Scripted, clock: HeldClock) -> None:
    """The difference is on the dialog, coloured by its signs, and the signs are there."""
    scripted.details = {"relay-main": "--- a\n+++ b\n@@ -1 +1 @@\n-old line\n+new line\n"}
    for name in ("users", "ttl", "first"):
        await scripted.skip(name, "x")
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        await pilot.pause()
        assert "-old line" in shown(app)
        assert "+new line" in shown(app)


async def test_a_key_is_trusted_only_by_its_typed_fingerprint(scripted: Scripted, clock: HeldClock) -> None:
    """Enter accepts nothing, another text is refused, the last six characters are taken."""
    scripted.offered = {OLD: HostKey("ssh-ed25519", "SHA256:abcdefghijklmnopqrstuvwxyz", "ssh-ed25519 AAAA")}
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("h")
        await until(lambda: isinstance(app.screen, HostsScreen) and "nobody vouched" in shown(app))
        await pilot.press("t")
        await until(lambda: isinstance(app.screen, ReasonScreen))
        await pilot.press("enter")
        assert isinstance(app.screen, ReasonScreen)
        await pilot.press(*"000000", "enter")
        await until(lambda: isinstance(app.screen, ErrorScreen))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, HostsScreen))
        await pilot.press("t")
        await until(lambda: isinstance(app.screen, ReasonScreen))
        await pilot.press(*"uvwxyz", "enter")
        await until(lambda: OLD not in scripted.offered)
        await until(lambda: isinstance(app.screen, HostsScreen))
        await pilot.press("r")
        await until(lambda: ("reconnect", "old") in scripted.calls)


async def test_the_transcript_is_written_once(
    scripted: Scripted, clock: HeldClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`t` asks for format and path, says where it wrote, for the owner alone, and never overwrites."""
    monkeypatch.chdir(tmp_path)
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("t")
        await until(lambda: isinstance(app.screen, ExportScreen))
        app.screen.query_one(RadioSet).query("RadioButton").last().value = True  # type: ignore[attr-defined]
        await until(lambda: app.screen.query_one("#path", Input).value.endswith(".json"))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, MessageScreen))
        written = tmp_path / "2026-03-01-move.json"
        assert written.read_text() == "the transcript as json\n"
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)
        await pilot.press("t")
        await until(lambda: isinstance(app.screen, ExportScreen))
        app.screen.query_one("#path", Input).value = written.name
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ExportScreen)
        assert "Nothing is overwritten" in shown(app)


async def test_the_full_output_searches_copies_and_saves(scripted: Scripted, clock: HeldClock, tmp_path: Path) -> None:
    """`o` shows the output alone; `/` finds, `c` copies it, `s` saves it to a new file."""
    await scripted.run("users", output=b"first\nneedle [b]\nlast\n")
    app = an_app(scripted, clock)
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
        await until(lambda: isinstance(app.screen, SaveScreen))
        app.screen.query_one("#path", Input).value = str(tmp_path / "out.txt")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, MessageScreen))
        assert (tmp_path / "out.txt").read_text() == "first\nneedle [b]\nlast\n"
