"""Whole journeys through a pipe: the real program, real commands in a temporary folder, the files it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.talk import Talk, complaints, finished

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNBOOK = """---
runbook:
  version: 1
  literals:
    the_word: {{var: word, ask: "A word", match: "[a-z]+"}}
---
# Tidy up

## Prepare

- Say hello:

  ```sh {{#hello .run host=local}}
  echo "hello the_word" | tee {folder}/hello
  ```

- Look whether the gate is open:

  ```sh {{#gate .run host=local}}
  test -e {folder}/gate
  ```

- Write a file:

  ```sh {{#write .run host=local}}
  echo written > {folder}/written
  ```

  ```sh {{.verify of=write}}
  grep -q written {folder}/written
  ```

  ```sh {{.undo of=write}}
  rm {folder}/written
  ```

## Finish

- Look at it yourself. <!-- step: #look .manual -->

- Sweep:

  ```sh {{#sweep .run .danger host=local}}
  echo swept; touch {folder}/swept
  ```

- Wait for the file:

  ```sh {{#long .run host=local}}
  echo begun; until [ -e {folder}/go ]; do sleep 0.02; done; echo over
  ```
"""


class World:
    """A state folder, a folder for the runbook's commands, and the runbook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.book = folder / "tidy-up.md"
        self.book.write_text(RUNBOOK.format(folder=folder))

    def talk(self, *arguments: str) -> Talk:
        """Begin a conversation; without arguments a new run `night`."""
        return Talk(*(arguments or ("run", str(self.book), "--run-id", "night")), state=self.state)

    def status(self) -> dict[str, str]:
        """Give the state of each action, as `status --json` says."""
        done = finished("status", "night", "--json", state=self.state)
        assert done.returncode == 0, done.stderr
        return {
            action["id"]: action["state"] for step in json.loads(done.stdout)["steps"] for action in step["actions"]
        }

    def events(self) -> list[dict[str, Any]]:
        """Give the journal's records."""
        text = (self.state / "runs" / "night" / "events.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world of the test's own."""
    return World(tmp_path)


@pytest.fixture
def begun(world: World) -> Iterator[Talk]:
    """Give a run at its last action, which is running until `go` is there; it is there after the test."""
    with world.talk() as talk:
        talk.say("skip x", "skip x", "skip x", "done x", "skip x", "confirm", "yes")
        talk.hear(r"\| begun")
        yield talk
    # What the killed program left behind ends with its file, whatever the test did to it.
    (world.folder / "go").touch()


def gone(pgid: int) -> bool:
    """Whether nothing of a process group is left; what just died may stay a moment until it is collected."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_whole_journey(world: World) -> None:
    """Settle, confirm, fail, retry, prove, undo, tick off, danger: each as written, to a transcript and exit 0."""
    with world.talk() as talk:
        talk.hear("^1.1 next: .*held because the_word has no value yet")
        talk.say("set the_word=Hello World!", "set the_word=world", "confirm", "no", "confirm", "yes")
        talk.hear("refused: .*is not a value for the_word")
        talk.hear("^1.1 not run")
        talk.hear(r"^1.1 \| hello world$")
        talk.say("confirm", "yes")
        talk.hear(r"^1.2 failed: exit status 1 \(wanted 0\)")
        (world.folder / "gate").touch()
        talk.say("retry", "yes", "confirm", "yes")
        talk.hear("^1.2 done in ")
        talk.hear("^1.3 proof: ")
        talk.hear("^1.3 done in ")
        talk.say("go write", "undo", "yes")
        talk.hear("^1.3 undone in ")
        assert not (world.folder / "written").exists()
        talk.say("retry", "yes")
        talk.hear("^2.1 next: .*by hand")
        talk.say("done it looks tidy", "confirm", "yes", "confirm", "local")
        talk.hear("^2.2 danger")
        talk.hear("^2.2 not run")
        talk.hear(r"^2.2 \| swept")
        talk.say("confirm", "yes")
        talk.hear("^2.3 running")
        (world.folder / "go").touch()
        talk.hear("the run is closed")
        talk.say(f"export md {world.folder}/transcript.md", f"export md {world.folder}/transcript.md", "quit")
        talk.hear("transcript written")
        talk.hear("is there already")
        assert talk.end() == 0
        assert complaints(talk.errors) == ""
    assert set(world.status().values()) == {"done", "by-hand"}
    transcript = (world.folder / "transcript.md").read_text()
    assert "hello world" in transcript
    assert "it looks tidy" in transcript
    verdict = finished("verify", "night", state=world.state)
    assert (verdict.returncode, "verified" in verdict.stdout) == (0, True), verdict.stdout


def test_one_piped_script_from_start_to_end(world: World) -> None:
    """Everything typed ahead into a pipe is obeyed in order; the end of input pauses the run with exit 0."""
    (world.folder / "gate").touch()
    script = "confirm\nyes\nconfirm\nyes\nconfirm\nyes\ndone seen\nconfirm\nlocal\nskip not today\n"
    done = finished("run", str(world.book), "--var", "word=all", "--run-id", "night", state=world.state, stdin=script)
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    assert world.status() == {
        "hello": "done", "gate": "done", "write": "done", "look": "by-hand", "sweep": "done", "long": "skipped",
    }  # fmt: skip
    assert "\x1b" not in done.stdout
    assert not re.search(r"^> ", done.stdout, re.MULTILINE)


def test_a_run_that_ends_with_a_failure_skipped_over_exits_1(world: World) -> None:
    """Closed, but something failed and was left so: exit code 1."""
    script = "skip x\nconfirm\nyes\nskip never mind\nskip x\nskip x\nskip x\nskip x\n"
    done = finished("run", str(world.book), "--run-id", "night", state=world.state, stdin=script)
    assert (done.returncode, complaints(done.stderr)) == (1, "")
    assert "the run is closed" in done.stdout


def test_stopping_what_runs(begun: Talk) -> None:
    """`stop` over the pipe ends the command, while everything else waits; left so, the run ends with a failure."""
    begun.say("skip later", "stop")
    for _ in range(2):  # what the signal did and how the command ended come by two ways
        begun.hear("^2.3 stopped: TERM was sent|nothing of it runs any more")
    begun.hear("^2.3 skipped: later")
    begun.hang_up()
    assert begun.end() == 1


def test_the_end_of_input_waits_and_pauses(world: World, begun: Talk) -> None:
    """With the pipe closed the action goes on to its end; then the run is paused."""
    begun.hang_up()
    (world.folder / "go").touch()
    begun.hear("^2.3 done in ")
    assert begun.end() == 0
    assert world.status()["long"] == "done"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_pauses_at_once(world: World, begun: Talk, number: signal.Signals, code: int) -> None:
    """SIGTERM and SIGHUP leave what runs running, seal the journal and tell by the exit code."""
    begun.signal(number)
    begun.hear("^2.3 goes on on local; it is found again when the run is resumed")
    begun.hear(f"^paused: {number.name}")
    assert (begun.end(), complaints(begun.errors)) == (code, "")
    assert world.status()["long"] == "running"
    assert world.events()[-1]["type"] == "paused"
    assert "sealed at" in finished("verify", "night", state=world.state).stdout
    (world.folder / "go").touch()
    with world.talk("resume") as talk:
        talk.hear("^2.3 done in ")
        talk.hang_up()
        assert talk.end() == 0
    assert len([record for record in world.events() if record["type"] == "started"]) == 1


def test_ctrl_c_stops_what_runs_then_pauses(world: World, begun: Talk) -> None:
    """The first SIGINT is `stop`; with nothing running it pauses, exit 0."""
    begun.signal(signal.SIGINT)
    begun.hear("^2.3 stopped: ")
    begun.signal(signal.SIGINT)
    assert begun.end() == 0
    assert world.events()[-1]["type"] == "paused"


def test_after_kill_9_the_outcome_is_unknown(world: World, begun: Talk) -> None:
    """Killed while a command ran: it is unknown, never run again by itself, and `rerun` must be typed for it."""
    begun.signal(signal.SIGKILL)
    assert begun.end() == -signal.SIGKILL
    os.killpg(next(record["pgid"] for record in world.events() if record["type"] == "started"), signal.SIGKILL)
    assert "mailrunbook resume night" in finished(state=world.state).stdout
    with world.talk("resume") as talk:
        talk.hear("^2.3 unknown: its processes are gone and left no exit status")
        (world.folder / "go").touch()
        talk.say("confirm", "retry", "yes", "retry", "rerun")
        talk.hear("^2.3 refused: it is unknown; retry")
        talk.hear("asks: type rerun")
        talk.hear("^2.3 not run")
        talk.hear("^2.3 done in ")
        talk.hang_up()
        assert talk.end() == 0
    started = [record for record in world.events() if record["type"] == "started"]
    assert len(started) == 2


@pytest.mark.usefixtures("begun")
def test_a_second_process_may_look_but_not_hold(world: World) -> None:
    """While a run is held, resuming it ends with 5; status, runs, export and verify read it and change nothing."""
    before = world.events()
    second = finished("resume", "night", state=world.state)
    assert (second.returncode, second.stdout) == (5, "")
    assert "Another mailrunbook holds this run" in second.stderr
    assert world.status()["long"] == "running"
    listed = json.loads(finished("runs", "--json", state=world.state).stdout)["runs"]
    assert [(run["id"], run["state"], run["settled"], run["steps"]) for run in listed] == [("night", "locked", 5, 6)]
    assert "Sweep" in finished("export", "night", state=world.state).stdout
    assert finished("verify", "night", state=world.state).returncode == 0
    assert world.events() == before


@pytest.mark.parametrize("format_", ["md", "json"])
def test_a_transcript_of_an_unfinished_run(world: World, format_: str) -> None:
    """Both formats are written from the journal alone, to standard output or into a new file."""
    finished(
        "run", str(world.book), "--var", "word=all", "--run-id", "night", state=world.state, stdin="confirm\nyes\n"
    )
    done = finished("export", "night", "--format", format_, state=world.state)
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    assert "hello all" in done.stdout
    if format_ == "json":
        assert json.loads(done.stdout)["steps"][0]["state"] == "done"
    target = world.folder / "out"
    assert finished("export", "night", "--format", format_, "-o", str(target), state=world.state).stdout == ""
    assert target.read_text() == done.stdout
    assert target.stat().st_mode & 0o777 == 0o600
    again = finished("export", "night", "--format", format_, "-o", str(target), state=world.state)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


def test_a_resumed_run_says_what_was_done_and_what_was_edited(world: World) -> None:
    """Resuming tells the settled actions, the steps of the file that are moved or changed, and what is next."""
    finished("run", str(world.book), "--run-id", "night", state=world.state, stdin="skip no hello\n")
    world.book.write_text(world.book.read_text().replace("test -e", "test -f"))
    done = finished("resume", state=world.state)
    assert done.returncode == 0
    assert "1.1 skipped: no hello" in done.stdout
    assert "in the file now changed: 1.2 " in done.stdout
    assert "in the file now same: 5 of 6 steps" in done.stdout
    assert "1.2 next: " in done.stdout


def test_the_documented_shape_of_status(world: World) -> None:
    """`status --json` has exactly the documented keys (ARCHITECTURE.md, "A run on disk")."""
    finished("run", str(world.book), "--run-id", "night", state=world.state)
    status = json.loads(finished("status", "--json", state=world.state).stdout)
    assert set(status) == {"run", "steps"}
    assert status["run"] == "night"
    first = status["steps"][0]
    assert set(first) == {"id", "number", "title", "state", "held_because", "actions"}
    assert (first["state"], first["held_because"]) == ("held", ["the_word has no value yet"])
    assert set(first["actions"][0]) == {"id", "kind", "host", "state", "attempts"}
    assert "1.1 held: " in finished("status", state=world.state).stdout


def test_a_damaged_journal_is_told_and_not_resumed(world: World) -> None:
    """A record changed on disk: verify names it with exit 1, resume refuses, status shows what is before it."""
    finished("run", str(world.book), "--run-id", "night", state=world.state, stdin="skip one\nskip two\n")
    journal = world.state / "runs" / "night" / "events.jsonl"
    journal.write_text(journal.read_text().replace('"two"', '"TWO"'))
    verdict = finished("verify", "night", state=world.state)
    assert (verdict.returncode, "NOT verified" in verdict.stdout) == (1, True)
    assert finished("resume", "night", state=world.state).returncode == 4
    status = finished("status", "night", state=world.state)
    assert status.returncode == 0
    assert "is bad" in status.stderr
    assert "1.1 skipped" in status.stdout
