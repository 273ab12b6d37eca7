"""Fifty numbered mails a second through a world for a minute: all must arrive, once, and the queue must not grow.

Run as `python -m benchmarks.world_load [RATE] [SECONDS]` in the root of the repository; exits 1 when a mail is missing.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.host import Tier
from runbook_tui.demo.world import World


async def measure(rate: float, seconds: float) -> bool:
    """Let the mails flow and count them; give whether every one arrived on old, once."""
    folder = Path(tempfile.mkdtemp(prefix="wl-", dir="/tmp"))
    begun = time.perf_counter()
    world = World(folder, Tier.PLAIN, WorldClock.start(60))
    await world.start(0)
    started = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    world.set_rate(rate)
    longest = 0
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        longest = max(longest, sum(queue.total for queue in world.view().queues))
    report = await world.reconcile()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    await world.stop()
    shutil.rmtree(folder)
    # Nothing was moved, so that every mail must lie on old, which the report calls lost; and nowhere else.
    on_old = {number for group in report.lost if group.reason == "only on old" for number in group.numbers}
    whole = len(on_old) == report.numbered and not (report.twice or report.bounced or report.queued)
    sys.stdout.write(
        f"start {started:.2f} s; {report.numbered} mails at {rate:g}/s, {len(on_old)} on old, longest queue {longest}, "
        f"{100 * cpu / seconds:.0f} % of a core: {'every mail arrived' if whole else 'MISSED'}\n"
    )
    return whole


if __name__ == "__main__":
    rate_, seconds_ = (float(word) for word in (sys.argv[1:3] if len(sys.argv) > 2 else ("50", "60")))
    sys.exit(0 if asyncio.run(measure(rate_, seconds_)) else 1)
