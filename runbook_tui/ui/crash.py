"""What is printed when the app itself breaks: a plain traceback without locals (PROMISES.md fact 8)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from runbook_tui.core.fault import fault_text, way_on
from runbook_tui.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType


def crash_text(error: BaseException, redact: Callable[[str], str] = str, run: str = "") -> Text:
    """Give what the terminal shows after the screen was restored."""
    return Text(fault_text(error, redact, run))


def panic_text(said: Iterable[RenderableType], redact: Callable[[str], str], run: str = "") -> Text:
    """Give what Textual itself has to say of its end, as redacted text: its tracebacks hold exceptions' words."""
    paper = io.StringIO()
    console = Console(file=paper, color_system=None, markup=False, highlight=False, width=120)
    for part in said:
        console.print(part)
    return Text(f"{redact(clean(paper.getvalue()))}\n{way_on(run)}")
