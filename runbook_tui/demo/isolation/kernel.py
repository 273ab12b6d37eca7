"""The system calls that Python has no name for: mounts, namespaces, capabilities, and whose death one follows."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

IS_LINUX = sys.platform == "linux"

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SIOCSIFFLAGS = 0x8914
_IFF_UP_AND_RUNNING = 0x1 | 0x40

_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1

_LAST_CAPABILITY = 63
_HARMLESS_CAPABILITIES = frozenset(range(8)) | {10}
"""capabilities(7): those over the world's own files, ids and processes (0-7), and ports below 1024 (10)."""


class Namespace(IntFlag):
    """Flags of unshare(2)."""

    MOUNT = 0x00020000
    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NET = 0x40000000


class Mount(IntFlag):
    """Flags of mount(2)."""

    READ_ONLY = 1
    NO_SUID = 2
    NO_DEV = 4
    NO_EXEC = 8
    REMOUNT = 32
    BIND = 4096
    RECURSIVE = 16384
    PRIVATE = 1 << 18


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: object, what: str) -> int:
    """Make a system call by its number.

    Raises:
        OSError: it failed; the text begins with `what`.
    """
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), what)


def mount(source: str | None, target: str, kind: str | None = None, flags: Mount | int = 0, data: str = "") -> None:
    """Attach a file system or a folder; raises OSError."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    result = _libc.mount(*encoded, ctypes.c_ulong(int(flags)), os.fsencode(data) or None)
    _checked(result, f"mount {target}")


def unshare(namespaces: Namespace) -> None:
    """Enter new namespaces of these kinds; raises OSError."""
    _checked(_libc.unshare(ctypes.c_int(int(namespaces))), "unshare")


def _prctl(option: int, value: int = 0) -> int:
    zero = ctypes.c_ulong(0)
    return int(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero))


def die_with_parent(number: signal.Signals) -> None:
    """Have this signal sent to this process when the thread that started it is gone; nothing where unknown."""
    if IS_LINUX:
        _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends, so that they can be found; nothing where unknown."""
    if IS_LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def gain_no_privileges() -> None:
    """Let no program started from here gain privileges; Landlock demands it."""
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")


def drop_capabilities() -> None:
    """Let no program started from here mount, make devices or change its root, even as user 0."""
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in _HARMLESS_CAPABILITIES and _prctl(_PR_CAPBSET_DROP, capability):
            break  # EINVAL: the kernel knows no more of them


def set_hostname(name: str) -> None:
    """Name the machine in this UTS namespace."""
    socket.sethostname(name)


def bring_loopback_up() -> None:
    """Bring `lo` up in this network namespace; raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", _IFF_UP_AND_RUNNING)
        fcntl.ioctl(probe, _SIOCSIFFLAGS, request)


def make_read_only(target: str) -> None:
    """Make a mount and all below it read-only, whatever other flags they have: mount_setattr(2), Linux 5.12.

    Raises:
        OSError: the kernel does not know how, or forbids it.
    """
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    path = ctypes.c_char_p(os.fsencode(target))
    here, size = ctypes.c_int(_AT_FDCWD), ctypes.c_size_t(len(attributes))
    syscall(_MOUNT_SETATTR, here, path, _AT_RECURSIVE, attributes, size, what=f"mount_setattr {target}")


def bind_read_only(source: str, target: str) -> None:
    """Show `source` and all mounted below it at `target`, read-only; raises OSError."""
    mount(source, target, None, Mount.BIND | Mount.RECURSIVE)
    make_read_only(target)
