"""Helpers of the Pilot tests: a held clock, waiting for conditions, what the screen shows as text."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from runbook_tui.ui.app import RunbookApp
from tests.ui.scripted import START, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.engine import Engine


class HeldClock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        """Give monotonic seconds."""
        return self.seconds

    def now(self) -> datetime:
        """Give the wall clock that belongs to them."""
        return START + timedelta(seconds=self.seconds - 1_000.0 + 252)

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


async def until(predicate: Callable[[], object], deadline: float = 10.0) -> None:
    """Wait until something is so; fail after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not predicate():
        assert time.monotonic() < end, f"it did not happen within {deadline} s"
        await asyncio.sleep(0.01)


def an_app(engine: Scripted | Engine, clock: HeldClock, **options: Any) -> RunbookApp:  # noqa: ANN401
    """Make the app around a stand-in or a real engine, with the held clock."""
    real = engine.engine if isinstance(engine, Scripted) else engine
    return RunbookApp(real, clock=clock, now=clock.now, **options)


def shown(app: RunbookApp) -> str:
    """Give what the top screen shows, as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def past_guard(app: RunbookApp, clock: HeldClock) -> None:
    """Wait until the dialog was painted, then let the time pass in which its keys are ignored."""
    await until(lambda: getattr(app.screen, "_painted", None) is not None)
    clock.pass_(1.0)


async def agree(app: RunbookApp, clock: HeldClock, pilot: Any) -> None:  # noqa: ANN401 -- Pilot of any app
    """Press a deliberate `y` on the dialog and wait until it is gone."""
    await past_guard(app, clock)
    dialog = app.screen
    await pilot.press("y")
    await until(lambda: app.screen is not dialog)
