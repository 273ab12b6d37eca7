"""Processes that come from this one, found and ended; orphans are found where the kernel hands them over."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.demo.isolation import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "MAILRUNBOOK_DEMO"
"""The variable of the environment that every process of a world has: the world's folder."""


def descendants(of: int) -> list[int]:
    """List the living descendants of a process, nearest first; those that ended but were not waited for are none."""
    children = defaultdict(list)
    for process, parent in _processes():
        children[parent].append(process)
    found = [of]
    for process in found:
        found += children[process]
    return found[1:]


def _processes() -> list[tuple[int, int]]:
    if not kernel.IS_LINUX:
        listing = ("/bin/ps", "-A", "-o", "pid=,ppid=,stat=")
        listed = subprocess.run(listing, capture_output=True, text=True, check=False)  # noqa: S603
        rows = [line.split() for line in listed.stdout.splitlines()]
        return [(int(row[0]), int(row[1])) for row in rows if not row[2].startswith("Z")]
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:  # it ended just now
                continue
            if fields[0] not in b"ZX":
                found.append((int(folder.name), int(fields[1])))
    return found


def kill_descendants(seconds: float = 3.0) -> None:
    """Kill all descendants of this process, also those that come while it works; give up after `seconds`.

    Call `kernel.adopt_orphans` first: without it those whose parent ended are not seen.
    """
    deadline = time.monotonic() + seconds
    while (living := descendants(os.getpid())) and time.monotonic() < deadline:
        kill_all(living)
        time.sleep(0.005)


@contextmanager
def leaving_none() -> Iterator[None]:
    """Kill at the end of the program all that it and its descendants started, also what got a session of its own."""
    kernel.adopt_orphans()
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # this is the end already: a second one must not cut it short
        kill_descendants()


def kill_all(processes: list[int]) -> None:
    """Send KILL to each; one that has ended already is no error."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def marked(folder: Path) -> list[int]:
    """List the processes that belong to the world in this folder, as their environment says; Linux only."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for process in Path("/proc").iterdir() if kernel.IS_LINUX else ():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                environment = (process / "environ").read_bytes()
            except OSError:  # not ours, or it ended
                continue
            if mark in environment.split(b"\0"):
                found.append(int(process.name))
    return found
