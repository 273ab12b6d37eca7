"""The journal's head as the hosts' own logs keep it: the line, the script that logs it, and reading lines back."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runbook_tui.core.events import Record

TAG = "mailrunbook"
"""What syslog files the lines under: `journalctl -t mailrunbook`."""

NO_LOGGER = 127
"""The exit status of the script where there is no `logger`."""

_LINE = re.compile(r"run (\S+) seq (\d{1,18}) head ([0-9a-f]{64})(?![0-9a-f])", re.ASCII)


class Witness(NamedTuple):
    """What a host's log says of a run: at record `seq` the journal's head was `head`."""

    run: str
    seq: int
    head: str


def witness_line(run: str, seq: int, head: str) -> str:
    """Give the one line that a host keeps; what could break a line of a log stands in it as `?`."""
    return f"run {_one_word(run)} seq {seq} head {head}"


def _one_word(run: str) -> str:
    return re.sub(r"[^!-~]", "?", run)


def witness_script(run: str, seq: int, head: str) -> str:
    """Give the script that has a host's syslog keep the line.

    It prints nothing and ends as `logger` does, with NO_LOGGER where there is none. A syslog that is stuck can hold it
    up, so whoever runs it sets a time limit; what becomes of the line must not stop a migration.
    """
    return f"logger -t {TAG} {shlex.quote(witness_line(run, seq, head))} </dev/null >/dev/null 2>&1\n"


def witnesses(log: str) -> tuple[Witness, ...]:
    """Give the witness lines in what a log, or `grep` over it, printed; all other text is passed over."""
    return tuple(Witness(found[1], int(found[2]), found[3]) for found in _LINE.finditer(log))


def contradictions(records: Sequence[Record], run: str, seen: Iterable[Witness]) -> list[str]:
    """Give a sentence for each line about this run that its journal does not bear out."""
    found = []
    for each in dict.fromkeys(seen):
        if each.run != _one_word(run):
            continue
        if each.seq > len(records):
            found.append(f"record {each.seq} was witnessed, but the journal ends at record {len(records)}")
        elif each.seq and records[each.seq - 1].hash != each.head:
            found.append(f"record {each.seq} is not the one that was witnessed: the journal was rewritten")
    return found
