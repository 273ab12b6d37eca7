"""Walks the undo stack: one way back after the other, each confirmed, until one does not end well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.errors import Refused, RunbookTuiError
from runbook_tui.core.rollback import plan
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.verbs import number_of, word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from runbook_tui.core.proposal import Proposal
    from runbook_tui.core.rollback import Rollback
    from runbook_tui.core.run import RunState
    from runbook_tui.engine.engine import Engine


def plan_rollback(engine: Engine, target: str) -> Rollback:
    """Give what rolling back to an action would do now.

    Raises:
        Refused: there is nothing to undo, or something stands against it.
    """
    if why := engine.allowed(target)[Verb.ROLLBACK]:
        raise Refused(why)
    return plan(engine.state, target)


def lines(state: RunState, planned: Rollback) -> list[str]:
    """Give what would be undone in its order, and what stays as it is and why."""
    found = [f"undo {_named(state, action)}" for action in planned.undos]
    return found + [
        f"stays {_named(state, e.action)}, {word(state.of(e.action).status)}: {e.why}" for e in planned.left
    ]


async def roll_back(
    engine: Engine,
    planned: Rollback,
    ask: Callable[[Proposal], Awaitable[str | None]],
    ended: Callable[[], Awaitable[None]],
) -> bool:
    """Walk the plan; give whether all of it was undone. The journal notes its beginning and its end.

    `ask` shows a confirmation and gives what was answered, None for a no; `ended` awaits the end of what runs.

    Raises:
        Refused, HostError: a way back cannot be run; nothing after it was tried.
    """
    state, target = engine.state, planned.target
    stays = f"; stays: {_numbers(state, [entry.action for entry in planned.left])}" if planned.left else ""
    numbers = _numbers(state, planned.undos)
    await engine.note(target, f"rolling back to {number_of(state, target)}: undo {numbers}{stays}")
    for place, action in enumerate(planned.undos):
        try:
            why = await _undo(engine, action, ask, ended)
        except RunbookTuiError as error:
            await _stopped(engine, planned, place, error.title)
            raise
        if why:
            await _stopped(engine, planned, place, why)
            return False
    await engine.note(target, f"rolled back to {number_of(engine.state, target)}: all of {numbers} is undone")
    return True


async def _undo(
    engine: Engine,
    action: str,
    ask: Callable[[Proposal], Awaitable[str | None]],
    ended: Callable[[], Awaitable[None]],
) -> str:
    """Undo one action; give why the walk may not go on, empty when it may."""
    proposal = await engine.propose(action, Verb.UNDO)
    typed = await ask(proposal)
    if typed is None:
        return "it was not confirmed"
    await engine.confirm(proposal, typed)
    await ended()
    own = engine.state.of(action)
    if own.status is Status.UNDONE:
        return ""
    return f"its way back did not end well ({word(own.status)}{': ' if own.reason else ''}{own.reason})"


async def _stopped(engine: Engine, planned: Rollback, place: int, why: str) -> None:
    state = engine.state
    at, *later = planned.undos[place:]
    still = f"; not tried: {_numbers(state, later)}" if later else ""
    number = number_of(state, planned.target)
    await engine.note(planned.target, f"rollback to {number} stopped at {number_of(state, at)}: {why}{still}")


def _numbers(state: RunState, actions: Sequence[str]) -> str:
    return ", ".join(number_of(state, action) for action in actions)


def _named(state: RunState, action_id: str) -> str:
    action = state.runbook.action(action_id)
    return f"{number_of(state, action_id)} {action.title if action else ''}".rstrip()
