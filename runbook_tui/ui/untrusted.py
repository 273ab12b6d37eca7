"""The one way to show text that is not our own literal: cleaned, and never parsed as markup (PROMISES.md P8)."""

from __future__ import annotations

from textual.content import Content

from runbook_tui.core.text import clean, clean_line


def untrusted(text: str, style: str = "") -> Content:
    """Give remote, file, runbook or DNS text as content that shows only printable characters, line by line."""
    return Content.styled(clean(text), style) if style else Content(clean(text))


def untrusted_line(text: str, style: str = "") -> Content:
    """Give the same on one line: titles, values, table cells."""
    line = " ".join(clean_line(part) for part in text.splitlines()) if "\n" in text else clean_line(text)
    return Content.styled(line, style) if style else Content(line)
