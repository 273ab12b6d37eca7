"""Bytes of a Markdown file to a Runbook and back to what a person or a script wants to know about it. Pure."""

from runbook_tui.core.markdown.drift import Drift, compare
from runbook_tui.core.markdown.lint import lint_json, lint_text
from runbook_tui.core.markdown.outline import outline, outline_text
from runbook_tui.core.markdown.reader import read

__all__ = ["Drift", "compare", "lint_json", "lint_text", "outline", "outline_text", "read"]
