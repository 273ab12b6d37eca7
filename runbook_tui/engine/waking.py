"""After a suspend: links are tried and checks look at once, for what was known before it says nothing of now."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL
from runbook_tui.engine.looking import look
from runbook_tui.ports import Link, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from runbook_tui.core.model import HostName
    from runbook_tui.engine.carrying import Carrying
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.live import LiveChecks

PATIENCE = 10.0
"""Seconds in which a link that seems up must answer: a dead one would be noticed by its keepalive only later."""

SLEPT = "looking again after this machine was suspended"


class Waking:
    """Looks again at everything that is watched from here."""

    def __init__(
        self, connections: Connections, live: LiveChecks, carrying: Carrying,
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:  # fmt: skip
        self._connections = connections
        self._live = live
        self._carrying = carrying
        self._spawn = spawn

    def look(self) -> None:
        """Have a lost link tried now instead of later, a link that seems up proved, and every check look anew."""
        self._carrying.reach_now()
        for view in self._connections.views():
            self._connections.shell(view.name).rested()
            if view.name != LOCAL and view.link is Link.UP:
                self._spawn(self._prove(view.name))
        watch = self._live.watch
        if watch.running:
            watch.renew([view.name for view in watch.views()], SLEPT)

    async def _prove(self, name: HostName) -> None:
        """Have the host answer; what does not is closed, and connected to anew at once."""
        shell = self._connections.shell(name)
        answered = False
        with contextlib.suppress(HostError, OutcomeUnknownError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                answered = await look(shell, ":\n", lambda _: None) is not None
        if answered and shell.link is Link.UP:
            return
        with contextlib.suppress(HostError):
            await self._connections.reconnect(name)
