"""How long the program's loop stands still while a step says a line without end; exits 1 when it is too long.

Run as `python -m benchmarks.endless_line [ROUNDS]` in the root of the repository, where nothing else works hard.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.far_side import NAME, far_side
from runbook_tui.core.model import Host
from tests.core.builders import OLD, a_runbook, an_action
from tests.support.bench import Bench, confirm

if TYPE_CHECKING:
    from benchmarks.far_side import FarSide

WANTED = 0.2
"""Seconds in which a key is to be answered (PROMISES.md, fault 33)."""
TICK = 0.001
TEXTS = {
    "a line of 10 MB": "head -c 10000000 /dev/zero | tr '\\0' x",
    "100,000 updates by CR": "awk 'BEGIN { for (n = 1; n <= 100000; n++) printf \"\\r%d of 100000\", n }'",
    "10 MB by CR": "awk 'BEGIN { for (n = 1; n <= 100000; n++) printf \"\\r%0100d\", n }'",
}


async def longest_gap(far: FarSide, folder: Path, text: str) -> tuple[float, float]:
    """Give the longest time in which the loop did nothing else, and how long the step took."""
    book = replace(a_runbook(an_action("a", text)), title=folder.name, hosts={OLD: Host(OLD, NAME)})
    gaps = [0.0]

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            gaps.append(time.perf_counter() - before - TICK)

    async with Bench(book, folder / "state", shells=far.shell, make_probes=lambda _: {}).engine() as engine:
        await engine.consent()
        ticking = asyncio.create_task(tick())
        began = time.perf_counter()
        await confirm(engine, "a")
        took = time.perf_counter() - began
        ticking.cancel()
    return max(gaps), took


def main(rounds: int) -> int:
    """Print what was measured; give the exit status."""
    worst = 0.0
    with far_side() as far:
        for name, text in TEXTS.items():
            for _ in range(rounds):
                with tempfile.TemporaryDirectory(prefix="be-", dir="/tmp") as folder:
                    gap, took = asyncio.run(longest_gap(far, Path(folder), text))
                worst = max(worst, gap)
                print(f"{name}: longest gap {gap * 1000:.0f} ms in {took:.1f} s")  # noqa: T201 -- what it is for
    return int(worst > WANTED)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
