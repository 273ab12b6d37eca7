"""Bad input: each a clear sentence on standard error, the right exit code, and no traceback."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.talk import environment, finished, program

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """---
runbook: {version: 1}
---
# Small

## Do it

- Say something:

  ```sh {#say .run host=local}
  echo something
  ```
"""
WITH_ERRORS = {
    "unknown attribute": (GOOD.replace("host=local", "hots=local"), "did you mean"),
    "duplicate id": (GOOD + "\n- Again:\n\n  ```sh {#say .run host=local}\n  true\n  ```\n", "say"),
    "dangling reference": (GOOD.replace("host=local", "host=local needs=nothing"), "nothing"),
    "unknown host": (GOOD.replace("host=local", "host=lcoal"), "lcoal"),
}


def refused(*arguments: str, state: Path, code: int, stdin: str = "") -> str:
    """Run, expect the code and no result; give what was said on standard error."""
    done = finished(*arguments, state=state, stdin=stdin)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("mailrunbook: ")
    return done.stderr


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a state folder that is not there yet."""
    return tmp_path / "state"


@pytest.mark.parametrize("command", ["run", "lint", "outline"])
def test_a_runbook_that_is_not_there(state: Path, command: str) -> None:
    """A missing file is misuse: exit 2, and what was looked for."""
    assert "There is no runbook nowhere.md" in refused(command, "nowhere.md", state=state, code=2)
    assert not state.exists()


def test_a_folder_and_an_unreadable_name(state: Path, tmp_path: Path) -> None:
    """A folder, or a name no file can have, is no runbook."""
    assert "is a folder" in refused("run", str(tmp_path), state=state, code=2)
    assert "cannot be read" in refused("run", "x" * 5000, state=state, code=2)


def test_a_file_too_long_to_be_a_runbook(state: Path, tmp_path: Path) -> None:
    """A disk image named by mistake is not read into memory."""
    path = tmp_path / "image.md"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    assert "is longer than 16 MiB" in refused("lint", str(path), state=state, code=2)


@pytest.mark.parametrize("name", WITH_ERRORS)
def test_a_runbook_with_errors_is_not_opened(state: Path, tmp_path: Path, name: str) -> None:
    """Exit 3, every problem with file, line and column; no run is made."""
    text, said = WITH_ERRORS[name]
    path = tmp_path / "book.md"
    path.write_text(text)
    complaint = refused("run", str(path), state=state, code=3)
    assert f"{path}:" in complaint
    assert said in complaint
    assert not state.exists()


def test_lint_tells_errors_by_its_exit_code(state: Path, tmp_path: Path) -> None:
    """Lint prints the problems as its result and ends with 3; without errors with 0."""
    path = tmp_path / "book.md"
    path.write_text(WITH_ERRORS["unknown attribute"][0])
    done = finished("lint", str(path), state=state)
    assert done.returncode == 3
    assert "did you mean" in done.stdout
    path.write_text(GOOD)
    assert finished("lint", str(path), state=state).returncode == 0


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("not UTF-8", b"# Caf\xe9\n\n- Stop:\n\n  ```sh\n  service x stop\n  ```\n"),
        ("binary", bytes(range(256)) * 64),
        ("unclosed fence", b"# T\n\n- Do:\n\n  ```sh\n  echo x\n"),
        ("one endless line", b"x" * 1_000_000),
    ],
)
@pytest.mark.parametrize("arguments", [("lint",), ("outline",), ("outline", "--json"), ("run", "--plain")])
def test_strange_files_end_in_words(
    state: Path, tmp_path: Path, name: str, data: bytes, arguments: tuple[str, ...]
) -> None:
    """Whatever a file holds, the program says something and ends as documented; nothing in it acts on a terminal."""
    path = tmp_path / "strange.md"
    path.write_bytes(data)
    done = finished(arguments[0], str(path), *arguments[1:], state=state)
    assert done.returncode in {0, 3}, name
    assert "Traceback" not in done.stderr
    assert done.stdout or done.stderr
    assert not set(done.stdout) & set("\x1b\x07\x9b\x00")


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where a file stands in its place the state folder cannot be used: exit 4, nothing begun."""
    path = tmp_path / "book.md"
    path.write_text(GOOD)
    blocked = tmp_path / "file"
    blocked.touch()
    complaint = refused("run", str(path), "--plain", state=blocked / "state", code=4)
    assert "state folder" in complaint
    assert str(blocked) in complaint


def test_a_full_state_folder(tmp_path: Path) -> None:
    """A disk without room for the run's folder is said to be full: exit 4."""
    path = tmp_path / "book.md"
    path.write_text(GOOD)
    full = tmp_path / "full"
    full.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "x", full], check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        (full / "ballast").write_bytes(b"x" * 4096)
        assert "disk is full" in refused("run", str(path), "--plain", state=full / "", code=4)
    finally:
        subprocess.run(["umount", full], check=True)


def test_variables_and_hosts_that_do_not_fit(state: Path, tmp_path: Path) -> None:
    """`--var` and `--host` are checked before anything is made."""
    path = tmp_path / "book.md"
    path.write_text(GOOD.replace("{version: 1}", "{version: 1, literals: {something: {var: word, match: '[a-z]+'}}}"))
    for arguments, said in (
        (("--var", "word"), "--var NAME=VALUE"),
        (("--var", "wrod=x"), "no such variable"),
        (("--var", "word=UPPER"), "does not match"),
        (("--var", "word=a", "--var", "word=b"), "given twice"),
        (("--host", "local=ssh://root@127.0.0.1"), "always this machine"),
        (("--host", "new"), "--host NAME=VALUE"),
        (("--host", "new=ssh://"), "is no SSH address"),
        (("--host", "new=root@a:99999"), "is no SSH address"),
        (("--host", "n w=root@a"), "a host's name is"),
    ):
        assert said in refused("run", str(path), "--plain", *arguments, state=state, code=2)
    assert not state.exists()


@pytest.mark.parametrize("command", ["resume", "status", "export", "verify"])
def test_a_run_that_is_not_there(state: Path, command: str) -> None:
    """An unknown run is misuse: exit 2."""
    assert "There is no run 'nothing'" in refused(command, "nothing", state=state, code=2)


def test_resuming_without_any_run(state: Path) -> None:
    """With nothing unfinished `resume` says how to begin."""
    assert "There is no unfinished run" in refused("resume", state=state, code=2)


def test_a_run_id_that_is_none(state: Path, tmp_path: Path) -> None:
    """An id that could leave the state folder is refused."""
    path = tmp_path / "book.md"
    path.write_text(GOOD)
    assert "cannot be a run's id" in refused("run", str(path), "--plain", "--run-id", "../x", state=state, code=2)


def test_closed_standard_streams(state: Path, tmp_path: Path) -> None:
    """With stdin, stdout and stderr closed the run is opened, paused and whole: no file is taken for one of them."""
    path = tmp_path / "book.md"
    path.write_text(GOOD)
    command = " ".join(program("run", str(path), "--run-id", "closed"))
    done = subprocess.run(["sh", "-c", f"exec {command} <&- >&- 2>&-"], env=environment(state), check=False, timeout=30)
    assert done.returncode == 0
    verdict = finished("verify", "closed", state=state)
    assert verdict.returncode == 0, verdict.stdout
    assert '"paused"' in (state / "runs" / "closed" / "events.jsonl").read_text()


def test_an_empty_choice_without_a_terminal(state: Path) -> None:
    """A bare `mailrunbook` in a pipe lists what there is and ends with 0."""
    done = finished(state=state)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mailrunbook run first-steps" in done.stdout


def test_somebody_elses_state_folder(tmp_path: Path) -> None:
    """A state folder that everybody can write to is not used."""
    path = tmp_path / "book.md"
    path.write_text(GOOD)
    shared = tmp_path / "shared"
    (shared / "runs").mkdir(parents=True)
    os.chmod(shared, 0o777)  # noqa: PTH101 -- the mode is the point
    refused("run", str(path), "--plain", state=shared, code=4)


def test_a_file_without_steps_is_not_opened(tmp_path: Path) -> None:
    """A text in which nothing is a step makes no run: exit 3, and what to look at."""
    book = tmp_path / "notes.md"
    book.write_text("# Notes\n\nThe weather was fine.\n")
    done = finished("run", str(book), state=tmp_path / "state")
    assert done.returncode == 3
    assert "Nothing in it is a step" in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_warning_of_the_reader_is_said_when_the_run_begins(tmp_path: Path) -> None:
    """A file that is no UTF-8 is read as cp1252, and that is said with its place."""
    book = tmp_path / "latin.md"
    book.write_bytes(b"# Caf\xe9\n\n## To do\n\n* Stop the old server\n* Copy the mail\n")
    done = finished("run", str(book), state=tmp_path / "state")
    assert done.returncode == 0
    assert "latin.md:" in done.stderr
