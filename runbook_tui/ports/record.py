"""What a run is kept in: its journal, its output, its runbook's file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.events import Event, Record


class RunbookSource(Protocol):
    """The file that the run's runbook was read from, and where an edited text is kept once it is adopted."""

    def now(self) -> bytes | None:
        """Give the file as it is now; None when it is gone or cannot be read."""

    def keep(self, data: bytes) -> None:
        """Keep a text for this run, durably.

        Raises:
            StateDirError: it could not be written.
        """


class Journal(Protocol):
    """The append-only record of one run."""

    @property
    def head(self) -> str:
        """The hash of the last record."""

    @property
    def records(self) -> Sequence[Record]:
        """Everything recorded so far, oldest first."""

    def append(self, event: Event, *, durable: bool = True) -> Record:
        """Record the event; with `durable` it is on the disk when this returns.

        Raises:
            StateDirError: it could not be written; the journal is as it was before.
        """

    def seal(self) -> None:
        """Write SHA256SUMS with the count and head of the journal.

        Raises:
            StateDirError: it could not be written.
        """


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of stored output: raw bytes `raw_offset`.. and the cleaned text that stands for them, in the file."""

    raw_offset: int
    raw_length: int
    text_offset: int
    text_length: int
    sha256: str
    text_sha256: str = ""


class OutputWriter(Protocol):
    """Where one attempt's output goes: cleaned text on disk, raw lengths and sums beside it."""

    def write(self, raw: bytes, text: str) -> Segment | None:
        """Store the cleaned `text` that stands for `raw`; return a segment when one was completed."""

    def close(self) -> Segment | None:
        """Complete and return the last segment, if any; idempotent."""


class OutputStore(Protocol):
    """The output of a run's attempts."""

    def writer(self, attempt: str, raw_offset: int = 0, text_offset: int | None = None) -> OutputWriter:
        """Open the attempt's output for going on behind so many raw bytes, for which so much text is stored."""

    def text(self, attempt: str) -> str:
        """All cleaned text stored for an attempt; empty when there is none."""
