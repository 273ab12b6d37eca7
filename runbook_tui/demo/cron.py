"""cron(8) of a host, on world time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runbook_tui.demo.crontab import CrontabError, Job, parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from runbook_tui.demo.host import Host

MINUTE = 60
LOOK_BACK = 32 * 24 * 60
"""Minutes of a jump that are looked through: more than the longest wait of a runbook."""


class Cron:
    """A `machine.Service`. `run(user, command)` starts a command in the host and gives its exit status.

    A jump of the clock over many due minutes runs a line once, and a line that still runs is not started again:
    minutes pass faster here than the commands know.
    """

    def __init__(self, host: Host, run: Callable[[str, str], Awaitable[int]]) -> None:
        self._host = host
        self._run = run
        self._beat: asyncio.Task[None] | None = None
        self._jobs: dict[tuple[str, str], asyncio.Task[None]] = {}

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._beat is not None

    async def start(self) -> None:
        """Run from the next minute on."""
        if self._beat is None:
            self._beat = asyncio.ensure_future(self._minutes(int(self._host.clock.time() // MINUTE)))

    async def stop(self) -> None:
        """Start nothing more, and end what was started."""
        tasks = [*self._jobs.values(), *([self._beat] if self._beat else [])]
        self._beat = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def reload(self) -> None:
        """Read nothing: crontabs are read anew each minute."""

    async def _minutes(self, last: int) -> None:
        while True:
            await self._host.clock.until((last + 1) * MINUTE)
            now = int(self._host.clock.time() // MINUTE)
            begin = max(last + 1, now - LOOK_BACK)
            minutes = [datetime.fromtimestamp(minute * MINUTE, UTC).astimezone() for minute in range(begin, now + 1)]
            for user, job in self._crontabs():
                if any(job.due(minute) for minute in minutes):
                    self._begin(user, job)
            last = now

    def _crontabs(self) -> Iterator[tuple[str, Job]]:
        folder = self._host.path(self._host.layout.crontabs)
        users = self._host.users()
        for path in sorted(folder.glob("*")):
            if path.name in users:
                with suppress(CrontabError, OSError, UnicodeDecodeError):
                    yield from ((path.name, job) for job in parse(path.read_text(encoding="utf-8")))

    def _begin(self, user: str, job: Job) -> None:
        key = (user, job.line)
        if key not in self._jobs:
            task = asyncio.ensure_future(self._command(user, job.command))
            self._jobs[key] = task
            task.add_done_callback(lambda _: self._jobs.pop(key, None))

    async def _command(self, user: str, command: str) -> None:
        """Run a line; what follows an unescaped % would be its input (crontab(5)), which nobody here uses."""
        self._host.log("cron", f"({user}) CMD ({command})")
        with suppress(OSError):
            await self._run(user, command)
