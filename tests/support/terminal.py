"""The program on a pseudo-terminal of 80 by 24, as its session's leader: typed at, read, hung up."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

from tests.support.talk import DEADLINE, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Terminal:
    """A pseudo-terminal with the program as its session's leader, as a login gives it one.

    Tests that are started in the background have Ctrl-C ignored, and hand that on; a login does not.
    """

    def __init__(
        self, state: Path, *arguments: str, term: str = "dumb", more: Mapping[str, str] | None = None,
        module: str = "runbook_tui",
    ) -> None:  # fmt: skip
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "env", "--default-signal=INT", sys.executable, "-m", module, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment(state, **{**(more or {}), "TERM": term}),
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def see(self, text: str) -> None:
        """Read until the text was shown."""
        end = time.monotonic() + DEADLINE
        while text not in self.shown:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} was not shown:\n{self.shown}"
            self.shown += os.read(self._master, 1 << 16).decode("utf-8", "replace")

    def read_rest(self) -> None:
        """Read what was written before the end."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                self.shown += os.read(self._master, 1 << 16).decode("utf-8", "replace")
            except OSError:  # nobody has the other end open any more
                return

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._master, text.encode())

    def hang_up(self) -> None:
        """Take the terminal away."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def end(self) -> int:
        """Wait for the end; give the exit code."""
        return self.process.wait(DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()
