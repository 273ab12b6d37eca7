"""SIGKILL of the program and of its session on the host, at random instants: no step ever runs twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.killing import killed_often

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.lab

KILLS = int(os.environ.get("MAILRUNBOOK_TEST_KILLS", "20"))
"""How often the program is killed."""


def test_a_program_killed_at_any_instant_runs_no_step_twice(tmp_path: Path) -> None:
    """After every kill: what is done ran once, what is told as not run or still to do never ran, and nothing twice."""
    print(killed_often(tmp_path, KILLS, 12, longest=0.6))  # noqa: T201 -- for the record
