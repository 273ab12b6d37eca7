"""Removes what a finished run left on its hosts: the folders of its commands, once its record is closed and sealed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import HostName
from runbook_tui.ports import Cleaned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.core.run import RunState
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import JobId

PATIENCE = 30.0
"""Seconds in which a host must answer for one folder; one that does not is not asked for its others."""

KEPT = {
    Cleaned.RUNS: "something of it runs still",
    Cleaned.FENCE: "it never started, and its folder keeps it from starting late",
    Cleaned.LEFT: "there is something in it that is none of ours",
}
"""Why a folder stays."""


class Cleaning:
    """Asks each host, one folder at a time. `forbidden` says why nothing may be changed from here, if it may not."""

    def __init__(
        self, recorder: Recorder, connections: Connections, job: Callable[[str], JobId], operator: str,
        forbidden: Callable[[], str],
    ) -> None:  # fmt: skip
        self._recorder = recorder
        self._connections = connections
        self._job = job
        self._operator = operator
        self._forbidden = forbidden
        self._under_way = False

    def plan(self) -> Mapping[HostName, tuple[str, ...]]:
        """Give by host the attempts whose folders may be there still."""
        return left_there(self._recorder.state)

    def refusal(self) -> str:
        """Say why nothing can be removed now; empty when it can."""
        state = self._recorder.state
        if why := self._forbidden():
            return why
        if not state.closed:
            return "the run is not closed: its folders on the hosts prove how its commands ended"
        if self._under_way or any(attempt.open for attempt in state.attempts.values()):
            return "something is under way"
        return "" if self.plan() else "none of its folders is on a host any more"

    async def clean(self) -> list[str]:
        """Remove them; give what was removed and what stays, a sentence each. The record is sealed before and after.

        Raises:
            Refused: the run is not closed, or nothing is to be removed.
            StateDirError: it cannot be recorded or sealed, so nothing is removed.
        """
        if why := self.refusal():
            raise Refused(why)
        self._under_way = True
        try:
            planned = self.plan()
            text = f"the folders of this run are to be removed from {' and '.join(planned)}"
            self._recorder.intend(ev.Noted(text=text, by=self._operator))
            self._recorder.journal.seal()
            told = await asyncio.gather(*(self._clean(name, attempts) for name, attempts in planned.items()))
            self._recorder.journal.seal()
            return [line for lines in told for line in lines]
        finally:
            self._under_way = False

    async def _clean(self, name: HostName, attempts: tuple[str, ...]) -> list[str]:
        removed, kept, silent = [], [], ""
        for attempt in attempts:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._connections.identify(name)
                    said = await self._connections.shell(name).jobs.clean(self._job(attempt))
            except (HostError, TimeoutError) as error:
                silent = error.title if isinstance(error, HostError) else "it does not answer"
                break
            if said in KEPT:
                kept.append(f"{attempt}: {KEPT[said]}")
            else:
                removed.append(attempt)
        if silent:
            kept.append(f"{len(attempts) - len(removed) - len(kept)} not asked about: {silent}")
        if removed or kept:
            self._recorder.happened(
                ev.JobsRemoved(host=name, attempts=tuple(removed), kept=tuple(kept), by=self._operator)
            )
        folders = "folder" if len(removed) == 1 else "folders"
        return [f"{name}: {len(removed)} {folders} removed", *(f"{name}: kept {each}" for each in kept)]


def left_there(state: RunState) -> dict[HostName, tuple[str, ...]]:
    """Give by host the attempts that were sent there and whose folders were not removed by this run."""
    found: dict[HostName, tuple[str, ...]] = {}
    for attempt in state.attempts.values():
        host = HostName(attempt.host)
        if attempt.intended and host in state.hosts and attempt.id not in state.removed:
            found[host] = (*found.get(host, ()), attempt.id)
    return found
