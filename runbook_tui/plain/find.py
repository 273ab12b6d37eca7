"""Which action the operator means by a number or an id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.applies import settled
from runbook_tui.core.errors import Refused
from runbook_tui.core.verbs import number_of

if TYPE_CHECKING:
    from runbook_tui.core.model import Action
    from runbook_tui.core.run import RunState


def find(state: RunState, wanted: str, *, to_do: bool) -> Action:
    """Give an action by its own or its step's number or id: of a step the first, with `to_do` the first open one.

    Raises:
        Refused: there is no such step, or nothing to do in it.
    """
    for action in state.runbook.actions():
        if wanted in {action.id, number_of(state, action.id)}:
            return action
    for step in state.runbook.steps():
        if wanted in {step.id, step.number}:
            if not step.actions:
                raise Refused(f"there is nothing to do in step {step.number}")
            still = [a for a in step.actions if to_do and not settled(state, a)]
            return (still or step.actions)[0]
    raise Refused(f"there is no step {wanted!r}", hint="go alone lists them.")
