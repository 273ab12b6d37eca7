"""What is printed when the program itself breaks: a plain traceback without locals (PROMISES.md fact 8)."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from rich.text import Text

from runbook_tui.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable


def plain_traceback(error: BaseException, redact: Callable[[str], str] = str) -> str:
    """Give the traceback as cleaned and redacted text; values of local variables are never in it."""
    return redact(clean("".join(traceback.format_exception(error))))


def crash_text(error: BaseException, redact: Callable[[str], str] = str) -> Text:
    """Give what the terminal shows after the screen was restored."""
    closing = (
        "This is a fault of mailrunbook, not of your hosts. The journal holds what was recorded up to here:\n"
        "`mailrunbook resume` opens the run again, and what was running is then shown as unknown.\n"
    )
    return Text(f"{plain_traceback(error, redact)}\n{closing}")
