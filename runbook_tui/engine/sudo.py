"""Answers sudo when it asks in a job: what is stored once, then a person, and nobody twice by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core.text import clean_line
from runbook_tui.ports import Fed, LoginAsk, LoginField, LoginKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runbook_tui.core.redact import KnownSecrets
    from runbook_tui.core.secret import Secret
    from runbook_tui.engine.detached import DetachedJob
    from runbook_tui.engine.feeding import Feeding
    from runbook_tui.ports import Ask, Asker

LONGEST_PROMPT = 200
"""Characters of sudo's prompt that are shown: it is the far side's text."""

SENDING = 5.0
"""Seconds in which what became of the last answer is still waited for when its command has ended."""


class Sudo:
    """Gives one job's sudo the passwords it asks for (PROMISES.md 3.5).

    `name` is what a password is stored under, `who` asks in words, `note` records a sentence, `stop` ends the job when
    the person does not want to answer. The value that is stored is sent for a job's first question alone: any further
    one is put to the person, for a wrong password that goes out by itself locks an account.
    """

    def __init__(
        self,
        *,
        job: DetachedJob,
        feeding: Feeding,
        asker: Asker | None,
        known: KnownSecrets,
        host: str,
        name: str,
        who: str,
        note: Callable[[str], None],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._job = job
        self._feeding = feeding
        self._asker = asker
        self._known = known
        self._host = host
        self._name = name
        self._who = who
        self._note = note
        self._stop = stop
        self._latest = 0
        self._given: tuple[int, Secret, bool] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._sending = False

    def asked(self, ask: Ask) -> None:
        """Take a question; one that is being answered, or was, is told again after a lost link."""
        if ask.number > self._latest:
            self._latest = ask.number
            self.close()
            self._answering = asyncio.create_task(self._answer(ask))

    async def settle(self) -> None:
        """Ask nobody any more; what is being sent is sent to its end."""
        if self._sending and self._answering is not None:
            await asyncio.wait({self._answering}, timeout=SENDING)
        self.close()

    async def prove(self) -> None:
        """Take it that the last password was the right one."""
        if self._given is not None and self._asker is not None:
            _, secret, keep = self._given
            self._given = None
            await self._asker.proved(secret, keep=keep)

    def close(self) -> None:
        """Ask nobody any more."""
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None

    async def _answer(self, ask: Ask) -> None:
        prompt = clean_line(self._known.redact(ask.prompt))[:LONGEST_PROMPT]
        again = ""
        if self._given is not None and self._given[0] == ask.asker:
            again = f"The password from {self._given[1].source} was not taken. "
            if self._asker is not None:
                self._asker.refused([self._given[1]])
            self._given = None
        elif self._given is not None:
            await self.prove()
        found = await self._find(ask, prompt, again)
        if found is None:
            self._note(f"sudo asked “{prompt}”: nobody gave a password, so it was told that there is none")
            await self._feeding.refuse(ask.place)
            await self._stop()
            return
        self._known.add(found[0])
        self._sending = True
        fed = await self._feeding.give(ask.place, found[0])
        self._sending = False
        if fed is Fed.FED:
            self._given = (ask.asker, *found)
        said = "was given" if fed is Fed.FED else "came too late"
        self._note(f"sudo asked “{prompt}”: the password from {found[0].source} {said}")

    async def _find(self, ask: Ask, prompt: str, again: str) -> tuple[Secret, bool] | None:
        """Give the password and whether it is to be kept; None when there is none."""
        if self._asker is None:
            return None
        stored = await self._asker.stored(self._name) if ask.number == 1 else None
        if stored is not None:
            return stored, False
        count = f" It is the command's question {ask.number}." if ask.number > 1 else ""
        wanted = LoginAsk(
            LoginKind.SUDO, self._host, self._name.removeprefix("sudo "), (LoginField(prompt, storable=True),),
            name=self._name, again=f"{again}It is for {self._who}.{count}",
        )  # fmt: skip
        answer = await self._asker.ask(wanted)
        return (answer.values[0], answer.keep) if answer is not None else None


def sudo_name(user: str, ssh: str) -> str:
    """Give the name under which a host's sudo password is stored: `sudo ada@new.example.org`."""
    where = ssh or "localhost"
    return f"sudo {where}" if "@" in where or not user else f"sudo {user}@{where}"
