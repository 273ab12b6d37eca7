"""Where faults of the program end, wherever they happen: told once, without secrets, when the terminal is free.

Python's own hooks print at once, over the screen, whatever an exception's words hold.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

from runbook_tui.cli.console import FaultError, ReaderGoneError
from runbook_tui.core.errors import RunbookTuiError
from runbook_tui.core.fault import plain_traceback, way_on

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from types import TracebackType

_log = logging.getLogger(__name__)


class Faults:
    """Catches what a block raises and what nobody awaited: in threads, in callbacks and tasks of the loop.

    On leaving the block all of it is raised as one FaultError; errors for the user pass, redacted.
    """

    def __init__(self, redact: Callable[[str], str], run: str = "") -> None:
        self._redact = redact
        self._run = run
        self._told: list[str] = []
        self._happened: Callable[[], None] = lambda: None
        self._quiet = logging.NullHandler()
        self._hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)

    def __enter__(self) -> Self:
        sys.excepthook = lambda _, error, trace: self._write(error.with_traceback(trace))
        threading.excepthook = self._in_thread
        sys.unraisablehook = self._unraisable
        # Without a handler of its own, logging writes the warnings of libraries over the screen.
        logging.getLogger().addHandler(self._quiet)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._hooks
        logging.getLogger().removeHandler(self._quiet)
        match error:
            case RunbookTuiError():
                error.take_out(self._redact)
            case ReaderGoneError() | FaultError():
                return
            case Exception():
                self._told.append(plain_traceback(error, self._redact))
            case BaseException():
                return
        if self._told and not isinstance(error, RunbookTuiError):
            raise FaultError("\n".join(dict.fromkeys(self._told)) + way_on(self._run)) from None

    @property
    def any(self) -> bool:
        """Whether something was caught so far."""
        return bool(self._told)

    def attend(self, loop: asyncio.AbstractEventLoop, happened: Callable[[], None]) -> None:
        """Catch what the loop has to tell, too; `happened` is called in it after every fault."""

        def soon() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(happened)

        self._happened = soon
        loop.set_exception_handler(self._in_loop)

    def _in_loop(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        del loop
        error = context.get("exception")
        if isinstance(error, Exception) and not _of_a_link(error):
            self._found(error)
        else:
            _log.debug("%s", context.get("message", ""), exc_info=error)

    def _in_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if isinstance(arguments.exc_value, Exception):
            self._found(arguments.exc_value)

    def _unraisable(self, arguments: sys.UnraisableHookArgs) -> None:
        """Log what a destructor raised: it keeps nothing from going on."""
        _log.debug("%s", arguments.err_msg or "in a destructor", exc_info=arguments.exc_value)

    def _found(self, error: Exception) -> None:
        _log.error("a fault that nobody awaited", exc_info=error)
        self._told.append(plain_traceback(error, self._redact))
        self._happened()

    def _write(self, error: BaseException) -> None:
        sys.stderr.write(plain_traceback(error, self._redact))


def _of_a_link(error: Exception) -> bool:
    """Whether a connection broke when nobody listened to it any more: no fault of ours."""
    asyncssh = sys.modules.get("asyncssh")
    return isinstance(error, (ConnectionError, TimeoutError, EOFError)) or (
        asyncssh is not None and isinstance(error, asyncssh.Error)
    )
