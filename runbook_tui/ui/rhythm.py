"""Tells a deliberate key press from a burst, a repeat or a paste (PROMISES.md P6 and 3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GUARD = 0.4
"""Seconds a dialog must have been on the screen before its keys count, and a paste must be over."""
BURST = 0.03
"""Seconds between keys below which nobody typed them."""
REPEAT = 0.25
"""Seconds between two presses of the same key below which it is taken to be held down."""


class Rhythm:
    """Remembers when keys and pastes arrived; `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.count = 0
        self._key = ""
        self._at = float("-inf")
        self._gap = float("inf")
        self._repeated = False
        self._pasted_at = float("-inf")

    def key(self, key: str) -> None:
        """Take note of a key."""
        now = self.clock()
        self._gap = now - self._at
        self._repeated = key == self._key and self._gap < REPEAT
        self._key, self._at = key, now
        self.count += 1

    def paste(self) -> None:
        """Take note of a paste."""
        self._pasted_at = self.clock()
        self.count += 1

    @property
    def deliberate(self) -> bool:
        """Whether the last key was pressed by itself: no burst, no repeat, no paste just before it."""
        return self._gap >= BURST and not self._repeated and self.clock() - self._pasted_at >= GUARD
