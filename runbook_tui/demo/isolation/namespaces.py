"""Tier ns: user, mount, network, pid, ipc and uts namespaces of the world's own, without root and without a program."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from runbook_tui.demo.isolation import kernel
from runbook_tui.demo.isolation.kernel import Mount, Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL = Namespace.USER | Namespace.MOUNT | Namespace.NET | Namespace.PID | Namespace.IPC | Namespace.UTS


def probe() -> str:
    """Say why namespaces are not to be had here; empty when they are. Tries it in a process of its own."""
    if not kernel.IS_LINUX:
        return f"{sys.platform} has no namespaces"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(writing, _try)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read().decode(errors="replace")
    os.waitpid(child, 0)
    return "" if answer.endswith("ok") else answer or "the trial died"


def _answer(writing: int, trial: Callable[[], str]) -> NoReturn:
    """Write what a trial gives and end this process; nobody may be left to read it."""
    try:
        os.write(writing, trial().encode())
    finally:
        os._exit(0)


def _try() -> str:
    """Enter in this process, become somebody in a child; give why not, or have the child write `ok` at the end."""
    reading, writing = os.pipe()
    try:
        leave()
        child = os.fork()
        if child == 0:
            _answer(writing, _settled)
        os.waitpid(child, 0)
    except OSError as error:
        return error.strerror or str(error)
    os.close(writing)
    return os.read(reading, 4096).decode(errors="replace")


def _settled() -> str:
    try:
        settle()
        kernel.mount("none", "/tmp", "tmpfs")  # noqa: S108 -- seen by this trial alone; AppArmor refuses it first
        kernel.make_read_only("/tmp")  # noqa: S108 -- the same
    except OSError as error:
        return error.strerror or str(error)
    return "ok"


def leave() -> None:
    """Leave the machine's namespaces; the next child is pid 1 of a new one. For a process with a single thread.

    Whoever calls keeps their files' rights: their own user id shows as 0 inside.

    Raises:
        OSError: the kernel or a security module forbids it.
    """
    user, group = os.getuid(), os.getgid()
    kernel.unshare(_ALL)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    kernel.mount("none", "/", None, Mount.RECURSIVE | Mount.PRIVATE)
    kernel.bring_loopback_up()


def settle() -> None:
    """Be pid 1: see this namespace's processes in /proc, and die with the process that started this one.

    Raises:
        OSError: /proc cannot be mounted, as in containers that mask parts of it.
    """
    kernel.die_with_parent(signal.SIGKILL)
    kernel.mount("proc", "/proc", "proc", Mount.NO_SUID | Mount.NO_DEV | Mount.NO_EXEC)
