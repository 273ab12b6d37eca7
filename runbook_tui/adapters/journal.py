"""The journal of a run: JSON lines on disk, hash-chained, whole after every crash and on a full disk."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from runbook_tui.adapters.clock import boot_id
from runbook_tui.adapters.private_files import (
    FULL,
    open_file,
    read_file,
    storage_error,
    sync_data,
    sync_folder,
    write_all,
)
from runbook_tui.adapters.seals import read_seal, write_seal
from runbook_tui.core import events as ev
from runbook_tui.core.chain import GENESIS, Flaw, FlawKind, encode, read_records, stamp
from runbook_tui.core.errors import StateDirError
from runbook_tui.core.seal import JOURNAL_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runbook_tui.core.events import Event, Record
    from runbook_tui.ports import Clock

TORN_NAME = "events.torn"
RESERVE_NAME = ".reserve"
RESERVE_SIZE = 64 * 1024
"""Kept free for the last events of a run (PROMISES.md 3.8), in bytes."""

ENDINGS = (
    ev.Started, ev.Finished, ev.Lost, ev.Stopped, ev.Reconciled, ev.Undone, ev.Skipped, ev.MarkedDone,
    ev.Paused, ev.RunClosed,
)  # fmt: skip
"""Events that say what has happened already: they may use the reserve. Nothing new is begun on it."""


class JsonLinesJournal:
    """`events.jsonl` of one run folder, opened for appending by the one process that holds the run.

    On a full disk only `ENDINGS` are still taken, from the reserve; everything else is refused with
    StateDirError until the reserve could be made again, so a new action never begins on the last bytes.
    The engine goes on after such an error: the journal stays as it was, and usable.

    Raises (on opening):
        StateDirError: the file cannot be opened, is damaged before its end, was written by a version that
            this one does not understand, or is shorter than its seal. Nothing was changed then.
    """

    def __init__(self, folder: Path, clock: Clock, *, boot: str = "") -> None:
        self._folder = folder
        self._path = folder / JOURNAL_NAME
        self._clock = clock
        self._boot = boot or boot_id()
        self._torn = b""
        self._reserved = False
        self._records: list[Record] = []
        self._length = 0
        self._descriptor = -1
        try:
            self._open()
        except OSError as error:
            self.close()
            raise storage_error(error, self._path, "open the run's journal") from None
        except StateDirError:
            self.close()
            raise

    def _open(self) -> None:
        fresh = not self._path.exists()
        self._descriptor = open_file(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        if fresh:
            sync_folder(self._folder)
        data = read_file(self._path)
        records, self._length, flaw = read_records(data)
        self._records = list(records)
        if flaw is not None and flaw.kind is not FlawKind.TORN:
            raise _damaged(flaw, self._path)
        self._compare_with_seal()
        if flaw is not None:
            self._cut_torn_tail(data[self._length :])
        self._reserve()

    def _compare_with_seal(self) -> None:
        """Refuse to go on where the seal says that records are gone: what ran would look as if it had not."""
        seal = read_seal(self._folder)
        if seal is None or seal.count == 0:
            return
        if seal.count > len(self._records):
            gone = f"the seal counts {seal.count} records, the journal has {len(self._records)}"
        elif self._records[seal.count - 1].hash != seal.head:
            gone = f"record {seal.count} is not the one that was sealed"
        else:
            return
        raise StateDirError(
            "This run's journal is not the one that was sealed.",
            f"{self._path}: {gone}",
            "Put the run's folder back from a backup, or begin a new run; `mailrunbook verify` says more.",
        )

    def _cut_torn_tail(self, tail: bytes) -> None:
        """Cut off the record that a crash left unfinished. It was never acknowledged; a copy is kept."""
        descriptor = open_file(self._folder / TORN_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            write_all(descriptor, tail + b"\n")
            sync_data(descriptor)
        finally:
            os.close(descriptor)
        self._cut_back()
        sync_data(self._descriptor)
        self._torn = tail

    @property
    def torn(self) -> bytes:
        """What was cut off when the journal was opened: the beginning of a record that was never finished."""
        return self._torn

    @property
    def head(self) -> str:
        """The hash of the last record; empty before the first."""
        return self._records[-1].hash if self._records else GENESIS

    @property
    def records(self) -> Sequence[Record]:
        """Everything recorded so far, oldest first."""
        return self._records

    def append(self, event: Event, *, durable: bool = True) -> Record:
        """Record the event; with `durable` it is on the disk when this returns.

        Raises:
            StateDirError: it could not be written; the journal is as it was before and stays usable.
        """
        try:
            self._ready_for(event)
            record = stamp(
                event,
                seq=len(self._records) + 1,
                at=self._clock.now(),
                mono=round(self._clock.monotonic(), 6),
                boot=self._boot,
                prev=self.head,
            )
            line = encode(record)
            try:
                self._write(line, durable=durable)
            except OSError as error:
                if error.errno not in FULL or not (isinstance(event, ENDINGS) and self._release_reserve()):
                    raise
                self._write(line, durable=durable)
        except OSError as error:
            raise storage_error(error, self._path, f"record {event.type!r} in the journal") from None
        self._records.append(record)
        self._length += len(line)
        return record

    def _ready_for(self, event: Event) -> None:
        if self._descriptor < 0:
            raise StateDirError("This run's journal is closed.", str(self._path))
        self._cut_back()
        if not self._reserved and not isinstance(event, ENDINGS):
            self._reserve(needed=True)

    def _write(self, line: bytes, *, durable: bool) -> None:
        try:
            write_all(self._descriptor, line)
            if durable:
                sync_data(self._descriptor)
        except OSError:
            # Should this fail as well, the next append tries it again before it writes anything.
            with suppress(OSError):
                self._cut_back()
            raise

    def _cut_back(self) -> None:
        if os.fstat(self._descriptor).st_size != self._length:
            os.ftruncate(self._descriptor, self._length)

    def _reserve(self, *, needed: bool = False) -> None:
        path = self._folder / RESERVE_NAME
        try:
            descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                # Written out, and nothing a file system could squeeze: only then the room is really taken.
                write_all(descriptor, os.urandom(RESERVE_SIZE))
                sync_data(descriptor)
            finally:
                os.close(descriptor)
            self._reserved = True
        except OSError:
            with suppress(OSError):
                path.unlink()
            if needed:
                raise

    def _release_reserve(self) -> bool:
        """Give the reserve back to the file system; say whether there was one."""
        had, self._reserved = self._reserved, False
        with suppress(OSError):
            (self._folder / RESERVE_NAME).unlink()
        return had

    def seal(self) -> None:
        """Write SHA256SUMS with the count and head of the journal, everything it names durable before it.

        Raises:
            StateDirError: it could not be written; an older seal stays.
        """
        arguments = (self._folder, len(self._records), self.head, self._clock.now())
        try:
            self._cut_back()
            try:
                write_seal(*arguments)
            except OSError as error:
                if error.errno not in FULL or not self._release_reserve():
                    raise
                write_seal(*arguments)
        except OSError as error:
            raise storage_error(error, self._folder, "seal the run") from None

    def close(self) -> None:
        """Let go of the file; idempotent. The reserve is given back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._release_reserve()


def _damaged(flaw: Flaw, path: Path) -> StateDirError:
    if flaw.kind is FlawKind.FOREIGN:
        return StateDirError(
            "This run was written by another version of mailrunbook.",
            f"{path}: {flaw.why}",
            "Open it with that version.",
        )
    return StateDirError(
        "This run's journal is damaged.",
        f"{path}: {flaw.why}",
        "Put the run's folder back from a backup, or begin a new run; `mailrunbook verify` says more.",
    )
