"""`check=` on what is done by hand and on waits: they are over once their checks have turned green."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.fold import fold
from runbook_tui.core.model import ActionKind
from runbook_tui.core.run import Status, Verb
from runbook_tui.ports import CheckState
from tests.checks.fakes import GREEN, RED
from tests.engine.test_live_gates import Night, _soon, here
from tests.support.bench import confirm, eventually, until

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.engine import Engine

__all__ = ["_soon"]

MANUAL, WAIT = ActionKind.MANUAL, ActionKind.WAIT
WAITING = "waiting for check mx to turn green"


def status(engine: Engine, action: str = "a") -> Status:
    """Give where the action stands."""
    return engine.state.of(action).status


def reason(engine: Engine, action: str = "a") -> str:
    """Give what its last attempt says."""
    attempt = engine.state.last_attempt(action)
    return attempt.reason if attempt is not None else ""


async def test_what_was_marked_done_waits_for_its_check(tmp_path: Path) -> None:
    """It is running, says what it waits for, and what needs it does not begin; green ends it with the note."""
    night = Night(tmp_path, here(text="", kind=MANUAL, checks=("mx",)), here("b", needs=("a",)))
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: engine.checks()[0].state is CheckState.PASS)
        night.mx.says = [RED]
        await engine.mark_done("a", "I wrote a letter")
        await until(engine, lambda: reason(engine) == WAITING)
        looks = night.mx.looks
        await eventually(lambda: night.mx.looks > looks + 2)
        assert status(engine) is Status.RUNNING
        assert "it is waiting for check mx" in engine.allowed("a")[Verb.CONFIRM]
        assert "a comes first" in engine.allowed("b")[Verb.CONFIRM]
        night.mx.says = [GREEN]
        await until(engine, lambda: status(engine) is Status.BY_HAND)
        assert engine.state.of("a").reason == "I wrote a letter"
        assert await confirm(engine, "b") is Status.DONE
        text = engine.export("md")
        assert "mx: PASS: empty" in text
        assert "not waited for any longer" not in text
        assert [event.note for event in night.recorded(ev.MarkedDone)] == ["I wrote a letter"]


async def test_a_green_from_before_the_mark_does_not_prove_it(tmp_path: Path) -> None:
    """The check is looked at anew, at once, though its turn comes in an hour."""
    night = Night(tmp_path, here(text="", kind=MANUAL, checks=("mx",)), every=3600.0)
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: engine.checks()[0].state is CheckState.PASS)
        night.mx.says = [RED]
        await engine.mark_done("a", "done")
        await until(engine, lambda: engine.checks()[0].state is CheckState.FAIL)
        assert status(engine) is Status.RUNNING


async def test_the_operators_word_ends_the_wait(tmp_path: Path) -> None:
    """The same word once more, or a skip: both are recorded, and that the check was not green."""
    manual = [here(name, "", kind=MANUAL, checks=("queue",)) for name in ("a", "b")]
    night = Night(tmp_path, *manual)
    async with night.engine() as engine:
        await engine.consent()
        for name in ("a", "b"):
            await engine.mark_done(name, "first")
        await until(engine, lambda: bool(reason(engine, "a") and reason(engine, "b")))
        await engine.mark_done("a", "twelve old bounces")
        await engine.skip("b", "not tonight")
        assert (status(engine, "a"), engine.state.of("a").reason) == (Status.BY_HAND, "twelve old bounces")
        assert status(engine, "b") is Status.SKIPPED
        assert engine.state.closed
        assert engine.export("md").count("it was not waited for any longer") == 2


async def test_a_program_that_ends_meanwhile_goes_on_waiting(tmp_path: Path) -> None:
    """The journal alone gives the same state; the next sitting waits on, for looks of its own."""
    night = Night(tmp_path, here(text="", kind=MANUAL, checks=("mx",)))
    async with night.engine() as engine:
        await engine.consent()
        await engine.mark_done("a", "I wrote a letter")
        await until(engine, lambda: reason(engine) == WAITING)
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        assert (status(engine), reason(engine)) == (Status.RUNNING, WAITING)
        assert night.bench.folder is not None
        folded = fold(engine.state.runbook, night.bench.folder.journal(night.bench.clock).records)
        assert (folded.of("a"), folded.waits) == (engine.state.of("a"), engine.state.waits)
        await engine.consent()
        await until(engine, lambda: status(engine) is Status.BY_HAND)
        assert engine.state.of("a").reason == "I wrote a letter"
        assert len(night.recorded(ev.Confirmed)) == 1


async def test_a_wait_that_is_over_waits_for_its_check(tmp_path: Path) -> None:
    """Its time alone does not end it."""
    night = Night(tmp_path, here(text="", kind=WAIT, checks=("mx",)))
    async with night.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert proposal.done_when == ("the time is over", "the check mx turns green")
        await engine.confirm(proposal, proposal.wants)
        await until(engine, lambda: reason(engine) == WAITING)
        looks = night.mx.looks
        await eventually(lambda: night.mx.looks > looks + 2)
        assert status(engine) is Status.RUNNING
        night.mx.says = [GREEN]
        await until(engine, lambda: status(engine) is Status.DONE)
        assert "The wait was over" in engine.export("md")
        assert "mx: PASS: empty" in engine.export("md")


async def test_what_nothing_measures_is_waited_for_until_the_operator_says_so(tmp_path: Path) -> None:
    """A check that cannot look is no green check."""
    night = Night(tmp_path, here(text="", kind=MANUAL, checks=("elsewhere",)))
    async with night.engine() as engine:
        await engine.consent()
        await engine.mark_done("a", "done")
        await until(engine, lambda: bool(reason(engine)))
        assert status(engine) is Status.RUNNING
        await engine.mark_done("a", "I looked")
        assert status(engine) is Status.BY_HAND
