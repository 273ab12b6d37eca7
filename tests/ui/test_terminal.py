"""What arrives at a real terminal: captured from a pty, byte by byte (PROMISES.md P8, facts 6 and 8)."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
OURS = re.compile(
    rb"\x1b\[[0-9;:<=>?]*[ -/]*[@-~]"  # CSI: colours, cursor, modes
    rb"|\x1b[()][0AB]|\x1b[=>78]|\x1bP\+q[0-9a-f;]*\x1b\\"
    rb"|\x1b\]22;[a-z-]*(?:\x07|\x1b\\)"  # the shape of the mouse pointer
)
"""Sequences that Textual's own driver writes; anything else after ESC was let through."""


def captured(
    *arguments: str, env: dict[str, str] | None = None, rows: int = 45, columns: int = 140
) -> tuple[bytes, int]:  # fmt: skip
    """Run a script of the tests in a pty and give everything it wrote, and its exit status."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", **(env or {})}, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    seen, end = b"", time.monotonic() + DEADLINE
    try:
        while time.monotonic() < end:
            if not select.select([controller], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                seen += os.read(controller, 65536)
            except OSError:
                break
        return seen, process.wait(timeout=DEADLINE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(controller)


@pytest.fixture(scope="module")
def colourful() -> tuple[bytes, int]:
    """Give what every screen with foreign text writes to a terminal of all colours, and the exit status."""
    return captured("tests.ui.hostile_app", "leave", env={"NO_COLOR": "", "COLORTERM": "truecolor"})


def test_no_byte_from_outside_acts_on_the_terminal(colourful: tuple[bytes, int]) -> None:
    """Title, clipboard, hyperlink, C1, bidi and zero-width bytes of the text are nowhere in what the pty got."""
    seen, status = colourful
    assert status == 0, seen[-2000:]
    assert "␛]0;PWNED".encode() in seen, "the hostile text was not even shown"
    for payload in (
        b"\x1b]0;", b"\x1b]52;", b"\x1b]8;", b"\x9b31m", "\x9b".encode(), "\u202e".encode(), "\u200b".encode(), b"\x7f",
    ):  # fmt: skip
        assert payload not in seen, payload
    rest = OURS.sub(b"", seen)
    assert b"\x1b" not in rest, rest[max(0, rest.index(b"\x1b") - 40) :][:120]


def test_a_crash_prints_no_local_variables() -> None:
    """A fault of the program ends with 70, restores the terminal, and shows a traceback without values."""
    seen, status = captured("tests.ui.hostile_app", "crash")
    assert status == 70
    assert b"broken on purpose" in seen
    assert b"in broken" in seen
    assert b"mailrunbook resume" in seen
    assert b"CANARY" not in seen
    assert b"\x1b[?1049l" in seen


def test_no_colour_means_no_colour() -> None:
    """With NO_COLOR set and non-empty not one colour is emitted, and what is chosen is reversed instead."""
    seen, status = captured("tests.ui.hostile_app", "leave", env={"NO_COLOR": "1"})
    assert status == 0
    styles = {int(n) for sgr in re.findall(rb"\x1b\[([0-9;]*)m", seen) for n in sgr.split(b";") if n}
    assert styles <= {0, 1, 2, 3, 4, 7, 9, 22, 23, 24, 27, 29, 39, 49}, styles
    assert 7 in styles


def test_an_empty_no_color_counts_as_unset(colourful: tuple[bytes, int]) -> None:
    """NO_COLOR= (empty) leaves the colours on, as the convention says."""
    assert re.search(rb"38;2;\d+;\d+;\d+", colourful[0])
