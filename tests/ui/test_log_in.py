"""The dialog that asks what a login wants: who asks, what is masked, what is kept, and that no stray key answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from runbook_tui.core import events as ev
from runbook_tui.core.secret import Secret
from runbook_tui.ports import LoginAsk, LoginField, LoginKind
from runbook_tui.ui.screens.dialogs import ReasonScreen
from runbook_tui.ui.screens.login import LoginScreen
from tests.ui.pilots import an_app, opened, past_guard, shown, until
from tests.ui.stage import open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

SIZE = (100, 40)
CANARY = "kanarienvogel-7"
NAME = "ssh root@old.example.org"
PASSWORD = LoginAsk(
    LoginKind.PASSWORD, "old", "root@old.example.org", (LoginField("Password", storable=True),), name=NAME,
    again="The password from the keyring (Test) was refused.",
)  # fmt: skip
QUESTIONS = LoginAsk(
    LoginKind.QUESTIONS, "old", "root@hop.example.org", (LoginField("User [b]name[/b]:", hidden=False), LoginField("")),
    jump=True, said="Welcome \x1b]52;c;aGk=\x07\u202e",
)  # fmt: skip


def traces(folder: Path) -> list[Path]:
    """Give the files in which the password stands."""
    return [f for f in folder.rglob("*") if f.is_file() and CANARY.encode() in f.read_bytes()]


class Drawer:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[Secret] = []

    async def keep(self, secret: Secret) -> str:
        """Keep it."""
        self.kept.append(secret)
        return "the keyring (Test)"


@pytest.fixture
async def stage(tmp_path: Path, clock: HeldClock) -> AsyncIterator[Stage]:
    """Open a run."""
    async with open_stage(tmp_path, clock) as stage:
        yield stage


async def test_a_password_is_typed_unseen_and_kept_only_when_that_is_ticked(
    stage: Stage, clock: HeldClock, tmp_path: Path
) -> None:
    """Host, user, name and what became of the last one are shown; what is typed is not, and is in no file."""
    logins = stage.engine.logins
    logins._keeper = drawer = Drawer()
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.screen is app.main)
        for keep in (False, True):
            asking = asyncio.create_task(logins.ask(PASSWORD))
            await opened(app, LoginScreen)
            await until(lambda: "root@old.example.org wants a password." in shown(app))
            assert "The password from the keyring (Test) was refused." in shown(app)
            assert f"Keep it in the keyring, as {NAME}" in shown(app)
            await past_guard(app, clock)
            await pilot.press("enter")
            await until(lambda: "Nothing is typed." in shown(app))
            await pilot.press(*CANARY)
            await until(lambda: app.screen.query_one(Input).value == CANARY)
            assert CANARY not in shown(app)
            await pilot.press(*(["tab", "space", "tab", "tab", "enter"] if keep else ["enter"]))
            await until(asking.done)
            answer = await asking
            assert answer is not None
            assert answer.keep is keep
            assert [(one.name, one.reveal()) for one in answer.values] == [(NAME, CANARY)]
            await logins.proved(answer.values[0], keep=answer.keep)
            await until(lambda: app.screen is app.main)
        assert [one.reveal() for one in drawer.kept] == [CANARY]
        assert stage.engine.redact(f"a {CANARY} b") != f"a {CANARY} b"
        assert [(e.name, e.source) for e in stage.events(ev.SecretSupplied)] == [(NAME, "typed by anna")]
    assert traces(tmp_path) == []


async def test_questions_are_shown_clean_and_answered_in_order(stage: Stage, clock: HeldClock) -> None:
    """The server's words act on nothing; Enter goes to the next field; Escape says no; nothing of it is to be kept."""
    logins = stage.engine.logins
    logins._keeper = Drawer()
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.screen is app.main)
        asking = asyncio.create_task(logins.ask(QUESTIONS))
        await opened(app, LoginScreen)
        await until(lambda: "root@hop.example.org, the jump host to old, asks before it lets you in." in shown(app))
        screen = shown(app)
        assert "User [b]name[/b]:" in screen
        assert "(a question without words)" in screen
        assert "│ Welcome" in screen
        assert "\x1b" not in screen
        assert "\u202e" not in screen
        assert "Keep it" not in screen
        await past_guard(app, clock)
        await pilot.press(*"ann", "enter", *"123456", "enter")
        await until(asking.done)
        answer = await asking
        assert answer is not None
        assert [one.reveal() for one in answer.values] == ["ann", "123456"]
        assert "ann" in stage.engine.redact("ann")
        assert "123456" not in stage.engine.redact("code 123456")
        asking = asyncio.create_task(logins.ask(QUESTIONS))
        await opened(app, LoginScreen)
        await pilot.press("escape")
        assert await asking is None
        await until(lambda: app.screen is app.main)


async def test_no_stray_key_answers_and_no_dialog_is_disturbed(stage: Stage, clock: HeldClock) -> None:
    """It waits while another dialog is typed into, takes no key in its first moment, and goes when it is not wanted."""
    logins = stage.engine.logins
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.screen is app.main)
        await pilot.press("n")
        await opened(app, ReasonScreen)
        asking = asyncio.create_task(logins.ask(PASSWORD))
        await pilot.press(*"note")
        assert isinstance(app.screen, ReasonScreen)
        await pilot.press("escape")
        await opened(app, LoginScreen)
        dialog = app.screen
        assert isinstance(dialog, LoginScreen)
        await until(lambda: dialog._painted is not None)
        await pilot.press("x", "enter")
        assert app.screen.query_one(Input).value == ""
        assert not asking.done()
        second = asyncio.create_task(logins.ask(replace(PASSWORD, target="root@new.example.org")))
        asking.cancel()
        await until(lambda: "root@new.example.org wants a password." in shown(app))
        await stage.engine.pause("quit")
        assert await second is None
        await until(lambda: app.screen is app.main)


async def test_nobody_is_asked_before_somebody_is_there(stage: Stage) -> None:
    """Without a front end a login gets what is stored, and no answer else."""
    assert await stage.engine.logins.ask(PASSWORD) is None
    assert await stage.engine.logins.stored(NAME) is None


async def test_what_was_right_is_used_again_and_what_was_refused_is_not(stage: Stage) -> None:
    """In a sitting, and by its own name only; a code has no name under which it would be found."""
    logins, right = stage.engine.logins, Secret(NAME, CANARY, "typed by anna")
    await logins.proved(right, keep=True)
    assert await logins.stored(NAME) is right
    assert await logins.stored("ssh root@new.example.org") is None
    logins.refused([Secret(NAME, "another")])
    assert await logins.stored(NAME) is right
    logins.refused([Secret(NAME, CANARY)])
    assert await logins.stored(NAME) is None
    assert CANARY not in repr(vars(logins))
