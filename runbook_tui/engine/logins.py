"""Who answers when a login asks: what is stored, what was right before in this sitting, then the person, in turn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused, RunbookTuiError
from runbook_tui.core.redact import SHORTEST
from runbook_tui.core.secret import Secret
from runbook_tui.ports import LoginAnswer, LoginKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.engine.secrets import RunSecrets
    from runbook_tui.ports import Keeper, LoginAsk, LoginField


class Question:
    """One question that waits for the person; `gone` is set when it waits no more, answered or not."""

    def __init__(self, wanted: LoginAsk) -> None:
        self.wanted = wanted
        self.answer: asyncio.Future[LoginAnswer | None] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()


class Logins:
    """Implements `ports.Asker` for all hosts of a sitting.

    Before `serve` nothing is known, before `attend` there is nobody to ask. A value that was right is used again in
    this sitting, one that was refused is not tried again by itself. What is good for one time is neither stored, nor
    looked up, nor used again.
    """

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._keeper = keeper
        self._secrets: RunSecrets | None = None
        self._recorder: Recorder | None = None
        self._operator = ""
        self._attended = False
        self._questions: list[Question] = []
        self._right: dict[str, Secret] = {}
        self._wrong: list[Secret] = []
        self._said: list[str] = []

    def serve(self, secrets: RunSecrets, recorder: Recorder, operator: str = "") -> None:
        """Use a run's secrets and record."""
        self._secrets, self._recorder, self._operator = secrets, recorder, operator

    # ---- for the front end

    @property
    def can_keep(self) -> bool:
        """Whether there is a place where a value could be kept."""
        return self._keeper is not None

    @property
    def waiting(self) -> Question | None:
        """The question that is to be put to the person now."""
        return self._questions[0] if self._questions else None

    def attend(self) -> None:
        """Say that there is somebody to ask from now on."""
        self._attended = True

    def give(self, question: Question, answer: LoginAnswer) -> None:
        """Take what the person typed.

        Raises:
            Refused: nothing was typed where something has to be.
        """
        wanted = question.wanted
        if wanted.kind is not LoginKind.QUESTIONS and not answer.values[0].reveal():
            raise Refused("nothing was typed", hint=f"The {wanted.kind} is still missing.")
        values = tuple(
            self._taken(wanted, one, value.reveal()) for one, value in zip(wanted.fields, answer.values, strict=True)
        )
        keep = answer.keep and bool(wanted.name)
        self._end(question, LoginAnswer(values, keep=keep))

    def give_up(self, question: Question) -> None:
        """Take that the person does not want to."""
        self._end(question, None)

    def said(self) -> list[str]:
        """Give what was to be told since this was called last: whether a value was kept."""
        said, self._said = self._said, []
        return said

    def close(self) -> None:
        """Ask nobody any more."""
        self._attended = False
        for question in tuple(self._questions):
            self.give_up(question)

    # ---- for a login

    async def stored(self, name: str) -> Secret | None:
        """Give the value for a name without asking a person."""
        if name in self._right or self._secrets is None:
            return self._right.get(name)
        found = await self._secrets.stored(name)
        return None if found is None or any(_same(found, wrong) for wrong in self._wrong) else found

    async def ask(self, wanted: LoginAsk) -> LoginAnswer | None:
        """Ask the person, after those who were there before."""
        if not self._attended:
            return None
        question = Question(wanted)
        self._questions.append(question)
        self._notify()
        try:
            return await question.answer
        finally:
            self._questions.remove(question)
            question.gone.set()
            self._notify()

    async def proved(self, wanted: Secret, *, keep: bool) -> None:
        """Use it again in this sitting; keep it where that was wished, and say what came of it."""
        self._right[wanted.name] = wanted
        if not keep or self._keeper is None:
            return
        try:
            said = f"{wanted.name}: kept in {await self._keeper.keep(wanted)}"
        except RunbookTuiError as error:
            said = f"{wanted.name}: not kept: {error.title}"
        self._said.append(said)
        if self._recorder is not None:
            self._recorder.happened(ev.Noted(action="", text=said, by="mailrunbook"), durable=False)

    def refused(self, values: Sequence[Secret]) -> None:
        """Try none of them again by itself."""
        for value in values:
            self._wrong.append(value)
            right = self._right.get(value.name)
            if right is not None and _same(right, value):
                del self._right[value.name]

    # ---- inside

    def _taken(self, wanted: LoginAsk, one: LoginField, typed: str) -> Secret:
        source = f"typed by {self._operator}"
        if one.storable and wanted.name:
            secret = Secret(wanted.name, typed, source)
        else:
            secret = Secret(f"answer for {wanted.target}", typed, source)
            if not one.hidden or len(typed) < SHORTEST:
                # It is good once and used up; a register of such short ones would have all output withheld.
                return secret
        if self._secrets is not None:
            self._secrets.told(secret)
        return secret

    def _end(self, question: Question, answer: LoginAnswer | None) -> None:
        if not question.answer.done():
            question.answer.set_result(answer)

    def _notify(self) -> None:
        if self._recorder is not None:
            self._recorder.notify()


def _same(one: Secret, other: Secret) -> bool:
    return one.name == other.name and one.reveal() == other.reveal()
