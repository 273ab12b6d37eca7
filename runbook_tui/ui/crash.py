"""What is printed when the program itself breaks: a plain traceback without locals (PROMISES.md fact 8)."""

from __future__ import annotations

import traceback

from rich.text import Text

from runbook_tui.core.text import clean


def plain_traceback(error: BaseException) -> str:
    """Give the traceback as cleaned text; values of local variables are never in it."""
    return clean("".join(traceback.format_exception(error)))


def crash_text(error: BaseException) -> Text:
    """Give what the terminal shows after the screen was restored."""
    closing = (
        "This is a fault of mailrunbook, not of your hosts. The journal holds what was recorded up to here:\n"
        "`mailrunbook resume` opens the run again, and what was running is then shown as unknown.\n"
    )
    return Text(f"{plain_traceback(error)}\n{closing}")
