"""`rollback STEP` in line mode: the plan, each way back confirmed, and where the walk stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.run import Status
from tests.core.builders import an_undo
from tests.plain.test_session import WAITING, bench, here
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import Bench


def three(tmp_path: Path, second: str = "", last: str = "") -> Bench:
    """Make a runbook of three actions that write one line each when they are undone."""
    log = tmp_path / "log"
    backs = (f"echo a >>{log}", second or f"echo b >>{log}", last or f"echo c >>{log}")
    return bench(tmp_path, *(here(name, undos=(an_undo(back),)) for name, back in zip("abc", backs, strict=True)))


async def walk_to_the_end(desk: Desk) -> None:
    """Run all three."""
    for number in ("1.1", "1.2", "1.3"):
        desk.say("confirm", "yes")
        await desk.hear(f"^{number} done in ")


async def test_the_ways_back_run_in_reverse_each_confirmed(tmp_path: Path) -> None:
    """What is undone is listed first; every way back shows its command; the journal notes begin and end."""
    async with Desk(three(tmp_path).engine()) as desk:
        await walk_to_the_end(desk)
        desk.say("rollback 1.2", "yes", "yes", "yes")
        assert await desk.hear("rollback: ") == "1.2 rollback: undo 1.3 c"
        assert await desk.hear("rollback: ") == "1.2 rollback: undo 1.2 b"
        await desk.hear("^1.2 asks: type yes to begin")
        await desk.hear("^1.2 note by ada: rolling back to 1.2: undo 1.3, 1.2$")
        await desk.hear("^1.3 command .*echo c")
        await desk.hear("^1.3 undone")
        await desk.hear("^1.2 command .*echo b")
        await desk.hear("^1.2 undone")
        await desk.hear("^1.2 note by ada: rolled back to 1.2: all of 1.3, 1.2 is undone")
        state = desk.engine.state
        assert [state.of(name).status for name in "abc"] == [Status.DONE, Status.UNDONE, Status.UNDONE]
    assert (tmp_path / "log").read_text().split() == ["c", "b"]


async def test_a_no_stops_the_walk(tmp_path: Path) -> None:
    """Any other line than the wanted one ends it there; nothing after it is asked about."""
    async with Desk(three(tmp_path).engine()) as desk:
        await walk_to_the_end(desk)
        desk.say("rollback 1.1", "no")
        await desk.hear("^1.1 not rolled back")
        before = desk.engine.state.seq
        desk.say("status")
        await desk.hear("settled")
        assert desk.engine.state.seq == before
        desk.say("rollback 1.1", "yes", "yes", "no")
        await desk.hear("^1.2 not run: that was not the answer")
        await desk.hear("stopped at 1.2: it was not confirmed; not tried: 1.1$")
        desk.say("status")
        await desk.hear("settled")
    assert (tmp_path / "log").read_text().split() == ["c"]


async def test_a_way_back_that_fails_stops_the_walk(tmp_path: Path) -> None:
    """What is older than the failed way back stays as it is, whatever was typed ahead."""
    async with Desk(three(tmp_path, second="false").engine()) as desk:
        await walk_to_the_end(desk)
        desk.say("rollback 1.1", "yes", "yes", "yes", "yes")
        await desk.hear("stopped at 1.2: its way back did not end well .failed: .*; not tried: 1.1$")
        await desk.hear("not understood: there is no verb 'yes'")
        assert desk.engine.state.of("a").status is Status.DONE
    assert (tmp_path / "log").read_text().split() == ["c"]


async def test_a_line_typed_during_a_way_back_is_no_answer_to_the_next(tmp_path: Path) -> None:
    """`status` acts at once, and the confirmation that comes next is declined, however fast the way back was."""
    gate = tmp_path / "gate"
    async with Desk(three(tmp_path, last=WAITING.format(gate)).engine()) as desk:
        await walk_to_the_end(desk)
        desk.say("rollback 1.1", "yes", "yes")
        await desk.hear("^1.3 undoing")
        desk.say("status", "yes")
        await desk.hear("will not be answered")
        gate.touch()
        await desk.hear("^1.3 undone")
        await desk.hear("^1.2 not run: that was not the answer")
        undos = [a for a in desk.engine.state.attempts.values() if a.role is ev.Role.UNDO]
        assert [a.action for a in undos] == ["c"]


async def test_what_stands_against_it_is_said(tmp_path: Path) -> None:
    """A step that is not there, and one from which nothing was done, are refused in words."""
    async with Desk(three(tmp_path).engine()) as desk:
        await desk.hear("^1.1 next")
        desk.say("rollback 9", "rollback 1.1", "rollback")
        await desk.hear("refused: there is no step '9'")
        await desk.hear("refused: nothing from here on was done")
        await desk.hear("something is missing: rollback STEP")
