"""A real terminal for a test: a tmux server of its own, keys in, the screen as text out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DEADLINE = 30.0
"""Seconds after which what does not appear is a failure; never slept through."""


def installed() -> bool:
    """Whether there is a tmux."""
    return shutil.which("tmux") is not None


class Terminal:
    """One window of `columns` by `rows` in which a command runs; leaving ends the tmux server by its own socket."""

    def __init__(
        self, folder: Path, command: Sequence[str], env: Mapping[str, str], columns: int = 140, rows: int = 45
    ) -> None:
        self._socket = folder / "tmux.sock"
        self.exit_file = folder / "exit-code"
        given = " ".join(f"{name}={_quoted(value)}" for name, value in env.items())
        line = f"env {given} {' '.join(map(_quoted, command))}; echo $? > {_quoted(str(self.exit_file))}"
        self._tmux(
            "-f", "/dev/null", "-u", "new-session", "-d", "-x", str(columns), "-y", str(rows), "sh", "-c", line,
            ";", "set-option", "-g", "remain-on-exit", "on",
        )  # fmt: skip

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        env = {**os.environ, "LC_ALL": "C.UTF-8", "TMUX": ""}
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments], capture_output=True, text=True, check=check, env=env
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys one after another, by tmux's names; text of several characters is typed."""
        for key in keys:
            self._tmux("send-keys", key)

    def press_until(self, key: str, *texts: str, gone: str = "") -> str:
        """Press a key that is ignored until its dialog has been on the screen for a while; see `wait_for`."""
        end = time.monotonic() + DEADLINE
        while True:
            self.press(key)
            try:
                return self.wait_for(*texts, gone=gone, seconds=1.0)
            except AssertionError:
                if time.monotonic() > end:
                    raise

    def type(self, text: str) -> None:
        """Type text literally."""
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        """Give what is on the screen now."""
        return self._tmux("capture-pane", "-p")

    def wait_for(self, *texts: str, gone: str = "", seconds: float = DEADLINE) -> str:
        """Wait until all texts are on the screen (and `gone` is not); give the screen.

        Raises:
            AssertionError: they did not come; the screen is in the message.
        """
        end = time.monotonic() + seconds
        while True:
            shown = self.screen()
            if all(text in shown for text in texts) and (not gone or gone not in shown):
                return shown
            if time.monotonic() > end:
                raise AssertionError(f"not on the screen: {texts}, or still there: {gone!r}\n{shown}")
            time.sleep(0.05)

    def wait_until_still(self, seconds: float = 0.3) -> None:
        """Wait until nothing on the screen, colours included, has changed for a while: a focus that moves is seen."""
        end = time.monotonic() + DEADLINE
        seen, since = "", time.monotonic()
        while time.monotonic() - since < seconds:
            shown = self._tmux("capture-pane", "-p", "-e")
            if shown != seen:
                seen, since = shown, time.monotonic()
            if time.monotonic() > end:
                raise AssertionError(f"the screen does not come to rest\n{shown}")
            time.sleep(0.05)

    def exit_code(self) -> int:
        """Wait for the command's end and give its exit code."""
        end = time.monotonic() + DEADLINE
        while not (self.exit_file.exists() and self.exit_file.read_text().strip()):
            if time.monotonic() > end:
                raise AssertionError(f"still running:\n{self.screen()}")
            time.sleep(0.05)
        return int(self.exit_file.read_text())

    def pane_pid(self) -> int:
        """Give the pid of the shell in the window."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """End this tmux server, and with it whatever runs in it."""
        self._tmux("kill-server", check=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def mailrunbook(*arguments: str) -> list[str]:
    """Give the command that runs the program with the interpreter of the tests."""
    return [sys.executable, "-m", "runbook_tui", *arguments]
