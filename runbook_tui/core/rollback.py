"""The undo stack: what rolling back to an action would undo, in which order, and what it leaves as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.applies import fitting, host_of
from runbook_tui.core.events import Role
from runbook_tui.core.model import ActionId, ActionKind
from runbook_tui.core.run import RunState, Status
from runbook_tui.core.verbs import has_way_back, number_of, passed_no_return, undone, why_busy, word

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from runbook_tui.core.model import Action


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """An action that was done and is not undone, and why."""

    action: ActionId
    why: str


@dataclass(frozen=True, slots=True)
class Rollback:
    """What rolling back to `target` does: `undos` in their order, the last one done first. `refused` says why not."""

    target: ActionId
    undos: tuple[ActionId, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    refused: str = ""


def plan(state: RunState, target: str) -> Rollback:
    """Give the undos of what was done from the target on, in the reverse of the order in which it was done.

    The point of no return is not crossed, and nothing is undone on top of an action whose outcome is not known.
    """
    action = state.runbook.action(target)
    if action is None:
        return Rollback(ActionId(target), refused="no step is chosen")
    scope = _from_here_on(state, action)
    if refused := why_busy(state, action) or _final(state, action) or _unknown(state, scope):
        return Rollback(action.id, refused=refused)
    ran = [(a, at) for a in scope if (at := _last_run(state, a)) >= 0 and not undone(state, a)]
    back = sorted(((a, at) for a, at in ran if not _why_left(state, a)), key=lambda found: -found[1])
    left = [LeftAlone(a.id, why) for a in scope if (why := _left(state, a, {r.id for r, _ in ran}))]
    undos = tuple(a.id for a, _ in back)
    refused = "" if undos else _nothing(state, left)
    return Rollback(action.id, undos, tuple(left), refused)


def _from_here_on(state: RunState, target: Action) -> list[Action]:
    actions = list(state.runbook.actions())
    return actions[[a.id for a in actions].index(target.id) :]


def _last_run(state: RunState, action: Action) -> int:
    """Give the place of the action's last execution among all attempts of the run; -1 when it never ran."""
    own = state.of(action.id).attempts
    if not own:
        return -1
    order = list(state.attempts)
    ran = [i for i in own if (a := state.attempts[i]).role is Role.RUN and a.status is not Status.NOT_RUN]
    return order.index(ran[-1]) if ran else -1


def _final(state: RunState, target: Action) -> str:
    final = passed_no_return(state, target)
    if final is None:
        return ""
    number = number_of(state, final.id)
    return (
        f"{number} ({final.title}) was the point of no return and is {word(state.of(final.id).status)}; "
        "the stack is not rolled back past it"
    )


def _unknown(state: RunState, scope: Sequence[Action]) -> str:
    numbers = [number_of(state, a.id) for a in scope if state.of(a.id).status is Status.UNKNOWN]
    if not numbers:
        return ""
    return f"how {' and '.join(numbers)} ended is not known; settle that first: look, retry it, undo it or mark it done"


def _why_left(state: RunState, action: Action) -> str:
    """Say why the way back of an action that ran cannot be part of the walk; empty when it can."""
    if not has_way_back(state, action):
        return "the runbook names no way back for it"
    hosts = {undo.host or host_of(state, action) for undo in fitting(state, action).undos}
    if len(hosts) > 1:
        return "its ways back are on different hosts; take it back by hand"
    return ""


def _left(state: RunState, action: Action, ran: AbstractSet[str]) -> str:
    if action.id in ran:
        if state.answers.kinds.get(action.id, action.kind) is ActionKind.WAIT and not has_way_back(state, action):
            return ""
        return _why_left(state, action)
    if state.of(action.id).status is Status.BY_HAND:
        return "take it back by hand"
    return ""


def _nothing(state: RunState, left: Sequence[LeftAlone]) -> str:
    if not left:
        return "nothing from here on was done, so there is nothing to undo"
    numbers = ", ".join(number_of(state, entry.action) for entry in left)
    return f"what was done from here on has no way back: {numbers}"
