"""Line mode on a real terminal, which may be dumb, typed at, or gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """---
runbook: {version: 1}
---
# Small

## Do it

- Say something:

  ```sh {#say .run host=local}
  echo something
  ```
"""


@pytest.fixture
def book(tmp_path: Path) -> str:
    """Give a small runbook's path."""
    path = tmp_path / "small.md"
    path.write_text(BOOK)
    return str(path)


def journal(state: Path) -> str:
    """Give the only run's journal."""
    return next((state / "runs").glob("*/events.jsonl")).read_text()


@pytest.mark.parametrize(("arguments", "term"), [(("--plain",), "xterm-256color"), ((), "dumb"), ((), "")])
def test_line_mode_on_a_terminal(tmp_path: Path, book: str, arguments: tuple[str, ...], term: str) -> None:
    """Asked for, or on a terminal that cannot draw: a prompt, verbs, no escape sequences; Ctrl-D pauses, exit 0."""
    with Terminal(tmp_path / "state", "run", book, *arguments, term=term) as terminal:
        terminal.see("> ")
        terminal.type("confirm\nyes\n")
        terminal.see("1.1 | something")
        terminal.see("the run is closed")
        terminal.type("\x04")
        terminal.see("left: end of input")
        assert terminal.end() == 0
    assert "\x1b" not in terminal.shown


def test_a_terminal_that_hangs_up(tmp_path: Path, book: str) -> None:
    """When the terminal goes away the run is paused as by SIGHUP: exit 129, the journal whole."""
    with Terminal(tmp_path / "state", "run", book) as terminal:
        terminal.see("> ")
        terminal.hang_up()
        assert terminal.end() == 129
    assert '"paused"' in journal(tmp_path / "state").splitlines()[-1]


def test_ctrl_c_at_the_prompt_pauses(tmp_path: Path, book: str) -> None:
    """With nothing running Ctrl-C leaves the run paused, exit 0."""
    with Terminal(tmp_path / "state", "run", book) as terminal:
        terminal.see("> ")
        terminal.type("\x03")
        terminal.see("paused: interrupted")
        assert terminal.end() == 0


def test_choosing_by_number(tmp_path: Path, book: str) -> None:
    """A bare `mailrunbook` on a terminal offers the unfinished run first; its number goes on with it."""
    with Terminal(tmp_path / "state", "run", book, "--run-id", "night") as terminal:
        terminal.see("> ")
        terminal.type("quit\n")
        assert terminal.end() == 0
    with Terminal(tmp_path / "state") as terminal:
        terminal.see("1. mailrunbook resume night: Small")
        terminal.see("Number, or nothing to leave: ")
        terminal.type("1\n")
        terminal.see("run night: Small")
        terminal.type("quit\n")
        assert terminal.end() == 0


@pytest.mark.parametrize(("typed", "code"), [("\n", 0), ("\x04", 0), ("99\n", 2), ("\x03", 130)])
def test_choosing_nothing(tmp_path: Path, typed: str, code: int) -> None:
    """Nothing chosen is no error, a wrong number is misuse, and Ctrl-C before anything was opened is 130."""
    with Terminal(tmp_path / "state") as terminal:
        terminal.see("Number, or nothing to leave: ")
        terminal.type(typed)
        assert terminal.end() == code
        assert "Traceback" not in terminal.shown
    assert not (tmp_path / "state").exists()
