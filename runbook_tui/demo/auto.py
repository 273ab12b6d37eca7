"""The scripted operator of `demo --auto`: confirms every step through the engine, then reconciles every mail."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from runbook_tui.core.applies import not_for, step_settled
from runbook_tui.core.errors import Refused, RunbookTuiError
from runbook_tui.core.events import Settlement
from runbook_tui.core.model import ActionKind, HoldCode
from runbook_tui.core.run import SETTLED, Status, Verb
from runbook_tui.core.settle import effective, holds, value_problem
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import next_action, number_of, word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.core.model import Action
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.demo.control import WorldClient
    from runbook_tui.demo.ledger import Report
    from runbook_tui.demo.mistakes import Mistake
    from runbook_tui.engine import Engine

OPERATOR = "scripted operator"
GREEN_WITHIN = 60.0
"""Real seconds for the checks of a step that is done by hand."""
QUEUES_RETRY = 900.0
"""World seconds after which every deferred mail has been tried again."""


class ScriptedOperator:
    """A front end without a person. `report` is what was counted; None before that, or when it could not be."""

    def __init__(
        self, engine: Engine, world: WorldClient, choices: Mapping[str, str], mistake: Mistake | None,
        *, say: Callable[[str], None], progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Make it. `choices` answers every group of alternatives; `say` takes the report, `progress` a line a step."""
        self._engine = engine
        self._world = world
        self._choices = choices
        self._mistake = mistake
        self._say = say
        self._progress = progress
        self.report: Report | None = None
        self.failed = False

    @property
    def broken(self) -> bool:
        """False: a fault is raised."""
        return False

    async def run(self) -> str:
        """Walk through the runbook, then count; a step that fails ends the walk, not the count."""
        await self._engine.consent()
        try:
            await self._walk()
        except RunbookTuiError as error:
            self._failed(str(error))
        self.report = await self._world.reconcile()
        for line in self.report.lines():
            self._say(line)
        await self._leave_in_transcript(self.report)
        return "quit"

    async def interrupt(self) -> bool:
        """Leave at once."""
        return False

    def close(self, why: str) -> None:
        """Say nothing more."""

    # ---- the walk

    async def _walk(self) -> None:
        engine = self._engine
        while (action := next_action(engine.state)) is not None:
            if why := self._left_out(action):
                await engine.skip(action.id, why)
            else:
                await self._do(action, Verb.CONFIRM)
            for late in self._due(action):
                await self._do(late, Verb.RETRY)

    def _left_out(self, action: Action) -> str:
        mistake = self._mistake
        if mistake is None:
            return ""
        if action.step in mistake.left_out:
            return f"the mistake {mistake.name}: left out"
        if action.step in mistake.late:
            return f"the mistake {mistake.name}: done too late"
        return ""

    def _due(self, action: Action) -> list[Action]:
        """Give what a mistake put off until the step of this action is settled, when it just was."""
        state, mistake = self._engine.state, self._mistake
        step = state.runbook.step(action.step)
        if mistake is None or step is None or not step_settled(state, step):
            return []
        put_off = [late for late, after in mistake.late.items() if after == action.step]
        return [a for a in state.runbook.actions() if a.step in put_off and state.of(a.id).status is Status.SKIPPED]

    async def _do(self, action: Action, verb: Verb) -> None:
        engine, mistake = self._engine, self._mistake
        await self._answer_holds(action)
        if not_for(engine.state, action):
            return
        now = effective(engine.state, action)
        if now.kind in {ActionKind.MANUAL, ActionKind.INTERACTIVE}:
            await engine.mark_done(action.id, "in the rehearsal there is nothing to be done by hand")
            await self._see_settled(action)
            return
        edited = None
        if mistake is not None and action.step in mistake.rewritten:
            verb, edited = Verb.EDIT, mistake.written(action.step, now.text)
        if mistake is not None and verb is Verb.RETRY:
            await self._linger(mistake.lingers)
        proposal = await self._confirmed(action, verb, edited)
        if now.kind is ActionKind.WAIT:
            await self._sit_out(action)
        await engine.idle()
        await self._judge(action, proposal)

    async def _see_settled(self, action: Action) -> None:
        """Wait until the checks of what was marked done are green.

        Raises:
            Refused: they are not, for long.
        """
        changed = asyncio.Event()
        forget = self._engine.subscribe(changed.set)
        try:
            async with asyncio.timeout(GREEN_WITHIN):
                while self._engine.state.of(action.id).status not in SETTLED:
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            said = [f"{name} {look.state}: {look.said}" for name, look in self._engine.state.looks.items()]
            raise Refused(f"{action.title}: its checks are not green", "\n".join(said)) from None
        finally:
            forget()

    async def _confirmed(self, action: Action, verb: Verb, edited: str | None) -> Proposal:
        """Look at what would run and confirm it; a gate that turned red in between is answered like any other."""
        while True:
            await self._answer_holds(action)
            try:
                proposal = await self._engine.propose(action.id, verb, edited)
                await self._engine.confirm(proposal, proposal.wants)
            except Refused:
                if not self._gated(action):
                    raise
            else:
                return proposal

    def _gated(self, action: Action) -> bool:
        return any(hold.code is HoldCode.GATE for hold in holds(self._engine.state, action))

    async def _linger(self, longest: float) -> None:
        """Let a mistake work: every queue tries again, and real time passes until a mail has bounced."""
        await self._world.advance(QUEUES_RETRY)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                while not (await self._world.look()).mails.bounced:  # noqa: ASYNC110 -- the world tells nobody by itself
                    await asyncio.sleep(0.2)

    async def _judge(self, action: Action, proposal: Proposal) -> None:
        """Go on when it is done; else stop, or go on all the same where that is the mistake."""
        state = self._engine.state
        status = state.of(action.id).status
        self._progress(f"{number_of(state, action.id)} {word(status)}: {action.title}")
        if status in SETTLED:
            return
        attempt = state.attempts[proposal.attempt]
        if self._mistake is not None:
            await self._engine.skip(action.id, f"the mistake {self._mistake.name}: went on all the same")
            return
        told, _ = self._engine.feed(attempt.id).since(0)
        said = "".join(f"\n    | {clean_line(line)}" for line in told[-12:])
        raise Refused(f"{number_of(state, action.id)} {action.title}: {word(status)}, {attempt.reason}{said}")

    async def _answer_holds(self, action: Action) -> None:
        """Settle what a person would be asked; every answer is in the transcript."""
        engine = self._engine
        if self._gated(action):
            await self._wait_for_the_world()
        if self._gated(action):  # live checks may have lifted it meanwhile
            await engine.override(action.id, "the scripted operator let every cached answer run out and went on")
        for hold in holds(engine.state, action):
            match hold.code:
                case HoldCode.WHEN:
                    await engine.settle(action.id, Settlement.WHEN, "yes")
                case HoldCode.ALT:
                    await engine.settle(action.id, Settlement.ALT, self._choices[hold.subject])
                case HoldCode.LITERAL:
                    await engine.settle(action.id, Settlement.LITERAL, self._read_off(hold.subject), hold.subject)
                case _:
                    continue

    def _read_off(self, text: str) -> str:
        """Give a value as a person would: from the newest output, the line that can stand for the literal."""
        state = self._engine.state
        literal = next(lit for lit in state.runbook.literals if lit.text == text)
        for attempt in reversed(tuple(state.attempts)):
            lines, _ = self._engine.feed(attempt).since(0)
            if value := next((line for line in lines if not value_problem(literal, line)), ""):
                return value
        raise Refused(f"{text} has no value, and nothing that was printed can stand for it")

    async def _wait_for_the_world(self) -> None:
        """Do what a gate on DNS waits for: let every TTL that runs now run out."""
        for _ in range(len((await self._world.look()).resolvers) * 3):
            view = await self._world.look()
            if view.next_expiry is None:
                return
            await self._world.fast_forward()

    async def _sit_out(self, action: Action) -> None:
        attempt = self._engine.state.last_attempt(action.id)
        while attempt is not None and attempt.open and attempt.until is not None:
            view = await self._world.look()
            await self._world.advance(max(1.0, attempt.until.timestamp() - view.now + 1))
            await asyncio.sleep(0.02)
            attempt = self._engine.state.last_attempt(action.id)

    def _failed(self, why: str) -> None:
        self.failed = True
        self._say(f"stopped: {why}")

    # ---- the end

    async def _leave_in_transcript(self, report: Report) -> None:
        calls = await self._world.calls()
        stand_ins = ", ".join(f"{name} {count}" for name, count in sorted(calls.items())) or "none"
        await self._engine.note("", f"Stand-ins used, and how often: {stand_ins}.")
        await self._engine.note("", "Reconciled: " + "; ".join(report.lines()))
