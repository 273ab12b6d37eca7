"""The line that hosts keep of a run: what it says, that logging it never disturbs, and what it proves later."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.chain import read_records
from runbook_tui.core.verdict import judge
from runbook_tui.core.witness import NO_LOGGER, Witness, contradictions, witness_line, witness_script, witnesses
from tests.support.journals import lines_of, small_run

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "5e" * 32
SHELLS = [[path] for name in ("dash", "bash", "mksh") if (path := shutil.which(name))]
SHELLS += [[path, "sh"] for name in ("busybox",) if (path := shutil.which(name))]
LOGGER = '#!/bin/sh\nprintf "%s|" "$@" >>"$SEEN"\necho out; echo err >&2\nexit {code}\n'


def logged(shell: list[str], script: str, folder: Path, logger: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script in a shell that finds this logger, or none."""
    if logger:
        path = folder / "logger"
        path.write_text(logger)
        path.chmod(0o755)
    env = {"PATH": str(folder), "SEEN": str(folder / "seen")}
    return subprocess.run([*shell, "-c", script], env=env, capture_output=True, text=True, check=False, timeout=30)


def test_the_line_says_run_record_and_head() -> None:
    """A witness line is one line of plain words."""
    assert witness_line("20261123-move", 12, HEAD) == f"run 20261123-move seq 12 head {HEAD}"


def test_no_run_can_break_the_line() -> None:
    """Line ends, blanks, escapes and letters beyond ASCII in a run's id cannot forge or bend a log line."""
    assert witness_line("a\nrun b\x1b[0mé", 1, HEAD) == f"run a?run?b?[0m? seq 1 head {HEAD}"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize("code", [0, 1])
def test_the_host_gets_exactly_the_line(shell: list[str], code: int, tmp_path: Path) -> None:
    """Every shell hands the line to `logger` as one argument, says nothing, and ends as it does."""
    hostile = "a'$(id)\"`id`;b"
    done = logged(shell, witness_script(hostile, 3, HEAD), tmp_path, LOGGER.format(code=code))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert (tmp_path / "seen").read_text() == f"-t|mailrunbook|run {hostile} seq 3 head {HEAD}|"


@pytest.mark.parametrize("shell", SHELLS[:2], ids=lambda shell: shell[0])
def test_a_host_without_logger_is_not_disturbed(shell: list[str], tmp_path: Path) -> None:
    """Where there is no `logger` the script is quiet and says so by its exit status."""
    done = logged(shell, witness_script("r1", 3, HEAD), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (NO_LOGGER, "", "")


@pytest.mark.skipif(not os.access("/dev/log", os.W_OK) and not shutil.which("logger"), reason="no logger here")
def test_this_systems_logger_takes_it() -> None:
    """With the real `logger`, whether a syslog listens or not, the script is quiet."""
    done = subprocess.run(
        ["/bin/sh", "-c", witness_script("r1", 3, HEAD)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_lines_are_found_in_a_log() -> None:
    """What journalctl or grep prints is read, everything around the lines is passed over."""
    log = (
        f"Nov 23 14:15:01 old mailrunbook[812]: run r1 seq 5 head {HEAD}\n"
        f"Nov 23 14:15:02 old sshd[1]: run r1 seq 6 head {HEAD}ff\n"
        "Nov 23 14:15:03 old mailrunbook: run r1 seq x head 12\n"
    )
    assert witnesses(log) == (Witness("r1", 5, HEAD),)


def test_a_true_journal_agrees_with_its_witnesses() -> None:
    """Lines of this run that are in its journal, and lines of other runs, are no contradiction."""
    records = read_records(b"".join(lines_of(small_run()))).records
    seen = [Witness("r1", r.seq, r.hash) for r in records] + [Witness("r2", 99, HEAD), Witness("r1", 0, HEAD)]
    assert contradictions(records, "r1", seen) == []


def test_a_witness_tells_of_a_cut_or_rewritten_journal() -> None:
    """Without any seal, a host's line shows that a tail is missing and that records were written anew."""
    events = small_run()
    records = read_records(b"".join(lines_of(events))).records
    seen = witnesses(witness_line("r1", 7, records[6].hash))
    cut = b"".join(lines_of(events)[:4])
    found = judge(cut, None, {}, seen=seen)
    assert "record 7 was witnessed, but the journal ends at record 4" in found.problems
    rewritten = b"".join(lines_of([*events[:4], *[ev.Noted(text="all is well", by="eve")] * 4]))
    found = judge(rewritten, None, {}, seen=seen)
    assert "record 7 is not the one that was witnessed: the journal was rewritten" in found.problems
