"""From readings to what is shown and recorded: green after two looks, bounded text, a check that flaps kept short."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runbook_tui.checks.view import Point
from runbook_tui.ports import CheckState, Reading, Row

if TYPE_CHECKING:
    from datetime import datetime

    from runbook_tui.checks.view import CheckView

LONGEST = 200
"""Characters kept of a field from outside."""
LONGEST_DETAIL = 4000
MOST_ROWS = 200
MOST_POINTS = 240
"""Looks that are remembered for the course of a check."""
MOST_TURNS = 6
"""Turns of one check that are recorded within `TURNS_WITHIN` seconds."""
TURNS_WITHIN = 60.0


def bounded(reading: Reading) -> Reading:
    """Cut what a probe hands on to a size that can be shown and kept."""
    rows = tuple(Row(tuple(_cut(cell) for cell in row.cells), row.state) for row in reading.rows[:MOST_ROWS])
    return replace(
        reading, value=_cut(reading.value), error=_cut(reading.error), detail=_cut(reading.detail, LONGEST_DETAIL),
        rows=rows,
    )  # fmt: skip


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def taken(view: CheckView, reading: Reading, at: datetime) -> CheckView:
    """Give the view after a reading. UNKNOWN keeps what was known; anything else is known from now on."""
    state = reading.state
    changed = replace(
        view, state=state, value=reading.value, looked=at, since=view.since if state is view.state else at,
        history=(*view.history[1 - MOST_POINTS :], Point(at, state, reading.level)),
    )  # fmt: skip
    changed = changed if view.since else replace(changed, since=at)
    if state is CheckState.UNKNOWN:
        error = reading.error or reading.value
        return replace(changed, detail=reading.detail, eta=None, error=error, error_at=at)
    return replace(
        changed, detail=reading.detail, eta=reading.eta, rows=reading.rows, level=reading.level, known=reading.value,
        known_state=state, known_at=at,
    )  # fmt: skip


@dataclass(slots=True)
class Greens:
    """Green needs two looks that say so, one after the other (MIGRATION.md section 3)."""

    looks: int = 0

    def judge(self, reading: Reading) -> tuple[Reading, bool]:
        """Give what is shown of a reading, and whether it is only a first look that another must confirm."""
        if reading.state is not CheckState.PASS:
            self.looks = 0
            return reading, False
        self.looks += 1
        if self.looks > 1:
            return reading, False
        return replace(reading, state=CheckState.PENDING, value=f"one look so far: {reading.value}"), True

    def forget(self) -> None:
        """Want two looks anew."""
        self.looks = 0


@dataclass(slots=True)
class Turns:
    """Which turns of a check are recorded: a few a minute; what came too fast is counted and said with the next."""

    seen: CheckState | None = None
    count: int = 0
    times: deque[float] = field(default_factory=deque)

    def note(self, state: CheckState, monotonic: float) -> int:
        """Take in a state; give how many turns there were since the last record when one is due now, else 0."""
        self.count += state is not self.seen
        self.seen = state
        while self.times and monotonic - self.times[0] >= TURNS_WITHIN:
            self.times.popleft()
        if not self.count or len(self.times) >= MOST_TURNS:
            return 0
        turns, self.count = self.count, 0
        self.times.append(monotonic)
        return turns
