"""Finished lines of output go through a redacting stream and keep what they stand for of the raw output."""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from runbook_tui.core.redact.stream import RedactStream
from runbook_tui.core.text import LONGEST_LINE, CleanLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.redact.redactor import Redactor

_TEXT: Final = itemgetter(0)
_CUT: Final = " more characters"
"""A line that `core.text` cut off has it; others seldom do."""


class LineRedactor:
    """Clean lines in, as many clean lines out, each with the raw length it came with."""

    def __init__(self, redactor: Callable[[], Redactor]) -> None:
        self._stream = RedactStream(redactor)
        self._redactor = redactor
        self._raw: deque[int] = deque()
        self._text = ""

    @property
    def held(self) -> bool:
        """Whether a finished line is held back."""
        return bool(self._raw)

    def feed(self, lines: list[CleanLine]) -> list[CleanLine]:
        """Take finished lines; give those that cannot be the beginning of a secret any more."""
        if not self._redactor() and not self._raw:
            return lines
        if not lines:
            return []
        whole = "\n".join(map(_TEXT, lines)) + "\n"
        if _CUT not in whole:
            given = self._stream.feed(whole)
            if given is whole and not self._raw and not self._text:
                return lines
            self._raw.extend(line.raw_length for line in lines)
            return self._take(given)
        self._raw.extend(line.raw_length for line in lines)
        return self._take("".join(self._folded(line.text) for line in lines))

    def _folded(self, text: str) -> str:
        """Take a line that may have been cut off: what the cut leaves of a secret is not recognised later."""
        if len(text) <= LONGEST_LINE:
            return self._stream.feed(f"{text}\n")
        kept = self._stream.feed(text[:LONGEST_LINE]) + self._stream.finish()
        return kept + self._stream.feed(f"{text[LONGEST_LINE:]}\n")

    def partial(self, text: str, *, idle: bool = False) -> str:
        """Give what of the unfinished line cannot be the beginning of a secret; with `idle` what is hardly one too."""
        return text and (self._text + self._stream.peek(text, idle=idle)).rpartition("\n")[2]

    def idle(self) -> list[CleanLine]:
        """Give lines that were held, when nothing came for a while and they are hardly a secret's beginning."""
        return self._take(self._stream.idle())

    def finish(self, last: CleanLine | None) -> list[CleanLine]:
        """Take the last line, which had no newline, if there is one; give all that is left."""
        given = ""
        if last is not None:
            self._raw.append(last.raw_length)
            given = self._folded(last.text)[:-1] if len(last.text) > LONGEST_LINE else self._stream.feed(last.text)
        given += self._stream.finish()
        return self._take(given + ("\n" if last is not None else ""))

    def _take(self, given: str) -> list[CleanLine]:
        *whole, self._text = (self._text + given).split("\n")
        return [CleanLine(text, self._raw.popleft()) for text in whole]
