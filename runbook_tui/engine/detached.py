"""One attempt's detached job, followed through lost links until its end is known or can never be known."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from runbook_tui.core.errors import HostError
from runbook_tui.ports import (
    NOTHING,
    Ended,
    Fed,
    JobId,
    Link,
    LinkLostError,
    Needs,
    OutcomeUnknownError,
    Standing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.run import RunState
    from runbook_tui.ports import Ask, Clock, Following, Shell, Stand

PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds before each try to reach a host again; the last one for every further try (PROMISES.md 3.3)."""

LOST = {
    Standing.REBOOTED: "the host was started anew while it ran; no exit status was recorded",
    Standing.VANISHED: "its processes are gone and left no exit status (killed, out of memory, or logged out)",
    Standing.AMNESIA: "the host knows nothing of this run any more: its folder for running commands is gone",
    Standing.ABSENT: "it was started, but its folder on the host is gone",
    Standing.CLAIMED: "it was started, but what its folder on the host had to tell is gone",
}
"""Why a job's outcome will never be known."""


def job_id(state: RunState, attempt: str) -> JobId:
    """Give the job's name on its host: two runs of the same name from other times or places never share one."""
    told_apart = f"{state.run} {state.workstation} {state.opened_at}"
    mark = hashlib.sha256(told_apart.encode()).hexdigest()[:10]
    return JobId(f"{state.run}-{mark}", f"{attempt}-{mark}")


class NotRunError(Exception):
    """It is proved that the job did not run and never will; `str()` says how."""


class DetachedJob:
    """Starts or finds a job on its host and follows it; every lost link is mended by itself, no job is started twice.

    `trouble` says in words what is being done about a lost link, empty while there is none. `offset` are the bytes of
    output that have been taken so far.
    """

    def __init__(
        self,
        job: JobId,
        shell: Callable[[], Shell],
        sink: Callable[[bytes], None],
        clock: Clock,
        *,
        told: Callable[[], None],
        asked: Callable[[Ask], None] | None = None,
        warned: Callable[[str], None] | None = None,
        offset: int = 0,
    ) -> None:
        self._job = job
        self._shell = shell
        self._sink = sink
        self._clock = clock
        self._told = told
        self._asked = asked
        self._warned = warned
        self.offset = offset
        self.resumed_at = offset
        self.pgid = 0
        self.losses = 0
        self._try = 0
        self._why = ""
        self._next: float | None = None
        self._now = asyncio.Event()
        self._given_up = asyncio.Event()
        self._following: Following | None = None

    @property
    def trouble(self) -> str:
        """What is wrong with the link and what is done about it, in words; empty while all is well."""
        if not self._why:
            return ""
        if self._shell().link is Link.ASKING:
            return f"{self._why}; it {Link.ASKING}"
        if self._next is None:
            return f"{self._why}; reaching it now" if self._try else self._why
        left = max(0, round(self._next - self._clock.monotonic()))
        return f"{self._why}; try {self._try + 1} in {left} s"

    @property
    def following(self) -> bool:
        """Whether it was started or found, and is followed."""
        return self._following is not None

    async def launch(self, script: str, stdin: bytes | None, needs: Needs = NOTHING) -> None:
        """Start it. What the link hid is found out before this returns, however long that takes.

        Raises:
            HostError: nothing was sent, so nothing ran.
            NotRunError: it was sent, and it is proved that it never runs.
        """
        try:
            jobs = self._shell().jobs
            following = await jobs.launch(
                self._job, script, self._take, stdin, needs=needs, asked=self._asked, warned=self._warned
            )
        except OutcomeUnknownError as unknown:
            self.losses += 1
            await self._find(f"the link was lost: {unknown}", acknowledged=False)
        else:
            if following.stand.standing in {Standing.ABSENT, Standing.AMNESIA}:
                raise HostError("the folder for running commands could not be made there", hint="Is its disk full?")
            if following.stand.standing in {Standing.FENCED, Standing.CLAIMED}:
                raise NotRunError("the host was kept from starting it")
            self._take_up(following)

    async def take_up(self, *, acknowledged: bool) -> None:
        """Find a job of an earlier sitting. `acknowledged`: its start was answered then.

        Raises:
            NotRunError: it is proved that it never ran and never will.
        """
        await self._find("looking for it", acknowledged=acknowledged)

    async def wait(self) -> Ended:
        """Wait for its end, through as many lost links as it takes.

        Raises:
            NotRunError: it waited for its standard input, and was kept from starting without it.
        """
        while True:
            following = self._following
            if following is None:
                return Ended(lost=self._why or "it was given up")
            try:
                return self._ended(await following.end())
            except LinkLostError as lost:
                self.losses += 1
                with contextlib.suppress(NotRunError):
                    await self._find(f"the link was lost: {lost}", acknowledged=True)

    def retry_now(self) -> None:
        """Try to reach the host now instead of later."""
        self._now.set()

    def give_up(self, why: str) -> None:
        """Look for it no more; its outcome is unknown, for this reason."""
        self._why = why
        self._given_up.set()
        self.close()

    def close(self) -> None:
        """Look no more; the job goes on."""
        if self._following is not None:
            self._following.close()

    async def signal(self, signal: str) -> int:
        """Send TERM or KILL to its processes; give how many live a moment later.

        Raises:
            HostError: the host cannot be asked now.
        """
        return await self._shell().jobs.signal(self._job, signal)

    async def feed(self, place: str, value: bytes) -> Fed:
        """Give it what it waits for there.

        Raises:
            HostError: the host cannot be asked now.
        """
        return await self._shell().jobs.feed(self._job, place, value)

    async def refuse(self, place: str) -> Fed:
        """Tell it that nobody gives what it waits for there.

        Raises:
            HostError: the host cannot be asked now.
        """
        return await self._shell().jobs.refuse(self._job, place)

    # ---- inside

    def _take(self, data: bytes) -> None:
        self.offset += len(data)
        self._sink(data)

    def _take_up(self, following: Following) -> None:
        self._following = following
        self.pgid = following.stand.pgid or self.pgid
        self._why, self._try, self._next = "", 0, None
        self._told()

    async def _find(self, why: str, *, acknowledged: bool) -> None:
        """Reach the host, as often as it takes, and follow the job, or prove that there is none."""
        self._following = None
        self._why = why
        while not self._given_up.is_set():
            try:
                following = await self._look(acknowledged=acknowledged)
            except HostError as error:
                self._why = str(error.title)
                await self._pause(self._shell().link)
                continue
            if self._given_up.is_set():
                following.close()
                return
            self._take_up(following)
            return

    async def _look(self, *, acknowledged: bool) -> Following:
        """Look once. A job that was never acknowledged is kept from starting, so that its stand is proved."""
        jobs = self._shell().jobs
        self._told()
        if not acknowledged:
            stand = await jobs.fence(self._job)
            if stand.standing is Standing.FENCED:
                raise NotRunError("the host had not started it, and was kept from starting it later")
        self.resumed_at = self.offset  # what comes from here on may come before the answer is read to its end
        following = await jobs.follow(self._job, self.offset, self._take, self._asked, self._warned)
        never = following.stand.standing is Standing.CLAIMED and not acknowledged
        if never or following.stand.standing is Standing.FENCED:
            following.close()
            raise NotRunError("the host never started it")
        return following

    async def _pause(self, link: Link) -> None:
        """Wait for the next try; where the host refused us, for the operator: no login is tried again by itself."""
        wait = PAUSES[min(self._try, len(PAUSES) - 1)]
        self._now.clear()
        self._next = None if link is Link.REFUSED else self._clock.monotonic() + wait
        self._told()
        asked: list[asyncio.Future[Any]] = [asyncio.ensure_future(e.wait()) for e in (self._now, self._given_up)]
        if self._next is not None:
            asked.append(asyncio.ensure_future(self._clock.sleep(wait)))
        try:
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in asked:
                one.cancel()
        self._try += 1
        self._next = None

    def _ended(self, stand: Stand) -> Ended:
        self.pgid = stand.pgid or self.pgid
        if stand.standing is Standing.DONE:
            return Ended(exit=stand.exit)
        if stand.standing is Standing.FENCED:
            raise NotRunError("what it was to read on its standard input did not reach it, so it was not started")
        return Ended(lost=LOST.get(stand.standing, f"the host says {stand.standing}"))
