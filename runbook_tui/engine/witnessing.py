"""Sends the journal's head to the hosts that are connected, at each confirmation: witnesses outside this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL
from runbook_tui.core.witness import NO_LOGGER, TAG, witness_script
from runbook_tui.engine.looking import look
from runbook_tui.ports import Link, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from runbook_tui.core.model import HostName
    from runbook_tui.core.run import RunState
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.recorder import Recorder

PATIENCE = 5.0
"""Seconds a host has to keep the line."""


class _Line(NamedTuple):
    """A head to be witnessed. On the host of `attempt` it waits until that has been started."""

    seq: int
    head: str
    attempt: str


class Witnessing:
    """Tells hosts the head, one line at a time a host; whatever becomes of a line, nothing waits for it or fails.

    A host that missed one is noted once a sitting; one that did not answer in time is not tried again in it.
    """

    def __init__(
        self, recorder: Recorder, connections: Connections, spawn: Callable[[Coroutine[None, None, None]], None]
    ) -> None:
        self._recorder = recorder
        self._connections = connections
        self._spawn = spawn
        self._waiting: dict[HostName, _Line] = {}
        self._busy: set[HostName] = set()
        self._missed: set[HostName] = set()
        self._silent: set[HostName] = set()
        recorder.subscribe(self._go_on)

    @staticmethod
    def consent_lines(state: RunState) -> list[str]:
        """Give what is sent to hosts without a further question."""
        return [
            f"log on {host.name}, at each confirmation, if it is connected: logger -t {TAG} and the journal's head"
            for host in state.hosts.values()
            if host.name != LOCAL and host.ssh
        ]

    def tell(self, attempt: str) -> None:
        """Have the hosts that are connected keep the head as it is now, of the confirmation of `attempt`."""
        state = self._recorder.state
        for view in self._connections.views():
            if view.name != LOCAL and view.link is Link.UP and view.name not in self._silent:
                self._waiting[view.name] = _Line(state.seq, state.head, attempt)
        self._go_on()

    def _go_on(self) -> None:
        for host, line in tuple(self._waiting.items()):
            attempt = self._recorder.state.attempts[line.attempt]
            begun = attempt.host != host or attempt.started_at is not None or not attempt.open
            if begun and host not in self._busy:
                del self._waiting[host]
                self._busy.add(host)
                self._spawn(self._send(host, line))

    async def _send(self, host: HostName, line: _Line) -> None:
        try:
            why = await self._sent(host, line)
        finally:
            self._busy.discard(host)
        if why and host not in self._missed:
            self._missed.add(host)
            text = f"{host} did not keep the head of record {line.seq} in its log: {why}"
            self._recorder.happened(ev.Noted(text=text, by="mailrunbook"), durable=False)
        self._go_on()

    async def _sent(self, host: HostName, line: _Line) -> str:
        """Send it; give why it did not get there, or nothing."""
        shell = self._connections.shell(host)
        if shell.link is not Link.UP:
            return "the connection was lost"
        script = witness_script(self._recorder.state.run, line.seq, line.head)
        try:
            async with asyncio.timeout(PATIENCE):
                ended = await look(shell, script, _unheard)
        except TimeoutError:
            self._silent.add(host)
            return f"it took longer than {PATIENCE:.0f} s. It is not tried again in this sitting"
        except (HostError, OutcomeUnknownError) as error:
            return str(error)
        if ended is None or ended.exit is None:
            return "the connection was lost"
        if ended.exit == NO_LOGGER:
            return "there is no logger"
        return "" if ended.exit == 0 else f"logger ended with exit status {ended.exit}"


def _unheard(output: bytes) -> None:
    """Take output that says nothing."""
    del output
