"""Puts the questions of logins to whoever types, without echo where the server says so; or says that nobody types."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from runbook_tui.core.secret import Secret
from runbook_tui.core.text import clean_line
from runbook_tui.ports import LoginAnswer, LoginKind

if TYPE_CHECKING:
    from runbook_tui.engine import Engine
    from runbook_tui.engine.logins import Question
    from runbook_tui.plain.lines import Output
    from runbook_tui.ports import LoginAsk


class Typed(Protocol):
    """Reads one line that is no verb."""

    async def __call__(self, prompt: str, *, hidden: bool = True) -> str | None:
        """Give it; None at the end of input."""


class LogIn:
    """Follows what the engine's logins want. `typed` reads a line; None where nobody types on a terminal."""

    def __init__(self, engine: Engine, out: Output, typed: Typed | None) -> None:
        self._engine = engine
        self._out = out
        self._typed = typed
        self._changed = asyncio.Event()

    async def follow(self) -> None:
        """Ask one question after the other, until cancelled."""
        logins = self._engine.logins
        forget = self._engine.subscribe(self._changed.set)
        logins.attend()
        try:
            while True:
                self._changed.clear()
                for said in logins.said():
                    self._out.line(clean_line(said))
                if (question := logins.waiting) is not None:
                    await self._put(question)
                await self._changed.wait()
        finally:
            forget()

    async def _put(self, question: Question) -> None:
        """Ask for as long as the question waits."""
        asking = asyncio.create_task(self._ask(question.wanted))
        over = asyncio.create_task(question.gone.wait())
        try:
            await asyncio.wait({asking, over}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                self._say(question.wanted, "it is not asked for any more")
                return
            answer = await asking
            if answer is None:
                self._engine.logins.give_up(question)
            else:
                self._engine.logins.give(question, answer)
            await question.gone.wait()
        finally:
            asking.cancel()
            over.cancel()
            await asyncio.wait({asking, over})

    async def _ask(self, wanted: LoginAsk) -> LoginAnswer | None:
        self._say(wanted, wanted.sentence)
        if wanted.again:
            self._say(wanted, wanted.again)
        for line in wanted.said.strip().splitlines():
            self._say(wanted, f"the server says: {line}")
        if self._typed is None:
            self._say(wanted, _nobody(wanted))
            return None
        values = []
        for one in wanted.fields:
            prompt = clean_line(one.prompt.strip().rstrip(":")) or "answer"
            typed = await self._typed(f"host {clean_line(wanted.host)}: {prompt}: ", hidden=one.hidden)
            if typed is None or (wanted.kind is not LoginKind.QUESTIONS and not typed):
                self._say(wanted, "nothing was typed")
                return None
            values.append(Secret("typed", typed))
        return LoginAnswer(tuple(values), keep=await self._keeps(wanted))

    async def _keeps(self, wanted: LoginAsk) -> bool:
        if self._typed is None or not wanted.name or not self._engine.logins.can_keep:
            return False
        what = f"type keep to keep it in the keyring, as '{clean_line(wanted.name)}'; any other line does not: "
        return await self._typed(f"host {clean_line(wanted.host)}: {what}", hidden=False) == "keep"

    def _say(self, wanted: LoginAsk, text: str) -> None:
        self._out.line(f"host {clean_line(wanted.host)}: {clean_line(text)}")


def _nobody(wanted: LoginAsk) -> str:
    if not wanted.name:
        return "it is typed on a terminal only, and this is none"
    return f"it is typed on a terminal only, and this is none; --secrets-fd with the name '{wanted.name}' would serve"
