"""The scripted operator of `demo --auto`: confirms every step through the engine, then reconciles every mail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core.errors import RunbookTuiError
from runbook_tui.core.events import Settlement
from runbook_tui.core.model import ActionKind, HoldCode
from runbook_tui.core.run import SETTLED, Status, Verb
from runbook_tui.core.settle import effective, holds
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import next_action, number_of, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.model import Action
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.demo.control import WorldClient
    from runbook_tui.demo.ledger import Report
    from runbook_tui.demo.mistakes import Mistake
    from runbook_tui.engine import Engine

OPERATOR = "scripted operator"


class ScriptedOperator:
    """A front end without a person. `report` is what was counted; None before that, or when it could not be."""

    def __init__(
        self, engine: Engine, world: WorldClient, mistake: Mistake | None, say: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._world = world
        self._mistake = mistake
        self._say = say
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
            why = self._left_out(action)
            if why:
                await engine.skip(action.id, why)
            else:
                await self._do(action, Verb.CONFIRM)
            if self.failed:
                return
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
        state = self._engine.state
        step = state.runbook.step(action.step)
        if self._mistake is None or step is None or any(state.of(a.id).status not in SETTLED for a in step.actions):
            return []
        put_off = [late for late, after in self._mistake.late.items() if after == action.step]
        return [a for a in state.runbook.actions() if a.step in put_off and state.of(a.id).status is Status.SKIPPED]

    async def _do(self, action: Action, verb: Verb) -> None:
        engine = self._engine
        await self._answer_holds(action)
        now = effective(engine.state, action)
        if now.kind in {ActionKind.MANUAL, ActionKind.INTERACTIVE}:
            await engine.mark_done(action.id, "in the rehearsal there is nothing to be done by hand")
            return
        proposal = await engine.propose(action.id, verb)
        await engine.confirm(proposal, proposal.wants)
        if now.kind is ActionKind.WAIT:
            await self._sit_out(action)
        await engine.idle()
        self._judge(action, proposal)

    async def _answer_holds(self, action: Action) -> None:
        """Settle what a person would be asked; every answer is in the transcript."""
        engine = self._engine
        if any(hold.code is HoldCode.GATE for hold in holds(engine.state, action)):
            await self._wait_for_the_world()
            await engine.override(action.id, "the scripted operator let every cached answer run out and went on")
        for hold in holds(engine.state, action):
            match hold.code:
                case HoldCode.WHEN:
                    await engine.settle(action.id, Settlement.WHEN, "yes")
                case HoldCode.ALT:
                    await engine.settle(action.id, Settlement.ALT, hold.subject)
                case _:
                    continue

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

    def _judge(self, action: Action, proposal: Proposal) -> None:
        state = self._engine.state
        status = state.of(action.id).status
        if status in SETTLED:
            return
        attempt = state.attempts[proposal.attempt]
        last = [clean_line(line.text) for line in self._engine.feed(attempt.id).lines()][-12:]
        said = "".join(f"\n    | {line}" for line in last)
        self._failed(f"{number_of(state, action.id)} {action.title}: {word(status)}, {attempt.reason}{said}")

    def _failed(self, why: str) -> None:
        self.failed = True
        self._say(f"stopped: {why}")

    # ---- the end

    async def _leave_in_transcript(self, report: Report) -> None:
        calls = await self._world.calls()
        stand_ins = ", ".join(f"{name} {count}" for name, count in sorted(calls.items())) or "none"
        await self._engine.note("", f"Stand-ins used, and how often: {stand_ins}.")
        await self._engine.note("", "Reconciled: " + "; ".join(report.lines()))
