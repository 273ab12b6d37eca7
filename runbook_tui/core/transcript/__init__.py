"""The transcript: a pure function of the runbook, the journal and the stored output; Markdown and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runbook_tui.core.errors import Refused
from runbook_tui.core.transcript.document import json_document
from runbook_tui.core.transcript.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbook_tui.core.events import Record
    from runbook_tui.core.run import RunState

__all__ = ["FORMATS", "json_document", "markdown", "render"]

FORMATS = ("md", "json")


def render(state: RunState, records: Sequence[Record], output: Callable[[str], str], format_: str) -> str:
    """Give the transcript as `md` or `json` text; `output` gives an attempt's stored text by its id.

    Raises:
        Refused: there is no such format.
    """
    match format_:
        case "md":
            return markdown(state, records, output)
        case "json":
            text = json.dumps(json_document(state, records, output), indent=2, ensure_ascii=False)
            # A file name that is no UTF-8 is a lone surrogate in Python and must not make the export fail.
            return text.encode("utf-8", "backslashreplace").decode() + "\n"
        case _:
            raise Refused(f"there is no transcript format {format_!r}", f"Formats: {', '.join(FORMATS)}.")
