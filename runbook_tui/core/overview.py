"""Where a run stands, as `status` and `runs` print it: JSON in the documented shape, and lines (ARCHITECTURE.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_tui.core.applies import applying, not_for
from runbook_tui.core.run import Status
from runbook_tui.core.settle import shown_status
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import number_of, progress, shown_word, step_status, step_word, why_held

if TYPE_CHECKING:
    from runbook_tui.core.model import Action, Step
    from runbook_tui.core.run import RunState


def status_json(state: RunState) -> dict[str, Any]:
    """Give the document of `status --json`."""
    return {"run": state.run, "steps": [_step(state, step) for step in state.runbook.steps() if step.actions]}


def _step(state: RunState, step: Step) -> dict[str, Any]:
    held = [hold.why for action in step.actions for hold in why_held(state, action)]
    return {
        "id": step.id,
        "number": step.number,
        "title": step.title,
        "state": step_status(state, step).value,
        "held_because": list(dict.fromkeys(held)),
        "actions": [_action(state, action) for action in step.actions],
    }


def _action(state: RunState, action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "kind": state.answers.kinds.get(action.id, action.kind).value,
        "host": state.answers.hosts.get(action.id, action.host),
        "state": shown_status(state, action).value,
        "attempts": len(state.of(action.id).attempts),
    } | ({"reason": why} if (why := not_for(state, action)) else {})


def status_lines(state: RunState) -> list[str]:
    """Give a run's state for people, one line a step, and one an action where a step has several."""
    settled, count = progress(state)
    lines = [f"{clean_line(state.run)}: {clean_line(state.runbook.title)}, {settled} of {count} steps settled"]
    for step in state.runbook.steps():
        if not step.actions:
            continue
        lines.append(
            f"{step.number} {step_word(state, step)}: {clean_line(step.title)}{_why(state, _shown(state, step))}"
        )
        if len(step.actions) > 1:
            lines += [
                f"{number_of(state, a.id)} {shown_word(state, a)}: {clean_line(a.title)}{_why(state, (a,))}"
                for a in step.actions
            ]
    return lines


def _shown(state: RunState, step: Step) -> tuple[Action, ...]:
    """Give the actions that decide what a step shows: those that apply, or all where none does."""
    return applying(state, step) or step.actions


def _why(state: RunState, actions: tuple[Action, ...]) -> str:
    reasons: list[str] = []
    for action in actions:
        reasons += [hold.why for hold in why_held(state, action)]
        if reason := state.of(action.id).reason or not_for(state, action):
            reasons.append(reason)
    return f" ({clean_line('; '.join(dict.fromkeys(reasons)))})" if reasons else ""


def ended_with_failures(state: RunState) -> bool:
    """Whether the run is closed although something that ran last failed and was left so.

    A failure that was retried well, undone, or attested as done by hand is none; one that was skipped over is.
    """
    return state.closed and any(
        own.status is Status.SKIPPED
        and any(state.attempts[i].status in {Status.FAILED, Status.STOPPED, Status.UNKNOWN} for i in own.attempts[-1:])
        for own in state.actions.values()
    )
