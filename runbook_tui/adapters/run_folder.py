"""One run's folder, and the lock that lets one process at a time write to it."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import socket
import stat
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from runbook_tui.adapters.journal import JsonLinesJournal
from runbook_tui.adapters.outputs import FileOutputStore
from runbook_tui.adapters.private_files import (
    FILE_MODE,
    FOLDER_MODE,
    open_file,
    read_file,
    replace_file,
    storage_error,
)
from runbook_tui.core.chain import FlawKind, Journaled, read_records
from runbook_tui.core.errors import RunLockedError, StateDirError
from runbook_tui.core.seal import JOURNAL_NAME, OUTPUT_FOLDER, RUNBOOK_NAME, SEAL_NAME, VARIABLES_NAME, copy_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from runbook_tui.ports import Clock

LOCK_NAME = ".lock"
LOCK_TRIES = 5
LOCK_PAUSE = 0.02
"""Seconds between tries: whoever lists the runs touches each lock for a moment."""


class Lock:
    """A held `flock` on a run; the file says who holds it. It ends with the process, however that ends.

    Raises (when taken):
        RunLockedError: another process holds it; the sentence names its pid and since when.
        OSError: the lock file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = open_file(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT)
        try:
            self._take(folder)
        except (OSError, RunLockedError):
            os.close(self._descriptor)
            raise

    def _take(self, folder: Path) -> None:
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_PAUSE)
                continue
            self._say_who()
            return
        raise RunLockedError(
            "Another mailrunbook holds this run.",
            f"{folder.name}: {_holder(folder)}",
            "Go on there, or leave it there first.",
        )

    def _say_who(self) -> None:
        """Write who holds the lock. On a full disk it stays unsaid: the lock itself needs no room."""
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        who = {"pid": os.getpid(), "since": since, "user": _user(), "workstation": socket.gethostname()}
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(who).encode() + b"\n", 0)

    def release(self) -> None:
        """Let another process have the run; idempotent."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.geteuid()}"


def _holder(folder: Path) -> str:
    try:
        who = json.loads(read_file(folder / LOCK_NAME))
        return f"process {who['pid']} of {who['user']} on {who['workstation']}, since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that did not say who it is"


def is_locked(folder: Path) -> bool:
    """Whether some process, this one included, holds the run now."""
    try:
        descriptor = open_file(folder / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class RunFolder:
    """`STATE/runs/<id>`. With a `lock` it can be written to; without, it is only read."""

    def __init__(self, path: Path, lock: Lock | None = None) -> None:
        self.path = path
        self._lock = lock
        self._journal: JsonLinesJournal | None = None

    @property
    def id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    @property
    def runbook_bytes(self) -> bytes:
        """The runbook as it was when the run was made.

        Raises:
            StateDirError: it cannot be read.
        """
        return self._read(RUNBOOK_NAME)

    def keep_copy(self, data: bytes) -> None:
        """Keep an edited runbook under its sum, durably, before the journal says that it was adopted.

        Raises:
            StateDirError: it cannot be written.
        """
        path = self.path / copy_name(hashlib.sha256(data).hexdigest())
        try:
            replace_file(path, data)
        except OSError as error:
            raise storage_error(error, path, "keep the edited runbook") from None

    def copy(self, sha256: str) -> bytes:
        """Give the edited runbook that was kept under this sum.

        Raises:
            StateDirError: it cannot be read, or is another one now.
        """
        data = self._read(copy_name(sha256))
        if hashlib.sha256(data).hexdigest() != sha256:
            path = str(self.path / copy_name(sha256))
            raise StateDirError("A runbook that this run adopted was changed in its folder.", path)
        return data

    @property
    def variables(self) -> Mapping[str, str]:
        """The values given when the run was made.

        Raises:
            StateDirError: they cannot be read.
        """
        try:
            values = json.loads(self._read(VARIABLES_NAME))
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise StateDirError("The run's variables are damaged.", str(self.path / VARIABLES_NAME))
        return values

    def read(self) -> Journaled:
        """Read the journal as it is now, without changing or locking anything; empty before its first record.

        Raises:
            StateDirError: it is there and cannot be read.
        """
        path = self.path / JOURNAL_NAME
        try:
            return read_records(read_file(path))
        except FileNotFoundError:
            return read_records(b"")
        except OSError as error:
            raise storage_error(error, path, "read the run's journal") from None

    @property
    def never_begun(self) -> bool:
        """Whether its maker was killed before the first record was written and it was never sealed.

        Raises:
            StateDirError: the journal cannot be read.
        """
        records, _, flaw = self.read()
        untouched = not records and (flaw is None or flaw.kind is FlawKind.TORN)
        return untouched and not (self.path / SEAL_NAME).exists()

    def _read(self, name: str) -> bytes:
        try:
            return read_file(self.path / name)
        except OSError as error:
            raise storage_error(error, self.path / name, "read the run") from None

    def journal(self, clock: Clock, *, boot: str = "") -> JsonLinesJournal:
        """Open the journal for appending; the same one each time. `boot` is this machine's when empty.

        Raises:
            StateDirError: it cannot be opened (see JsonLinesJournal), or this folder is only read.
        """
        if self._lock is None:
            raise StateDirError("This run was opened for reading only.", str(self.path))
        if self._journal is None:
            self._journal = JsonLinesJournal(self.path, clock, boot=boot)
        return self._journal

    def outputs(self) -> FileOutputStore:
        """Give the store of the attempts' output."""
        return FileOutputStore(self.path / OUTPUT_FOLDER)

    def tighten(self) -> None:
        """Take from others what a copy or a restored backup may have given them. Raises OSError."""
        for path in (self.path, *self.path.rglob("*")):
            if path.is_symlink():
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            allowed = mode & (FOLDER_MODE if path.is_dir() else FILE_MODE)
            if mode != allowed:
                path.chmod(allowed)

    def close(self) -> None:
        """Close the journal and let go of the lock; idempotent."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
