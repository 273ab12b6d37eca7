"""Runs a scenario inside a small world of two hosts, in either tier, as root or as nobody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from runbook_tui.demo.host import Tier
from runbook_tui.demo.isolation.namespaces import probe

PROJECT = Path(__file__).parents[3]
NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Place:
    """A tier, and who runs the world in it."""

    tier: Tier
    is_nobody: bool

    def __str__(self) -> str:
        """Give what pytest shows."""
        return f"{self.tier}-{'nobody' if self.is_nobody else 'me'}"

    def command(self, module: str, *arguments: str) -> list[str]:
        """Give the command line that runs a module of the project here."""
        if not self.is_nobody:
            return [sys.executable, "-m", module, *arguments]
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return [*as_nobody, other_python(), "-m", module, *arguments]

    def environment(self) -> dict[str, str]:
        """Give the environment for it."""
        packages = os.pathsep.join((str(PROJECT), *(p for p in sys.path if p.endswith("site-packages"))))
        home = {"HOME": "/nonexistent"} if self.is_nobody else {}
        return os.environ | {"PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"} | home


@cache
def other_python() -> str:
    """Find a Python of this version that nobody may run, or give an empty text."""
    name = f"python3.{sys.version_info.minor}"
    return shutil.which(name, path="/usr/bin:/usr/local/bin") or ""


@cache
def namespaces_missing() -> str:
    """Say why there are no namespaces here."""
    return probe()


PLACES = [Place(tier, is_nobody) for tier in Tier for is_nobody in (False, True)]


def skip_if_missing(place: Place) -> None:
    """Skip the test when this machine does not have the place."""
    if place.tier is Tier.NS and namespaces_missing():
        pytest.skip(f"no namespaces: {namespaces_missing()}")
    if place.is_nobody and (os.getuid() != 0 or not shutil.which("setpriv") or not other_python()):
        pytest.skip("only root can become nobody, with setpriv and a Python that nobody may run")


def happen(place: Place, scenario: str, *arguments: str) -> Any:  # noqa: ANN401 -- whatever the scenario saw
    """Run a scenario of `scenarios` in a process of its own and give what it saw."""
    skip_if_missing(place)
    command = place.command("tests.demo.isolation.inside", place.tier, scenario, *arguments)
    done = subprocess.run(
        command, env=place.environment(), cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
