"""Fixtures of the Pilot tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import HeldClock
from tests.ui.stage import Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def brisk_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Pilot go on once its key was heard: it would wait until the process idles, up to 2 s a key.

    What a key brings about is awaited by the tests themselves.
    """

    async def heard(*_: float) -> None:
        await asyncio.sleep(0.002)

    for module in ("textual.app", "textual.pilot"):
        monkeypatch.setattr(f"{module}.wait_for_idle", heard)


@pytest.fixture
def clock() -> HeldClock:
    """Give a clock that stands still."""
    return HeldClock()


@pytest.fixture
async def stage(tmp_path: Path, clock: HeldClock) -> AsyncIterator[Stage]:
    """Give the migration, nothing done yet, everything agreed to and looked at once."""
    async with open_stage(tmp_path / "state", clock) as opened:
        yield opened
