"""The journal on disk: appending, torn tails, damage, seals, and processes killed in the middle."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.clock import SystemClock, boot_id
from runbook_tui.adapters.journal import RESERVE_NAME, TORN_NAME, JsonLinesJournal
from runbook_tui.adapters.runs import create_run, open_run
from runbook_tui.adapters.seals import verify_run
from runbook_tui.core.chain import read_records
from runbook_tui.core.errors import ExitCode, StateDirError, UsageError
from runbook_tui.core.events import Finished, Noted, Paused, RunOpened
from tests.support.journals import (
    BOOT,
    START,
    HeldClock,
    foreign_line,
    lines_of,
    opened,
    small_run,
)

if TYPE_CHECKING:
    from runbook_tui.ports import Clock, Journal

RUNBOOK = b"# Rotate the motd\n"
LINES = lines_of(small_run())
NOTE = Noted(text="and on", by="ada")


def new_run(tmp_path: Path, events: bool = True) -> Path:
    """Make a run with a small journal, closed again; return its folder."""
    with create_run(tmp_path / "state", RUNBOOK, "motd", {"a": "b"}, "r1", now=START) as folder:
        journal = folder.journal(HeldClock(), boot=BOOT)
        journal.append(opened(sha256=hashlib.sha256(RUNBOOK).hexdigest()))
        for event in small_run()[1:] if events else ():
            journal.append(event)
        return folder.path


def test_it_fits_the_ports(tmp_path: Path) -> None:
    """The journal and the clock are what the engine's ports ask for."""
    clock: Clock = SystemClock()
    journal: Journal = JsonLinesJournal(new_run(tmp_path), clock)
    record = journal.append(NOTE)
    assert journal.records[-1] == record
    assert record.at.tzinfo is not None
    assert record.mono <= clock.monotonic()


async def test_the_system_clock_waits() -> None:
    """Sleeping lets at least the wanted time pass, and a negative time none."""
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    await clock.sleep(-5)
    assert 0.01 <= clock.monotonic() - before < 5


def test_the_boot_has_a_name_everywhere(tmp_path: Path) -> None:
    """The kernel's boot id is used; where there is none, a label that does not change within the minute."""
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    assert boot_id(tmp_path / "none").startswith("up-since-")


def test_records_are_stamped_and_kept(tmp_path: Path) -> None:
    """Records count from 1, carry time and boot, are linked, and are there when the journal is opened again."""
    folder = new_run(tmp_path)
    clock = HeldClock()
    journal = JsonLinesJournal(folder, clock, boot="second")
    assert [r.seq for r in journal.records] == list(range(1, 9))
    assert [r.event for r in journal.records][1:] == small_run()[1:]
    assert journal.head == journal.records[-1].hash
    record = journal.append(NOTE, durable=False)
    assert (record.seq, record.prev, record.boot) == (9, journal.records[7].hash, "second")
    assert (record.at, record.mono) == (clock.at, clock.mono)
    assert journal.head == record.hash
    journal.close()
    assert JsonLinesJournal(folder, clock).records[-1] == record


def test_the_boot_is_this_machines_unless_given(tmp_path: Path) -> None:
    """Without a boot of its own a journal names this machine's."""
    journal = JsonLinesJournal(new_run(tmp_path), HeldClock())
    assert journal.append(NOTE).boot == boot_id()


def test_a_torn_tail_of_any_length_is_cut_off_and_kept_aside(tmp_path: Path) -> None:
    """Whatever part of a record a crash left, it is copied aside, cut off, told, and appending goes on."""
    folder = new_run(tmp_path)
    path, torn = folder / "events.jsonl", folder / TORN_NAME
    whole = path.read_bytes()
    unfinished = lines_of([*small_run(), NOTE])[-1]
    for length in range(1, len(unfinished)):
        path.write_bytes(whole + unfinished[:length])
        torn.unlink(missing_ok=True)
        journal = JsonLinesJournal(folder, HeldClock())
        assert journal.torn == unfinished[:length]
        assert torn.read_bytes() == unfinished[:length] + b"\n"
        assert path.read_bytes() == whole
        journal.append(NOTE, durable=False)
        journal.close()
        assert read_records(path.read_bytes()).problem is None


def test_nothing_is_torn_in_a_whole_journal(tmp_path: Path) -> None:
    """An undamaged journal is not touched by opening it."""
    folder = new_run(tmp_path)
    before = (folder / "events.jsonl").read_bytes()
    journal = JsonLinesJournal(folder, HeldClock())
    journal.close()
    assert journal.torn == b""
    assert not (folder / TORN_NAME).exists()
    assert (folder / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("seq", range(1, len(LINES) + 1))
def test_damage_before_the_end_is_refused_and_left_alone(tmp_path: Path, seq: int) -> None:
    """A bad record makes opening fail with its number; nothing on the disk changes."""
    path = new_run(tmp_path) / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[seq - 1] = lines[seq - 1].replace(b'"mono":1', b'"mono":2', 1)
    damaged = b"".join(lines)
    path.write_bytes(damaged)
    with pytest.raises(StateDirError, match=rf"record {seq} is bad") as refused:
        JsonLinesJournal(path.parent, HeldClock())
    assert refused.value.exit_code is ExitCode.UNREACHABLE
    assert path.read_bytes() == damaged
    assert verify_run(path.parent).bad_seq == seq


def test_a_journal_of_another_version_is_refused_with_the_version(tmp_path: Path) -> None:
    """A record this version does not know makes opening fail; the version that opened the run is named."""
    path = new_run(tmp_path) / "events.jsonl"
    whole = path.read_bytes()
    later = whole + foreign_line(whole.splitlines()[-1])
    path.write_bytes(later)
    with pytest.raises(StateDirError, match="written by another version") as refused:
        JsonLinesJournal(path.parent, HeldClock())
    assert "opened by version 0.1" in refused.value.detail
    assert path.read_bytes() == later


def test_a_journal_shorter_than_its_seal_is_not_gone_on_with(tmp_path: Path) -> None:
    """Where sealed records are gone the run is refused: what ran would look as if it had not."""
    folder = new_run(tmp_path)
    journal = JsonLinesJournal(folder, HeldClock())
    journal.seal()
    journal.close()
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(StateDirError, match="the seal counts 8 records, the journal has 7"):
        JsonLinesJournal(folder, HeldClock())
    path.write_bytes(b"".join([*lines[:-1], lines_of([*small_run()[:-1], NOTE])[-1]]))
    with pytest.raises(StateDirError):
        JsonLinesJournal(folder, HeldClock())


def test_a_garbled_seal_is_not_gone_on_with(tmp_path: Path) -> None:
    """A seal that cannot be understood is no seal to go on behind, and verifying says so."""
    folder = new_run(tmp_path)
    (folder / "SHA256SUMS").write_text("nonsense\n", encoding="ascii")
    with pytest.raises(StateDirError, match="seal cannot be understood"):
        JsonLinesJournal(folder, HeldClock())
    assert verify_run(folder).exit_code is ExitCode.NOT_GREEN


def test_sha256sum_agrees_right_after_a_seal(tmp_path: Path) -> None:
    """The stock sha256sum checks every file of a freshly sealed run, and finds a changed one."""
    folder = new_run(tmp_path)
    with open_run(tmp_path / "state", "r1") as run:
        writer = run.outputs().writer("r1-1")
        writer.write(b"hello\n", "hello\n")
        writer.close()
        run.journal(HeldClock()).seal()
        command = ["sha256sum", "--strict", "--check", "SHA256SUMS"]
        checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert sorted(checked.stdout.splitlines()) == [
            "events.jsonl: OK", "output/r1-1.log: OK", "runbook.md: OK", "vars.json: OK",
        ]  # fmt: skip
        (folder / "vars.json").write_text("{}\n", encoding="ascii")
        assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1


def test_a_run_goes_on_behind_its_seal(tmp_path: Path) -> None:
    """A sealed run can be resumed, verifies with the records behind the seal, and is sealed again."""
    folder = new_run(tmp_path)
    for sealed in (8, 9):
        journal = JsonLinesJournal(folder, HeldClock())
        journal.seal()
        journal.append(NOTE)
        journal.close()
        verdict = verify_run(folder)
        assert (verdict.problems, verdict.sealed, verdict.count) == ((), sealed, sealed + 1)
    assert verify_run(folder / "events.jsonl") == verify_run(folder)


def test_verifying_names_a_removed_journal_and_a_changed_file(tmp_path: Path) -> None:
    """On disk too a sealed run without its journal, or with another runbook, is not verified."""
    folder = new_run(tmp_path)
    journal = JsonLinesJournal(folder, HeldClock())
    journal.seal()
    journal.close()
    (folder / "runbook.md").write_bytes(b"# Other title here\n")
    assert verify_run(folder).problems == ("runbook.md was changed after it was sealed",)
    (folder / "events.jsonl").unlink()
    assert verify_run(folder).missing == range(1, 9)
    with pytest.raises(UsageError):
        verify_run(tmp_path)


def test_a_symbolic_link_in_place_of_the_journal_is_refused(tmp_path: Path) -> None:
    """The journal is never opened through a symbolic link."""
    path = new_run(tmp_path) / "events.jsonl"
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(StateDirError, match="symbolic link"):
        JsonLinesJournal(path.parent, HeldClock())


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    """After closing, appending is refused with a sentence, and the reserve is gone from the folder."""
    folder = new_run(tmp_path)
    journal = JsonLinesJournal(folder, HeldClock())
    assert (folder / RESERVE_NAME).stat().st_size == 64 * 1024
    journal.close()
    journal.close()
    assert not (folder / RESERVE_NAME).exists()
    with pytest.raises(StateDirError, match="closed"):
        journal.append(Paused(why="quit"))


@pytest.mark.parametrize("seed", range(12))
def test_a_killed_process_loses_no_record_it_was_acked(tmp_path: Path, seed: int) -> None:
    """A process that is killed at a random record keeps every record it was told was written, and goes on."""
    folder = new_run(tmp_path, events=False)
    command = [sys.executable, "-m", "tests.support.appender", str(tmp_path / "state"), "r1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    for _ in range(random.Random(seed).randrange(1, 200)):
        process.stdout.readline()
    process.kill()
    acked = [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    process.wait()
    process.stdout.close()
    with open_run(tmp_path / "state", "r1") as run:
        journal = run.journal(HeldClock())
        assert len(journal.records) >= max(acked, default=1)
        assert isinstance(journal.records[0].event, RunOpened)
        journal.append(Finished(action="a", attempt="b", outcome="done"))
    assert verify_run(folder).ok


def test_a_full_file_size_limit_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    """Where the system lets a file grow no more, a short write is taken back and the sentence says why."""
    folder = new_run(tmp_path)
    limit = (folder / "events.jsonl").stat().st_size + 100
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from runbook_tui.adapters.journal import JsonLinesJournal\n"
        "from runbook_tui.core.errors import StateDirError\n"
        "from runbook_tui.core.events import Noted\n"
        "from tests.support.journals import HeldClock\n"
        "journal = JsonLinesJournal(Path(sys.argv[1]), HeldClock())\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))\n"
        "try:\n    journal.append(Noted(text='x' * 500, by='ada'))\n"
        "except StateDirError as error:\n    print(error.title)\n"
        "print((Path(sys.argv[1]) / 'events.jsonl').stat().st_size)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
        "print(journal.append(Noted(text='y', by='ada')).seq)\n"
    )
    command = [sys.executable, "-c", script, str(folder), str(limit)]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env={**os.environ})
    assert ran.stderr == ""
    title, size, seq = ran.stdout.splitlines()
    assert title == "Cannot record 'noted' in the journal: the file may not grow any more."
    assert int(size) == limit - 100
    assert int(seq) == 9
    assert verify_run(folder).ok


def test_a_durable_record_is_synced_whole_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is asked to keep the record after all of it was written, once; a casual record does not ask."""
    folder = new_run(tmp_path)
    journal = JsonLinesJournal(folder, HeldClock())
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        os.fdatasync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr("runbook_tui.adapters.journal.sync_data", sync)
    journal.append(NOTE, durable=False)
    assert synced == []
    journal.append(NOTE)
    assert synced == [(folder / "events.jsonl").stat().st_size]


def test_a_record_that_the_disk_would_not_keep_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When syncing fails the record is not half there: it is cut off, told, and the next one takes its place."""
    folder = new_run(tmp_path)
    whole = (folder / "events.jsonl").read_bytes()
    journal = JsonLinesJournal(folder, HeldClock())

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr("runbook_tui.adapters.journal.sync_data", fail)
        with pytest.raises(StateDirError, match="the disk reports an error"):
            journal.append(NOTE)
    assert (folder / "events.jsonl").read_bytes() == whole
    assert journal.append(NOTE).seq == 9
