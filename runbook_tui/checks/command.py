"""Check `command`: does a read-only command on a host end and print as expected?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.core.text import clean, clean_line
from runbook_tui.ports import CheckState, Link, OutcomeUnknownError, Probe, Reading

if TYPE_CHECKING:
    from runbook_tui.ports import Sight

LARGEST_ANSWER = 64 * 1024
"""Bytes of output that are looked at; the rest is dropped."""


@dataclass(slots=True)
class CommandProbe(Probe):
    """Runs `run` on `host`; PASS when its exit status and output are the wanted ones."""

    host: str
    run: str
    exit: int = 0
    expect: str = ""

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"on {self.host}: {self.run}"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        found = sight.hosts.find(self.host)
        if found is None:
            return Reading(CheckState.UNKNOWN, f"nothing says how {self.host} is reached")
        if found.link is Link.REFUSED:
            return Reading(CheckState.UNKNOWN, f"{self.host} refuses us")
        answer = bytearray()

        def sink(data: bytes) -> None:
            answer.extend(data[: max(0, LARGEST_ANSWER - len(answer))])

        try:
            job = await found.start(self.run, sink)
        except (HostError, OutcomeUnknownError) as error:
            return Reading(CheckState.UNKNOWN, clean_line(str(error)))
        try:
            ended = await job.wait()
        finally:
            job.close()
        text = clean(answer.decode("utf-8", "replace")).strip()
        value = clean_line(text.splitlines()[-1]) if text else "no output"
        if ended.lost:
            return Reading(CheckState.UNKNOWN, ended.lost, text)
        if ended.signal or ended.exit != self.exit:
            how = f"signal {ended.signal}" if ended.signal else f"exit status {ended.exit}"
            return Reading(CheckState.FAIL, f"{how}: {value}", text)
        if self.expect and not re.search(self.expect, text, re.MULTILINE):
            return Reading(CheckState.FAIL, f"does not match {self.expect}: {value}", text)
        return Reading(CheckState.PASS, value, text)
