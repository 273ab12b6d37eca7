"""The Textual app as a front end of a sitting: drawn until it ends or the sitting is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
from typing import TYPE_CHECKING, Any, Final

from runbook_tui.ui.app import RunbookApp
from runbook_tui.ui.driver import LastingDriver

if TYPE_CHECKING:
    from runbook_tui.engine import Engine
    from runbook_tui.ports import Rehearsal

_RESTORING: Final = 5.0
"""Seconds the app may take to give the terminal back; one that hung up takes nothing any more."""

_OUT_OF_THE_SCREEN: Final = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Mouse, paste and keyboard reports off, the alternate screen left, the cursor shown."""


class ScreenFrontEnd:
    """Draws on the terminal of standard input and error."""

    def __init__(self, engine: Engine, *, mouse: bool, rehearsal: Rehearsal | None = None) -> None:
        self._app = RunbookApp(engine, rehearsal=rehearsal, driver=LastingDriver)
        self._mouse = mouse
        self._found = _settings()

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
            if not drawing.done():
                _restore(self._found)
            raise
        return "a fault of the screen" if self.broken else "quit"

    async def interrupt(self) -> bool:
        """Do what Ctrl-C does in the app: stop what runs, else ask whether to leave."""
        self._app.action_help_quit()
        return True

    def close(self, why: str) -> None:
        """Say nothing: the app has said it, and the terminal is the shell's again."""


def _settings() -> list[Any] | None:
    """Give the terminal's settings before anything is drawn."""
    with contextlib.suppress(termios.error):
        return termios.tcgetattr(0)
    return None


def _restore(found: list[Any] | None) -> None:
    """Give the terminal back in the app's place: whichever of its threads has died, nothing waits for it here."""
    with contextlib.suppress(termios.error, OSError):
        if found is not None:
            termios.tcsetattr(0, termios.TCSANOW, found)
        os.set_blocking(2, False)
        try:
            os.write(2, _OUT_OF_THE_SCREEN)
        finally:
            os.set_blocking(2, True)
