"""One look of a check, kept apart: it cannot outlast its time, take the program down, or leave a command behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError, RunbookTuiError
from runbook_tui.ports import CheckState, Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from runbook_tui.core.model import Host, HostName
    from runbook_tui.core.run import Status
    from runbook_tui.ports import (
        Ended,
        ExpectedKeys,
        Hosts,
        Identity,
        Job,
        Jobs,
        KeyRefusal,
        Link,
        Net,
        Probe,
        Secrets,
        Shell,
        Sight,
    )

MOST_SESSIONS = 6
"""Commands of checks at a time over one connection: two of the eight that it carries stay free for a step."""

LET_GO_TIMEOUT = 2.0
"""Seconds for ending over there what a look left running."""


class Slots:
    """The sessions that checks may have open on each host."""

    def __init__(self) -> None:
        self._by_host: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MOST_SESSIONS))

    def of(self, host: str) -> asyncio.Semaphore:
        """Give the host's."""
        return self._by_host[host]


class HeldJob:
    """A job that gives its session back when it has ended or is let go of."""

    def __init__(self, job: Job, slot: asyncio.Semaphore) -> None:
        self.over = False
        self._job = job
        self._slot: asyncio.Semaphore | None = slot

    @property
    def pgid(self) -> int:
        """The process group over there."""
        return self._job.pgid

    @property
    def noise(self) -> str:
        """What the login shell said by itself."""
        return self._job.noise

    async def wait(self) -> Ended:
        """Wait for the end."""
        ended = await self._job.wait()
        self.over = True
        self._give_back()
        return ended

    def close(self) -> None:
        """Let go of the channel; what runs over there is ended with the look."""
        self._job.close()
        self._give_back()

    def _give_back(self) -> None:
        if self._slot is not None:
            self._slot.release()
            self._slot = None


class HeldShell:
    """A host's shell during one look: every command takes a session, and is remembered.

    A look that nobody `asked` for does not connect to a host that is resting.
    """

    def __init__(
        self, shell: Shell, slot: asyncio.Semaphore, began: list[tuple[Shell, HeldJob]], *, asked: bool
    ) -> None:
        self._asked = asked
        self._shell = shell
        self._slot = slot
        self._began = began

    @property
    def host(self) -> Host:
        """The host."""
        return self._shell.host

    @property
    def link(self) -> Link:
        """The state of the connection."""
        return self._shell.link

    @property
    def jobs(self) -> Jobs:
        """What runs there detached, which no check uses."""
        return self._shell.jobs

    @property
    def refusal(self) -> KeyRefusal | None:
        """Why the last connection was refused for a host key."""
        return self._shell.refusal

    @property
    def session_limit(self) -> int | None:
        """How many sessions were open when one more was refused."""
        return self._shell.session_limit

    @property
    def resting(self) -> HostError | None:
        """The failure after which this look does not connect yet."""
        return None if self._asked else self._shell.resting

    async def connect(self) -> Identity:
        """Connect if not connected."""
        self._let_rest()
        return await self._shell.connect()

    async def start(self, script: str, sink: Callable[[bytes], None], stdin: bytes | None = None) -> HeldJob:
        """Run a script once there is a session for it."""
        self._let_rest()
        await self._slot.acquire()
        try:
            job = HeldJob(await self._shell.start(script, sink, stdin), self._slot)
        except BaseException:
            self._slot.release()
            raise
        self._began.append((self._shell, job))
        return job

    async def signal_group(self, pgid: int, signal: str) -> int:
        """Signal a process group over there."""
        return await self._shell.signal_group(pgid, signal)

    def _let_rest(self) -> None:
        if (failure := self.resting) is not None:
            raise HostError(failure.title, failure.detail, failure.hint)

    def rested(self) -> None:
        """Leave that to whoever knows."""

    def expect(self, keys: ExpectedKeys) -> None:
        """Leave what is expected: that is the run's to say."""

    async def close(self) -> None:
        """Leave the connection: it is the run's, not the look's."""


class LookHosts:
    """The kept connections as one look uses them."""

    def __init__(self, hosts: Hosts, slots: Slots, *, asked: bool) -> None:
        self._asked = asked
        self._hosts = hosts
        self._slots = slots
        self._began: list[tuple[Shell, HeldJob]] = []

    def find(self, name: str) -> HeldShell | None:
        """Give the host's shell, or None when the run has no such host."""
        shell = self._hosts.find(name)
        if shell is None:
            return None
        return HeldShell(shell, self._slots.of(name), self._began, asked=self._asked)

    async def identify(self, name: HostName) -> Identity:
        """Connect when not connected, and say who answers."""
        shell = self.find(name)
        failure = shell.resting if shell is not None else None
        if failure is not None:
            title = failure.title if failure.title.startswith(name) else f"{name}: {failure.title}"
            raise HostError(title, failure.detail, failure.hint)
        return await self._hosts.identify(name)

    async def let_go(self) -> None:
        """End what the look left running over there, as far as that can be done at once."""
        left = [(shell, job) for shell, job in self._began if not job.over]
        with contextlib.suppress(HostError, TimeoutError):
            async with asyncio.timeout(LET_GO_TIMEOUT):
                for shell, job in left:
                    await shell.signal_group(job.pgid, "TERM")
        for _, job in left:
            job.close()


@dataclass(frozen=True, slots=True)
class LookSight:
    """The run's sight with this look's own hosts."""

    run: Sight
    hosts: LookHosts
    asked: bool

    @property
    def net(self) -> Net:
        """The network beside SSH."""
        return self.run.net

    @property
    def secrets(self) -> Secrets:
        """The passwords."""
        return self.run.secrets

    @property
    def phase(self) -> str:
        """The name of the phase the walk is in."""
        return self.run.phase

    @property
    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return self.run.now

    @property
    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self.run.monotonic

    def state_of(self, action_id: str) -> Status:
        """Give where an action stands."""
        return self.run.state_of(action_id)

    def done_at(self, action_id: str) -> datetime | None:
        """Give when an action came to its good end."""
        return self.run.done_at(action_id)


class Looker:
    """The looks of one probe, one at a time."""

    def __init__(self, probe: Probe, timeout: float, sight: Sight, slots: Slots) -> None:
        self._probe = probe
        self._timeout = timeout
        self._sight = sight
        self._slots = slots
        self._task: asyncio.Task[Reading] | None = None

    async def look(self, *, asked: bool = False) -> Reading:
        """Look once; UNKNOWN past its time, and while an earlier look has still not ended. Never raises for a probe."""
        if self._task is not None and not self._task.done():
            return Reading(CheckState.UNKNOWN, "an earlier look has not ended yet")
        hosts = LookHosts(self._sight.hosts, self._slots, asked=asked)
        task = self._task = asyncio.create_task(self._read(LookSight(self._sight, hosts, asked)))
        try:
            await asyncio.wait({task}, timeout=self._timeout)
        finally:
            if not task.done():
                task.cancel()
            await hosts.let_go()
        if not task.done() or task.cancelled():
            return Reading(CheckState.UNKNOWN, f"no answer within {self._timeout:g} s")
        return task.result()

    async def _read(self, sight: Sight) -> Reading:
        try:
            return await self._probe.read(sight)
        except RunbookTuiError as error:
            return Reading(CheckState.UNKNOWN, error.title, error=str(error))
        except Exception as error:  # noqa: BLE001 -- the boundary: a fault of one check must not end the others
            return Reading(CheckState.UNKNOWN, f"the check itself failed: {type(error).__name__}", error=repr(error))

    def take(self, probe: Probe) -> None:
        """Look with another probe from now on."""
        self._probe = probe

    def end(self) -> None:
        """End a look that swallowed its cancellation, which CPython's `wait_for` before 3.12 may do for it.

        A closed coroutine cannot go on, so that the loop's own end does not wait for it either.
        """
        task = self._task
        if task is None or task.done():
            return
        coroutine = task.get_coro()
        with contextlib.suppress(RuntimeError, ValueError):
            if coroutine is not None:
                coroutine.close()
        task.cancel()
        task.add_done_callback(_seen)


def _seen(task: asyncio.Task[Reading]) -> None:
    if not task.cancelled():
        task.exception()
