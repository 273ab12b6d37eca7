"""Finds a runbook by path or by the name of one that comes with the program, from a checkout or a wheel."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Final

from runbook_tui.core.errors import UsageError

LARGEST: Final = 16 * 1024 * 1024
"""Bytes: no runbook is longer; whoever names a disk image by mistake is told so."""

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def folder() -> Path | None:
    """Give the folder of the shipped runbooks: inside the wheel, or beside the package in a checkout."""
    inside = _PACKAGE / "_runbooks"
    beside = _PACKAGE.parent / "runbooks"
    if inside.is_dir():
        return inside
    return beside if beside.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file() else None


def shipped() -> dict[str, Path]:
    """Give the shipped runbooks by name, in order."""
    where = folder()
    return {path.stem: path for path in sorted(where.glob("*.md"))} if where else {}


def find(wanted: str) -> Path:
    """Give the file that `wanted` means: a path, else a shipped name.

    Raises:
        UsageError: there is no such file or name.
    """
    path = Path(wanted).expanduser()
    try:
        if path.exists():
            return path
    except (OSError, ValueError) as error:
        raise UsageError(f"{wanted} cannot be read", str(error)) from None
    known = shipped()
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, list(known), n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Shipped runbooks: {', '.join(known) or 'none'}."
    raise UsageError(f"There is no runbook {wanted}", "It is neither a file nor a shipped runbook.", hint)


def read_bytes(path: Path) -> bytes:
    """Give the file's bytes.

    Raises:
        UsageError: it cannot be read, is no regular file, or is longer than any runbook.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder", hint="Name a Markdown file in it.")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be read", reason) from None
    if len(data) > LARGEST:
        raise UsageError(f"{path} is longer than {LARGEST // 1024 // 1024} MiB", "That is no runbook.")
    return data
