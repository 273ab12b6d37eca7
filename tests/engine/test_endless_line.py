"""Output without an end of line: one huge line, and progress that rewrites its line a hundred thousand times."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.run import Status
from runbook_tui.core.text import LONGEST_LINE
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench, confirm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import TwoHosts

HUGE = 10_000_000
UPDATES = 100_000
FOLDED = "x" * LONGEST_LINE + f"… {HUGE - LONGEST_LINE} more characters"
PROGRESS = "".join(f"\r{n} of {UPDATES}" for n in range(1, UPDATES + 1))


@pytest.mark.parametrize(
    ("text", "shown", "raw"),
    [
        (f"head -c {HUGE} /dev/zero | tr '\\0' x", FOLDED, "x" * HUGE),
        (
            f"awk 'BEGIN {{ for (n = 1; n <= {UPDATES}; n++) printf \"\\r%d of {UPDATES}\", n }}'",
            f"{UPDATES} of {UPDATES}", PROGRESS,
        ),
    ],
    ids=["huge", "progress"],
)  # fmt: skip
async def test_a_line_without_end_is_folded_and_every_byte_accounted_for(
    tmp_path: Path, two_hosts: TwoHosts, text: str, shown: str, raw: str
) -> None:
    """One line is shown and stored, short; the record has the length and the sum of all that came."""
    book = replace(a_runbook(an_action("a", text)), title=tmp_path.name, hosts=two_hosts.hosts)
    bench = Bench(book, tmp_path / "state", shells=two_hosts.shells, make_probes=lambda _: {})
    async with bench.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        assert engine.feed("night-1").since(0)[0] == [shown]
        outputs = [r.event for r in engine._recorder.journal.records if isinstance(r.event, ev.Output)]
        assert sum(output.raw_length for output in outputs) == len(raw)
        assert outputs[-1].sha256 == hashlib.sha256(raw.encode()).hexdigest()
    assert (tmp_path / "state/runs/night/output/night-1.log").read_text() == f"{shown}\n"
