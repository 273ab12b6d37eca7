"""The runs of this operator: making, finding, opening and listing their folders."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
import unicodedata
from typing import TYPE_CHECKING

from runbook_tui.adapters.private_files import (
    make_folder,
    replace_file,
    storage_error,
    sync_folder,
)
from runbook_tui.adapters.run_folder import Lock, RunFolder, is_locked
from runbook_tui.adapters.run_list import RunInfo, RunStanding, inspect
from runbook_tui.adapters.state_dir import existing_runs, prepare_runs, state_dir
from runbook_tui.core.errors import RunLockedError, StateDirError, UsageError
from runbook_tui.core.seal import OUTPUT_FOLDER, RUNBOOK_NAME, VARIABLES_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "RunFolder", "RunInfo", "RunStanding", "create_run", "find_run", "is_locked", "list_runs", "open_run", "state_dir",
]  # fmt: skip

ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)
TITLE_LENGTH = 40
STAGING = ".new-"
STAGING_AGE = 3600.0
"""Seconds after which a half-made folder is taken for one whose maker was killed."""


def create_run(
    state_dir: Path, runbook_bytes: bytes, title: str, variables: Mapping[str, str], run_id: str | None = None,
    *, now: datetime,
) -> RunFolder:  # fmt: skip
    """Make a run's folder and hold it. It appears whole or not at all; its journal has no record yet.

    Without `run_id` the id is made of `now` (in UTC) and the title: `20261123-141500-rotate-motd`.

    Raises:
        UsageError: the wanted id has other characters than letters, digits, `.`, `_`, `-`, or is taken.
        StateDirError: the state folder is not safe, cannot be written, or is full.
    """
    if run_id is not None and not ID_FORM.fullmatch(run_id):
        hint = "Use up to 80 letters, digits, `.`, `_` and `-`, and begin with a letter or digit."
        raise UsageError(f"{run_id!r} cannot be a run's id.", "", hint)
    runs = prepare_runs(state_dir)
    _sweep(runs)
    staging = runs / f"{STAGING}{secrets.token_hex(8)}"
    lock = None
    try:
        make_folder(staging)
        lock = Lock(staging)
        replace_file(staging / RUNBOOK_NAME, runbook_bytes)
        replace_file(staging / VARIABLES_NAME, _variables_text(variables))
        make_folder(staging / OUTPUT_FOLDER)
        sync_folder(staging)
        path = _into_place(staging, run_id, f"{now:%Y%m%d-%H%M%S}-{slug(title)}")
        sync_folder(runs)
    except (OSError, UsageError) as error:
        if lock is not None:
            lock.release()
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, UsageError):
            raise
        raise storage_error(error, runs, "make the run's folder") from None
    return RunFolder(path, lock)


def _variables_text(variables: Mapping[str, str]) -> bytes:
    text = json.dumps(dict(variables), ensure_ascii=False, indent=2, sort_keys=True)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def slug(title: str) -> str:
    """Give the title in small letters, digits and hyphens, at most 40 of them; `run` when nothing is left."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:TITLE_LENGTH].rstrip("-") or "run"


def _into_place(staging: Path, wanted: str | None, proposed: str) -> Path:
    """Rename the finished folder to its id; a proposed id that is taken gets a number. Raises OSError."""
    number = 1
    while True:
        name = wanted or (proposed if number == 1 else f"{proposed}-{number}")
        path = staging.with_name(name)
        _remove_if_never_begun(path)
        try:
            # A rename onto a folder that is not empty fails: the first of two that want the id gets it.
            return staging.rename(path)
        except OSError:
            if not path.exists():
                raise
        if wanted:
            hint = f"`mailrunbook resume {wanted}` goes on with it; leave --run-id away for a new id."
            raise UsageError(f"There is a run {wanted} already.", str(path), hint)
        number += 1


def _remove_if_never_begun(path: Path) -> None:
    """Remove a folder whose maker was killed before the first record. It holds a copy of a runbook only."""
    if path.is_symlink() or not path.is_dir():
        return
    try:
        with RunFolder(path, Lock(path)) as folder:
            if folder.never_begun:
                shutil.rmtree(path)
    except (OSError, RunLockedError, StateDirError):
        return


def _refuse_never_begun(folder: RunFolder) -> None:
    if folder.never_begun:
        hint = "Start it again with `mailrunbook run RUNBOOK`."
        raise StateDirError("This run never began: mailrunbook ended while making it.", str(folder.path), hint)


def _sweep(runs: Path) -> None:
    for path in runs.glob(f"{STAGING}*"):
        if not path.is_symlink() and time.time() - path.stat().st_mtime > STAGING_AGE:
            shutil.rmtree(path, ignore_errors=True)


def _folders(runs: Path | None) -> list[Path]:
    if runs is None:
        return []
    try:
        found = [p for p in runs.iterdir() if ID_FORM.fullmatch(p.name) and p.is_dir() and not p.is_symlink()]
    except OSError as error:
        raise storage_error(error, runs, "list the runs") from None
    return sorted(found, key=lambda path: path.name, reverse=True)


def find_run(state_dir: Path, run: str) -> Path:
    """Give the folder of the run with this id, or of the only one whose id begins so.

    Raises:
        UsageError: there is none, or there are several.
        StateDirError: the state folder is not safe or cannot be read.
    """
    folders = _folders(existing_runs(state_dir))
    exact = [path for path in folders if path.name == run]
    fitting = exact or [path for path in folders if run and path.name.startswith(run)]
    if not fitting:
        raise UsageError(f"There is no run {run!r}.", str(state_dir), "`mailrunbook runs` lists them.")
    if len(fitting) > 1:
        names = ", ".join(path.name for path in fitting)
        raise UsageError(f"Several runs begin with {run!r}.", names, "Type more of the id.")
    return fitting[0]


def open_run(state_dir: Path, run: str, *, lock: bool = True) -> RunFolder:
    """Open a run by its id or the beginning of it, and hold it; with `lock` False only to read it.

    Raises:
        UsageError: there is no such run, or several.
        RunLockedError: another process holds it; pid and since when are named.
        StateDirError: the state folder is not safe or cannot be read, or the run never began.
    """
    path = find_run(state_dir, run)
    if not lock:
        return RunFolder(path)
    try:
        folder = RunFolder(path, Lock(path))
    except OSError as error:
        raise storage_error(error, path, "open the run") from None
    try:
        folder.tighten()
        _refuse_never_begun(folder)
    except OSError as error:
        folder.close()
        raise storage_error(error, path, "open the run") from None
    except StateDirError:
        folder.close()
        raise
    return folder


def list_runs(state_dir: Path) -> list[RunInfo]:
    """List the runs, newest first. A damaged run is listed with its `problem`; one that never began is not.

    Raises:
        StateDirError: the state folder is not safe or cannot be read.
    """
    found = [info for path in _folders(existing_runs(state_dir)) if (info := inspect(RunFolder(path)))]
    return sorted(found, key=lambda info: (info.opened, info.id), reverse=True)
