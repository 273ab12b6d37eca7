"""How values are put into Markdown so that they stay values: fences, code spans, escapes, times, sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.core.text import clean, clean_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_MARKUP = re.compile(r"[\\`*\[\]<~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")


def fence(text: str, info: str = "text") -> list[str]:
    """Give the text as a fenced block; the fence is longer than any run of back-quotes in it."""
    shown = clean(text.removesuffix("\n"))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    marks = "`" * max(3, longest + 1)
    return [f"{marks}{info}", *shown.split("\n"), marks]


def code(text: str) -> str:
    """Give the text on one line as a code span."""
    shown = clean_line(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    marks = "`" * (longest + 1)
    pad = " " if not shown or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{marks}{pad}{shown}{pad}{marks}"


def plain(text: str) -> str:
    """Give what somebody wrote on one line, so that Markdown and HTML in it stay letters."""
    return _MARKUP.sub(lambda found: "\\" + found.group(), clean_line(text))


def quoted(lines: Sequence[str]) -> list[str]:
    """Give the lines as a block quote: the record's own words, apart from the author's."""
    return [f"> {line}".rstrip() for line in lines]


def moment(at: datetime) -> str:
    """Give date and time to the second, UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float) -> str:
    """Give a duration as an operator says it: `0.3 s`, `12 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def counted(number: int, one: str) -> str:
    """Give `1 byte`, `1,234 bytes`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"
