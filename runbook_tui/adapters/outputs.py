"""The output of a run's attempts on disk: cleaned text, and beside it how many raw bytes it stands for."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from runbook_tui.adapters.private_files import (
    open_file,
    read_file,
    storage_error,
    sync_data,
    sync_folder,
    write_all,
)
from runbook_tui.core.errors import StateDirError
from runbook_tui.ports import Segment

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_SIZE = 64 * 1024
"""Raw bytes after which a segment is complete."""
ROOM_TO_GO_ON = 4 * SEGMENT_SIZE
"""Bytes that must be free before a writer that met a full disk tries again: the journal comes first."""


class FileOutputStore:
    """The folder `output/` of one run: `<attempt>.log` files of cleaned UTF-8 text."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def writer(self, attempt: str, raw_offset: int = 0, text_offset: int | None = None) -> FileOutputWriter:
        """Open the attempt's output; `raw_offset` raw bytes are stored already, as `text_offset` bytes of text.

        Without `text_offset` that is all the text there is.

        What the file has beyond that was stored, but not recorded: it is replaced once it comes again.

        Raises:
            StateDirError: the file cannot be opened.
        """
        path = self._path(attempt)
        try:
            return FileOutputWriter(path, raw_offset, text_offset)
        except OSError as error:
            raise storage_error(error, path, "store the output") from None

    def text(self, attempt: str) -> str:
        """Give all cleaned text stored for an attempt; empty when there is none.

        Raises:
            StateDirError: it is there and cannot be read.
        """
        path = self._path(attempt)
        try:
            return read_file(path).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise storage_error(error, path, "read the output") from None

    def _path(self, attempt: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", attempt, re.ASCII):
            raise StateDirError(f"{attempt!r} is no name of an attempt.", str(self._folder))
        return self._folder / f"{attempt}.log"


class FileOutputWriter:
    """Appends one attempt's cleaned text; segments count offsets and lengths in bytes.

    On a full disk `write` raises StateDirError and what it was given is not stored; the caller goes on and
    keeps calling it. The raw bytes that were missed are counted, so the next segment's `raw_offset` is true,
    and once there is room again a line in the text says how many are missing.
    """

    def __init__(self, path: Path, raw_offset: int = 0, text_offset: int | None = None) -> None:
        self._path = path
        fresh = not path.exists()
        self._descriptor = open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        if fresh:
            sync_folder(path.parent)
        size = os.fstat(self._descriptor).st_size
        self._length = size if text_offset is None else min(text_offset, size)
        self._missed = 0
        self._begin(raw_offset, self._length)

    def _begin(self, raw_offset: int, text_offset: int) -> None:
        self._raw_offset, self._raw_length = raw_offset, 0
        self._text_offset = text_offset
        self._sum = hashlib.sha256()
        self._text_sum = hashlib.sha256()

    def write(self, raw: bytes, text: str) -> Segment | None:
        """Store the cleaned `text` that stands for `raw`; return a segment when one was completed.

        Raises:
            StateDirError: it could not be stored, the file is as it was; go on with the next piece.
        """
        if self._descriptor < 0:
            raise StateDirError("The output of this attempt is closed.", str(self._path))
        data = (self._missing_note() + text).encode("utf-8", "replace")
        before = self._length
        try:
            self._store(data)
        except OSError as error:
            self._missed += len(raw)
            raise storage_error(error, self._path, "store the output") from None
        completed = None
        if self._missed:
            completed = self._segment(before)
            self._begin(self._raw_offset + self._raw_length + self._missed, before)
            self._missed = 0
        self._raw_length += len(raw)
        self._sum.update(raw)
        self._text_sum.update(data)
        if completed is None and self._raw_length >= SEGMENT_SIZE:
            completed = self._segment(self._length)
            self._begin(self._raw_offset + self._raw_length, self._length)
        return completed

    @property
    def missed(self) -> int:
        """How many raw bytes could not be stored since the last piece that could."""
        return self._missed

    def _missing_note(self) -> str:
        if not self._missed:
            return ""
        return f"\n[mailrunbook: {self._missed} bytes of output are missing here, the disk was full]\n"

    def _store(self, data: bytes) -> None:
        if self._missed:
            self._want_room()
        if os.fstat(self._descriptor).st_size != self._length:
            os.ftruncate(self._descriptor, self._length)
        try:
            write_all(self._descriptor, data)
        except OSError:
            # Should this fail as well, the next piece tries it again before it is written.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._length)
            raise
        self._length += len(data)

    def _want_room(self) -> None:
        """Leave the last bytes of a full disk to the journal. Raises OSError."""
        room = os.fstatvfs(self._descriptor)
        if room.f_bavail * room.f_frsize < ROOM_TO_GO_ON:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _segment(self, text_end: int) -> Segment | None:
        text_length = text_end - self._text_offset
        if not self._raw_length and not text_length:
            return None
        sums = self._sum.hexdigest(), self._text_sum.hexdigest()
        return Segment(self._raw_offset, self._raw_length, self._text_offset, text_length, *sums)

    def close(self) -> Segment | None:
        """Complete and return the last segment, if any, its text durable; idempotent.

        Raises:
            StateDirError: the text could not be made durable. The file is closed all the same.
        """
        if self._descriptor < 0:
            return None
        descriptor, self._descriptor = self._descriptor, -1
        try:
            sync_data(descriptor)
        except OSError as error:
            raise storage_error(error, self._path, "store the output") from None
        finally:
            os.close(descriptor)
        return self._segment(self._length)
