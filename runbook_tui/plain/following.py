"""A watch in line mode: says what changes in a run that another process holds, and reads nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core.text import clean_line
from runbook_tui.plain import show
from runbook_tui.plain.lines import Output
from runbook_tui.plain.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.engine import Engine


class FollowingFrontEnd:
    """Writes lines until the run is closed or the watch is left; calls `hung_up` when nobody reads any more."""

    def __init__(self, engine: Engine, stdout: int, hung_up: Callable[[], None]) -> None:
        self._engine = engine
        self._hung_up = hung_up
        self._out = Output(stdout)
        self._watch = Watch(engine, self._out)
        self._paused = ""
        self._over = asyncio.Event()
        self._unsubscribe: Callable[[], None] = lambda: None

    @property
    def broken(self) -> bool:
        """False: a fault is raised."""
        return False

    async def run(self) -> str:
        """Say where the run stands, then every change."""
        for line in show.opening(self._engine.state, {})[:-1]:
            self._out.line(line)
        following = [asyncio.create_task(self._watch.follow()), asyncio.create_task(self._gone())]
        self._changed()
        self._unsubscribe = self._engine.subscribe(self._changed)
        try:
            await self._over.wait()
        finally:
            for task in following:
                task.cancel()
        return "the run is closed"

    async def interrupt(self) -> bool:
        """Leave."""
        return False

    def close(self, why: str) -> None:
        """Say that the watch is over, and write what is not written yet."""
        self._unsubscribe()
        self._out.line(f"watched no more: {clean_line(why)}")
        self._out.close()

    def _changed(self) -> None:
        self._watch.look()
        state = self._engine.state
        if state.paused != self._paused:
            self._paused = state.paused
            self._out.line(f"paused: {clean_line(state.paused)}" if state.paused else "resumed")
        if state.closed:
            self._over.set()

    async def _gone(self) -> None:
        await self._out.gone.wait()
        self._hung_up()
