"""The main job in a real terminal: keys sent, the screen read, files compared."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.sshd import wait_until
from tests.support.talk import environment, finished
from tests.support.tmux import Terminal, installed, mailrunbook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Night

pytestmark = pytest.mark.skipif(not installed(), reason="tmux is not installed")

SIZES = [(140, 45), (80, 24)]


@pytest.fixture
def open_terminal(night: Night, tmp_path: Path) -> Iterator[object]:
    """Give a function that opens the program in a terminal; all are closed after the test."""
    opened: list[Terminal] = []

    def start(*arguments: str, columns: int = 140, rows: int = 45) -> Terminal:
        folder = tmp_path / f"terminal-{len(opened)}"
        folder.mkdir()
        env = {**environment(night.state, **night.variables), "LC_ALL": "C.UTF-8"}
        opened.append(Terminal(folder, mailrunbook(*arguments), env, columns, rows))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_two_hosts_from_start_to_transcript(
    night: Night, open_terminal: object, tmp_path: Path, columns: int, rows: int
) -> None:
    """Consent, confirm on both hosts, tick, skip with a reason, file diff, danger typed, transcript written."""
    assert callable(open_terminal)
    terminal: Terminal = open_terminal(
        "run", "rotate-motd", *night.hosts, "--run-id", "motd", columns=columns, rows=rows
    )
    terminal.wait_for("Starting", "old.test")
    terminal.press_until("y", "1.1", "to do", gone="Starting")
    for number, server in (("1.1", night.old), ("1.2", night.new)):
        terminal.wait_for(f"▶ {number}")
        terminal.press("c")
        terminal.wait_for(f"Confirm  {number}", f"127.0.0.1:{server.port}")
        terminal.press_until("y", gone="Confirm  ")
        wait_until((server.home / "notice/kept").is_dir, "the folder")
    terminal.wait_for("▶ 1.3")
    terminal.press("m")
    terminal.wait_for("1.3  ", "Cancel")
    terminal.type("Ada said so")
    terminal.press("Enter")
    terminal.wait_for("▶ 2.1")
    terminal.press("c")
    terminal.wait_for("Confirm  2.1", "cp -p motd")
    terminal.press_until("y", "kept 0 bytes")
    terminal.wait_for("▶ 2.2")
    terminal.press("c")
    terminal.wait_for("Confirm  2.2", "+Maintenance on 2026-11-30")
    terminal.press_until("y", gone="Confirm  2.2")
    wait_until(lambda: "hands its work over" in (night.old.home / "notice/motd").read_text(), "the notice")
    terminal.wait_for("▶ 2.3", gone="Confirm  ")
    terminal.press("s")
    terminal.wait_for("2.3  ", "Cancel")
    terminal.type("new has one already")
    terminal.press("Enter")
    terminal.wait_for("▶ 2.4")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert not (night.new.home / "notice/motd").exists()
    out = tmp_path / "transcript.md"
    assert finished("export", "motd", "-o", str(out), state=night.state).returncode == 0
    text = out.read_text()
    assert "Ada said so" in text
    assert "new has one already" in text
    assert f"127.0.0.1:{night.old.port}" in text
    assert finished("verify", "motd", state=night.state).returncode == 0


def test_enter_and_a_held_key_confirm_nothing(night: Night, open_terminal: object) -> None:
    """Enter in the dialog cancels, and a burst of the confirm keys runs nothing."""
    assert callable(open_terminal)
    terminal: Terminal = open_terminal("run", "rotate-motd", *night.hosts, "--run-id", "motd")
    terminal.wait_for("Starting")
    terminal.press_until("y", "1.1", gone="Starting")
    terminal.press("c")
    terminal.wait_for("Confirm  1.1")
    terminal.press_until("Enter", "to do", gone="Confirm  1.1")
    terminal.type("cycycycycy")
    terminal.wait_for("Confirm  1.1")
    terminal.press_until("Escape", "to do", gone="Confirm  1.1")
    assert not (night.old.home / "notice").exists()


def test_killed_and_opened_again_in_a_terminal(night: Night, open_terminal: object) -> None:
    """After kill -9 the screen says unknown, finds it running, and ends with its own status; it ran once."""
    assert callable(open_terminal)
    runbook = night.state.parent / "slow.md"
    runbook.write_text(
        "---\nrunbook:\n  version: 1\n  hosts:\n    old: {ssh: old.test}\n---\n# Slow\n\n## Phase\n\n"
        "### Go <!-- step: #go -->\n\n"
        "``` sh {.run host=old}\necho $PPID >> ~/effects\nprintf 'st%s\\n' arted\n"
        "until test -e ~/go; do sleep 0.1; done\necho ov''er\n```\n"
    )
    terminal: Terminal = open_terminal("run", str(runbook), "--run-id", "slow")
    terminal.wait_for("Starting")
    terminal.press_until("y", "1.1", gone="Starting")
    terminal.press("c")
    terminal.wait_for("Confirm  1.1")
    terminal.press_until("y", "started", "running")
    lock = (night.state / "runs/slow/.lock").read_text()
    os.kill(int(lock.split('"pid": ')[1].split(",")[0]), signal.SIGKILL)
    terminal.exit_code()
    again: Terminal = open_terminal("resume", "slow")
    again.wait_for("unknown")
    again.press_until("y", "it was found there and runs on", gone="What starts now")
    again.press_until("Escape", "1.1", "running", gone="Coming back")
    (night.old.home / "go").touch()
    again.wait_for("1/1 steps done", "over")
    assert (night.old.home / "effects").read_text().count("\n") == 1
    again.press("q")
    assert again.exit_code() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_pauses_the_run_and_gives_the_terminal_back(
    night: Night, open_terminal: object, number: signal.Signals, code: int
) -> None:
    """SIGTERM and SIGHUP pause the run with their exit code, seal the journal and leave no alternate screen."""
    assert callable(open_terminal)
    terminal: Terminal = open_terminal("run", "rotate-motd", *night.hosts, "--run-id", "motd")
    terminal.wait_for("Starting")
    lock = (night.state / "runs/motd/.lock").read_text()
    os.kill(int(lock.split('"pid": ')[1].split(",")[0]), number)
    assert terminal.exit_code() == code
    assert "Starting" not in terminal.screen()
    assert finished("verify", "motd", state=night.state).returncode == 0
