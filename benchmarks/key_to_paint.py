"""From a key to the painted pane while 20 checks look every second and one hangs; exits 1 when p99 is over 50 ms.

Run as `python -m benchmarks.key_to_paint [KEYS] [ROUNDS]` in the root of the repository, where nothing else works hard.
Keys come from a thread, as from a terminal, so that a loop that is held up is measured too; a key is painted when the
first bytes for the terminal are ready after the step that it moves to was chosen.
"""

from __future__ import annotations

import asyncio
import gc
import math
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.drivers.headless_driver import HeadlessDriver

import runbook_tui.ui.app
from benchmarks.far_side import far_side
from runbook_tui.ui.app import RunbookApp
from tests.support.bench import Bench

if TYPE_CHECKING:
    from benchmarks.far_side import FarSide
    from runbook_tui.engine import Engine

CHECKS = 20
AT_MOST = 50.0
"""Milliseconds of the 99th percentile."""
BETWEEN = 0.05
"""Seconds between a painted key and the next one."""
PATIENCE = 10.0


class Painting(HeadlessDriver):
    """Takes what would go to the terminal, as bytes, and says when it came."""

    @property
    def is_headless(self) -> bool:
        """Textual paints nothing for a driver without a terminal."""
        return False

    def write(self, data: str) -> None:
        """Take a piece of the screen."""
        data.encode()
        if isinstance(self._app, Measured):
            self._app.painted()


@dataclass
class Keys:
    """What was measured: milliseconds a key."""

    waits: list[float] = field(default_factory=list)

    def p(self, share: float) -> float:
        """Give a percentile."""
        ordered = sorted(self.waits)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Measured(RunbookApp):
    """The app, which tells when a step that was moved to is painted."""

    CSS_PATH = str(Path(runbook_tui.ui.app.__file__).with_name("runbook.tcss"))

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, driver=Painting)
        self.before = ""
        self.seen = threading.Event()

    def painted(self) -> None:
        """Note that the screen was written to."""
        if self.before and self.main.spot is not None and self.main.spot.id != self.before:
            self.before = ""
            self.seen.set()

    def press(self, key: str) -> None:
        """Take a key as the terminal's thread hands it over."""
        self.post_message(events.Key(key, None))


def type_keys(app: Measured, loop: asyncio.AbstractEventLoop, count: int) -> Keys:
    """Move to and fro among the steps; runs in a thread of its own."""
    found = Keys()
    for number in range(count):
        time.sleep(BETWEEN)
        app.seen.clear()
        app.before = app.main.spot.id if app.main.spot else ""
        started = time.perf_counter()
        loop.call_soon_threadsafe(app.press, "up" if number % 8 > 3 else "down")
        if not app.seen.wait(PATIENCE):
            raise RuntimeError("a key was never painted")
        found.waits.append((time.perf_counter() - started) * 1000)
    return found


async def run(far: FarSide, name: str, checks: int, count: int, *, busy: bool) -> Keys:
    """Measure one sitting; `busy` lets the checks look, else they wait for an hour."""
    book = far.runbook(checks, 1.0 if busy else 3600.0, hangs=int(busy))
    bench = Bench(book, far.folder / name, shells=far.shell)
    try:
        async with bench.engine() as engine:
            app = Measured(engine)
            await engine.consent()
            running = asyncio.ensure_future(app.run_async(size=(140, 45), mouse=False))
            try:
                async with asyncio.timeout(60):
                    while not (app.is_running and app.main.drawn and _looked(engine, int(busy))):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                gc.collect()
                return await asyncio.to_thread(type_keys, app, asyncio.get_running_loop(), count)
            finally:
                app.exit()
                await running
    finally:
        bench.leave()


def _looked(engine: Engine, hangs: int) -> bool:
    """Whether all have looked but those that hang."""
    return sum(view.looked is None for view in engine.checks()) <= hangs


def main(count: int, rounds: int) -> int:
    """Print what was measured; give the exit status."""
    say = sys.stdout.write
    idle, busy = [], []
    with far_side() as far:
        for number in range(rounds):
            idle.append(asyncio.run(run(far, f"idle{number}", CHECKS, count, busy=False)))
            busy.append(asyncio.run(run(far, f"busy{number}", CHECKS, count, busy=True)))
    say(f"{count} keys a round, medians of {rounds}\n")
    for name, rows in (("checks asleep", idle), (f"{CHECKS} checks a second, one hangs", busy)):
        middle, last = (statistics.median(one.p(share) for one in rows) for share in (0.5, 0.99))
        say(f"  {name:<32} p50 {middle:5.1f} ms  p99 {last:5.1f} ms\n")
    worst = statistics.median(one.p(0.99) for one in busy)
    say(f"{'ok    ' if worst <= AT_MOST else 'MISSED'} p99 {worst:.1f} ms, at most {AT_MOST:.0f} ms\n")
    return int(worst > AT_MOST)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    raise SystemExit(main(*given, *(100, 5)[len(given) :]))
