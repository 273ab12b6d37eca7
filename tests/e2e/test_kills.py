"""A dozen kills of the program in all, at random instants; the lab has many more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.killing import killed_often

if TYPE_CHECKING:
    from pathlib import Path


def test_a_program_killed_a_dozen_times_runs_every_step_once(tmp_path: Path) -> None:
    """After every kill what is told agrees with what ran; in the end every step is done and ran once."""
    print(killed_often(tmp_path, 12, 8, longest=0.2))  # noqa: T201 -- for the record
