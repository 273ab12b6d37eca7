"""Folders 0700 and files 0600 whatever the umask, atomic replacement, and the sentence for a failing disk."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from runbook_tui.core.errors import StateDirError

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when nothing more fits: the disk, the quota, or the size a file may have."""

sync_data = getattr(os, "fdatasync", os.fsync)
"""Make a descriptor's data durable; not every system has the cheaper call. Raises OSError."""


def storage_error(error: OSError, path: Path, doing: str) -> StateDirError:
    """Say what a failing disk means; `doing` follows "cannot", as in `write the journal`."""
    if error.errno in FULL:
        cause = {errno.EDQUOT: "your disk quota is used up", errno.EFBIG: "the file may not grow any more"}
        why = cause.get(error.errno or 0, "the disk is full")
        hint = "Free space, then go on: nothing was lost."
        return StateDirError(f"Cannot {doing}: {why}.", str(path), hint)
    why = {
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "permission denied",
        errno.EPERM: "it is not permitted",
        errno.ENOENT: "it is not there",
        errno.ELOOP: "a symbolic link stands in its place",
        errno.EIO: "the disk reports an error",
    }.get(error.errno or 0, error.strerror or "the system gives no reason")
    hint = "Set MAILRUNBOOK_STATE_DIR to a folder that you can write, or mend this one."
    return StateDirError(f"Cannot {doing}: {why}.", str(path), hint)


def make_folder(path: Path) -> None:
    """Make one new folder with mode 0700. Raises OSError."""
    path.mkdir(mode=FOLDER_MODE)
    path.chmod(FOLDER_MODE)


def open_file(path: Path, flags: int) -> int:
    """Open a file 0600, never through a symbolic link; return its descriptor. Raises OSError."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    try:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            os.fchmod(descriptor, FILE_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a short write is followed up, so that its cause is raised as OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the file's place at once, durably; the old content stays otherwise. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        descriptor = open_file(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a folder's entries durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path) -> bytes:
    """Read a whole regular file, never through a symbolic link. Raises OSError."""
    with os.fdopen(open_file(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        return file.read()
