"""How a run stands, said plainly: finished, paused, cut off; what is open or unknown; every gap in its record."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.awaited import awaited
from runbook_tui.core.run import Status
from runbook_tui.core.transcript.spelling import moment
from runbook_tui.core.verbs import number_of
from runbook_tui.core.verdict import gaps as time_gaps
from runbook_tui.core.verdict import missing_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.run import Attempt, RunState
    from runbook_tui.core.transcript.output import Outputs


def standing(state: RunState, records: Sequence[ev.Record]) -> list[str]:
    """Give sentences on how the run stands: the first says whether it is finished."""
    still_open = [_open(state, attempt) for attempt in state.attempts.values() if attempt.open]
    unknown = [
        f"{number_of(state, action.id)} is unknown: {state.of(action.id).reason}"
        for action in state.runbook.actions()
        if state.of(action.id).status is Status.UNKNOWN
    ]
    return [_headline(state, records), *still_open, *unknown]


def _headline(state: RunState, records: Sequence[ev.Record]) -> str:
    if not records:
        return "This run is empty: nothing was recorded."
    if state.closed:
        return "This run is finished: every step is settled."
    last = _last_own(records)
    if isinstance(last.event, ev.Paused):
        return f"This run is not finished: it was paused ({last.event.why}) and can be resumed."
    return (
        "This run is not finished, and its journal ends without a pause or a close: "
        f"it was still open, or the program was ended by force after {moment(records[-1].at)}."
    )


def _last_own(records: Sequence[ev.Record]) -> ev.Record:
    """Give the last record that says something about the run: a lock taken afterwards does not."""
    return next((r for r in reversed(records) if not isinstance(r.event, ev.LockTaken)), records[-1])


def _open(state: RunState, attempt: Attempt) -> str:
    number = number_of(state, attempt.action)
    if what := awaited(attempt):
        return f"{number} is open: it is {what}."
    if attempt.until is not None:
        return f"{number} is open: it waits until {moment(attempt.until)}."
    if attempt.started_at is not None:
        return f"{number} is open: attempt {attempt.id} was started on {attempt.host}, and no end of it is recorded."
    if attempt.intended:
        return f"{number} is open: attempt {attempt.id} was being sent to {attempt.host}; it may or may not have run."
    return f"{number} is open: attempt {attempt.id} was confirmed, and no sign of its being sent is recorded."


def gaps(records: Sequence[ev.Record], outputs: Outputs) -> list[str]:
    """Give a sentence for everything that is missing: records, time, the program's last word, output."""
    found = [
        f"between records {before.seq} and {after.seq} records are missing"
        for before, after in pairwise(records)
        if after.seq != before.seq + 1
    ]
    found += [*time_gaps(records), *missing_output(records)]
    for attempt in outputs.state.attempts:
        found += [f"attempt {attempt}: {gap}" for gap in outputs.gaps(attempt)]
        if outputs.is_withheld(attempt):
            found.append(f"attempt {attempt}: its output is withheld, the runbook says no-log")
    return found
