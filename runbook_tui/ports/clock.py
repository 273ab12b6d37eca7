"""Time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """Time, so that a test can hold it."""

    def now(self) -> datetime:
        """Give the wall clock, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def nap(self, seconds: float) -> None:
        """Wait until it is worth looking at the world again: a rehearsal's time may run faster than one can look."""
