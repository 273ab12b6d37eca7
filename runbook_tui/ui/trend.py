"""The course of a live check as a line of small bars, from its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.checks.view import Point

BARS = "▁▂▃▄▅▆▇█"
BLANK = "·"
"""A look that saw nothing."""
HEIGHTS = {
    CheckState.PASS: BARS[0], CheckState.PENDING: BARS[3], CheckState.WARN: BARS[5], CheckState.FAIL: BARS[7],
    CheckState.UNKNOWN: BLANK,
}  # fmt: skip
"""How high a state stands where a check has no number: the worse, the higher."""


def sparkline(history: Sequence[Point], width: int) -> str:
    """Draw the newest `width` looks, oldest first: by their level where there is one, else by their state.

    The lowest level of those drawn is the lowest bar; where all are equal, zero is low and anything else is half high.
    """
    points = history[-width:] if width > 0 else ()
    levels = [point.level for point in points if point.level is not None]
    if not levels:
        return "".join(HEIGHTS[point.state] for point in points)
    low, high = min(levels), max(levels)
    return "".join(_bar(point, low, high) for point in points)


def _bar(point: Point, low: float, high: float) -> str:
    if point.level is None or point.state is CheckState.UNKNOWN:
        return BLANK
    if high == low:
        return BARS[0] if not point.level else BARS[3]
    return BARS[round((point.level - low) / (high - low) * (len(BARS) - 1))]
