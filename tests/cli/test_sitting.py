"""How a sitting at the screen ends: by a signal, by a hang-up; the terminal is given back, the journal is whole."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

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


def opened(tmp_path: Path) -> Terminal:
    """Open a run on a terminal that can draw, and wait until it is drawn."""
    book = tmp_path / "small.md"
    book.write_text(BOOK)
    return Terminal(tmp_path / "state", "run", str(book), "--run-id", "night", term="xterm-256color")


def paused(tmp_path: Path) -> bool:
    """Whether the run's last record says that it was paused, and the run verifies."""
    journal = tmp_path / "state" / "runs" / "night" / "events.jsonl"
    verified = finished("verify", "night", state=tmp_path / "state").returncode == 0
    return verified and '"paused"' in journal.read_text().splitlines()[-1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """SIGTERM and SIGHUP leave the alternate screen, show the cursor, pause the run and tell by the exit code."""
    with opened(tmp_path) as terminal:
        terminal.see("something")
        terminal.process.send_signal(number)
        terminal.see(LEFT_ALTERNATE_SCREEN)
        assert terminal.end() == code
        terminal.read_rest()
    assert SHOWN_CURSOR in terminal.shown[terminal.shown.rindex(LEFT_ALTERNATE_SCREEN) - 200 :]
    assert "Traceback" not in terminal.shown
    assert paused(tmp_path)


def test_a_closed_terminal_pauses_the_run(tmp_path: Path) -> None:
    """When the terminal is gone the program ends with 129 and the journal is whole."""
    with opened(tmp_path) as terminal:
        terminal.see("something")
        terminal.hang_up()
        assert terminal.end() == 129
    assert paused(tmp_path)
