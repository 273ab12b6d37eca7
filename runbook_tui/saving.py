"""Writes what the operator asked to have as a file: new, for the owner alone, never over something else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runbook_tui.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def write_new(path: Path, content: str) -> None:
    """Write a file that is not there yet, mode 0600.

    Raises:
        UsageError: it is there already, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{path} is there already", hint="Nothing was written. Name another file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be written", reason) from None
