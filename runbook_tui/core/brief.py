"""Where a run stands in a few lines, fit for a login message: what is open, since when, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.gates import all_reopened
from runbook_tui.core.run import Status
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import next_action, number_of, progress, why_held

if TYPE_CHECKING:
    from datetime import datetime

    from runbook_tui.core.model import Action
    from runbook_tui.core.run import Attempt, RunState

MOST = 5
"""Lines about what went wrong; of more, only how many there are is said."""

WRONG = {Status.UNKNOWN: "not known how it ended", Status.FAILED: "failed", Status.STOPPED: "stopped"}
"""What waits for the operator, and its word."""


def when(at: datetime | None, now: datetime) -> str:
    """Give a time with how long ago it was: `2026-11-21 02:10 UTC, 2 d ago`."""
    if at is None:
        return "at an unknown time"
    return f"{at:%Y-%m-%d %H:%M} UTC, {ago((now - at).total_seconds())}"


def ago(seconds: float) -> str:
    """Give `2 d ago`, `3 h ago`, `5 min ago` or `just now`."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def brief(state: RunState, now: datetime, *, at_work: bool) -> list[str]:
    """Give a run in a few lines. `at_work`: a program has it open now."""
    settled, count = progress(state)
    name = f"mailrunbook {clean_line(state.run)}: {clean_line(state.runbook.title)}"
    if state.closed:
        return [f"{name}, closed {when(state.last_at, now)}; {settled} of {count} steps settled"]
    upcoming = next_action(state)
    phase = state.runbook.phase_of(upcoming.step) if upcoming is not None else None
    where = f", in {clean_line(phase.name)}" if phase is not None and phase.name else ""
    lines = [f"{name}, {settled} of {count} steps settled{where}"]
    lines += [_waits(state, wait, now) for wait in state.waits]
    if state.running is not None:
        lines.append(_running(state, state.running, now, at_work=at_work))
    lines += _wrong(state, now)
    lines += [
        f"gate {clean_line(gate)} turned red behind {number_of(state, action)}, {when(reading.since, now)}"
        for (action, gate), reading in all_reopened(state).items()
    ]
    if upcoming is not None:
        lines.append(f"next: {_next(state, upcoming)}")
    lines.append(_go_on(state, now, at_work=at_work))
    return lines


def _named(state: RunState, action: Action) -> str:
    return f"{number_of(state, action.id)} {clean_line(action.title)}"


def _action_of(state: RunState, attempt: Attempt) -> str:
    action = state.runbook.action(attempt.action)
    return _named(state, action) if action is not None else clean_line(attempt.action)


def _waits(state: RunState, wait: Attempt, now: datetime) -> str:
    if wait.until is not None and wait.until <= now:
        return f"waited for: {_action_of(state, wait)}, over since {when(wait.until, now)}"
    return f"waits: {_action_of(state, wait)}, until {wait.until:%Y-%m-%d %H:%M} UTC"


def _running(state: RunState, attempt: Attempt, now: datetime, *, at_work: bool) -> str:
    said = f"{_action_of(state, attempt)} on {clean_line(attempt.host)}, confirmed {when(attempt.confirmed_at, now)}"
    if at_work:
        return f"running: {said}"
    return f"left running: {said}; how it stands is looked for on that host when the run is resumed"


def _wrong(state: RunState, now: datetime) -> list[str]:
    found = []
    for action in state.runbook.actions():
        mine = state.of(action.id)
        if mine.status in WRONG and (state.running is None or state.running.action != action.id):
            why = f": {clean_line(mine.reason)}" if mine.reason else ""
            found.append(f"{WRONG[mine.status]}: {_named(state, action)}, {when(mine.at, now)}{why}")
    more = len(found) - MOST
    return [*found[:MOST], f"and {more} more of these"] if more > 0 else found


def _next(state: RunState, action: Action) -> str:
    host = state.answers.hosts.get(action.id, action.host)
    held = "; ".join(clean_line(hold.why) for hold in why_held(state, action))
    return f"{_named(state, action)}{f' on {clean_line(host)}' if host else ''}{f' (held: {held})' if held else ''}"


def _go_on(state: RunState, now: datetime, *, at_work: bool) -> str:
    if at_work:
        return f"open now, last change {when(state.last_at, now)}"
    how = f"left {when(state.last_at, now)}: {clean_line(state.paused)}" if state.paused else (
        f"ended without a word {when(state.last_at, now)}"
    )  # fmt: skip
    return f"{how}; go on with: mailrunbook resume {clean_line(state.run)}"
