"""`w`: the plan, then one confirmation after the other, and where the walk stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.run import Status, Verb
from runbook_tui.ports import Ended
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import MessageScreen, ReasonScreen
from runbook_tui.ui.screens.rollback import RollbackScreen
from tests.ui.pilots import agree, an_app, opened, past_guard, shown, until
from tests.ui.stage import HELD, NEW, Answer

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from runbook_tui.ui.app import RunbookApp
    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

SIZE = (100, 32)


async def two_done(stage: Stage, app: RunbookApp) -> None:
    """Do the first and the third step, and stand on the first."""
    await stage.run("users")
    await stage.engine.mark_done("ttl", "at the registrar")
    await stage.run("first")
    app.main._go("users")
    await until(lambda: not app.main.refused()["rollback"])


async def begin(app: RunbookApp, clock: HeldClock, pilot: Pilot[None]) -> str:
    """Press w, read the plan, begin the walk; give what the plan said."""
    await until(lambda: app.screen is app.main and app.main.drawn and not app.flows.busy)
    await until(lambda: app.main._statuses == app.main._now())  # the cursor moves on a moment after a step was done
    app.main._go("users")
    await until(lambda: not app.main.refused()["rollback"])
    await pilot.press("w")
    await opened(app, RollbackScreen)
    await past_guard(app, clock)
    await until(lambda: "stops the walk there" in shown(app))
    said = shown(app)
    await agree(app, clock, pilot)
    await opened(app, ConfirmScreen)
    return said


async def test_each_way_back_is_confirmed_the_last_first(stage: Stage, clock: HeldClock) -> None:
    """The plan names what is undone and what stays; then the confirmations come one by one, and the end is said."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await two_done(stage, app)
        said = await begin(app, clock, pilot)
        assert said.index("1. 2.1  Copy the") < said.index("2. 1.1  Create the") < said.index("Stays as it is")
        assert "take it back by hand" in said
        await until(lambda: "rm -rf /home/plop/Maildir" in shown(app))
        await agree(app, clock, pilot)
        await opened(app, ConfirmScreen)
        await until(lambda: "deluser plop" in shown(app))
        await agree(app, clock, pilot)
        await opened(app, MessageScreen)
        await until(lambda: "rolled back to 1.1: all of 2.1, 1.1 is undone" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and not app.flows.busy)
    assert [c.action for c in stage.events(ev.Confirmed) if c.role == ev.Role.UNDO] == ["first", "users"]
    assert stage.engine.state.of("ttl").status is Status.BY_HAND


async def test_a_no_or_a_failure_stops_the_walk(stage: Stage, clock: HeldClock) -> None:
    """Esc on a confirmation, or a way back that fails, leaves what is older as it is, and says so."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await two_done(stage, app)
        await begin(app, clock, pilot)
        await pilot.press("escape")
        await opened(app, MessageScreen)
        await until(lambda: "stopped at 2.1: it was not confirmed; not tried: 1.1" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and not app.flows.busy)
        proposal = await stage.propose("first", Verb.UNDO)
        stage.far[NEW].answers[proposal.command] = Answer(b"", Ended(exit=1))
        await begin(app, clock, pilot)
        await agree(app, clock, pilot)
        await opened(app, MessageScreen)
        await until(lambda: "did not end well" in shown(app))
    assert [c.action for c in stage.events(ev.Confirmed) if c.role == ev.Role.UNDO] == ["first"]


async def test_a_note_can_be_written_while_a_way_back_runs(stage: Stage, clock: HeldClock) -> None:
    """The walk waits aside for the end of what runs, and goes on only when the other dialog is closed."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await two_done(stage, app)
        far = stage.far[NEW]
        undo = (await stage.propose("first", Verb.UNDO)).command
        far.answers[undo] = HELD
        await begin(app, clock, pilot)
        await agree(app, clock, pilot)
        await until(lambda: any(job.script == undo for job in far.ran))
        await pilot.press("n")
        await opened(app, ReasonScreen)
        next(job for job in far.ran if job.script == undo).end()
        await stage.engine.idle()
        await pilot.press(*"ok", "enter")
        await opened(app, ConfirmScreen)
        await until(lambda: "deluser plop" in shown(app))
    assert "ok" in [note.text for note in stage.engine.state.notes]
