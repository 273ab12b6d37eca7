"""Helpers of the Pilot tests: waiting for conditions, deliberate keys, what the screen shows as text."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from textual._context import visible_screen_stack

from runbook_tui.ui.app import RunbookApp
from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.screens.login import LoginScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.engine import Engine
    from tests.support.bench import HeldClock


async def until(predicate: Callable[[], object], deadline: float = 60.0) -> None:
    """Wait until something is so; fail after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not predicate():
        assert time.monotonic() < end, f"it did not happen within {deadline} s"
        await asyncio.sleep(0.01)


def an_app(engine: Engine, clock: HeldClock, **options: Any) -> RunbookApp:  # noqa: ANN401
    """Make the app around an engine, with the held clock."""
    return RunbookApp(engine, clock=clock.monotonic, now=clock.now, **options)


def shown(app: RunbookApp) -> str:
    """Give what the top screen shows, as text."""
    # What lies behind a dialog is painted from here, and the painted lines are kept.
    visible_screen_stack.set(app._background_screens)
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def opened(app: RunbookApp, kind: type[Any]) -> None:
    """Wait until a screen of a kind is on top, its widgets are made and one of them has the focus."""
    await until(lambda: isinstance(app.screen, kind) and app.screen.is_mounted and app.screen.focused is not None)


async def past_guard(app: RunbookApp, clock: HeldClock) -> None:
    """Wait until the dialog was painted, then let the time pass in which its keys are ignored."""
    await until(lambda: isinstance(app.screen, AskScreen | LoginScreen) and app.screen._painted is not None)
    clock.advance(1.0)


async def agree(app: RunbookApp, clock: HeldClock, pilot: Any) -> None:  # noqa: ANN401 -- Pilot of any app
    """Press a deliberate `y` on the dialog and wait until it is gone."""
    await past_guard(app, clock)
    dialog = app.screen
    await pilot.press("y")
    await until(lambda: app.screen is not dialog)
