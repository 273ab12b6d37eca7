"""The terminal's driver: a terminal that has gone swallows what is drawn, so that the run can be left in order.

Textual's writing thread ends at the first write that fails, and the app then waits for ever to hand it the next one.
"""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, Any, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from io import TextIOWrapper

    from textual.app import App


class _Lasting:
    """The terminal's file; what cannot be written to it is dropped."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, if anybody is there."""
        with contextlib.suppress(OSError, ValueError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if anybody is there."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def fileno(self) -> int:
        """Give the terminal's descriptor."""
        return self._file.fileno()


class LastingDriver(LinuxDriver):
    """Outlives its terminal."""

    def __init__(self, app: App[Any], **options: Any) -> None:  # noqa: ANN401 -- Textual's own
        super().__init__(app, **options)
        self._file = cast("TextIOWrapper", _Lasting(cast("IO[str]", self._file)))
