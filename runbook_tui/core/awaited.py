"""What still has to be seen after a wait is over or something was done by hand: clocks that agree, checks that turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.model import ActionKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.run import Attempt, RunState


def waiting_for(checks: Sequence[str]) -> str:
    """Say in words what is waited for."""
    return f"waiting for check{'s' if len(checks) > 1 else ''} {' and '.join(checks)} to turn green"


def awaited(attempt: Attempt) -> str:
    """Give what a wait that is over, or a mark, waits for; empty when the attempt is no such thing."""
    return attempt.reason if attempt.open and attempt.until is not None else ""


def by_hand(state: RunState, action_id: str) -> bool:
    """Whether the operator does the action and marks it done."""
    action = state.runbook.action(action_id)
    kinds = {ActionKind.MANUAL, ActionKind.INTERACTIVE}
    return action is not None and state.answers.kinds.get(action.id, action.kind) in kinds
