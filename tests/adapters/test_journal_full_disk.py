"""The journal and the outputs on a disk that is really full: nothing new begins, nothing is forgotten."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.outputs import FileOutputStore
from runbook_tui.adapters.runs import create_run, open_run
from runbook_tui.adapters.seals import verify_run
from runbook_tui.core import events as ev
from runbook_tui.core.chain import read_records
from runbook_tui.core.errors import ExitCode, StateDirError
from tests.support.full_disk import fill, small_disk
from tests.support.journals import START, HeldClock, small_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runbook_tui.adapters.journal import JsonLinesJournal
    from runbook_tui.adapters.run_folder import RunFolder

MIB = 1024 * 1024
CONFIRMED, INTENT, STARTED, FINISHED = small_run()[2:6]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    with small_disk(tmp_path / "disk", MIB) as folder:
        yield folder


@pytest.fixture
def run(disk: Path) -> Iterator[RunFolder]:
    """A run on the small disk whose command was just sent."""
    with create_run(disk / "state", b"# Motd\n", "motd", {}, "r1", now=START) as folder:
        journal = folder.journal(HeldClock())
        for event in small_run()[:4]:
            journal.append(event)
        yield folder


def journal_of(run: RunFolder) -> JsonLinesJournal:
    """Give the run's open journal."""
    return run.journal(HeldClock())


def test_a_running_command_is_followed_to_its_end_on_a_full_disk(disk: Path, run: RunFolder) -> None:
    """With no byte free, what has happened is still recorded durably and the run is sealed."""
    fill(disk)
    journal = journal_of(run)
    journal.append(STARTED)
    journal.append(FINISHED)
    journal.append(ev.Paused(why="the disk is full"))
    journal.seal()
    records, _, flaw = read_records((run.path / "events.jsonl").read_bytes())
    assert flaw is None
    assert [r.event for r in records][4:] == [STARTED, FINISHED, ev.Paused(why="the disk is full")]
    assert not [p for p in verify_run(run.path).problems if "journal" in p or "record" in p]


def test_nothing_new_begins_on_a_full_disk_until_there_is_room(disk: Path, run: RunFolder) -> None:
    """A confirmation is refused while the disk is full, even after the reserve was given up, and taken later."""
    filler = fill(disk)
    journal = journal_of(run)
    whole = (run.path / "events.jsonl").read_bytes()
    with pytest.raises(StateDirError, match="the disk is full") as refused:
        journal.append(ev.Noted(text="n" * 8192, by="ada"))
    assert refused.value.exit_code is ExitCode.UNREACHABLE
    assert "nothing was lost" in refused.value.hint
    assert (run.path / "events.jsonl").read_bytes() == whole
    journal.append(ev.Lost(action="greet", attempt="r1-1", why="l" * 8192))
    for event in (CONFIRMED, INTENT):
        with pytest.raises(StateDirError, match="the disk is full"):
            journal.append(event)
    assert [r.seq for r in journal.records] == [1, 2, 3, 4, 5]
    filler.unlink()
    assert journal.append(CONFIRMED).seq == 6
    assert read_records((run.path / "events.jsonl").read_bytes()).problem is None


def test_every_record_size_at_the_edge_leaves_a_whole_journal(disk: Path, run: RunFolder) -> None:
    """However much of a record still fits, the journal ends with a whole record after each refusal."""
    filler = fill(disk, leave=16 * 1024)
    journal = journal_of(run)
    refused = 0
    for size in range(500, 6000, 100):
        before = len(journal.records)
        try:
            journal.append(ev.Noted(text="e" * size, by="ada"))
        except StateDirError:
            refused += 1
            assert len(journal.records) == before
        records, _, flaw = read_records((run.path / "events.jsonl").read_bytes())
        assert flaw is None
        assert list(records) == list(journal.records)
    assert refused
    filler.unlink()
    journal.append(CONFIRMED)


def test_a_run_is_opened_but_not_gone_on_with_on_a_full_disk(disk: Path, run: RunFolder) -> None:
    """A run can be opened on a full disk, refuses to be resumed, and is resumed once there is room."""
    run.close()
    filler = fill(disk)
    resumed = ev.Resumed(operator="ada", workstation="desk", version="0.1")
    with open_run(disk / "state", "r1") as again:
        journal = again.journal(HeldClock())
        assert len(journal.records) == 4
        with pytest.raises(StateDirError, match="the disk is full"):
            journal.append(resumed)
        filler.unlink()
        assert journal.append(resumed).seq == 5


def test_no_run_is_made_on_a_full_disk(disk: Path) -> None:
    """Making a run on a full disk fails with a sentence and leaves nothing behind."""
    (disk / "state").mkdir()
    fill(disk)
    with pytest.raises(StateDirError, match="the disk is full"):
        create_run(disk / "state", b"# Motd\n" * 10_000, "motd", {}, now=START)
    assert not list((disk / "state").rglob("*.md"))
    assert not list((disk / "state").glob("runs/*"))


def test_output_that_does_not_fit_is_counted_and_said(disk: Path) -> None:
    """On a full disk a piece of output is refused, its bytes counted; with room again the text says how many."""
    writer = FileOutputStore(disk).writer("r1-1")
    writer.write(b"first\n", "first\n")
    filler = fill(disk)
    big = "m" * 8192
    for _ in range(2):
        with pytest.raises(StateDirError, match="the disk is full"):
            writer.write(big.encode(), big)
    assert (disk / "r1-1.log").read_text(encoding="utf-8") == "first\n"
    assert writer.missed == 2 * len(big)
    filler.unlink()
    before = writer.write(b"last\n", "last\n")
    after = writer.close()
    note = f"\n[mailrunbook: {2 * len(big)} bytes of output are missing here, the disk was full]\n"
    assert FileOutputStore(disk).text("r1-1") == f"first\n{note}last\n"
    assert before is not None
    assert after is not None
    assert (before.raw_offset, before.raw_length, before.text_offset, before.text_length) == (0, 6, 0, 6)
    assert (after.raw_offset, after.raw_length) == (6 + 2 * len(big), 5)
    assert (after.text_offset, after.text_length) == (6, len(note) + 5)
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in ("first\n", f"{note}last\n")]
    assert [before.text_sha256, after.text_sha256] == sums


def test_output_leaves_the_last_bytes_to_the_journal(disk: Path) -> None:
    """After it met a full disk, output does not take the little that is freed, but waits for real room."""
    writer = FileOutputStore(disk).writer("r1-1")
    filler = fill(disk)
    with pytest.raises(StateDirError):
        writer.write(b"m" * 8192, "m" * 8192)
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - 64 * 1024)
    with pytest.raises(StateDirError):
        writer.write(b"small", "small")
    filler.unlink()
    writer.write(b"small", "small")
    writer.close()
