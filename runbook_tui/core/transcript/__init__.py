"""The transcript: a pure function of the runbook, the journal and the stored output; Markdown and JSON."""

from runbook_tui.core.transcript.json import json_document
from runbook_tui.core.transcript.markdown import markdown

__all__ = ["json_document", "markdown"]
