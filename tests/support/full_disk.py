"""A small file system that really gets full: a tmpfs where root can mount one; else the test is skipped."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEP = 4096
"""The smallest piece a tmpfs gives out, in bytes."""


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a tmpfs of `size` bytes on a new folder, and take it away again."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: a test that failed may still hold a file open, and the mount must not outlive it.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Fill the disk to the last byte, but for `leave` bytes; return the file that does it."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        room = os.statvfs(disk).f_bavail * STEP - leave
        while room > 0:
            try:
                room -= file.write(b"f" * min(room, STEP))
            except OSError:
                break
    return filler
