"""Tier ns: a host's folder as the root of its commands; programs and libraries come from the machine, read-only."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.demo.isolation import kernel
from runbook_tui.demo.isolation.kernel import Mount

if TYPE_CHECKING:
    from collections.abc import Iterable

_OWN = ("dev", "etc", "home", "proc", "root", "run", "srv", "tmp", "usr/local/etc", "var")
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}  # fmt: skip
_COPIED = (
    "ld.so.cache", "localtime", "mime.types", "nsswitch.conf", "os-release", "protocols", "services", "ssl/openssl.cnf",
)  # fmt: skip
_SHARED = ("alternatives", "crypto-policies", "pki")
_PROGRAMS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")


def build(root: Path, *, standins: Path, python: Path) -> None:
    """Make `root` fit for chroot(2), inside the world's own mount namespace and with the host's own files in it.

    `standins` hide the machine's programs of the same name in every folder of programs where the kernel has
    overlays for users (Linux 5.11); elsewhere their order in PATH must do. `python` is the installation that runs
    them, shown at its own path.

    Raises:
        OSError: the kernel forbids a mount.
    """
    for folder in _OWN:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in _SYSTEM:
        _show(Path("/", folder), root / folder)
    _show_children(Path("/usr"), root / "usr", own={"local"})
    _show_children(Path("/usr/local"), root / "usr/local", own={"etc", "www"})
    if not python.is_relative_to("/usr"):
        _show(python, root / str(python).lstrip("/"))
    _make_devices(root / "dev")
    kernel.bind_read_only("/proc", str(root / "proc"))  # of this pid namespace; /proc/sys belongs to the machine
    _furnish_etc(root / "etc")
    for folder in _PROGRAMS:
        _put_first(standins, root / folder)


def _show(source: Path, target: Path) -> None:
    """Show a folder or file of the machine; a symbolic link is copied as one."""
    if source.is_symlink():
        if not target.is_symlink():
            target.symlink_to(source.readlink())
        return
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif source.is_file():
        target.touch()
    else:
        return
    kernel.bind_read_only(str(source), str(target))


def _show_children(source: Path, target: Path, own: set[str]) -> None:
    """Show what is in a folder, but for names that the host has itself."""
    target.mkdir(parents=True, exist_ok=True)
    for child in _names(source) - own:
        _show(source / child, target / child)


def _names(folder: Path) -> set[str]:
    try:
        return {child.name for child in folder.iterdir()}
    except OSError:  # not there, or not ours to read
        return set()


def _make_devices(dev: Path) -> None:
    """Give the host the harmless devices: whoever is root outside still owns the disks in here."""
    _bind_existing((Path("/dev", name), dev / name) for name in _DEVICES)
    (dev / "pts").mkdir(exist_ok=True)
    options = "newinstance,ptmxmode=0666,mode=620"
    kernel.mount("devpts", str(dev / "pts"), "devpts", Mount.NO_SUID | Mount.NO_EXEC, options)
    for name, target in _LINKS.items():
        if not (dev / name).is_symlink():
            (dev / name).symlink_to(target)


def _bind_existing(pairs: Iterable[tuple[Path, Path]]) -> None:
    for source, target in pairs:
        if source.exists():
            target.touch()
            kernel.mount(str(source), str(target), None, Mount.BIND)


def _furnish_etc(etc: Path) -> None:
    """Add what the machine's programs look for in /etc; what the host has already stays."""
    for name in _COPIED:
        source, target = Path("/etc", name), etc / name
        if source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for name in _SHARED:
        if Path("/etc", name).is_dir():
            _show(Path("/etc", name), etc / name)


def _put_first(standins: Path, programs: Path) -> None:
    if programs.is_symlink():
        return
    if not programs.is_dir():
        programs.mkdir(parents=True)
        kernel.bind_read_only(str(standins), str(programs))
        return
    try:
        kernel.mount("overlay", str(programs), "overlay", Mount.READ_ONLY, f"lowerdir={standins}:{programs}")
    except OSError:
        return  # PATH names the stand-ins first
