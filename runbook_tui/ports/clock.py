"""Time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Drift(NamedTuple):
    """How far a machine's clocks stand apart, in seconds; only the change between two looks says something.

    `suspended` grows by the time for which the machine was suspended, `wall` by what the wall clock was set.
    """

    suspended: float = 0.0
    wall: float = 0.0


class Clock(Protocol):
    """Time, so that a test can hold it."""

    def now(self) -> datetime:
        """Give the wall clock, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def drift(self) -> Drift:
        """Give how far the wall clock and the time of this boot have drifted from `monotonic`."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def nap(self, seconds: float) -> None:
        """Wait until it is worth looking at the world again: a rehearsal's time may run faster than one can look."""
