"""What the clocks of machines did, in words: suspends, wall clocks that were set, clocks that disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICED = 2.0
"""Seconds by which clocks must drift apart to count (PROMISES.md 3.3)."""

MOST_APART = 300.0
"""Seconds by which the clocks of this machine and the hosts may disagree when a wait is over (PROMISES.md 3.8)."""


def told(event: ev.Suspended | ev.ClockSet) -> str:
    """Give the event as one sentence."""
    if isinstance(event, ev.Suspended):
        return f"this machine was suspended for {lasting(event.seconds)}; meanwhile nothing was watched from here"
    way = "forward" if event.seconds > 0 else "back"
    return f"the clock of this machine was set {way} by {lasting(abs(event.seconds))}"


def lasting(seconds: float) -> str:
    """Give `12 s`, `4 min 05 s`, `2 h 03 min` or `3 d 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def disagreement(offsets: Mapping[str, float]) -> str:
    """Say which clocks are too far apart; empty when none are.

    Args:
        offsets: by host, the seconds by which its clock is ahead of this machine's; behind is negative.
    """
    clocks = {"this machine": 0.0, **offsets}
    first, last = min(clocks, key=clocks.__getitem__), max(clocks, key=clocks.__getitem__)
    apart = clocks[last] - clocks[first]
    return f"the clock of {last} is {lasting(apart)} ahead of that of {first}" if apart > MOST_APART else ""
