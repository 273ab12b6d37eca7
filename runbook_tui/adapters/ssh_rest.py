"""How long a host that could not be reached is left alone by whoever can wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_tui.core.errors import HostError

RESTS = (1.5, 3.0, 7.5, 15.0, 30.0, 45.0)
"""Seconds after each failure; half as long again as what runs there waits before it tries, so that it comes first."""


class Rest:
    """Counts the failures since the last success."""

    def __init__(self) -> None:
        self._failures = 0
        self._failure: HostError | None = None
        self._until = 0.0

    @property
    def why(self) -> HostError | None:
        """The last failure, while its rest lasts."""
        return self._failure if self._failure and asyncio.get_running_loop().time() < self._until else None

    def failed(self, error: HostError) -> None:
        """Begin a rest, longer than the one before."""
        self._until = asyncio.get_running_loop().time() + RESTS[min(self._failures, len(RESTS) - 1)]
        self._failures += 1
        self._failure = error

    def end(self) -> None:
        """Forget what failed."""
        self._failures, self._failure = 0, None
