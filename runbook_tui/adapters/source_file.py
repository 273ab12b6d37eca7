"""The runbook's file as it is now, and the run's folder in which an adopted text is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_tui.adapters.run_folder import RunFolder

LARGEST = 16 * 1024 * 1024
"""Bytes beyond which a file is not taken for a runbook."""


class SourceFile:
    """The file by its path; with an empty path there is none."""

    def __init__(self, path: str, folder: RunFolder) -> None:
        self._path = Path(path) if path else None
        self._folder = folder

    def now(self) -> bytes | None:
        """Read it; None when it is gone, is no regular file or cannot be read."""
        try:
            if self._path is None or not self._path.is_file() or self._path.stat().st_size > LARGEST:
                return None
            return self._path.read_bytes()
        except OSError:
            return None

    def keep(self, data: bytes) -> None:
        """Keep the text in the run's folder, durably."""
        self._folder.keep_copy(data)
