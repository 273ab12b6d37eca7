"""Probes of the tests' own, for where the moment matters."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.adapters.clock import SystemClock
from runbook_tui.checks.watch import Watch
from runbook_tui.core.model import CheckSpec
from runbook_tui.ports import CheckState, Probe, Reading
from tests.support.sight import TestSight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runbook_tui.ports import Clock, Sight

GREEN = Reading(CheckState.PASS, "empty", level=0.0)
RED = Reading(CheckState.FAIL, "12 wait", level=12.0)
BLIND = Reading(CheckState.UNKNOWN, "no answer")


class Saying(Probe):
    """Says what it is told to: one reading after the other, the last of them for ever."""

    def __init__(self, *says: Reading) -> None:
        self.says = list(says)
        self.looks = 0
        self.asked: list[bool] = []
        self.phases: list[str] = []

    @property
    def asks(self) -> str:
        """What is sent."""
        return "nothing"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        self.looks += 1
        self.asked.append(sight.asked)
        self.phases.append(sight.phase)
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]


class Doing(Saying):
    """Does what it is given before it says anything."""

    def __init__(self, work: Callable[[Sight], Awaitable[object]], *says: Reading) -> None:
        super().__init__(*says or (GREEN,))
        self._work = work

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        reading = await super().read(sight)
        await self._work(sight)
        return reading


async def for_ever(_: object = None) -> None:
    """Never end, but let itself be cancelled."""
    await asyncio.Event().wait()


async def stubborn(_: object = None) -> None:
    """Never end, and swallow every cancellation."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


@dataclass
class Watched:
    """A watch over probes by name, and what it recorded."""

    probes: dict[str, Saying]
    every: float = 0.05
    timeout: float = 0.1
    clock: Clock = field(default_factory=SystemClock)
    sight: Sight = field(default_factory=TestSight)
    phases: dict[str, object] = field(default_factory=dict)
    turns: list[tuple[str, str, str, str]] = field(default_factory=list)
    changes: int = 0

    def watch(self) -> Watch:
        """Make the watch; it is not started."""
        probes = {
            name: (CheckSpec(name, "test", every=self.every, timeout=self.timeout, phases=self.phases), probe)
            for name, probe in self.probes.items()
        }
        return Watch(probes, self.sight, self.clock, lambda *turn: self.turns.append(turn), self._changed)

    def _changed(self) -> None:
        self.changes += 1
