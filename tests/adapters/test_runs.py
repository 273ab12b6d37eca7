"""Run folders: made whole, private and unique; found by a part of their id; held by one process at a time."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.run_folder import is_locked
from runbook_tui.adapters.runs import create_run, find_run, open_run, slug
from runbook_tui.adapters.seals import verify_run
from runbook_tui.core.errors import ExitCode, RunLockedError, StateDirError, UsageError
from runbook_tui.core.events import Noted
from tests.support.journals import START, HeldClock, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.adapters.run_folder import RunFolder

RUNBOOK = b"# Rotate the motd\r\n\xff\n"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder that is not there yet."""
    return tmp_path / "deep" / "state"


def begin(state: Path, run: str | None = None, title: str = "Rotate motd") -> RunFolder:
    """Make a run with its first record, still held."""
    folder = create_run(state, RUNBOOK, title, {"name": "Zoë"}, run, now=START)
    folder.journal(HeldClock()).append(opened(folder.id))
    return folder


@contextmanager
def held_elsewhere(state: Path, run: str) -> Iterator[int]:
    """Have another process hold the run; give its pid."""
    command = [sys.executable, "-m", "tests.support.lock_holder", str(state), run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process.pid
        process.kill()


def modes(folder: Path) -> set[tuple[bool, int]]:
    """Give every (is a folder, mode) below and at a folder."""
    paths = (folder, *folder.rglob("*"))
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}


def test_a_run_keeps_what_it_was_made_with(state: Path) -> None:
    """The runbook's bytes and the variables come back as they were; the id tells when and what."""
    with begin(state) as made:
        assert made.id == "20261123-141500-rotate-motd"
        assert made.path == state / "runs" / made.id
    with open_run(state, made.id) as run:
        assert run.runbook_bytes == RUNBOOK
        assert run.variables == {"name": "Zoë"}
        assert run.outputs().text("none") == ""
        assert [r.event for r in run.read().records] == [opened(made.id)]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o277])
def test_everything_is_private_whatever_the_umask(state: Path, mask: int) -> None:
    """Folders have mode 0700 and files 0600, whether the umask is wide or strict."""
    state.parent.mkdir()
    before = os.umask(mask)
    try:
        with begin(state) as folder:
            journal = folder.journal(HeldClock())
            folder.outputs().writer("a-1").close()
            journal.seal()
            assert modes(state) == {(True, 0o700), (False, 0o600)}
    finally:
        os.umask(before)


def test_modes_are_mended_when_a_run_is_opened(state: Path) -> None:
    """What a copy or a backup gave to others is taken away again."""
    folder = begin(state)
    folder.close()
    for path in (state, state / "runs", folder.path, folder.path / "output"):
        path.chmod(0o755)
    (folder.path / "runbook.md").chmod(0o644)
    open_run(state, "2026").close()
    assert modes(state) == {(True, 0o700), (False, 0o600)}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Rotate motd", "rotate-motd"),
        ("Größe  ändern: /etc/motd!", "groe-andern-etc-motd"),
        ("移行", "run"),
        ("", "run"),
        ("../../x\n", "x"),
        ("a" * 39 + " bcd", "a" * 39),
    ],
)
def test_an_id_is_made_of_plain_characters(title: str, expected: str) -> None:
    """Whatever the title holds, its part of the id is short, plain and never empty."""
    assert slug(title) == expected
    assert re.fullmatch("[a-z0-9]([a-z0-9-]{0,39})", slug(title))


def test_runs_of_one_second_get_different_ids(state: Path) -> None:
    """Two runs of the same runbook in the same second do not share a folder."""
    with begin(state) as first, begin(state) as second, begin(state) as third:
        assert second.id == f"{first.id}-2"
        assert third.id == f"{first.id}-3"


@pytest.mark.parametrize("run", ["", "..", "a/b", "a b", ".hidden", "-x", "ä", "a" * 81, "a\n"])
def test_an_id_with_other_characters_is_refused(state: Path, run: str) -> None:
    """An id that could name something else than a plain folder is refused before anything is made."""
    with pytest.raises(UsageError, match="cannot be a run's id") as refused:
        create_run(state, RUNBOOK, "t", {}, run, now=START)
    assert refused.value.exit_code is ExitCode.USAGE
    assert not state.exists()


def test_an_id_that_is_taken_is_refused(state: Path) -> None:
    """A wanted id is given once, and the first run keeps everything."""
    begin(state, "mine").close()
    before = (state / "runs" / "mine" / "events.jsonl").read_bytes()
    with pytest.raises(UsageError, match="a run mine already"):
        create_run(state, b"other", "t", {}, "mine", now=START)
    assert (state / "runs" / "mine" / "events.jsonl").read_bytes() == before
    assert [p.name for p in (state / "runs").iterdir()] == ["mine"]


@pytest.mark.parametrize("torn", [None, b"", b'{"seq":1,"at"'])
def test_the_id_of_a_run_that_never_began_can_be_used(state: Path, torn: bytes | None) -> None:
    """A folder whose maker was killed before the first record cannot be resumed, and its id is free."""
    folder = create_run(state, RUNBOOK, "t", {}, "mine", now=START)
    folder.close()
    if torn is not None:
        (folder.path / "events.jsonl").write_bytes(torn)
    with pytest.raises(StateDirError, match="never began"):
        open_run(state, "mine")
    with begin(state, "mine") as again:
        assert len(again.read().records) == 1


def test_the_id_of_a_run_that_is_being_made_is_taken(state: Path) -> None:
    """A run that has no record yet but is held by its maker is not taken away from it."""
    with create_run(state, RUNBOOK, "t", {}, "mine", now=START) as first:
        with pytest.raises(UsageError, match="already"):
            create_run(state, RUNBOOK, "t", {}, "mine", now=START)
        first.journal(HeldClock()).append(opened("mine"))
        assert first.runbook_bytes == RUNBOOK


def test_a_half_made_folder_is_swept_away_after_an_hour(state: Path) -> None:
    """What a killed maker left behind is removed later, but not what another one is just making."""
    begin(state, "mine").close()
    for name, age in (("old", 7200), ("young", 60)):
        staging = state / "runs" / f".new-{name}"
        staging.mkdir()
        (staging / "runbook.md").write_bytes(RUNBOOK)
        changed = staging.stat().st_mtime - age
        os.utime(staging, (changed, changed))
    begin(state, "second").close()
    assert {p.name for p in (state / "runs").iterdir()} == {".new-young", "mine", "second"}


def test_a_run_is_found_by_the_beginning_of_its_id(state: Path) -> None:
    """A unique beginning is enough, an exact id wins, an ambiguous one lists what it could be."""
    for run in ("alpha", "alpha-2", "beta"):
        begin(state, run).close()
    assert find_run(state, "b").name == "beta"
    assert find_run(state, "alpha").name == "alpha"
    with pytest.raises(UsageError, match="Several runs") as several:
        find_run(state, "al")
    assert several.value.detail == "alpha-2, alpha"


@pytest.mark.parametrize("run", ["", "gamma", "../runs/alpha", "*", "/"])
def test_a_run_that_is_not_there_is_a_usage_error(state: Path, run: str) -> None:
    """No other spelling reaches a run, and without any state folder there is simply none."""
    with pytest.raises(UsageError, match="There is no run"):
        open_run(state, run)
    begin(state, "alpha").close()
    with pytest.raises(UsageError, match="There is no run"):
        open_run(state, run)


def test_a_second_process_is_told_who_holds_the_run(state: Path) -> None:
    """While another process holds a run it cannot be opened; pid and since when are named; reading works."""
    begin(state, "mine").close()
    with held_elsewhere(state, "mine") as pid:
        assert is_locked(state / "runs" / "mine")
        with pytest.raises(RunLockedError) as refused:
            open_run(state, "mine")
        assert refused.value.exit_code is ExitCode.LOCKED
        assert re.search(rf"process {pid} of \S+ on \S+, since \d{{4}}-\d\d-\d\d \d\d:", refused.value.detail)
        with open_run(state, "mine", lock=False) as reader:
            assert len(reader.read().records) == 1
    assert not is_locked(state / "runs" / "mine")
    open_run(state, "mine").close()


def test_this_process_cannot_hold_a_run_twice(state: Path) -> None:
    """The lock also holds within one process, and is free after closing, twice if need be."""
    with begin(state, "mine") as held:
        with pytest.raises(RunLockedError, match="holds this run"):
            open_run(state, "mine")
        held.close()
        open_run(state, "mine").close()


def test_the_lock_does_not_go_on_to_programs_that_are_started(state: Path) -> None:
    """A program started while a run was held does not keep it locked."""
    held = begin(state, "mine")
    with subprocess.Popen(["sleep", "60"]) as child:
        held.close()
        try:
            open_run(state, "mine").close()
        finally:
            child.kill()


def test_a_run_opened_for_reading_has_no_journal_to_write(state: Path) -> None:
    """Without the lock there is no journal to append to."""
    begin(state, "mine").close()
    with open_run(state, "mine", lock=False) as run, pytest.raises(StateDirError, match="reading only"):
        run.journal(HeldClock())


def test_a_folder_gives_one_journal(state: Path) -> None:
    """Asking twice for the journal gives the same one; closing the folder closes it."""
    with begin(state, "mine") as run:
        journal = run.journal(HeldClock())
        assert run.journal(HeldClock()) is journal
    with pytest.raises(StateDirError, match="closed"):
        journal.append(Noted(text="late", by="ada"))


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "\\"])
def test_damaged_variables_are_a_sentence(state: Path, text: str) -> None:
    """Variables that are no mapping of texts are refused with a sentence."""
    with begin(state, "mine") as run:
        (run.path / "vars.json").write_text(text, encoding="ascii")
        with pytest.raises(StateDirError, match="variables are damaged"):
            run.variables  # noqa: B018 -- reading it is what raises
        (run.path / "vars.json").unlink()
        with pytest.raises(StateDirError, match="it is not there"):
            run.variables  # noqa: B018 -- reading it is what raises


def test_variables_are_plain_json(state: Path) -> None:
    """The variables can be read with any JSON tool."""
    with begin(state, "mine") as run:
        assert json.loads((run.path / "vars.json").read_text(encoding="utf-8")) == {"name": "Zoë"}


def test_a_fresh_run_verifies(state: Path) -> None:
    """A run killed right after its first record, never sealed, verifies against its runbook."""
    with begin(state, "mine") as run:
        assert verify_run(run.path).problems == (
            "runbook.md is not the one that this run was opened with",
        )
