"""A fence of Landlock holds for the process that puts it up and for its children, and only there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.host import Tier
from runbook_tui.demo.isolation import confinement, landlock

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(landlock.version() < landlock.USABLE, reason="this kernel has no usable Landlock")

ENCLOSED = """
import os, subprocess, sys
from pathlib import Path
from runbook_tui.demo.isolation.landlock import Fence
fence = Fence([Path(sys.argv[1])], signals=True)
fence.enclose()
subprocess.run(["/bin/sh", "-c", sys.argv[2]])
"""


def enclosed(folder: Path, script: str) -> str:
    """Run a script behind a fence around a folder, and give what it said."""
    command = [sys.executable, "-c", ENCLOSED, str(folder), script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def test_writes_end_at_the_fence(tmp_path: Path) -> None:
    """Inside all is allowed, moving to another folder too; outside things are read, not made, changed or removed."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside / "a", inside / "b", outside):
        folder.mkdir(parents=True)
    (outside / "file").write_text("as it was", encoding="utf-8")
    said = enclosed(inside, (
        f"cd {inside}; touch a/x && mv a/x b/y && ls b; ls {outside}; cat {outside}/file; "
        f"touch {outside}/new || rm {outside}/file || (: > {outside}/file) || mv b/y {outside}/ || echo ' refused'"
    ))  # fmt: skip
    assert said == "y\nfile\nas it was refused\n"
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text(encoding="utf-8") == "as it was"


@pytest.mark.skipif(landlock.version() < landlock.SCOPES_SIGNALS, reason="this kernel's Landlock scopes no signals")
def test_signals_end_at_the_fence(tmp_path: Path) -> None:
    """A process inside signals its own kind and nobody else."""
    assert enclosed(tmp_path, "kill -0 $$ && echo own; kill -0 1 2>/dev/null || echo not others") == "own\nnot others\n"


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line about the tier names what this kernel cannot keep."""
    assert confinement.gaps(Tier.NS) == ""
    for version, words in ((0, "no Landlock"), (1, "no Landlock"), (4, "signals")):
        monkeypatch.setattr(landlock, "version", lambda version=version: version)
        assert words in confinement.gaps(Tier.PLAIN)
    monkeypatch.setattr(landlock, "version", lambda: 6)
    assert confinement.gaps(Tier.PLAIN) == ""
