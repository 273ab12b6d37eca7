"""Line mode on two file descriptors: what the command line starts, and what ends it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from runbook_tui.plain.lines import Input, Output
from runbook_tui.plain.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.engine import Engine


class PlainFrontEnd:
    """Reads verbs from one descriptor and writes lines to another; made inside the running loop."""

    def __init__(self, engine: Engine, stdin: int, stdout: int, hung_up: Callable[[], None]) -> None:
        self._engine = engine
        self._hung_up = hung_up
        self._out = Output(stdout, engine.redact)
        self._in = Input(stdin)
        self._session = Session(engine, self._in, self._out, prompt=os.isatty(stdin) and os.isatty(stdout))

    @property
    def broken(self) -> bool:
        """False: a fault is raised."""
        return False

    async def run(self) -> str:
        """Go on until `quit` or the end of input; give which. Calls `hung_up` when nobody can read any more."""
        watching = [asyncio.create_task(self._watch(end.gone)) for end in (self._in, self._out)]
        try:
            return await self._session.run()
        finally:
            for task in watching:
                task.cancel()

    async def interrupt(self) -> bool:
        """Stop what runs; False when nothing does."""
        return await self._session.interrupt()

    def close(self, why: str) -> None:
        """Say the last changes and that the run was left, and write what is not written yet."""
        self._session.close(why)
        self._out.close()

    async def _watch(self, gone: asyncio.Event) -> None:
        await gone.wait()
        self._hung_up()
