"""The names under which secrets were stored, one a line in the configuration folder: names, never values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from runbook_tui.adapters.private_files import make_folder, read_file, replace_file
from runbook_tui.core.errors import StateDirError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE: Final = "MAILRUNBOOK_CONFIG_DIR"
FILE: Final = "secret-names"


def config_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Give the configuration folder's absolute path; nothing is made or looked at."""
    named = (os.environ if environ is None else environ).get(VARIABLE, "")
    return Path(named).absolute() if named else platformdirs.user_config_path("mailrunbook", appauthor=False)


def known_names(folder: Path) -> list[str]:
    """Give the names, sorted; none where nothing was ever stored.

    Raises:
        StateDirError: the file is there and cannot be read.
    """
    try:
        data = read_file(folder / FILE)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _trouble("read", folder, error) from None
    return sorted({line for line in data.decode("utf-8", "replace").split("\n") if line.strip()})


def remember(folder: Path, name: str) -> None:
    """Add a name.

    Raises:
        StateDirError: it cannot be written.
    """
    _rewrite(folder, lambda names: names | {name})


def forget(folder: Path, name: str) -> None:
    """Take a name out; no file is made for that.

    Raises:
        StateDirError: it cannot be written.
    """
    if name in known_names(folder):
        _rewrite(folder, lambda names: names - {name})


def _rewrite(folder: Path, change: Callable[[set[str]], set[str]]) -> None:
    names = sorted(change(set(known_names(folder))))
    try:
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            make_folder(folder)
        replace_file(folder / FILE, "".join(f"{name}\n" for name in names).encode())
    except OSError as error:
        raise _trouble("write", folder, error) from None


def _trouble(doing: str, folder: Path, error: OSError) -> StateDirError:
    why = error.strerror or "the system gives no reason"
    hint = f"Set {VARIABLE} to a folder that you can write, or mend this one."
    return StateDirError(f"Cannot {doing} the list of names: {why}", str(folder / FILE), hint)
