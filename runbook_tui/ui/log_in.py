"""Puts the questions of logins to the operator, one after the other, when nothing else is being asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.screen import ModalScreen

from runbook_tui.ui.flows import UNDER
from runbook_tui.ui.screens.dialogs import BusyScreen
from runbook_tui.ui.screens.login import LoginScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.engine import Engine
    from runbook_tui.engine.logins import Question
    from runbook_tui.ports import LoginAnswer
    from runbook_tui.ui.app import RunbookApp


class LogIn:
    """Follows what the engine's logins want, from `begin` to `end`."""

    def __init__(self, app: RunbookApp, engine: Engine) -> None:
        self._app = app
        self._engine = engine
        self._forget: Callable[[], object] = bool
        self._asking = False

    def begin(self) -> None:
        """Say that there is somebody to ask, and ask from now on."""
        self._forget = self._engine.subscribe(self._changed)
        self._engine.logins.attend()

    def end(self) -> None:
        """Ask no more."""
        self._forget()

    def _changed(self) -> None:
        """Go on in the app's own context: the engine calls from anywhere."""
        self._app.call_later(self._look)

    def _look(self) -> None:
        for said in self._engine.logins.said():
            self._app.say(said)
        if self._engine.logins.waiting is not None and not self._asking:
            self._asking = True
            self._app.flows.start(self._ask_all(), alongside=True)

    async def _ask_all(self) -> None:
        logins = self._engine.logins
        try:
            while (question := logins.waiting) is not None:
                if not self._has_room():
                    await asyncio.sleep(UNDER)
                    continue
                answer = await self._ask(question)
                if answer is None:
                    logins.give_up(question)
                else:
                    logins.give(question, answer)
                await question.gone.wait()
        finally:
            self._asking = False

    def _has_room(self) -> bool:
        """Whether a question may come up: what is typed into another dialog is not for it."""
        screen = self._app.screen
        return isinstance(screen, BusyScreen) or not isinstance(screen, ModalScreen)

    async def _ask(self, question: Question) -> LoginAnswer | None:
        """Show the dialog for as long as its question waits."""
        hosts, can_keep = self._engine.state.hosts, self._engine.logins.can_keep
        screen = LoginScreen(question.wanted, self._app.rhythm, hosts, can_keep=can_keep)
        asking = self._app.flows.ask(screen)
        shown = asyncio.create_task(asking)
        over = asyncio.create_task(question.gone.wait())
        try:
            await asyncio.wait({shown, over}, return_when=asyncio.FIRST_COMPLETED)
            while not shown.done():
                if screen.is_active:
                    screen.dismiss(None)
                await asyncio.sleep(UNDER)
            return await shown
        finally:
            over.cancel()
            shown.cancel()
