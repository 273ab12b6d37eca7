"""The world's side of the supervisor: it says when it is ready, and ends when the supervisor does.

World and app each run inside `descendants.leaving_none`, so that what they started ends with them even when there is no
supervisor any more to see to it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from runbook_tui.demo.supervisor import LIFELINE_VARIABLE, READY, READY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from runbook_tui.core.errors import RunbookTuiError


class Parent:
    """Whoever started this process. Without one, as in tests, it hears nothing and never ends."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take the descriptors that the environment names, and take the names away; from now on TERM ends all."""
        self._report = _taken(environment, READY_VARIABLE)
        self._lifeline = _taken(environment, LIFELINE_VARIABLE)
        self._over = asyncio.Event()
        signal.signal(signal.SIGTERM, _leave)

    def ready(self) -> None:
        """Say that the world can be used."""
        self._say(READY)

    def failed(self, error: RunbookTuiError) -> None:
        """Say why the world cannot be used."""
        self._say("\n".join(part for part in (error.title, error.detail, error.hint) if part))

    async def over(self) -> None:
        """Wait until the supervisor has ended or asks for the end by SIGTERM."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._over.set)
        if self._lifeline is not None:
            loop.add_reader(self._lifeline, self._over.set)
        try:
            await self._over.wait()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending: no second one may keep it from cleaning up
            if self._lifeline is not None:
                loop.remove_reader(self._lifeline)

    def _say(self, text: str) -> None:
        if self._report is not None:
            os.write(self._report, f"{text}\n".encode())
            os.close(self._report)
            self._report = None


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


def _taken(environment: MutableMapping[str, str], name: str) -> int | None:
    text = environment.pop(name, "")
    if not text:
        return None
    os.set_inheritable(int(text), False)
    return int(text)
