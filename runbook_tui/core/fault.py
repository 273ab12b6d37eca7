"""What is said of a fault of the program itself: a traceback without locals or secrets, and what to do next."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from runbook_tui.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable


def plain_traceback(error: BaseException, redact: Callable[[str], str] = str) -> str:
    """Give the traceback as cleaned and redacted text; values of local variables are never in it."""
    return redact(clean("".join(traceback.format_exception(error))))


def way_on(run: str = "") -> str:
    """Say whose fault it is, and what to do."""
    whose = "This is a fault of mailrunbook, not of your hosts; journals are kept."
    if not run:
        return f"{whose}\n"
    return f"{whose}\nmailrunbook resume {run} opens the run again and finds out what became of what was running.\n"


def fault_text(error: BaseException, redact: Callable[[str], str] = str, run: str = "") -> str:
    """Give what the terminal shows once it is the shell's again."""
    return f"{plain_traceback(error, redact)}\n{way_on(run)}"
