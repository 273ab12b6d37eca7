"""Standard output and error of the command line: results, complaints, exit codes, and streams that may be closed."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from runbook_tui.core.errors import ExitCode, RunbookTuiError
from runbook_tui.core.fault import fault_text
from runbook_tui.core.text import clean, clean_line

if TYPE_CHECKING:
    from collections.abc import Callable

class ReaderGoneError(Exception):
    """Whoever reads our output has seen enough; no OSError, which Typer would turn into a failure."""


class FaultError(Exception):
    """A fault of the program; its text is what is printed of it."""


def write(text: str) -> None:
    """Write a result as it is: what is made of runbooks and journals is clean already, or is JSON."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        raise ReaderGoneError from None


def say(text: str) -> None:
    """Write lines of a result; nothing in them acts on a terminal."""
    write(clean(text).rstrip("\n") + "\n")


def json_text(document: object) -> str:
    """Give a JSON document as it is printed; a lone surrogate (a name that is no UTF-8) as its escape."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def say_json(document: object) -> None:
    """Write one JSON document."""
    write(json_text(document))


def warn(text: str) -> None:
    """Write a diagnostic, if there is one, to standard error."""
    if text:
        _complain(f"mailrunbook: {clean_line(text)}\n")


def guarded(program: Callable[[], Any]) -> int:
    """Run the program; give the exit code. Errors become sentences, a fault a traceback without locals."""
    _hold_standard_streams()
    try:
        return _run(program)
    finally:
        _let_go_of_streams()


def _run(program: Callable[[], Any]) -> int:
    try:
        program()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(ExitCode.OK)
    except RunbookTuiError as error:
        parts = (f"mailrunbook: {error.title}", error.detail, error.hint)
        _complain("".join(f"{clean(part)}\n" for part in parts if part))
        return int(error.exit_code)
    except ReaderGoneError:
        return int(ExitCode.OK)
    except KeyboardInterrupt:
        _complain("mailrunbook: interrupted\n")
        return int(ExitCode.INTERRUPTED)
    except FaultError as fault:
        _complain(str(fault))
        return int(ExitCode.FAULT)
    except Exception as error:  # noqa: BLE001 -- the outermost boundary: a fault of the program is said as one
        _complain(fault_text(error))
        return int(ExitCode.FAULT)
    return int(ExitCode.OK)


def _let_go_of_streams() -> None:
    """Where nobody reads any more, keep Python's own flush at exit from failing: it would end with 120."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _complain(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass  # nobody reads it; the exit code says it all the same


def _hold_standard_streams() -> None:
    """Put /dev/null where a standard stream was closed: the next file opened would be taken for it otherwise."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- a descriptor
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- a descriptor
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
