"""What 20 live checks at their normal rates cost of one core; exits 1 when it is more than issue 4 allows.

Run as `python -m benchmarks.checks_idle [SECONDS] [ROUNDS]` in the root of the repository. What the hosts and resolvers
that are asked need is theirs and is not counted; they are real, on loopback.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.far_side import far_side
from runbook_tui.ports import CheckState
from tests.support.bench import Bench

if TYPE_CHECKING:
    from benchmarks.far_side import FarSide

CHECKS = 20
OF_A_CORE = 0.02


async def measure(far: FarSide, seconds: float, rounds: int) -> tuple[list[float], float, list[str]]:
    """Let the checks run in an engine; give the shares of a core with and before them, and those that saw nothing."""
    bench = Bench(far.runbook(CHECKS), far.folder / "state", shells=far.shell)
    async with bench.engine() as engine:
        without = await share(seconds / 4)
        await engine.consent()
        async with asyncio.timeout(60):
            while not all(view.looked for view in engine.checks()):  # noqa: ASYNC110 -- connecting is not measured
                await asyncio.sleep(0.1)
        await asyncio.sleep(3.0)  # the second looks at what was green
        shares = [await share(seconds) for _ in range(rounds)]
        blind = [f"{view.name} ({view.value})" for view in engine.checks() if view.state is CheckState.UNKNOWN]
    bench.leave()
    return shares, without, blind


async def share(seconds: float) -> float:
    """Give the share of a core that this process needs for some time."""
    gc.collect()
    wall, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / (time.monotonic() - wall)


def main(seconds: float, rounds: int) -> int:
    """Print what was measured; give the exit status."""
    say = sys.stdout.write
    with far_side() as far:
        shares, without, blind = asyncio.run(measure(far, seconds, rounds))
    say(f"{CHECKS} checks at their normal rates, {rounds} times {seconds:g} s\n")
    say(f"  without them {without:.2%} of a core, with them {', '.join(f'{one:.2%}' for one in shares)}\n")
    if blind:
        say(f"MISSED what could not look was not measured: {', '.join(blind)}\n")
    needed = statistics.median(shares)
    say(f"{'ok    ' if needed <= OF_A_CORE else 'MISSED'} {needed:.2%} of a core, at most {OF_A_CORE:.0%}\n")
    return int(needed > OF_A_CORE or bool(blind))


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:3]]
    seconds_, rounds_ = (*given, *(60.0, 5.0)[len(given) :])
    raise SystemExit(main(seconds_, int(rounds_)))
