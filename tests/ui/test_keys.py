"""Every key of the table does its verb when it is allowed and says why when it is not (ARCHITECTURE.md, "Keys")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.ui.keys import BY_ID, KEYS, REHEARSAL_KEYS
from runbook_tui.ui.screens.checks import ChecksScreen
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import MessageScreen, ReasonScreen
from runbook_tui.ui.screens.edit import EditScreen
from runbook_tui.ui.screens.files import ExportScreen
from runbook_tui.ui.screens.goto import GoToScreen
from runbook_tui.ui.screens.leaving import KillScreen, LeaveScreen, StopScreen
from runbook_tui.ui.screens.output import OutputScreen
from runbook_tui.ui.screens.pages import HelpScreen, HostsScreen
from runbook_tui.ui.screens.settle import SettleScreen
from tests.ui.pilots import agree, an_app, opened, past_guard, shown, until
from tests.ui.stage import NEW, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

SIZE = (80, 24)
TABLE = "c retry:r s a e u m n x b k w l g o v h t ? q"
OPENS = {
    "confirm": ConfirmScreen, "skip": ReasonScreen, "settle": SettleScreen, "edit": EditScreen, "done": ReasonScreen,
    "note": ReasonScreen, "goto": GoToScreen, "checks": ChecksScreen, "hosts": HostsScreen, "help": HelpScreen,
    "transcript": ExportScreen,
}  # fmt: skip
AFTER_FAILURE = {"retry": ConfirmScreen, "undo": ConfirmScreen, "output": OutputScreen}
REFUSED_AT_FIRST = ("retry", "undo", "stop", "override", "recheck", "rollback", "output")


async def test_keys_open_their_dialogs(stage: Stage, clock: HeldClock) -> None:
    """A key that is allowed on a fresh step opens what the table says, and Escape leaves everything as it was."""
    app = an_app(stage.engine, clock)
    before = stage.engine.state.seq
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        for key_id, kind in OPENS.items():
            await pilot.press(BY_ID[key_id].key)
            await opened(app, kind)
            await pilot.press("escape")
            await until(lambda: app.screen is app.main and not app.flows.busy)
    assert stage.engine.state.seq == before


async def test_keys_open_their_dialogs_after_a_failure(stage: Stage, clock: HeldClock) -> None:
    """Retry, undo and output are there once something has run and failed."""
    await stage.skip("users", "ttl")
    await stage.run("first", 23, b"rsync: partial transfer\n")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.spot and app.main.spot.id == "first")
        for key_id, kind in AFTER_FAILURE.items():
            await pilot.press(BY_ID[key_id].key)
            await opened(app, kind)
            await pilot.press("escape")
            await until(lambda: app.screen is app.main and not app.flows.busy)


async def test_refused_keys_say_why_and_change_nothing(stage: Stage, clock: HeldClock) -> None:
    """A verb that is refused is dimmed, its key gives the core's own sentence, and nothing is recorded."""
    app = an_app(stage.engine, clock)
    before = stage.engine.state.seq
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        for key_id in REFUSED_AT_FIRST:
            assert app.main.check_action("verb", (key_id,)) is None
            await pilot.press(BY_ID[key_id].key)
            why = f"{BY_ID[key_id].label.rstrip('…')} is refused: {app.main.refused()[key_id]}"
            await until(lambda why=why: any(why in str(n.message) for n in app._notifications))  # type: ignore[misc]
            assert app.screen is app.main
    assert stage.engine.state.seq == before


def test_the_table_has_every_key_of_the_architecture() -> None:
    """All twenty, and those for passwords and for cleaning up, each with its own id, so that a keymap moves it."""
    assert {k.shown for k in KEYS} == set("casblkwhreumnxgovt?qSD")
    assert len(BY_ID) == len(KEYS) + len(REHEARSAL_KEYS)


async def test_a_keymap_moves_a_verb(stage: Stage, clock: HeldClock) -> None:
    """The bindings have ids: a keymap puts confirm on F5, and the footer shows that key."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        app.set_keymap({"confirm": "f5"})
        await pilot.press("f5")
        await opened(app, ConfirmScreen)


async def test_skipping_wants_a_reason(stage: Stage, clock: HeldClock) -> None:
    """An empty reason is not taken; a written one is recorded and the cursor moves on."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("s")
        await opened(app, ReasonScreen)
        await pilot.press("enter")
        assert isinstance(app.screen, ReasonScreen)
        await pilot.press(*"done", "enter")
        await until(lambda: [(e.action, e.reason) for e in stage.events(ev.Skipped)] == [("users", "done")])
        await until(lambda: app.main.spot and app.main.spot.id == "ttl")


async def test_stop_sends_term_and_offers_kill_typed(stage: Stage, clock: HeldClock) -> None:
    """`x` asks before TERM and says what happened; while the group lives on it wants the word kill."""
    stage.far[NEW].survives = frozenset({"TERM"})
    await stage.start("users")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("x")
        await opened(app, StopScreen)
        await agree(app, clock, pilot)
        await opened(app, MessageScreen)
        await pilot.pause()
        await until(lambda: "1 process of it" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
        await pilot.press("x")
        await opened(app, KillScreen)
        await past_guard(app, clock)
        for key in (*"kill", "enter", "y"):
            clock.advance(0.4)
            await pilot.press(key)
        await until(lambda: ["KILL was sent" in e.what for e in stage.events(ev.Stopped)] == [True])


async def test_leaving_while_something_runs_asks(stage: Stage, clock: HeldClock) -> None:
    """`q` and ctrl+q say what happens over there; staying leaves it running, leaving pauses the run."""
    await stage.start("users")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+q")
        await opened(app, LeaveScreen)
        await pilot.pause()
        assert "It goes on over there by itself" in shown(app)
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
        await pilot.press("q")
        await opened(app, LeaveScreen)
        await agree(app, clock, pilot)
        await until(lambda: [e.why for e in stage.events(ev.Paused)] == ["quit"])


async def test_leaving_with_nothing_running_pauses_at_once(stage: Stage, clock: HeldClock) -> None:
    """`q` with nothing running asks nothing."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("q")
        await until(lambda: [e.why for e in stage.events(ev.Paused)] == ["quit"])


async def test_ctrl_c_stops_what_runs(stage: Stage, clock: HeldClock) -> None:
    """Ctrl-C opens the same dialog as `x` while something runs."""
    await stage.start("users")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+c")
        await opened(app, StopScreen)


async def test_ctrl_c_with_nothing_running_leaves(stage: Stage, clock: HeldClock) -> None:
    """Ctrl-C is the same as `q` when nothing runs and nothing is selected."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+c")
        await until(lambda: [e.why for e in stage.events(ev.Paused)] == ["quit"])


async def test_read_only_refuses_every_verb(tmp_path: Path, clock: HeldClock) -> None:
    """In a run opened read-only no verb is reachable, and the key says so."""
    async with open_stage(tmp_path, clock, read_only=True) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn)
            await pilot.press("c", "s", "m", "n")
            await until(lambda: len(app._notifications) >= 4)
            assert app.screen is app.main
            assert "read-only" in shown(app)


async def test_the_palette_lists_every_verb_with_why_not(stage: Stage, clock: HeldClock) -> None:
    """Every verb is in the palette; refused ones say why, also when the reason holds square brackets."""
    await stage.skip("users")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(120, 70), notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("ctrl+p")
        await until(lambda: "Roll back to here" in shown(app))
        text = shown(app)
        for key in KEYS:
            assert key.label.rstrip("…") in text, key
        assert "not now: it has no gate" in text


async def test_arrow_keys_and_go_to_move_the_cursor(stage: Stage, clock: HeldClock) -> None:
    """Up and down walk the actions, and the list finds a step by words."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("down", "down", "up")
        assert app.main.spot
        assert app.main.spot.id == "ttl"
        await pilot.press("g")
        await opened(app, GoToScreen)
        await pilot.press(*"relay postmap", "enter")
        await until(lambda: app.main.spot and app.main.spot.id == "relay-maps")


async def test_a_list_that_is_drawn_late_moves_nothing(stage: Stage, clock: HeldClock) -> None:
    """The highlight that the list put somewhere itself is no choice: a cursor that has gone on by then stays."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        app.main.action_move(1)
        app.main.tick()
        app.main.action_move(1)
        await pilot.pause(0.1)
        assert app.main.spot
        assert app.main.spot.id == "first"
