"""A conversation with the program over real pipes: lines in, lines out, waited for by what they say."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping
    from pathlib import Path

DEADLINE = 30.0
"""Seconds after which something that does not come is a failure; never a time that is slept."""


def environment(state: Path, **more: str) -> dict[str, str]:
    """Give an environment with a state folder of the test's own and nothing of the operator's ssh."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    own = {"MAILRUNBOOK_STATE_DIR": str(state), "MAILRUNBOOK_SSH_CONFIG": "", "MAILRUNBOOK_KNOWN_HOSTS": ""}
    return {**keep, **own, "TERM": "xterm-256color", "PYTHONWARNINGS": "error", **more}


def program(*arguments: str) -> list[str]:
    """Give the command that runs mailrunbook with the interpreter of the tests."""
    return [sys.executable, "-m", "runbook_tui", *arguments]


def finished(
    *arguments: str,
    state: Path,
    stdin: str | bytes = b"",
    timeout: float = DEADLINE,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run mailrunbook to its end with `stdin` from a pipe."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        program(*arguments), input=data, capture_output=True, timeout=timeout, check=False,
        env=environment(state, **(more or {})),
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def complaints(errors: str) -> str:
    """Give what standard error holds beside the word on whether the run was signed."""
    return re.sub(r"^mailrunbook: (Not signed: |SHA256SUMS is signed ).*\n", "", errors, flags=re.MULTILINE)


class Talk:
    """A running mailrunbook. What it says is read by a thread; `hear` waits for a line that fits."""

    def __init__(
        self, *arguments: str, state: Path, more: Mapping[str, str] | None = None, hand_down: tuple[int, ...] = ()
    ) -> None:  # fmt: skip
        self.process = subprocess.Popen(
            program(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(state, **(more or {})), pass_fds=hand_down,
        )  # fmt: skip
        self.lines: list[str] = []
        self.errors = ""
        self._arriving: queue.Queue[str | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        if self.process.stdout is not None:
            for line in self.process.stdout:
                self._arriving.put(line.decode().rstrip("\n"))
        self._arriving.put(None)

    def _read_errors(self) -> None:
        if self.process.stderr is not None:
            self.errors = self.process.stderr.read().decode()

    def say(self, *lines: str) -> None:
        """Type lines."""
        if self.process.stdin is None:
            raise AssertionError("no pipe")
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def hear(self, pattern: str) -> str:
        """Wait for the next line in which the pattern is found; the lines before it are passed over."""
        end = time.monotonic() + DEADLINE
        while True:
            try:
                line = self._arriving.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                heard = "\n".join(self.lines)
                raise AssertionError(f"{pattern!r} was not heard; heard:\n{heard}") from None
            if line is None:
                self._arriving.put(None)
                heard = "\n".join(self.lines)
                raise AssertionError(f"ended before {pattern!r}; heard:\n{heard}\n{self.errors}")
            self.lines.append(line)
            if re.search(pattern, line):
                return line

    def hang_up(self) -> None:
        """Close standard input."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; everything said is then in `lines` and `errors`. Gives the exit code."""
        code = self.process.wait(DEADLINE)
        for thread in self._threads:
            thread.join(DEADLINE)
        while not self._arriving.empty():
            line = self._arriving.get()
            if line is not None:
                self.lines.append(line)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()
