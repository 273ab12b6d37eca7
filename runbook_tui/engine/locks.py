"""The locks of a run's hosts: one run of a runbook at a time works on a host, whatever workstation it is led from."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import HostName
from runbook_tui.engine.detached import job_id
from runbook_tui.ports import Claim, JobId, Owner

if TYPE_CHECKING:
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock

RELEASE_PATIENCE = 5.0
"""Seconds that giving the locks back may take; what is left of them is somebody's to take over."""


class HostLocks:
    """Takes a host's lock before its first command, and gives all back once every step is settled.

    It is the run's on this workstation, so that a run that is resumed still has it; it never expires.
    """

    def __init__(
        self, recorder: Recorder, connections: Connections, clock: Clock, operator: str, workstation: str
    ) -> None:
        self._recorder = recorder
        self._connections = connections
        self._clock = clock
        self._who = f"{_word(operator)}@{_word(workstation)}"
        self._claimed: set[HostName] = set()
        self._others: dict[HostName, Owner] = {}
        self._due = False
        self._releasing = asyncio.Lock()

    def job(self, attempt: str) -> JobId:
        """Give an attempt's name on its host, with the claim of its run to that host."""
        job = job_id(self._recorder.state, attempt)
        title = next((r.event.title for r in self._recorder.journal.records if isinstance(r.event, ev.RunOpened)), "")
        since = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        book = hashlib.sha256(title.encode()).hexdigest()[:16]
        return replace(job, claim=Claim(book, Owner(job.run, self._who, since)))

    def other(self, name: HostName) -> Owner | None:
        """Give who else held the host when it was last asked."""
        return self._others.get(name)

    async def claim(self, name: HostName, attempt: str) -> None:
        """Leave the run's mark on a host and take its lock, before its first command of this sitting.

        Raises:
            Refused: another run of the runbook holds it.
            HostError: the host cannot be asked.
        """
        async with self._releasing:
            self._due = False
            owner = await self._ask(name, attempt) if name not in self._claimed else None
        if owner is not None:
            raise Refused(
                f"{name} is held by {holder(owner)}",
                "One run of a runbook at a time works on a host.",
                f"If that run is over, take the lock over: takeover {name}. In Hosts… it is the key o.",
            )

    async def take_over(self, name: HostName) -> str:
        """Take the lock from the owner that the operator was shown; give the sentence of what happened.

        Raises:
            Refused: the operator was not shown the owner that it has now.
            HostError: the host cannot be asked.
        """
        shown = self._others.get(name)
        now = await self._ask(name, "takeover")
        if now is None:
            return f"{name} was held by nobody else; this run holds it now"
        if now != shown:
            raise Refused(f"{name} is held by {holder(now)}", hint="Type it again to take the lock over.")
        words = holder(now)
        self._recorder.intend(ev.LockTaken(owner=self._who, host=name, previous=words))
        try:
            then = await self._ask(name, "takeover", over=now)
        except HostError as error:
            self._note(f"the lock of {name} may not have been taken over: {error.title}")
            raise
        if then is not None:
            self._note(f"the lock of {name} was not taken over: {holder(then)} came first")
            raise Refused(f"{name} is held by {holder(then)}", hint="That run was faster. Type it again.")
        return f"the lock of {name} was taken over from {words}"

    def run_closed(self) -> None:
        """Know that every step is settled: the locks are to be given back."""
        self._due = True

    async def release(self) -> None:
        """Give back what the run holds, once it is closed, as far as its hosts can be asked now."""
        async with self._releasing:
            if not self._due:
                return
            self._due = False
            state = self._recorder.state
            names = {HostName(a.host) for a in state.attempts.values() if a.host in state.hosts} | self._claimed
            self._claimed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RELEASE_PATIENCE):
                    await asyncio.gather(*(self._release(name) for name in names))

    async def _release(self, name: HostName) -> None:
        with contextlib.suppress(HostError, Refused):
            await self._connections.shell(name).jobs.release(self.job("release"))

    async def _ask(self, name: HostName, attempt: str, over: Owner | None = None) -> Owner | None:
        """Claim it; give who else has it."""
        job = self.job(attempt)
        owner = await self._connections.shell(name).jobs.claim(job, over)
        if job.claim is not None and owner.is_same(job.claim.owner):
            self._claimed.add(name)
            self._others.pop(name, None)
            return None
        self._claimed.discard(name)
        self._others[name] = owner
        self._recorder.notify()
        return owner

    def _note(self, text: str) -> None:
        self._recorder.happened(ev.Noted(action="", text=text, by="mailrunbook"))


def holder(owner: Owner) -> str:
    """Say who holds a host."""
    if not owner.who:
        return "a run that left no name"
    return f"another run of this runbook: {owner.who}, since {owner.since.replace('T', ' ').replace('Z', ' UTC')}"


def _word(text: str) -> str:
    """Give a name as one plain word."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text, flags=re.ASCII) or "unknown"
