"""Fixtures of the Pilot tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from textual.css.stylesheet import Stylesheet

from tests.support.bench import HeldClock
from tests.ui.stage import Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.css.model import RuleSet
    from textual.css.types import CSSLocation


@pytest.fixture(autouse=True)
def brisk_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Pilot go on once its key was heard: it would wait until the process idles, up to 2 s a key.

    What a key brings about is awaited by the tests themselves.
    """

    async def heard(*_: float) -> None:
        await asyncio.sleep(0.002)

    for module in ("textual.app", "textual.pilot"):
        monkeypatch.setattr(f"{module}.wait_for_idle", heard)


PARSED: dict[tuple[object, ...], list[RuleSet]] = {}


@pytest.fixture(autouse=True)
def styles_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse each style sheet once for all apps; every app by itself takes a tenth of a second for it."""
    parse = Stylesheet._parse_rules

    def remembered(
        sheet: Stylesheet, css: str, read_from: CSSLocation, *rest: object, **named: object
    ) -> list[RuleSet]:
        key = (css, read_from, rest, *sorted(named.items()), *sorted(sheet._variables.items()))
        if key not in PARSED:
            PARSED[key] = parse(sheet, css, read_from, *rest, **named)  # type: ignore[arg-type]
        return PARSED[key]

    monkeypatch.setattr(Stylesheet, "_parse_rules", remembered)


@pytest.fixture
def clock() -> HeldClock:
    """Give a clock that stands still."""
    return HeldClock()


@pytest.fixture
async def stage(tmp_path: Path, clock: HeldClock) -> AsyncIterator[Stage]:
    """Give the migration, nothing done yet, everything agreed to and looked at once."""
    async with open_stage(tmp_path / "state", clock) as opened:
        yield opened
