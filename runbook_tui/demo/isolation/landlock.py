"""Landlock: this process and its children may write below given folders only, whoever runs them (landlock(7))."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from runbook_tui.demo.isolation import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))  # REMOVE_DIR ... MAKE_SYM; bit 3 is READ_DIR, not ours
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_SCOPE_SIGNAL = 1 << 1

USABLE = 2
"""The first version with REFER: before it, no file may be moved to another folder at all, so no Maildir works."""

TRUNCATES = 3
SCOPES_SIGNALS = 6


def version() -> int:
    """Give Landlock's ABI version in this kernel, 0 where there is none."""
    if not kernel.IS_LINUX:
        return 0
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION, what="landlock")
    except OSError:
        return 0


class Fence:
    """A set of rules, made once and then put around any number of processes by `enclose`.

    With `signals` a process inside reaches only processes inside the same fence, where the kernel can do that. One
    fence for a whole world has it; those around a single command must not, or a command could not be stopped by
    another one.
    """

    def __init__(self, writable: Iterable[Path], *, signals: bool = False) -> None:
        """Open the rule set.

        Raises:
            OSError: the kernel refuses; never so when `version()` is at least USABLE.
        """
        known = version()
        self._access = _WRITE_FILE | _REMOVE_AND_MAKE | _REFER | (_TRUNCATE if known >= TRUNCATES else 0)
        attributes = struct.pack("Q", self._access)
        if signals and known >= SCOPES_SIGNALS:
            attributes = struct.pack("QQQ", self._access, 0, _SCOPE_SIGNAL)
        self._rules = kernel.syscall(_CREATE_RULESET, attributes, len(attributes), 0, what="landlock_create_ruleset")
        os.set_inheritable(self._rules, False)
        for path in writable:
            self._allow(path)

    def _allow(self, path: Path) -> None:
        if not path.exists():
            return
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            access = self._access if path.is_dir() else self._access & (_WRITE_FILE | _TRUNCATE)
            rule = struct.pack("=Qi", access, place)
            kernel.syscall(_ADD_RULE, self._rules, _PATH_BENEATH, rule, 0, what=f"landlock_add_rule {path}")
        finally:
            os.close(place)

    def enclose(self) -> None:
        """Put the calling thread and all its future children inside; there is no way back.

        Raises:
            OSError: the kernel refuses.
        """
        kernel.gain_no_privileges()
        kernel.syscall(_RESTRICT_SELF, self._rules, 0, what="landlock_restrict_self")

    def close(self) -> None:
        """Let go of the rules; processes inside stay inside."""
        os.close(self._rules)
