"""One attempt's output: raw bytes in; cleaned lines to the pane and the store, and what expectations look at."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import StateDirError
from runbook_tui.core.model import Match
from runbook_tui.core.redact import KnownSecrets, LineRedactor
from runbook_tui.core.text import Cleaner, CleanLine, clean_line

if TYPE_CHECKING:
    from runbook_tui.core.feed import Feed
    from runbook_tui.core.model import ExpectedOutput
    from runbook_tui.engine.recorder import Record
    from runbook_tui.ports import OutputWriter, Segment

COMPARED_LINES = 100_000
"""The last lines of output that expectations look at."""

IDLE = 2.0
"""Seconds after which what may be the beginning of a secret is shown, when hardly anything of one is there."""


class Output:
    """Takes raw bytes, gives cleaned lines to the pane and to the store, keeps the tail for expectations.

    Secrets are taken out of what is shown and stored; expectations look at what was there.
    """

    def __init__(
        self, attempt: str, writer: OutputWriter, feed: Feed, record: Record, *, withheld: bool,
        known: KnownSecrets | None = None, earlier: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Make it. `earlier` are the lines of an earlier sitting that are stored already."""
        self._attempt = attempt
        self._writer = writer
        self._feed = feed
        self._record = record
        self._withheld = withheld
        self._cleaner = Cleaner()
        self._known = known = known or KnownSecrets()
        self._redacting = LineRedactor(lambda: known.redactor)
        self._idling: asyncio.TimerHandle | None = None
        self._raw = bytearray()
        self._tail: deque[str] = deque(earlier, maxlen=COMPARED_LINES)
        self._full = False

    def take(self, data: bytes) -> None:
        """Take bytes as they came from the far side."""
        self._raw += data
        self._put(self._redacted(self._cleaner.feed(data)))
        self._show_partial(idle=False)

    def finish(self) -> None:
        """Take the last line, complete the last segment; idempotent."""
        self._stop_idling()
        last = self._cleaner.finish()
        if last is not None:
            self._tail.append(last.text)
        self._put(self._redacting.finish(last))
        self._feed.partial = ""
        with contextlib.suppress(StateDirError):
            self._keep(self._writer.close())

    def suspend(self) -> None:
        """Complete the last segment. A line that has not ended is left out: it comes again as a whole."""
        self._stop_idling()
        with contextlib.suppress(StateDirError):
            self._keep(self._writer.close())

    def say(self, line: str) -> None:
        """Show a line of our own in the pane; it is not part of the stored output."""
        self._feed.append([CleanLine(f"[mailrunbook] {clean_line(self._known.redact(line))}", 0)])

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

    def _redacted(self, lines: list[CleanLine]) -> list[CleanLine]:
        self._tail.extend(line.text for line in lines)
        return self._redacting.feed(lines)

    @property
    def _why_withheld(self) -> str:
        if self._withheld:
            return "as .no-log asks"
        short = self._known.redactor.too_short
        return f"the secret {short[0]} is too short to be found in them" if short else ""

    def _show_partial(self, *, idle: bool) -> None:
        """Show the unfinished line; what may become a secret is shown when nothing came for a while, or never."""
        self._stop_idling()
        partial = self._cleaner.partial
        shown = self._redacting.partial(partial, idle=idle)
        self._feed.partial = "" if self._why_withheld else shown
        if not idle and (self._redacting.held or len(shown) < len(partial)):
            self._idling = asyncio.get_running_loop().call_later(IDLE, self._idle)

    def _idle(self) -> None:
        if not self._cleaner.partial:
            self._put(self._redacting.idle())
        self._show_partial(idle=True)

    def _stop_idling(self) -> None:
        if self._idling is not None:
            self._idling.cancel()
            self._idling = None

    def _put(self, lines: list[CleanLine]) -> None:
        if not lines:
            return
        size = sum(line.raw_length for line in lines)
        raw, self._raw = bytes(self._raw[:size]), self._raw[size:]
        if why := self._why_withheld:
            lines = [CleanLine(f"({size} bytes withheld, {why})", size)]
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
