"""The list of runs: counts, states and order, and that no damaged folder keeps the others from being listed."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.runs import RunStanding, create_run, list_runs
from runbook_tui.core import events as ev
from tests.support.journals import START, HeldClock, foreign_line, opened

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.adapters.runs import RunFolder, RunInfo

RUNBOOK = b"""---
runbook:
  version: 1
  hosts:
    old: {ssh: root@old.example}
---
# Rotate the motd

- Write it

  ```sh {#write .run host=old}
  true
  ```

- Read it

  ```sh {#read .run host=old}
  true
  ```
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder that is not there yet."""
    return tmp_path / "state"


def begin(state: Path, run: str, *events: ev.Event, hours: float = 0) -> RunFolder:
    """Make a run that began `hours` after the start, with these events behind the first; still held."""
    folder = create_run(state, RUNBOOK, "motd", {}, run, now=START)
    journal = folder.journal(HeldClock(START + timedelta(hours=hours)))
    journal.append(opened(run, hashlib.sha256(RUNBOOK).hexdigest()))
    for event in events:
        journal.append(event)
    return folder


def only(state: Path) -> RunInfo:
    """Give the one run that is listed."""
    (info,) = list_runs(state)
    return info


def skipped(action: str) -> ev.Skipped:
    """Make the event that settles an action."""
    return ev.Skipped(action=action, reason="not needed", by="ada")


def test_a_run_is_listed_in_the_documented_shape(state: Path) -> None:
    """A run's object has exactly the documented keys, its times in UTC, its steps counted and settled."""
    begin(state, "mine", skipped("write")).close()
    assert only(state).problem == ""
    assert only(state).fields() == {
        "id": "mine", "title": "Rotate the motd", "runbook": "/srv/motd.md",
        "opened": "2026-11-23T14:15:01.000000Z", "last": "2026-11-23T14:15:02.000000Z",
        "state": "open", "steps": 2, "settled": 1,
    }  # fmt: skip


def test_a_run_is_open_closed_or_locked(state: Path) -> None:
    """A held run is locked whatever its journal says; let go of it is closed, and open again when reopened."""
    held = begin(state, "mine", skipped("write"), skipped("read"), ev.RunClosed(count=3))
    assert only(state).state is RunStanding.LOCKED
    held.close()
    assert (only(state).state, only(state).settled) == (RunStanding.CLOSED, 2)
    begin(state, "again", ev.RunClosed(count=1), ev.Reopened(by="ada"), hours=1).close()
    assert [info.state for info in list_runs(state)] == [RunStanding.OPEN, RunStanding.CLOSED]


def test_the_newest_run_comes_first(state: Path) -> None:
    """Runs are ordered by when they were opened, not by their ids."""
    for run, hours in (("b", 2.0), ("c", 1.0), ("a", 3.0)):
        begin(state, run, hours=hours).close()
    assert [info.id for info in list_runs(state)] == ["a", "b", "c"]


def test_listing_changes_nothing(state: Path) -> None:
    """Looking at a run cuts no torn tail, makes no file and takes no lock that stays."""
    folder = begin(state, "mine")
    folder.close()
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(b'{"seq":2')
    before = {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    assert only(state).problem == ""
    assert {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("torn", [None, b"", b'{"seq":1,"at"'])
def test_a_run_that_never_began_is_not_listed(state: Path, torn: bytes | None) -> None:
    """A folder whose maker was killed before the first record was whole is passed over."""
    begin(state, "mine").close()
    with create_run(state, RUNBOOK, "motd", {}, "stillborn", now=START) as folder:
        if torn is not None:
            (folder.path / "events.jsonl").write_bytes(torn)
        assert only(state).id == "mine"


def test_what_is_no_run_is_passed_over(state: Path) -> None:
    """Files, links, hidden and empty folders among the runs are not taken for runs."""
    begin(state, "mine").close()
    runs = state / "runs"
    (runs / "notes.txt").write_bytes(b"")
    (runs / ".new-0").mkdir()
    (runs / "empty").mkdir()
    (runs / "link").symlink_to(runs / "mine")
    assert only(state).id == "mine"


def test_a_damaged_run_is_listed_with_its_problem(state: Path) -> None:
    """A bad record, a newer version's record, a lost journal or runbook: each is told, the others unharmed."""
    damaged = {run: begin(state, run, skipped("write"), hours=1).path for run in "abcde"}
    for run, folder in damaged.items():
        path = folder / "events.jsonl"
        data = path.read_bytes()
        match run:
            case "a":
                path.write_bytes(data.replace(b'"reason":"not', b'"reason":"now'))
            case "b":
                path.write_bytes(data + foreign_line(data.splitlines()[-1]))
            case "c":
                path.write_bytes(b"\n" + data)
            case "d":
                (folder / "SHA256SUMS").write_bytes(b"")
                path.unlink()
            case _:
                (folder / "runbook.md").unlink()
    begin(state, "whole").close()
    found = {info.id: info for info in list_runs(state)}
    assert set(found) == {*damaged, "whole"}
    assert found["whole"].problem == ""
    assert found["a"].problem.startswith("record 2 is bad")
    assert (found["a"].steps, found["a"].settled) == (2, 0)
    assert "written by another version" in found["b"].problem
    assert (found["b"].steps, found["b"].settled) == (2, 1)
    assert found["c"].problem.startswith("record 1 is bad")
    assert found["d"].problem == "its journal is gone"
    assert "Cannot read the run" in found["e"].problem
    assert found["e"].fields()["problem"] == found["e"].problem


def test_a_journal_of_another_runbook_is_told(state: Path) -> None:
    """Where the journal speaks of an action that the stored runbook does not have, the list says so."""
    begin(state, "mine", skipped("elsewhere")).close()
    assert "elsewhere" in only(state).problem
    assert only(state).state is RunStanding.OPEN


def test_a_journal_that_opens_no_run_is_told(state: Path) -> None:
    """A journal whose first record is something else is listed with that problem."""
    with create_run(state, RUNBOOK, "motd", {}, "mine", now=START) as folder:
        folder.journal(HeldClock()).append(skipped("write"))
    assert only(state).problem == "its first record does not open a run"
