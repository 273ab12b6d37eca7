"""The dialog that asks for a password: masked, in memory only, left with Escape, asked again with `S`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Input

from runbook_tui.core import events as ev
from runbook_tui.core.model import CheckSpec
from runbook_tui.ui.screens.dialogs import MessageScreen
from runbook_tui.ui.screens.secret import SecretInput, SecretScreen
from runbook_tui.ui.screens.start import StartScreen
from tests.ui.pilots import agree, an_app, opened, shown, until
from tests.ui.stage import migration, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

SIZE = (120, 45)
CANARY = "kanarienvogel-7 "
NAME = "imap plop"


def traces(folder: Path) -> list[Path]:
    """Give the files in which the password stands."""
    return [f for f in folder.rglob("*") if f.is_file() and CANARY.strip().encode() in f.read_bytes()]


@pytest.fixture
async def stage(tmp_path: Path, clock: HeldClock) -> AsyncIterator[Stage]:
    """Open a run with a check whose password nobody knows."""
    made = migration()
    check = CheckSpec("mailbox", "imap", {"host": "new", "secret": NAME})
    async with open_stage(tmp_path, clock, replace(made, checks=(*made.checks, check)), agreed=False) as stage:
        yield stage


async def test_a_missing_password_is_asked_for_after_the_agreement(
    stage: Stage, clock: HeldClock, tmp_path: Path
) -> None:
    """What is typed or pasted is masked, not copied, kept as it is, and in no file; the journal says who typed."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await opened(app, StartScreen)
        await agree(app, clock, pilot)
        await opened(app, SecretScreen)
        await until(lambda: NAME in shown(app))
        await pilot.press("enter")
        await until(lambda: "Nothing is typed." in shown(app))
        await pilot.press(*"kana")
        app.screen.query_one(SecretInput).post_message(events.Paste("rienvogel-7 \nsecond line"))
        await until(lambda: app.screen.query_one(Input).value == CANARY)
        assert "kana" not in shown(app)
        await pilot.press("home", "shift+end", "ctrl+x")
        assert app.clipboard == ""
        assert app.screen.query_one(Input).value == ""
        app.screen.query_one(SecretInput).post_message(events.Paste(CANARY))
        await until(lambda: app.screen.query_one(Input).value == CANARY)
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)
        assert (await stage.engine.secrets.get(NAME)).reveal() == CANARY
        assert [(e.name, e.source) for e in stage.events(ev.SecretSupplied)] == [(NAME, "typed by anna")]
    assert traces(tmp_path) == []


async def test_left_out_and_asked_again(stage: Stage, clock: HeldClock) -> None:
    """Escape leaves it out and the walk goes on; `S` asks again, and then says where each password comes from."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await opened(app, StartScreen)
        await agree(app, clock, pilot)
        await opened(app, SecretScreen)
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and not app.flows.busy)
        assert not stage.events(ev.SecretSupplied)
        await pilot.press("S")
        await opened(app, SecretScreen)
        await pilot.press(*"pw", "enter")
        await opened(app, MessageScreen)
        await until(lambda: "Where the passwords come from" in shown(app))
