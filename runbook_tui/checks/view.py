"""A live check as it stands now, for the front ends and the gates: values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from datetime import datetime

    from runbook_tui.ports import Row


@dataclass(frozen=True, slots=True)
class Point:
    """One look of the past; `level` is the number whose course is drawn, None where there was none."""

    at: datetime
    state: CheckState
    level: float | None = None


@dataclass(frozen=True, slots=True)
class CheckView:
    """A live check as it stands now. All times are aware UTC; text from outside stands in it raw.

    `since` is when its state last turned, `looked` when it last looked, `next` when it looks again. While it is
    UNKNOWN, `known` is what it said before, `known_state` and `known_at` how and when. `error` is why it last could
    not look, at `error_at`. `measured` is False where nothing can be looked at: then it says nothing of a gate.
    """

    name: str
    type: str
    label: str
    asks: str
    every: float
    asks_lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    measured: bool = True
    state: CheckState = CheckState.UNKNOWN
    value: str = "not looked yet"
    detail: str = ""
    eta: datetime | None = None
    rows: tuple[Row, ...] = ()
    level: float | None = None
    since: datetime | None = None
    looked: datetime | None = None
    next: datetime | None = None
    known: str = ""
    known_state: CheckState | None = None
    known_at: datetime | None = None
    error: str = ""
    error_at: datetime | None = None
    history: tuple[Point, ...] = ()

    def said(self, now: datetime) -> str:
        """Give the value in one line; where it could not look, also what it said before and how long ago."""
        if self.state is not CheckState.UNKNOWN or self.known_at is None or self.known_state is None:
            return self.value
        ago = age((now - self.known_at).total_seconds())
        return f"{self.value}; {ago} ago {self.known_state}: {self.known}"


def age(seconds: float) -> str:
    """Give `5 s`, `3 min`, `2 h` or `4 d`: how old something is, roughly."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"
