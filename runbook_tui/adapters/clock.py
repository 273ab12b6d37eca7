"""The clock of this machine, and the name of its present boot."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

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

    async def sleep(self, seconds: float) -> None:
        """Wait; a time in the past waits for one turn of the loop."""
        await asyncio.sleep(max(0.0, seconds))

    async def nap(self, seconds: float) -> None:
        """Wait."""
        await self.sleep(seconds)
