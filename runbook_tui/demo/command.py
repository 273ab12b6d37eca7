"""`mailrunbook demo`: checks the options and hands the two children to the supervisor."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.cli import console
from runbook_tui.core.errors import UsageError
from runbook_tui.demo.mistakes import MISTAKES
from runbook_tui.demo.supervisor import supervise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runbook_tui.demo.facts import DemoWishes
    from runbook_tui.demo.host import Tier

SPEED = 60.0
"""World seconds a real second: an hour is a minute. Waits are jumped over by the scripted operator anyway."""
TIERS = ("auto", "ns", "plain")


def rehearse(wishes: DemoWishes) -> int:
    """Run a rehearsal to its end; give the exit code.

    Raises:
        UsageError: an option cannot stand.
        RehearsalError: this machine does not give what it needs.
    """
    wishes = _checked(wishes)

    def world(folder: Path, tier: Tier) -> Sequence[str]:
        return [sys.executable, "-m", "runbook_tui.demo.running", str(folder), tier.value, wishes.text()]

    def app(folder: Path, *, again: bool) -> Sequence[str]:
        del folder, again  # the run itself says whether it was begun, the environment where the world is
        return [sys.executable, "-m", "runbook_tui.demo.app", wishes.text()]

    return supervise(world, app, tier=wishes.tier, keep=wishes.keep, say=console.say)


def _checked(wishes: DemoWishes) -> DemoWishes:
    if wishes.tier not in TIERS:
        raise UsageError(f"--tier {wishes.tier}: there is no such tier", hint=f"Tiers: {', '.join(TIERS)}.")
    if wishes.mistake and wishes.mistake not in MISTAKES:
        raise UsageError(f"--mistake {wishes.mistake}: unknown", hint=f"Mistakes: {', '.join(MISTAKES)}.")
    if wishes.mistake and not wishes.auto:
        raise UsageError("--mistake is for --auto", hint="Without it you make your own.")
    if wishes.speed < 0 or wishes.rate < 0:
        raise UsageError("--speed and --rate are no negative numbers")
    run = f"rehearsal-{time.strftime('%Y%m%d-%H%M%S')}"
    return replace(wishes, speed=wishes.speed or SPEED, run=wishes.run or run)
