"""World time: real time multiplied by a factor, and jumps; the same in every process that has the face."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runbook_tui.adapters.clock import boot_id
from runbook_tui.ports import Drift

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_NAP = 4.0
"""Real seconds between two looks of a live check at the least, however fast the world's time runs."""

BRIEF = 2.0
"""Seconds of a nap that ends with a second look at what was seen just now: always real ones."""


@dataclass(frozen=True, slots=True)
class Face:
    """What makes two clocks agree: at `monotonic` (this machine's seconds) it was `epoch` (Unix seconds) in the world.

    `factor` is world seconds per real second.
    """

    monotonic: float
    epoch: float
    factor: float

    def at(self, monotonic: float) -> float:
        """Give world time as Unix seconds."""
        return self.epoch + (monotonic - self.monotonic) * self.factor


class WorldClock:
    """A `ports.Clock` on world time. `monotonic` stays real: how long a command took is no make-believe."""

    def __init__(self, face: Face, shortest_nap: float = SHORTEST_NAP, brief_nap: float = BRIEF) -> None:
        self.boot = boot_id()
        self._face = face
        self._shortest_nap = shortest_nap
        self._brief_nap = brief_nap
        self._sleepers: set[asyncio.Future[None]] = set()
        self._jumped: list[Callable[[], None]] = []

    @classmethod
    def start(cls, factor: float) -> WorldClock:
        """Make a clock that shows the present and runs `factor` times as fast from now on."""
        return cls(Face(time.monotonic(), time.time(), factor))

    @property
    def face(self) -> Face:
        """What another process needs to show the same time."""
        return self._face

    def set(self, face: Face) -> None:
        """Take another clock's face; whoever sleeps looks at the time again."""
        if face == self._face:
            return
        self._face = face
        for sleeper in tuple(self._sleepers):
            if not sleeper.done():
                sleeper.set_result(None)
        for jumped in self._jumped:
            jumped()

    def advance(self, seconds: float) -> None:
        """Jump ahead by world seconds; every sleeper, cache and queue follows."""
        self.set(replace(self._face, epoch=self._face.epoch + seconds))

    def on_jump(self, jumped: Callable[[], None]) -> None:
        """Have `jumped` called after every jump."""
        self._jumped.append(jumped)

    def time(self) -> float:
        """Give world time as Unix seconds."""
        return self._face.at(time.monotonic())

    def now(self) -> datetime:
        """Give world time, aware UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def drift(self) -> Drift:
        """Give none: the world's time runs as fast as it is told to, which is no fault of a clock."""
        return Drift()

    def monotonic(self) -> float:
        """Give real seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait world seconds; a jump ends it early when it went that far."""
        await self.until(self.time() + seconds)

    async def nap(self, seconds: float) -> None:
        """Wait world seconds, but some real ones at least; a jump of the clock ends it, for much has changed then."""
        if seconds <= BRIEF:
            await asyncio.sleep(min(seconds, self._brief_nap))
            return
        face = self._face
        least = min(seconds, self._shortest_nap)
        await asyncio.sleep(least)
        rest = seconds - least * self._face.factor
        if rest > 0 and self._face is face:
            await self._turn(rest / self._face.factor)

    async def _turn(self, seconds: float) -> None:
        """Wait real seconds, or until the clock jumps."""
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = asyncio.get_running_loop().call_later(seconds, _wake, sleeper)
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            alarm.cancel()
            self._sleepers.discard(sleeper)

    async def until(self, moment: float) -> None:
        """Wait until world time `moment`, Unix seconds; at least one turn of the loop."""
        await asyncio.sleep(0)
        while (left := moment - self.time()) > 0:
            await self._turn(left / self._face.factor)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
