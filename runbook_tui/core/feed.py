"""The bounded tail of one attempt's output that a pane draws from."""

from __future__ import annotations

import re
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbook_tui.core.text import CleanLine

MAX_LINES = 20_000

_PERCENT = re.compile(r"(?<![\w.,%+-])(\d{1,3})(?:[.,]\d+)?[ ]?%(?![\w%])")


class Feed:
    """The last `max_lines` lines, tabs expanded to blanks: a painted tab would move the terminal's cursor.

    `partial` is the unfinished line; whoever cleans the output sets it.
    """

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        self.max_lines = max_lines
        self.total = 0
        self._lines: deque[str] = deque(maxlen=max_lines)
        self._partial = ""

    @property
    def partial(self) -> str:
        """The unfinished line as it would be shown now."""
        return self._partial

    @partial.setter
    def partial(self, text: str) -> None:
        self._partial = text.expandtabs()

    @property
    def dropped(self) -> int:
        """How many of the oldest lines are no longer here."""
        return self.total - len(self._lines)

    @property
    def percent(self) -> int | None:
        """How far the command says it is, 0..100; None when its newest line says nothing of the kind."""
        return percent_in(self._partial or (self._lines[-1] if self._lines else ""))

    def append(self, lines: Iterable[CleanLine]) -> None:
        """Add finished lines."""
        texts = [line.text.expandtabs() for line in lines]
        self._lines.extend(texts)
        self.total += len(texts)

    def since(self, seen: int) -> tuple[list[str], int]:
        """Give the lines after the first `seen` ever, as far as they are still here, and the new total."""
        start = max(0, seen - self.dropped)
        return list(islice(self._lines, start, None)), self.total


def percent_in(line: str) -> int | None:
    """Give the whole percentage a line of progress carries, 0..100, rounded down.

    The line must carry exactly one, as those of `rsync --info=progress2`, `pv` and `curl -#` do; of two or
    more it is not said which one is the progress.
    """
    found = _PERCENT.findall(line)
    if len(found) != 1 or int(found[0]) > 100:
        return None
    return int(found[0])
