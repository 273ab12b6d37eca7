"""One attempt's output: raw bytes in; cleaned lines to the pane and the store, and what expectations look at."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import StateDirError
from runbook_tui.core.model import Match
from runbook_tui.core.text import Cleaner, CleanLine, clean_line

if TYPE_CHECKING:
    from runbook_tui.core.feed import Feed
    from runbook_tui.core.model import ExpectedOutput
    from runbook_tui.engine.recorder import Record
    from runbook_tui.ports import OutputWriter, Segment

COMPARED_LINES = 100_000
"""The last lines of output that expectations look at."""


class Output:
    """Takes raw bytes, gives cleaned lines to the pane and to the store, keeps the tail for expectations."""

    def __init__(
        self, attempt: str, writer: OutputWriter, feed: Feed, record: Record, *, withheld: bool
    ) -> None:
        self._attempt = attempt
        self._writer = writer
        self._feed = feed
        self._record = record
        self._withheld = withheld
        self._cleaner = Cleaner()
        self._raw = bytearray()
        self._tail: deque[str] = deque(maxlen=COMPARED_LINES)
        self._full = False

    def take(self, data: bytes) -> None:
        """Take bytes as they came from the far side."""
        self._raw += data
        self._put(self._cleaner.feed(data))
        self._feed.partial = "" if self._withheld else self._cleaner.partial

    def finish(self) -> None:
        """Take the last line, complete the last segment; idempotent."""
        last = self._cleaner.finish()
        self._put([last] if last else [])
        self._feed.partial = ""
        with contextlib.suppress(StateDirError):
            self._keep(self._writer.close())

    def say(self, line: str) -> None:
        """Show a line of our own in the pane; it is not part of the stored output."""
        self._feed.append([CleanLine(f"[mailrunbook] {clean_line(line)}", 0)])

    def unexpected(self, expect: str, outputs: tuple[ExpectedOutput, ...]) -> str:
        """Say in which way the output is not as expected; empty when it is."""
        text = "\n".join(self._tail)
        if expect and not re.search(expect, text, re.MULTILINE):
            return f"the output does not match {expect}"
        for wanted in outputs:
            pattern = wanted.text.strip("\n")
            match wanted.match:
                case Match.CONTAINS:
                    good = pattern in text
                case Match.REGEX:
                    good = re.search(pattern, text, re.MULTILINE) is not None
                case _:
                    good = pattern == text.strip("\n")
            if not good:
                return f"the output is not as expected ({wanted.match.value}, line {wanted.line})"
        return ""

    def _put(self, lines: list[CleanLine]) -> None:
        if not lines:
            return
        self._tail.extend(line.text for line in lines)
        size = sum(line.raw_length for line in lines)
        raw, self._raw = bytes(self._raw[:size]), self._raw[size:]
        if self._withheld:
            lines = [CleanLine(f"({size} bytes withheld, as .no-log asks)", size)]
        self._feed.append(lines)
        self._store(raw, "".join(f"{line.text}\n" for line in lines))

    def _store(self, raw: bytes, text: str) -> None:
        try:
            segment = self._writer.write(raw, text)
        except StateDirError as error:
            if not self._full:
                self.say(f"the output is shown, but not stored: {error.title}")
                note = f"the output of {self._attempt} is not stored whole: {error.title}"
                self._record(ev.Noted(text=note, by="mailrunbook"))
            self._full = True
            return
        self._full = False
        self._keep(segment)

    def _keep(self, segment: Segment | None) -> None:
        if segment is not None:
            self._record(
                ev.Output(
                    attempt=self._attempt, raw_offset=segment.raw_offset, raw_length=segment.raw_length,
                    text_offset=segment.text_offset, text_length=segment.text_length, sha256=segment.sha256,
                    text_sha256=segment.text_sha256,
                ),
                durable=False,
            )  # fmt: skip
