"""`mailrunbook watch`: a run that another process holds is followed from its journal alone."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.talk import Talk, finished
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """---
runbook:
  version: 1
  checks: {probe: {type: command, host: local, run: "test ! -e RED", every: 1s}}
---
# Night move

## Do it

- Say something and wait:

  ```sh {#say .run host=local}
  echo first; while [ ! -e GO ]; do sleep 0.05; done; echo second
  ```

- Say the last word:

  ```sh {#last .run host=local}
  echo last
  ```
"""


def book_in(tmp_path: Path) -> str:
    """Write the runbook; its first step goes on once the file `go` is there."""
    path = tmp_path / "move.md"
    path.write_text(BOOK.replace("GO", str(tmp_path / "go")).replace("RED", str(tmp_path / "red")))
    return str(path)


def test_a_watch_tells_what_another_process_does(tmp_path: Path) -> None:
    """Steps, output as it comes, checks, notes, the pause, the end: each a line; the watch ends with the run."""
    state = tmp_path / "state"
    with Talk("run", book_in(tmp_path), "--run-id", "night", state=state) as run:
        run.hear("asks: type yes")
        run.say("yes", "confirm", "yes")
        run.hear(r"\| first")
        with Talk("watch", "night", state=state) as watch:
            watch.hear("run night: Night move")
            watch.hear(r"1\.1 running on local")
            watch.hear(r"1\.1 \| first")
            (tmp_path / "red").touch()
            watch.hear("check probe FAIL")
            run.say("note seen from here")
            watch.hear("note by .*: seen from here")
            (tmp_path / "go").touch()
            watch.hear(r"1\.1 \| second")
            watch.hear(r"1\.1 done")
            run.say("quit")
            assert run.end() == 0
            watch.hear("paused: quit")
            watch.hear("trouble: nobody holds this run now")
            with Talk("resume", "night", state=state) as again:
                again.hear("asks: type yes")
                watch.hear("resumed")
                again.say("yes", "confirm", "yes", "quit")
                watch.hear(r"1\.2 \| last")
                watch.hear("every step is settled; the run is closed")
                assert again.end() == 0
            assert watch.end() == 0
    assert not watch.errors
    assert finished("verify", "night", state=state).returncode == 0


def test_a_watch_ends_by_ctrl_c_and_leaves_no_trace(tmp_path: Path) -> None:
    """It changes no file of the run; without such a run it says so."""
    state = tmp_path / "state"
    finished("run", book_in(tmp_path), "--run-id", "night", state=state, stdin="yes\nquit\n")
    folder = state / "runs" / "night"
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}
    with Talk("watch", "night", state=state) as watch:
        watch.hear("0 of 2 steps settled")
        watch.hear("paused: quit")
        watch.signal(signal.SIGINT)
        assert watch.end() == 0
    assert watch.lines[-1] == "watched no more: interrupted"
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before
    assert finished("watch", "day", state=state).returncode == 2


@pytest.mark.lab
def test_the_screens_of_a_watch_follow_without_verbs(tmp_path: Path) -> None:
    """The screen shows the run as it goes on; a verb's key says where the verbs are; q leaves."""
    state = tmp_path / "state"
    with Talk("run", book_in(tmp_path), "--run-id", "night", state=state) as run:
        run.hear("asks: type yes")
        run.say("yes", "confirm", "yes")
        run.hear(r"\| first")
        with Terminal(state, "watch", "night", term="xterm-256color") as watch:
            watch.see("watching")
            watch.see("first")
            watch.type("c")
            watch.see("Confirm is refused")
            (tmp_path / "go").touch()
            watch.see("second")
            watch.see("1/2 steps done")
            watch.type("q")
            assert watch.end() == 0
        run.say("quit")
        assert run.end() == 0
