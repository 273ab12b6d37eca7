"""Notices while the run is open that this machine was suspended or that its clock was set, and has it recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.machine_time import NOTICED

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock

EVERY = 1.0
"""Seconds between looks. Each look compares with the one before: a clock that is slewed slowly was not set."""


class Timekeeping:
    """Compares this machine's clocks. `woke` is called after a suspend was recorded."""

    def __init__(self, recorder: Recorder, clock: Clock, woke: Callable[[], None]) -> None:
        self._recorder = recorder
        self._clock = clock
        self._woke = woke
        self._before = clock.drift()

    def look(self) -> None:
        """Record what happened to the clocks since the last look."""
        before, self._before = self._before, self._clock.drift()
        slept, turned = self._before.suspended - before.suspended, self._before.wall - before.wall
        if abs(turned) > NOTICED:
            self._recorder.happened(ev.ClockSet(seconds=round(turned, 3)))
        if slept > NOTICED:
            self._recorder.happened(ev.Suspended(seconds=round(slept, 3)))
            self._woke()

    async def keep(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(EVERY)
            self.look()
