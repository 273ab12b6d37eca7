"""A run that another process writes, read as it grows: no lock is kept and nothing is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runbook_tui.adapters.private_files import open_file, storage_error
from runbook_tui.adapters.run_folder import RunFolder, is_locked
from runbook_tui.core.chain import GENESIS, FlawKind, read_records
from runbook_tui.core.errors import StateDirError
from runbook_tui.core.seal import JOURNAL_NAME, OUTPUT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runbook_tui.core.chain import Flaw
    from runbook_tui.core.events import Event, Record
    from runbook_tui.ports import OutputWriter


class FollowedRun:
    """The journal of a run folder and its outputs. `look()` reads what was written since the last look."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._path = folder.path / JOURNAL_NAME
        self._records: tuple[Record, ...] = ()
        self._length = 0
        self._refused = b""
        self.flaw = ""
        self.look()

    @property
    def head(self) -> str:
        """The hash of the last record."""
        return self._records[-1].hash if self._records else GENESIS

    @property
    def records(self) -> Sequence[Record]:
        """Everything that was read so far, oldest first."""
        return self._records

    def look(self) -> bool:
        """Read on; True: records that were read before have changed, so all of it is to be folded anew.

        A record that could not be made durable is cut off again by its writer.

        Raises:
            StateDirError: the journal cannot be read.
        """
        data = _read(self._path, self._length)
        if data is not None:
            if data == self._refused:
                return False
            records, good, flaw = read_records(data, self._records)
            if flaw is None or flaw.kind is not FlawKind.BAD:
                self._accept(records, self._length + good, flaw)
                return False
        before, whole = self._records, _read(self._path, 0) or b""
        records, good, flaw = read_records(whole)
        self._accept(records, good, flaw)
        self._refused = whole[good:] if self.flaw else b""
        return records[: len(before)] != before

    def _accept(self, records: tuple[Record, ...], length: int, flaw: Flaw | None) -> None:
        self._records, self._length = records, length
        self.flaw = "" if flaw is None or flaw.kind is FlawKind.TORN else flaw.why

    @property
    def held(self) -> bool:
        """Whether a process holds the run now."""
        return is_locked(self._folder.path)

    def copy(self, sha256: str) -> bytes:
        """Give the edited runbook that was kept under this sum.

        Raises:
            StateDirError: it cannot be read, or is another one now.
        """
        return self._folder.copy(sha256)

    def text_after(self, attempt: str, offset: int) -> bytes | None:
        """Give what an attempt's stored text has after so many bytes; None when it is shorter by now.

        Raises:
            StateDirError: it cannot be read.
        """
        return _read(self._folder.path / OUTPUT_FOLDER / f"{attempt}.log", offset)

    def text(self, attempt: str) -> str:
        """Give all cleaned text stored for an attempt.

        Raises:
            StateDirError: it cannot be read.
        """
        return self._folder.outputs().text(attempt)

    def writer(self, attempt: str, raw_offset: int = 0, text_offset: int | None = None) -> OutputWriter:
        """Refuse: another process writes.

        Raises:
            StateDirError: always.
        """
        del raw_offset, text_offset
        raise StateDirError("This run is only watched.", f"{self._folder.path}: {attempt}")

    def append(self, event: Event, *, durable: bool = True) -> Record:
        """Refuse: another process writes.

        Raises:
            StateDirError: always.
        """
        del durable
        raise StateDirError("This run is only watched.", f"{self._folder.path}: {event.type}")

    def seal(self) -> None:
        """Seal nothing."""


def _read(path: Path, offset: int) -> bytes | None:
    """Give what a file has after so many bytes; None where it is shorter."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return b"" if offset == 0 else None
    except OSError as error:
        raise storage_error(error, path, "read the run") from None
    try:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, size - offset, offset) if size >= offset else None
    except OSError as error:
        raise storage_error(error, path, "read the run") from None
    finally:
        os.close(descriptor)
