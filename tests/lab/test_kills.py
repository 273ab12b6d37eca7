"""SIGKILL of the program and of its session on the host, at random instants: no step ever runs twice."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Night
from tests.support.killing import Killed
from tests.support.sshd import operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.lab

KILLS = int(os.environ.get("MAILRUNBOOK_TEST_KILLS", "20"))
"""How often the program is killed."""


def test_a_program_killed_at_any_instant_runs_no_step_twice(tmp_path: Path) -> None:
    """After every kill: what is done ran once, what is told as not run or still to do never ran, and nothing twice."""
    key = operator_key(tmp_path / "operator")
    told: Counter[str] = Counter()
    kills = sessions = 0
    with running_sshd(tmp_path / "old", [key.public]) as old:
        files = write_ssh_files(tmp_path / "files", key, {"old.test": old})
        night = Night(old, old, files, tmp_path / "state")
        while kills < KILLS:
            run = Killed(night, f"kill{kills}", 12, kills)
            while kills + run.kills < KILLS and run.current() != "done":
                run.round()
                ran = run.effects
                assert all(count == 1 for count in ran.values()), (run.name, ran)
                for step, state in run.told.items():
                    if state in {"done", "todo", "not-run"}:
                        assert ran[step] == (state == "done"), (run.name, step, state)
            kills += run.kills
            sessions += run.sessions
            told += run.ended()
            (old.home / "effects").unlink(missing_ok=True)
    print(f"{kills} kills of the program, {sessions} of session processes: {dict(told)}")  # noqa: T201 -- for the record
    assert told["ended done"]
