"""Every key of the table does its verb when it is allowed and says why when it is not (ARCHITECTURE.md, "Keys")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.ui.keys import BY_ID, KEYS
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import MessageScreen, ReasonScreen
from runbook_tui.ui.screens.edit import EditScreen
from runbook_tui.ui.screens.files import ExportScreen
from runbook_tui.ui.screens.goto import GoToScreen
from runbook_tui.ui.screens.leaving import KillScreen, LeaveScreen, StopScreen
from runbook_tui.ui.screens.output import OutputScreen
from runbook_tui.ui.screens.pages import ChecksScreen, HelpScreen, HostsScreen
from runbook_tui.ui.screens.settle import SettleScreen
from tests.ui.pilots import HeldClock, agree, an_app, shown, until

if TYPE_CHECKING:
    from tests.ui.scripted import Scripted

SIZE = (120, 40)
TABLE = "c retry:r s a e u m n x b k w l g o v h t ? q"
OPENS = {
    "confirm": ConfirmScreen, "skip": ReasonScreen, "settle": SettleScreen, "edit": EditScreen, "done": ReasonScreen,
    "note": ReasonScreen, "goto": GoToScreen, "checks": ChecksScreen, "hosts": HostsScreen, "help": HelpScreen,
    "transcript": ExportScreen,
}  # fmt: skip
AFTER_FAILURE = {"retry": ConfirmScreen, "undo": ConfirmScreen, "output": OutputScreen}
REFUSED_AT_FIRST = ("retry", "undo", "stop", "override", "recheck", "rollback", "reload", "output")


@pytest.mark.parametrize("key_id", sorted(OPENS))
async def test_a_key_opens_its_dialog(key_id: str, scripted: Scripted, clock: HeldClock) -> None:
    """A key that is allowed on a fresh step opens what the table says, and Escape leaves everything as it was."""
    app = an_app(scripted, clock)
    before = scripted.state.seq
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press(BY_ID[key_id].key)
        await until(lambda: isinstance(app.screen, OPENS[key_id]))
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
    assert scripted.state.seq == before


@pytest.mark.parametrize("key_id", sorted(AFTER_FAILURE))
async def test_a_key_opens_its_dialog_after_a_failure(key_id: str, scripted: Scripted, clock: HeldClock) -> None:
    """Retry, undo and output are there once something has run and failed."""
    await scripted.run("users")
    await scripted.skip("ttl", "later")
    await scripted.run("first", 23, "exit status 23 is not 0", b"rsync: partial transfer\n")
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.spot and app.main.spot.id == "first")
        await pilot.press(BY_ID[key_id].key)
        await until(lambda: isinstance(app.screen, AFTER_FAILURE[key_id]))


@pytest.mark.parametrize("key_id", REFUSED_AT_FIRST)
async def test_a_refused_key_says_why_and_changes_nothing(key_id: str, scripted: Scripted, clock: HeldClock) -> None:
    """A verb that is refused is dimmed, its key gives the core's own sentence, and nothing is recorded."""
    app = an_app(scripted, clock)
    before = scripted.state.seq
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        assert app.main.check_action("verb", (key_id,)) is None
        await pilot.press(BY_ID[key_id].key)
        why = app.main.refused()[key_id]
        await until(lambda: any(why in str(n.message) for n in app._notifications))
        assert app.screen is app.main
    assert scripted.state.seq == before


def test_the_table_has_every_key_of_the_architecture() -> None:
    """All twenty keys are there, each with an id of its own, so that a keymap can move it."""
    assert {k.shown for k in KEYS} == set("casblkwhreumnxgovt?q")
    assert len(BY_ID) == len(KEYS)


async def test_a_keymap_moves_a_verb(scripted: Scripted, clock: HeldClock) -> None:
    """The bindings have ids: a keymap puts confirm on F5, and the footer shows that key."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        app.set_keymap({"confirm": "f5"})
        await pilot.press("f5")
        await until(lambda: isinstance(app.screen, ConfirmScreen))


async def test_skipping_wants_a_reason(scripted: Scripted, clock: HeldClock) -> None:
    """An empty reason is not taken; a written one is recorded and the cursor moves on."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, ReasonScreen))
        await pilot.press("enter")
        assert isinstance(app.screen, ReasonScreen)
        await pilot.press(*"done", "enter")
        await until(lambda: ("skip", "users", "done") in scripted.calls)
        await until(lambda: app.main.spot and app.main.spot.id == "ttl")


async def test_stop_sends_term_and_offers_kill_typed(scripted: Scripted, clock: HeldClock) -> None:
    """`x` asks before TERM and says what happened; while the group lives on it wants the word kill."""
    proposal = await scripted.propose("users", BY_ID["confirm"].verb)  # type: ignore[arg-type]
    await scripted.confirm(proposal, proposal.wants)
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("x")
        await until(lambda: isinstance(app.screen, StopScreen))
        await agree(app, clock, pilot)
        await until(lambda: isinstance(app.screen, MessageScreen))
        await pilot.pause()
        assert "1 process of the group lives on" in shown(app)
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
        await pilot.press("x")
        await until(lambda: isinstance(app.screen, KillScreen))
        clock.pass_(1)
        await until(lambda: app.screen.ready)  # type: ignore[attr-defined]
        for key in (*"kill", "enter", "y"):
            clock.pass_(0.4)
            await pilot.press(key)
        await until(lambda: ("stop", True) in scripted.calls)


async def test_leaving_while_something_runs_asks(scripted: Scripted, clock: HeldClock) -> None:
    """`q` and ctrl+q say what happens over there; staying leaves it running, leaving pauses the run."""
    proposal = await scripted.propose("users", BY_ID["confirm"].verb)  # type: ignore[arg-type]
    await scripted.confirm(proposal, proposal.wants)
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+q")
        await until(lambda: isinstance(app.screen, LeaveScreen))
        await pilot.pause()
        assert "TERM" in shown(app)
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
        await pilot.press("q")
        await until(lambda: isinstance(app.screen, LeaveScreen))
        await agree(app, clock, pilot)
        await until(lambda: ("pause", "quit") in scripted.calls)


async def test_leaving_with_nothing_running_pauses_at_once(scripted: Scripted, clock: HeldClock) -> None:
    """`q` with nothing running asks nothing."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("q")
        await until(lambda: ("pause", "quit") in scripted.calls)


async def test_ctrl_c_stops_what_runs(scripted: Scripted, clock: HeldClock) -> None:
    """Ctrl-C opens the same dialog as `x` while something runs."""
    proposal = await scripted.propose("users", BY_ID["confirm"].verb)  # type: ignore[arg-type]
    await scripted.confirm(proposal, proposal.wants)
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+c")
        await until(lambda: isinstance(app.screen, StopScreen))


async def test_ctrl_c_with_nothing_running_leaves(scripted: Scripted, clock: HeldClock) -> None:
    """Ctrl-C is the same as `q` when nothing runs and nothing is selected."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+c")
        await until(lambda: ("pause", "quit") in scripted.calls)


async def test_read_only_refuses_every_verb(scripted: Scripted, clock: HeldClock) -> None:
    """In a run opened read-only no verb is reachable, and the key says so."""
    scripted.read_only = True
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("c", "s", "m", "n")
        await until(lambda: len(app._notifications) >= 4)
        assert app.screen is app.main
        assert "read-only" in shown(app)


async def test_the_palette_lists_every_verb_with_why_not(scripted: Scripted, clock: HeldClock) -> None:
    """Every verb is in the palette; refused ones say why, also when the reason holds square brackets."""
    scripted.record(ev.Skipped(action="users", reason="x", by="anna"))
    app = an_app(scripted, clock)
    async with app.run_test(size=(120, 70), notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+p")
        await until(lambda: "Roll back to here" in shown(app))
        text = shown(app)
        for key in KEYS:
            assert key.label.rstrip("…") in text, key
        assert "not now: gates are not built yet" in text


async def test_arrow_keys_and_go_to_move_the_cursor(scripted: Scripted, clock: HeldClock) -> None:
    """Up and down walk the actions, and the list finds a step by words."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("down", "down", "up")
        assert app.main.spot
        assert app.main.spot.id == "ttl"
        await pilot.press("g")
        await until(lambda: isinstance(app.screen, GoToScreen))
        await pilot.press(*"relay maps", "enter")
        await until(lambda: app.main.spot and app.main.spot.id == "relay-maps")
