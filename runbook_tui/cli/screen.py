"""The Textual app as a front end of a sitting: drawn until it ends or the sitting is cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from runbook_tui.ui.app import RunbookApp
from runbook_tui.ui.driver import LastingDriver

if TYPE_CHECKING:
    from runbook_tui.engine import Engine
    from runbook_tui.ports import Rehearsal

_RESTORING: Final = 5.0
"""Seconds the app may take to give the terminal back; one that hung up takes nothing any more."""


class ScreenFrontEnd:
    """Draws on the terminal of standard input and error."""

    def __init__(self, engine: Engine, *, mouse: bool, rehearsal: Rehearsal | None = None) -> None:
        self._app = RunbookApp(engine, rehearsal=rehearsal, driver=LastingDriver)
        self._mouse = mouse

    @property
    def broken(self) -> bool:
        """Whether the app ended by a fault of its own, which it has printed."""
        return bool(self._app.return_code)

    async def run(self) -> str:
        """Draw until the operator leaves. When cancelled, the terminal is restored first."""
        drawing = asyncio.ensure_future(self._app.run_async(mouse=self._mouse))
        try:
            await asyncio.shield(drawing)
        except asyncio.CancelledError:
            self._app.exit()
            await asyncio.wait([drawing], timeout=_RESTORING)
            raise
        return "a fault of the screen" if self.broken else "quit"

    async def interrupt(self) -> bool:
        """Do what Ctrl-C does in the app: stop what runs, else ask whether to leave."""
        self._app.action_help_quit()
        return True

    def close(self, why: str) -> None:
        """Say nothing: the app has said it, and the terminal is the shell's again."""
