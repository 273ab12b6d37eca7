"""Gives one job what it waits for and nobody may see: a secret on its standard input, passwords for sudo."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.ports import STDIN, Fed

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.secret import Secret
    from runbook_tui.engine.detached import DetachedJob
    from runbook_tui.ports import Clock

PAUSE = 0.5
"""Seconds between two tries while the link is down."""


class Feeding:
    """Feeds a job while it goes on; what a lost link kept back is tried again, and is given once at most."""

    def __init__(self, job: DetachedJob, clock: Clock, say: Callable[[str], None]) -> None:
        self._job = job
        self._clock = clock
        self._say = say
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, fed: Secret) -> None:
        """Give the job its standard input."""
        task = asyncio.create_task(self._begin(fed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def give(self, place: str, value: Secret) -> Fed:
        """Give a value there, as soon as the host can be reached."""
        while True:
            if not self._job.trouble:
                try:
                    fed = await self._job.feed(place, data_of(value))
                except HostError:
                    fed = Fed.CUT
                if fed is not Fed.CUT:
                    return fed
            await self._clock.sleep(PAUSE)

    async def refuse(self, place: str) -> None:
        """Tell the job that nobody gives a value there, as soon as the host can be reached."""
        while True:
            if not self._job.trouble:
                with contextlib.suppress(HostError):
                    await self._job.refuse(place)
                    return
            await self._clock.sleep(PAUSE)

    async def close(self) -> None:
        """Give nothing any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, fed: Secret) -> None:
        if await self.give(STDIN, fed) is Fed.FED:
            self._say(f"its standard input is {fed.name}")


def data_of(value: Secret) -> bytes:
    """Give the bytes of a value; those of a file that are no UTF-8 are what they were."""
    return value.reveal().encode("utf-8", "surrogateescape")
