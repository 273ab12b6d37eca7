"""The state folder: where it is, and whether it is ours alone, as what is kept in it is private."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from runbook_tui.adapters.private_files import FOLDER_MODE, make_folder, storage_error
from runbook_tui.core.errors import StateDirError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "MAILRUNBOOK_STATE_DIR"
RUNS_FOLDER = "runs"


def state_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Give the state folder's absolute path; nothing is made or looked at."""
    named = (os.environ if environ is None else environ).get(VARIABLE, "")
    return Path(named).absolute() if named else platformdirs.user_state_path("mailrunbook", appauthor=False)


def prepare_runs(folder: Path) -> Path:
    """Make the state folder and its `runs` where they are missing; return `runs`.

    Raises:
        StateDirError: it cannot be made or written, or is not safe (see `existing_runs`).
    """
    runs = folder / RUNS_FOLDER
    try:
        if not os.path.lexists(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            make_folder(folder)
        _check(folder, holds=RUNS_FOLDER)
        if not os.path.lexists(runs):
            make_folder(runs)
        _check(runs)
        _check_writable(runs)
    except OSError as error:
        raise storage_error(error, folder, "use the state folder") from None
    return runs


def existing_runs(folder: Path) -> Path | None:
    """Give the folder of the runs, None when nothing was ever stored.

    Raises:
        StateDirError: a symbolic link or something else stands in its place, it belongs to somebody else,
            everybody can write to it, or it cannot be looked into.
    """
    runs = folder / RUNS_FOLDER
    try:
        if not os.path.lexists(folder):
            return None
        _check(folder, holds=RUNS_FOLDER)
        if not os.path.lexists(runs):
            return None
        _check(runs)
    except OSError as error:
        raise storage_error(error, folder, "use the state folder") from None
    return runs


def _check(folder: Path, *, holds: str = "") -> None:
    """Refuse a folder that is not ours alone, and take away what others may do in one that is.

    A folder with other things in it, but without the entry it `holds` when it is in use, keeps its mode: it
    is not ours to change. Raises OSError.
    """
    found = folder.lstat()
    hint = f"Set {VARIABLE} to a new folder, or remove what stands there."
    if stat.S_ISLNK(found.st_mode):
        target = os.fspath(folder.readlink())
        raise StateDirError("The state folder is a symbolic link.", f"{folder} points to {target!r}", hint)
    if not stat.S_ISDIR(found.st_mode):
        raise StateDirError("The state folder is no folder.", str(folder), hint)
    if found.st_uid != os.geteuid():
        whose = f"{folder} belongs to {_user(found.st_uid)}, and you are {_user(os.geteuid())}"
        hint = f"Work as that user, or set {VARIABLE} to a folder of your own."
        raise StateDirError("The state folder belongs to somebody else.", whose, hint)
    mode = stat.S_IMODE(found.st_mode)
    if mode & stat.S_IWOTH:
        hint = f"Look at what is in it, then `chmod 700` it, or set {VARIABLE} to another folder."
        raise StateDirError("Everybody can write to the state folder.", str(folder), hint)
    if mode & FOLDER_MODE == mode:
        return
    if holds and not os.path.lexists(folder / holds) and any(folder.iterdir()):
        hint = f"Set {VARIABLE} to a new or empty folder, or `chmod 700` this one."
        raise StateDirError("The state folder holds other things and others can enter it.", str(folder), hint)
    folder.chmod(mode & FOLDER_MODE)


def _check_writable(folder: Path) -> None:
    """Raise OSError with the reason why nothing can be made in the folder."""
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return
    os.utime(folder)  # on a read-only file system this raises its own reason
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
