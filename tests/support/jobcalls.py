"""Carries calls of the job protocol to a shell of this machine, as sshd would, and reads what comes back."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.adapters.detached import Frames
from runbook_tui.adapters.stub import Answer, AnswerReader

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.adapters.stub import Call
    from runbook_tui.ports import Stand

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a call gave: the answer and its text; for a follower also the output and how the job stood at last."""

    answer: Answer
    text: str
    output: bytes = b""
    last: Stand | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls run: a login shell, a folder for jobs, and what is first in PATH."""

    home: Path
    login: str = "sh"
    path: str = os.environ["PATH"]

    @property
    def jobs(self) -> Path:
        """Where the jobs are."""
        return self.home / "state/jobs"

    def start(self, call: Call) -> subprocess.Popen[bytes]:
        """Start a call; what it gets on standard input is for the caller."""
        environment = {"HOME": str(self.home), "PATH": self.path, "MAILRUNBOOK_STATE_DIR": str(self.home / "state")}
        return subprocess.Popen(
            [*shlex.split(self.login), "-c", call.line],
            stdin=-1, stdout=-1, stderr=-1, start_new_session=True, env=environment,
        )  # fmt: skip

    def ask(self, call: Call, payload: bytes | None = None, offset: int = 0) -> Told:
        """Make a call and read it to its end."""
        return told(call, self.start(call), call.payload if payload is None else payload, offset)


def told(call: Call, process: subprocess.Popen[bytes], payload: bytes, offset: int = 0) -> Told:
    """Send the payload and read what comes to its end."""
    with process:
        data, errors = process.communicate(payload, PATIENCE)
    said = AnswerReader(call.nonce).feed(data)
    assert said is not None, (data, errors)
    output: list[bytes] = []
    frames = Frames(offset, output.append)
    if said.answer is Answer.STARTED:
        frames.feed(said.rest)
        assert not frames.wrong, (frames.wrong, data)
    return Told(said.answer, said.text, b"".join(output), frames.last)
