"""Looks at a host before its first command of a sitting: what would keep commands from running is refused in words."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from runbook_tui.core import events as ev
from runbook_tui.core import preflight
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL
from runbook_tui.core.settle import effective
from runbook_tui.engine.looking import READ_TIMEOUT
from runbook_tui.ports import Link, OutcomeUnknownError

if TYPE_CHECKING:
    from runbook_tui.core.model import HostName
    from runbook_tui.core.run import RunState
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock, Shell

HELD_OPEN = "sleep 0.3 2>/dev/null || sleep 1\n"
"""What keeps a session open while others are opened beside it."""

MOST = 65_536
"""Bytes of an answer that are read."""


class _Seen(NamedTuple):
    """What was found on the machine that answered with this address and host key."""

    address: str
    fingerprint: str
    warnings: tuple[str, ...]
    summary: str


class Preflight:
    """Remembers what each host was found to be; another machine behind its name is looked at anew."""

    def __init__(self, recorder: Recorder, connections: Connections, clock: Clock) -> None:
        self._recorder = recorder
        self._connections = connections
        self._clock = clock
        self._seen: dict[HostName, _Seen] = {}
        self._worked_on: set[HostName] = set()

    @staticmethod
    def consent_lines(state: RunState) -> list[str]:
        """Give what is asked of hosts without a further question."""
        hosts = [host.name for host in state.hosts.values() if host.name != LOCAL and host.ssh]
        if not hosts:
            return []
        sudo = "; sudo -n true, where the runbook uses sudo" if any(_uses_sudo(state, name) for name in hosts) else ""
        return [f"look at a host before its first command: programs, room in HOME, clock, sessions, lingering{sudo}"]

    async def look(self, name: HostName) -> None:
        """Look at a host, unless that was done in this sitting.

        Raises:
            HostError: it cannot be reached, or no command can run there; the sentences say why.
        """
        identity = await self._connections.identify(name)
        seen = self._seen.get(name)
        if seen is not None and (seen.address, seen.fingerprint) == (identity.address, identity.fingerprint):
            return
        shell = self._connections.shell(name)
        report = await self._report(shell, sudo=_uses_sudo(self._recorder.state, name))
        found, in_the_way = preflight.warnings(report), preflight.obstacles(report)
        if in_the_way:
            self._seen.pop(name, None)
            raise HostError(
                f"{name} cannot run commands for this run. Nothing was run.", "\n".join(f"{w}." for w in in_the_way),
                "Put it right there, then try again.",
            )
        self._seen[name] = _Seen(identity.address, identity.fingerprint, tuple(found), preflight.summary(report))
        self._worked_on.discard(name)
        self._recorder.notify()

    def first(self, name: HostName) -> tuple[str, ...]:
        """Give what has to be known before the first command of this sitting; nothing after that."""
        seen = self._seen.get(name)
        if seen is None or name in self._worked_on:
            return ()
        return tuple(f"{name}: {warning}" for warning in seen.warnings)

    def works_on(self, name: HostName) -> None:
        """Know that a command was confirmed there; before the first of the sitting, record what was found."""
        if name in self._worked_on or not (found := self.found(name)):
            return
        self._worked_on.add(name)
        if name != LOCAL or len(found) > 1:
            self._recorder.happened(ev.Noted(text=f"preflight of {name}: {'; '.join(found)}", by="mailrunbook"))

    def forget(self, name: HostName) -> None:
        """Look at it anew before its next command."""
        self._seen.pop(name, None)

    def found(self, name: HostName) -> tuple[str, ...]:
        """Give what was found in this sitting: a summary, then what was warned of; empty before a look."""
        seen = self._seen.get(name)
        return (seen.summary, *seen.warnings) if seen is not None else ()

    async def _report(self, shell: Shell, *, sudo: bool) -> preflight.Report:
        answer = bytearray()
        began = self._clock.now().timestamp()
        noise = ""
        with contextlib.suppress(OutcomeUnknownError, TimeoutError):  # what did not come is not known, and said so
            async with asyncio.timeout(READ_TIMEOUT):
                job = await shell.start(preflight.script(sudo=sudo), answer.extend)
                try:
                    await job.wait()
                    noise = job.noise
                finally:
                    job.close()
        now = (began + self._clock.now().timestamp()) / 2
        report = preflight.read(bytes(answer[:MOST]).decode("utf-8", "replace"), now)
        if shell.host.name == LOCAL:
            return replace(report, ahead=None)
        ahead = None if self._recorder.state.rehearsal else report.ahead  # its hosts have this machine's clock
        return replace(report, noise=noise, sessions=await _sessions(shell), ahead=ahead)


async def _sessions(shell: Shell) -> int | None:
    """Open as many sessions as are wanted beside each other; give how many there were when one was refused, if any."""
    await asyncio.gather(*(_hold_one(shell) for _ in range(preflight.SESSIONS)))
    return shell.session_limit if shell.link is Link.UP else None


async def _hold_one(shell: Shell) -> None:
    with contextlib.suppress(HostError, OutcomeUnknownError, TimeoutError):
        async with asyncio.timeout(READ_TIMEOUT):
            job = await shell.start(HELD_OPEN, _unheard)
            try:
                await job.wait()
            finally:
                job.close()


def _unheard(output: bytes) -> None:
    """Take output that says nothing."""
    del output


def _uses_sudo(state: RunState, name: HostName) -> bool:
    actions = (effective(state, action) for action in state.runbook.actions())
    return any(
        a.host == name and (a.become or re.search(r"\bsudo\b", a.text) or any(v.become for v in a.verifies))
        for a in actions
    )
