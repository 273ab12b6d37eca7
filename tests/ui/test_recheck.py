"""A step's recheck on the screen: offered first where an outcome is in doubt, marked done by a deliberate `y` only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.run import Status
from runbook_tui.ports import Ended
from runbook_tui.ui.screens.recheck import RecheckSaidScreen, RecheckScreen
from tests.ui.books import OLD, action, book, step
from tests.ui.pilots import agree, an_app, opened, past_guard, shown, until
from tests.ui.stage import Answer, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import HeldClock

SIZE = (120, 45)


async def test_a_recheck_is_offered_first_and_the_operator_decides(tmp_path: Path, clock: HeldClock) -> None:
    """It names itself before the other ways on; not done closes, done asks, and its result becomes the note."""
    copy = action("copy", "Copy", "rsync -a a b\n", recheck="diff -r a b")
    runbook = book(("Move", (step("1.1", "Copy", copy),)))
    async with open_stage(tmp_path, clock, runbook) as stage:
        await stage.start("copy", answer=Answer(ended=Ended(lost="cut")))
        await stage.engine.idle()
        assert stage.engine.state.of("copy").status is Status.UNKNOWN
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: "k recheck looks on the host how it stands there. Then: r retry" in shown(app))
            stage.far[OLD].answers["diff -r"] = Answer(b"\x1b[31mOnly in a: x\n", Ended(exit=1))
            await pilot.press("k")
            await opened(app, RecheckSaidScreen)
            await until(lambda: "✗ The recheck says it is not done." in shown(app))
            assert "$ diff -r a b" in shown(app)
            assert "Only in a: x" in shown(app)
            assert "[31m" not in shown(app)
            await pilot.press("escape")
            await until(lambda: app.screen is app.main and not app.flows.busy)
            assert stage.engine.state.of("copy").status is Status.UNKNOWN
            stage.far[OLD].answers["diff -r"] = Answer()
            await pilot.press("k")
            await opened(app, RecheckScreen)
            await until(lambda: "✓ The recheck says it is done." in shown(app))
            await past_guard(app, clock)
            await pilot.press("enter")
            await until(lambda: app.screen is app.main and not app.flows.busy)
            assert stage.events(ev.MarkedDone) == []
            await pilot.press("k")
            await opened(app, RecheckScreen)
            await agree(app, clock, pilot)
            note = "the recheck says it is done: diff -r a b on old, exit status 0"
            await until(lambda: [e.note for e in stage.events(ev.MarkedDone)] == [note])
