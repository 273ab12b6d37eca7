"""A fault in any place of the program: no secret is printed, the terminal is given back, the run can go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.redact import mark
from tests.support.crashing import CANARY
from tests.support.talk import finished
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
LEFT_ALTERNATE_SCREEN = "\x1b[?1049l"
SHOWN_CURSOR = "\x1b[?25h"


def crashed(tmp_path: Path, place: str, *arguments: str, term: str = "dumb") -> str:
    """Give what the terminal got of a run with a fault in one place; its exit code is that of a fault."""
    book = tmp_path / "small.md"
    book.write_text(BOOK)
    more = ("run", str(book), "--run-id", "night", *arguments)
    with Terminal(tmp_path / "state", place, *more, term=term, module="tests.support.crashing") as terminal:
        if place == "keys":
            terminal.see("something")
            terminal.type("x")
        terminal.see("RuntimeError")
        code = terminal.end()
        terminal.read_rest()
    assert code == 70, terminal.shown
    return terminal.shown


def check_told(shown: str) -> None:
    """Check that the fault is told as it should be."""
    assert "Traceback" in shown
    assert f"broken on purpose, 26: {mark('relay')}" in shown
    assert CANARY not in shown
    assert "a fault of mailrunbook, not of your hosts" in shown


def check_offered(tmp_path: Path) -> None:
    """Check that the run was left in order and that the next start offers it."""
    journal = tmp_path / "state" / "runs" / "night" / "events.jsonl"
    assert '"paused"' in journal.read_text().splitlines()[-1]
    assert CANARY not in journal.read_text()
    offered = finished(state=tmp_path / "state")
    assert "mailrunbook resume night: Small, 0 of 1 steps settled" in offered.stdout


def test_a_fault_in_a_callback_ends_line_mode_in_order(tmp_path: Path) -> None:
    """What nobody awaits is told at the end, with what to do, and the run is paused."""
    shown = crashed(tmp_path, "callback", "--plain")
    check_told(shown)
    assert "mailrunbook resume night opens the run again" in shown
    check_offered(tmp_path)


@pytest.mark.lab
@pytest.mark.parametrize("place", ["task", "thread", "front"])
def test_a_fault_behind_line_mode_ends_it_in_order(tmp_path: Path, place: str) -> None:
    """A task that nobody awaits, a thread, the front end itself."""
    check_told(crashed(tmp_path, place, "--plain"))
    check_offered(tmp_path)


@pytest.mark.lab
def test_a_fault_before_the_run_is_open_is_told(tmp_path: Path) -> None:
    """Passwords given on a descriptor are known before anything else is done."""
    check_told(crashed(tmp_path, "main"))


@pytest.mark.lab
@pytest.mark.parametrize("place", ["callback", "task", "thread", "widget", "worker", "keys"])
def test_a_fault_behind_the_screen_gives_the_terminal_back(tmp_path: Path, place: str) -> None:
    """In the loop, a thread, a widget, a worker, the thread that reads keys: the traceback follows the screen."""
    shown = crashed(tmp_path, place, term="xterm-256color")
    left = shown.index(LEFT_ALTERNATE_SCREEN)
    assert "RuntimeError" not in shown[:left]
    assert SHOWN_CURSOR in shown[left:]
    told = shown[left:]
    assert "Traceback" in told
    assert CANARY not in shown
    assert mark("relay") in told
    assert "mailrunbook resume night" in told
    check_offered(tmp_path)
