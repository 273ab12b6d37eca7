"""The clock of this machine, and the name of its present boot."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from runbook_tui.ports import Drift

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id(source: Path = BOOT_ID) -> str:
    """Give a name that is the same until the machine is restarted.

    Where the kernel gives none, it is the minute at which the machine came up: a label to tell boots apart,
    not a proof, for it moves when the clock is set.
    """
    try:
        return source.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        up_since = datetime.fromtimestamp(time.time() - time.monotonic(), tz=UTC)
        return f"up-since-{up_since:%Y%m%dT%H%MZ}"


class SystemClock:
    """The wall clock in aware UTC and the monotonic clock, which is the same for all processes of a boot."""

    def __init__(self) -> None:
        self.boot = boot_id()

    def now(self) -> datetime:
        """Give the wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that never go back; they stand still while the machine is suspended."""
        return time.monotonic()

    def drift(self) -> Drift:
        """Give how long this boot was suspended, and the wall clock less the time of this boot.

        Where the kernel has no clock that goes on during a suspend, one looks like a wall clock set forward.
        """
        monotonic, wall = time.monotonic(), time.time()
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else monotonic
        return Drift(since_boot - monotonic, wall - since_boot)

    async def sleep(self, seconds: float) -> None:
        """Wait; a time in the past waits for one turn of the loop."""
        await asyncio.sleep(max(0.0, seconds))

    async def nap(self, seconds: float) -> None:
        """Wait."""
        await self.sleep(seconds)
