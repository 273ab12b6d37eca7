"""The world's folder: made where there is room, locked while it is in use, removed when it is not."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.demo.errors import RehearsalError
from runbook_tui.demo.isolation import kernel
from runbook_tui.demo.isolation.descendants import kill_all, marked

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "mrb-"
LOCK = "lock"
LOG = "world.log"
"""Where the world's own output goes."""

LONGEST = 60
"""Characters of a folder's path: below it are Unix sockets, whose paths end at 103 bytes on macOS, 107 on Linux."""

ROOM = 64 * 1024 * 1024
"""Bytes that must be free."""

HALF_MADE = 60.0
"""Seconds after which an empty folder without a lock is one whose maker was killed."""


@dataclass(frozen=True, slots=True)
class WorldFolder:
    """A folder held by this process; it counts as in use until `remove` or the end of the process."""

    path: Path
    lock: int

    def remove(self) -> None:
        """Remove it with all that is in it.

        Raises:
            RehearsalError: something is mounted in it, so that removing it would remove what is not the world's.
        """
        _remove_tree(self.path)
        os.close(self.lock)


def candidates() -> tuple[Path, ...]:
    """Give the folders that a world's folder may be in, best first: TMPDIR, /tmp, /var/tmp."""
    named = os.environ.get("TMPDIR", "")
    places = [Path(named)] if named.startswith("/") else []
    return tuple(dict.fromkeys([*places, Path("/tmp"), Path("/var/tmp")]))  # noqa: S108 -- mkdtemp makes it ours


def make_folder(places: Iterable[Path]) -> WorldFolder:
    """Make a world's folder in the first place that is fit for one.

    Raises:
        RehearsalError: none is; the detail gives the reason for each.
    """
    reasons = []
    for place in places:
        reason = _unfit(place)
        if not reason:
            try:
                return _made(place)
            except OSError as error:
                reason = error.strerror or str(error)
        reasons.append(f"{place}: {reason}")
    raise RehearsalError(
        "There is no place for the rehearsal's folder.", "\n".join(reasons), "Name a folder with room in TMPDIR."
    )


def _unfit(place: Path) -> str:
    if len(str(place)) + len("/mrb-12345678") > LONGEST:
        return f"the path is longer than {LONGEST - len('/mrb-12345678')} characters, too long for a socket below it"
    try:
        about = os.statvfs(place)
    except OSError as error:
        return error.strerror or str(error)
    if about.f_flag & getattr(os, "ST_NOEXEC", 0):
        return "programs cannot be run from there (noexec)"
    if about.f_bavail * about.f_frsize < ROOM:
        return f"less than {ROOM // 1024 // 1024} MB are free"
    return ""


def _made(place: Path) -> WorldFolder:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)).resolve()
        try:
            lock = _lock(path, create=True)
        except OSError:
            path.rmdir()
            raise
        if lock is not None:
            return WorldFolder(path, lock)


def _lock(path: Path, *, create: bool = False) -> int | None:
    """Lock a folder; None when another process holds it or has removed it meanwhile.

    Raises:
        OSError: there is no lock file and none is to be made, or it cannot be.
    """
    lock = os.open(path / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), (path / LOCK).stat()):
            return lock
    os.close(lock)
    return None


def remove_stale(places: Iterable[Path]) -> int:
    """Remove the folders, and the processes, of worlds whose supervisor was killed; give how many there were.

    A folder that a living process holds, or somebody else's, is not touched.
    """
    removed = 0
    for place in places:
        with contextlib.suppress(OSError):
            for path in sorted(place.glob(PREFIX + "*")):
                removed += _remove_if_stale(path.resolve() if not path.is_symlink() else path)
    return removed


def _remove_if_stale(path: Path) -> bool:
    try:
        about = path.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            return False
        lock = _lock(path)
    except FileNotFoundError:
        return _remove_half_made(path)
    except OSError:
        return False
    if lock is None:
        return False
    try:
        kill_all(marked(path))
        _remove_tree(path)
    except (OSError, RehearsalError):
        return False
    finally:
        os.close(lock)
    return True


def _remove_half_made(path: Path) -> bool:
    try:
        if time.time() - path.stat().st_mtime < HALF_MADE:
            return False
        path.rmdir()  # fails unless it is empty
    except OSError:
        return False
    return True


def _remove_tree(path: Path) -> None:
    """Remove a folder, also one that commands wrote in and closed to their owner; raise RehearsalError, OSError."""
    mounts = _mounts_below(path)
    if mounts:
        raise RehearsalError("The rehearsal's folder is not removed: the machine's files are mounted in it.", mounts[0])

    for last in (False, False, True):  # a process that is just ending may write once more
        try:
            shutil.rmtree(path)
        except OSError:
            if last:
                raise
            _open_up(path)
        else:
            break


def _open_up(path: Path) -> None:
    """Give this user back the folders below; not what a symbolic link leads to."""
    path.chmod(0o700)
    for folder, inner, _ in os.walk(path):
        for below in (Path(folder, name) for name in inner):
            if not below.is_symlink():
                below.chmod(0o700)


def _mounts_below(path: Path) -> list[str]:
    if not kernel.IS_LINUX:
        return []
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    points = [line.split()[4] for line in lines]
    return [point for point in points if point.startswith(f"{path}/")]
