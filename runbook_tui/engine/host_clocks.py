"""Compares the hosts' clocks with this machine's before a long wait is called over: a clock that was set ends none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError
from runbook_tui.core.machine_time import MOST_APART, disagreement
from runbook_tui.core.model import LOCAL
from runbook_tui.engine.looking import look
from runbook_tui.ports import OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.model import HostName
    from runbook_tui.core.run import Attempt, RunState
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock

LONG = 3600.0
"""Seconds of a wait from which on clocks are compared: a shorter one is seen to its end by who confirmed it."""

PATIENCE = 15.0
"""Seconds in which a host must tell its time, a connection that is made for it included."""

SCRIPT = "date -u +%s\n"


class HostClocks:
    """Asks hosts for their time, once `agreed` says that they may be contacted."""

    def __init__(
        self, recorder: Recorder, connections: Connections, clock: Clock, agreed: Callable[[], bool]
    ) -> None:  # fmt: skip
        self._recorder = recorder
        self._connections = connections
        self._clock = clock
        self._agreed = agreed

    @staticmethod
    def consent_lines(state: RunState) -> list[str]:
        """Give what is asked of hosts without a further question."""
        long = any((action.wait_for or 0.0) >= LONG for action in state.runbook.actions())
        return [f"clock of {name}, when a long wait is over: date -u +%s" for name in _hosts(state) if long]

    async def objection(self, wait: Attempt) -> str:
        """Say why a wait whose time is over by this machine's clock is not; empty when it is."""
        state = self._recorder.state
        action = state.runbook.action(wait.action)
        if action is None or (action.wait_for or 0.0) < LONG or not (hosts := _hosts(state)):
            return ""
        if not self._agreed():
            return "held up until the hosts' clocks may be compared with this machine's"
        found = dict(zip(hosts, await asyncio.gather(*map(self._offset, hosts)), strict=True))
        offsets = {str(name): offset for name, offset in found.items() if offset is not None}
        if not offsets:
            return "held up: no host tells its time, so that this machine's clock cannot be compared with another"
        if why := disagreement(offsets):
            return f"held up: {why}"
        self._agree(wait, offsets, [name for name in hosts if name not in offsets])
        return ""

    def _agree(self, wait: Attempt, offsets: dict[str, float], silent: list[HostName]) -> None:
        names = " and ".join(offsets)
        text = f"its time is over by the clocks of this machine and {names}, within {MOST_APART / 60:.0f} min"
        if silent:
            text += f"; {' and '.join(silent)} did not tell"
        self._recorder.happened(ev.Noted(action=wait.action, text=text, by="mailrunbook"))

    async def _offset(self, name: HostName) -> float | None:
        """Give by how many seconds the host's clock is ahead, None where it does not tell."""
        said = bytearray()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connections.identify(name)
                before = self._clock.now()
                ended = await look(self._connections.shell(name), SCRIPT, said.extend)
                after = self._clock.now()
            if ended is None or ended.exit != 0:
                return None
            return float(int(said.decode("ascii").split()[-1])) - (before.timestamp() + after.timestamp()) / 2
        except (HostError, OutcomeUnknownError, TimeoutError, ValueError, IndexError):
            return None


def _hosts(state: RunState) -> list[HostName]:
    """Give the hosts with a clock of their own; a rehearsal's have this machine's."""
    return [] if state.rehearsal else [host.name for host in state.hosts.values() if host.name != LOCAL and host.ssh]
