"""Shells for the checks that ask a host: the real /bin/sh here, with commands of the test's own before all others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runbook_tui.adapters.local import LocalShell
from runbook_tui.checks.asking import Heard
from runbook_tui.core.model import Host, HostName
from tests.support.sight import ShellHosts, TestSight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

MARK = "look-0"


def sight_of(*names: str) -> TestSight:
    """Give a sight whose hosts are all this machine."""
    return TestSight(hosts=ShellHosts({name: LocalShell(Host(HostName(name))) for name in names}))


def commands(monkeypatch: pytest.MonkeyPatch, folder: Path, **texts: str) -> None:
    """Put shell scripts before the machine's own commands; `_` in a name is a hyphen."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    if not os.environ["PATH"].startswith(f"{folder}:"):
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def heard(data: bytes, listeners: Mapping[str, Callable[[str], None]] | None = None) -> Heard:
    """Take an answer with the mark of the tests in one piece."""
    answer = Heard(MARK, listeners)
    answer.feed(data)
    return answer


def answer(parts: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Give what a host sends for a script with the mark of the tests: each part's output and exit status."""
    told = (
        b"%b %b\n%b\n%b = %d\n" % (MARK.encode(), name.encode(), said, MARK.encode(), status)
        for name, (said, status) in parts.items()
    )
    return b"".join((*told, MARK.encode() + b" .\n"))
