"""The line-mode front end: reads verbs, asks and obeys one at a time, and says what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

from runbook_tui.core.applies import standing
from runbook_tui.core.each import now_standing
from runbook_tui.core.errors import Refused, RunbookTuiError, WantedSecretError
from runbook_tui.core.proposal import YES
from runbook_tui.core.run import SETTLED, Status, Verb
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import next_action, number_of
from runbook_tui.engine.returned import returned
from runbook_tui.engine.rolling import lines as plan_lines
from runbook_tui.engine.rolling import plan_rollback, roll_back
from runbook_tui.plain import show
from runbook_tui.plain.find import find
from runbook_tui.plain.log_in import LogIn
from runbook_tui.plain.obey import obey
from runbook_tui.plain.watch import Watch
from runbook_tui.plain.words import ASKING, LOOKING, NotAnOrderError, Order, Word, acts_at_once, asks, understand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runbook_tui.core.model import Action
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.engine import Engine
    from runbook_tui.plain.lines import Input, Output

_HELD: Final = 10_000
"""Lines that may wait for an action's end; beyond it nothing more is read until it has ended."""

_VERBS: Final = {Word.CONFIRM: Verb.CONFIRM, Word.RETRY: Verb.RETRY, Word.EDIT: Verb.EDIT, Word.UNDO: Verb.UNDO}


class Session:
    """One sitting at a run in line mode (ARCHITECTURE.md, "Line mode")."""

    def __init__(self, engine: Engine, lines: Input, out: Output, *, prompt: bool = False) -> None:
        self._engine = engine
        self._lines = lines
        self._out = out
        self._prompt = "> " if prompt else ""
        self._prompted = False
        self._held: deque[str] = deque()
        self._unanswered = False
        self._ended = False
        self._reading: asyncio.Task[str | None] | None = None
        self._private = asyncio.Lock()
        self._unwanted = False
        self._asking = False
        self._to_ask = 0
        self._cursor = ""
        self._cursor_was = Status.TODO
        self._watch = Watch(engine, out)
        self._unsubscribe = engine.subscribe(self._changed)

    async def run(self) -> str:
        """Go on until `quit`, the end of input, or nobody reads any more; give why the run is left."""
        log_in = LogIn(self._engine, self._out, self._typed if self._lines.is_terminal else None)
        following = [asyncio.create_task(self._watch.follow()), asyncio.create_task(log_in.follow())]
        try:
            self._say(show.opening(self._engine.state, self._engine.drift if self._engine.state.left is None else {}))
            if self._engine.state.left is not None:
                self._say(show.returned(returned(self._engine)))
            return await self._agree() or await self._walk()
        finally:
            for task in following:
                task.cancel()
            if self._reading is not None:
                self._reading.cancel()

    def close(self, why: str) -> None:
        """Say that the run was left, once it was; nothing is said after that."""
        self._unsubscribe()
        closed = self._engine.state.closed
        if (running := self._engine.state.running) is not None:
            where = f"goes on on {clean_line(running.host)}; it is found again when the run is resumed"
            self._out.line(f"{number_of(self._engine.state, running.action)} {where}")
        self._out.line(f"left: {clean_line(why)}" if closed else f"paused: {clean_line(why)}; resume goes on with it")

    def _changed(self) -> None:
        self._watch.look()
        self._follow_cursor()

    async def interrupt(self) -> bool:
        """Obey Ctrl-C: stop what runs. False when nothing runs, and the run is to be left."""
        if self._engine.activity is None:
            return False
        await self._act(Order(Word.STOP))
        return True

    async def _agree(self) -> str:
        """Ask before anything is contacted; give why the run is left instead, or an empty text."""
        if wanted := self._engine.consent_lines():
            self._say(show.consent(wanted))
            if await self._next() != "yes":
                self._out.line("not agreed: nothing was contacted")
                return "nothing was agreed to"
        await self._engine.consent()
        await self._ask_secrets()
        return ""

    async def _ask_secrets(self, name: str = "") -> None:
        """Ask for the passwords that the checks want and do not get, or for the one that is named."""
        secrets = self._engine.secrets
        wanted: Mapping[str, str] = {name: ""} if name else {n: str(e) for n, e in (await secrets.missing()).items()}
        for each, why in wanted.items():
            self._say(f"secret {clean_line(each)}: {clean_line(line)}" for line in why.splitlines())
            if not self._lines.is_terminal:
                self._out.line(f"secret {clean_line(each)}: it is typed on a terminal only, and this is none")
                continue
            typed = await self._typed(f"secret {clean_line(each)}: ")
            if typed:
                self._engine.give_secret(each, typed)
            self._out.line(f"secret {clean_line(each)}: {'taken, for this sitting' if typed else 'left out'}")

    async def _typed(self, prompt: str, *, hidden: bool = True) -> str | None:
        """Read one line that is no verb, one asker at a time; what was typed ahead of the question is no answer."""
        async with self._private:
            with self._lines.without_echo() if hidden else contextlib.nullcontext():
                reading, self._reading = self._reading, None
                if reading is not None and reading.done():
                    await self._read(reading.result())
                    reading = None
                for early in self._lines.ahead():
                    await self._take(early)
                self._out.prompt(prompt)
                reading = reading or asyncio.create_task(self._lines.next())
                try:
                    line = await asyncio.shield(reading)
                except asyncio.CancelledError:
                    self._reading, self._unwanted = reading, True
                    raise
                finally:
                    self._prompted = False
                    self._out.line()
        self._ended = self._ended or line is None
        return line

    async def _secret(self, name: str) -> None:
        """Obey `secret`: ask a keyring again that was silent, then for what is still missing."""
        self._engine.secrets.ask_again()
        await self._ask_secrets(name)
        told = self._engine.secrets.supplied()
        self._say(f"secret {clean_line(each)}: from {clean_line(source)}" for each, source in told.items())

    async def _walk(self) -> str:
        """Obey line after line; give why the run is left."""
        first = next_action(self._engine.state)
        self._move(first or next(self._engine.state.runbook.actions(), None))
        while (line := await self._next()) is not None:
            if not line:
                continue
            try:
                order = understand(line)
            except NotAnOrderError as error:
                self._out.line(f"not understood: {clean_line(str(error))}")
                continue
            if order.word is Word.QUIT:
                return "quit"
            await self._act(order)
        return "end of input"

    async def _act(self, order: Order) -> None:
        """Obey one order; a refusal is said and changes nothing."""
        try:
            if self._engine.read_only and order.word not in LOOKING:
                raise Refused(self._engine.allowed("")[Verb.NOTE])
            if order.word is Word.ROLLBACK:
                await self._roll_back(order.rest)
            elif order.word is Word.RELOAD:
                await self._reload()
            elif order.word is Word.RECHECK:
                await self._recheck()
            elif order.word is Word.CLEAN:
                await self._clean()
            elif order.word in ASKING:
                await self._ask(order)
            elif order.word is Word.GO:
                self._go(order.rest)
            elif order.word is Word.STATUS:
                self._status()
            elif order.word is Word.SECRET:
                await self._secret(order.rest)
            else:
                await obey(self._engine, self._out, order, self._cursor)
                if order.word in {Word.SET, Word.ACCEPT, Word.OVERRIDE}:
                    self._say_where("now")
        except RunbookTuiError as error:
            self._refused(error)
            self._follow_cursor()

    def _refused(self, error: RunbookTuiError) -> None:
        number = f"{number_of(self._engine.state, self._cursor)} " if self._cursor else ""
        word = "refused" if isinstance(error, Refused) else "not run"
        for text in (error.title, error.detail, error.hint):
            self._say(f"{number}{word}: {clean_line(line)}" for line in text.splitlines())

    async def _ask(self, order: Order) -> None:
        """Show what would run and take the next line as the answer, whatever it is."""
        self._asking = True
        try:
            asked = await self._propose(_VERBS[order.word], order.rest or None)
            typed = await self._answer(asked)
        finally:
            self._asking = False
        if typed is None:
            self._follow_cursor()
            return
        await self._engine.confirm(asked, typed)

    async def _propose(self, verb: Verb, edited: str | None) -> Proposal:
        """Have the engine propose; a secret that it cannot go without is asked for, until none is typed."""
        while True:
            try:
                return await self._engine.propose(self._cursor, verb, edited)
            except WantedSecretError as wanted:
                before = self._engine.secrets.supplied().get(wanted.name)
                await self._ask_secrets(wanted.name)
                if self._engine.secrets.supplied().get(wanted.name) == before:
                    raise

    async def _answer(self, asked: Proposal) -> str | None:
        self._say(show.proposal(asked))
        answer = await self._next()
        self._to_ask -= self._to_ask > 0
        if answer is not None and answer == show.wanted(asked):
            return YES if asked.wants == YES else answer
        said = "end of input" if answer is None else "that was not the answer"
        self._out.line(f"{asked.number} not run: {said}")
        return None

    async def _roll_back(self, wanted: str) -> None:
        """Say what would be undone; after a `yes` each way back asks for itself, the next line being its answer."""
        target = find(self._engine.state, wanted, to_do=False)
        planned = plan_rollback(self._engine, target.id)
        number = number_of(self._engine.state, target.id)
        self._asking = True
        try:
            self._say(f"{number} rollback: {clean_line(line)}" for line in plan_lines(self._engine.state, planned))
            self._out.line(f"{number} asks: type yes to begin; each way back asks for itself; any other line does not")
            if await self._next() != "yes":
                self._out.line(f"{number} not rolled back: that was not the answer")
                return
            self._to_ask = len(planned.undos)
            await roll_back(self._engine, planned, self._answer, self._until_idle)
        finally:
            self._asking, self._to_ask = False, 0
        self._follow_cursor()

    async def _recheck(self) -> None:
        """Say what the step's recheck says; where that is done, `yes` as the next line marks it so."""
        action = self._cursor
        said = await self._engine.recheck(action)
        number = number_of(self._engine.state, action)
        self._say(show.recheck(said, number))
        if not said.done or self._engine.allowed(action)[Verb.DONE]:
            return
        self._out.line(f"{number} asks: type yes to mark it done with that as the note; any other line does not")
        if await self._next() != "yes":
            self._out.line(f"{number} not marked done: that was not the answer")
            return
        await self._engine.mark_done(action, said.note)

    async def _clean(self) -> None:
        """Say what would be removed from the hosts; remove it when the next line is `yes`."""
        cleaning = self._engine.cleaning
        if why := cleaning.refusal():
            raise Refused(why)
        self._say(show.cleaning(cleaning.plan()))
        if await self._next() != "yes":
            self._out.line("nothing was removed: that was not the answer")
            return
        self._say(f"clean {clean_line(line)}" for line in await cleaning.clean())

    async def _reload(self) -> None:
        """Show what the edited file would change, and adopt it when the next line is `yes`."""
        planned = self._engine.plan_reload()
        self._say(show.reload(planned))
        if await self._next() != "yes":
            self._out.line("not reloaded: that was not the answer")
            return
        await self._engine.reload(planned)
        self._out.line("the edited runbook is adopted")
        state = self._engine.state
        self._move(now_standing(state.runbook, self._cursor) or next_action(state))

    # ---- lines

    async def _next(self) -> str | None:
        """Give the next line in its turn; meanwhile obey those that act at once while an action runs."""
        while True:
            if self._engine.activity is None:
                if self._held:
                    return self._held.popleft()
                if self._ended:
                    return None
            await self._listen()

    async def _until_idle(self) -> None:
        """Wait for the end of what runs; meanwhile obey what acts at once."""
        while self._engine.activity is not None:
            await self._listen()

    async def _listen(self) -> None:
        await self._wait()
        if self._reading is not None and self._reading.done():
            line = self._reading.result()
            self._reading, self._prompted = None, False
            await self._read(line)

    async def _wait(self) -> None:
        """Wait for a line, or for the end of what runs."""
        waiting: set[asyncio.Task[str | None] | asyncio.Task[None]] = set()
        private = asyncio.create_task(self._typed_over()) if self._private.locked() else None
        if private is not None:
            waiting.add(private)
        elif not self._ended and len(self._held) < _HELD:
            if self._reading is None:
                self._reading = asyncio.create_task(self._lines.next())
            waiting.add(self._reading)
        idle = asyncio.create_task(self._engine.idle()) if self._engine.activity is not None else None
        if idle is not None:
            waiting.add(idle)
        elif self._prompt and not self._prompted and private is None:
            self._out.prompt(self._prompt)
            self._prompted = True
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (idle, private):
                if one is not None:
                    one.cancel()

    async def _typed_over(self) -> None:
        """Wait until the line that is being typed belongs to nobody else."""
        async with self._private:
            pass

    async def _read(self, line: str | None) -> None:
        """Take a line, unless it was begun for a question that is gone: it may be a password."""
        if self._unwanted and line is not None:
            self._out.line("the line was not taken: it was begun for a question that is gone")
        else:
            await self._take(line)
        self._unwanted = False

    async def _take(self, line: str | None) -> None:
        """Keep a line for its turn, or obey it at once."""
        if line is None:
            self._ended = True
            return
        line = line.strip()
        if self._to_ask:
            self._unanswered = len(self._held) < self._to_ask
        elif not self._held:
            self._unanswered = False
        if self._engine.activity is None or not acts_at_once(line):
            self._unanswered = asks(line) and not self._unanswered
            self._held.append(line)
            return
        if self._unanswered:
            # Whether a line answers a confirmation must not depend on how fast the action before it was.
            self._out.line("the confirmation that waits will not be answered by what comes after this")
            self._held.append("")
            self._unanswered = False
        try:
            await self._act(understand(line))
        except NotAnOrderError as error:
            self._out.line(f"not understood: {clean_line(str(error))}")

    # ---- where we are

    def _follow_cursor(self) -> None:
        """When the current action came to an end of some kind, go to the next open one and say where we are."""
        if not self._cursor or self._asking:
            return
        state = self._engine.state
        here = now_standing(state.runbook, self._cursor)
        if here is None:
            return
        if here.id != self._cursor:
            self._move(here)
            return
        status = standing(state, here)
        if status is self._cursor_was:
            return
        self._cursor_was = status
        if status in SETTLED:
            following = next_action(state, after=self._cursor)
            if following is not None:
                self._move(following)
        elif status is not Status.RUNNING:
            self._say_where("now")

    def _move(self, action: Action | None) -> None:
        if action is None:
            self._out.line("this runbook has no steps")
            return
        self._cursor = action.id
        self._cursor_was = standing(self._engine.state, action)
        self._say_where("next")

    def _say_where(self, word: str) -> None:
        action = self._engine.state.runbook.action(self._cursor)
        if action is not None:
            self._say(show.here(self._engine.state, action, word))

    def _go(self, wanted: str) -> None:
        """Make another action the current one: by an action's or a step's number or id."""
        state = self._engine.state
        if not wanted:
            self._say(show.steps(state))
            return
        self._move(find(state, wanted, to_do=True))

    def _status(self) -> None:
        state = self._engine.state
        self._say(show.status(state, self._engine.activity))
        action = state.runbook.action(self._cursor)
        step = state.runbook.step(action.step) if action else None
        if action is not None and step is not None:
            self._say_where("now")
            number = number_of(state, action.id)
            verbs = [verb for verb, why in self._engine.allowed(action.id).items() if not why]
            self._out.line(f"{number} allowed: {', '.join(verbs) or 'nothing'}")
            self._say(show.step_text(step, number))

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._out.line(line)
