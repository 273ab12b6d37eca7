"""Line mode: what a step's recheck says, and the question whether it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.model import LOCAL
from runbook_tui.core.run import Status
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_recheck_is_said_and_only_yes_marks_it_done(tmp_path: Path) -> None:
    """It is offered after a failure; what it says is read out, and any line but `yes` leaves the action as it is."""
    flag = tmp_path / "flag"
    action = an_action("a", "false", host=LOCAL, recheck=f"echo looking; test -e {flag}")
    async with Desk(Bench(a_runbook(action), tmp_path / "state").engine()) as desk:
        desk.say("yes", "recheck")
        await desk.hear("^1.1 refused: it is to do; a recheck is for")
        desk.say("confirm", "yes")
        await desk.hear("^1.1 recheck asks on the host how it stands there")
        desk.say("recheck")
        await desk.hear("^1.1 recheck on local echo looking; test -e ")
        await desk.hear(r"^1.1 recheck \| looking")
        await desk.hear("^1.1 recheck ended: exit status 1")
        await desk.hear("^1.1 the recheck says it is not done")
        flag.touch()
        desk.say("recheck", "y", "recheck", "yes")
        await desk.hear("^1.1 the recheck says it is done")
        await desk.hear("^1.1 asks: type yes to mark it done")
        await desk.hear("^1.1 not marked done: that was not the answer")
        assert desk.engine.state.of("a").status is Status.FAILED
        await desk.hear("^1.1 done by hand: the recheck says it is done: echo looking; .* on local, exit status 0")
