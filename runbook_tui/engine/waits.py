"""Waits: they count down by the wall clock, also while the program, or the laptop, sleeps; then `check=` is awaited."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.awaited import by_hand, waiting_for
from runbook_tui.engine.greening import Greening

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbook_tui.checks.watch import Watch
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.core.run import Attempt
    from runbook_tui.engine.host_clocks import HostClocks
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock

LONGEST_NAP = 30.0
"""Seconds between looks at the wall clock."""


class Waits:
    """Begins and ends waits; `ended` is called after each end. `watch` gives the live checks as they are now.

    What was marked done by hand and has a `check=` is a wait without a time: a program that ends meanwhile leaves it
    open in the journal, and the next sitting goes on with it.
    """

    def __init__(
        self, recorder: Recorder, clock: Clock, ended: Callable[[], None], watch: Callable[[], Watch],
        clocks: HostClocks,
    ) -> None:  # fmt: skip
        self._recorder = recorder
        self._clock = clock
        self._ended = ended
        self._watch = watch
        self._clocks = clocks

    def begin(self, proposal: Proposal) -> None:
        """Record that the wait of a confirmed proposal has begun, and until when.

        Raises:
            StateDirError: it cannot be recorded.
        """
        action = self._recorder.state.runbook.action(proposal.action)
        seconds = (action.wait_for if action else None) or 0.0
        until = self._clock.now() + timedelta(seconds=seconds)
        self._recorder.intend(
            ev.Started(action=proposal.action, attempt=proposal.attempt, until=until.isoformat())
        )

    def begin_by_hand(self, action_id: str, attempt: str, note: str, by: str) -> bool:
        """Record that the operator did it and its checks are waited for; give False where there is nothing to wait for.

        Raises:
            StateDirError: it cannot be recorded.
        """
        state = self._recorder.state
        action = state.runbook.action(action_id)
        waits = any(wait.action == action_id for wait in state.waits)
        if action is None or not action.checks or waits or not by_hand(state, action_id):
            return False
        self._recorder.intend(
            ev.Confirmed(
                action=action_id, attempt=attempt, role=ev.Role.RUN, host="", user="", address="", fingerprint="",
                command="", sha256="", by=by, detail=note,
            )
        )  # fmt: skip
        self._recorder.intend(
            ev.Started(action=action_id, attempt=attempt, until=self._clock.now().isoformat())
        )
        return True

    async def count_down(self, attempt_id: str) -> None:
        """See one wait to its end: its time and its checks, or the operator who leaves it early."""
        while (attempt := self._recorder.state.attempts[attempt_id]).open and attempt.until is not None:
            left = (attempt.until - self._clock.now()).total_seconds()
            if left > 0:
                await self._clock.sleep(min(left, LONGEST_NAP))
                continue
            if await self._held_up(attempt):
                await self._clock.sleep(LONGEST_NAP)
                continue
            action = self._recorder.state.runbook.action(attempt.action)
            proofs: tuple[str, ...] = ()
            if action is not None and action.checks and not (proofs := await self._turn_green(attempt, action.checks)):
                return
            self._end(attempt, proofs)
            self._ended()
            return

    async def _held_up(self, attempt: Attempt) -> bool:
        """Say whether it cannot be told yet that its time is over, or somebody ended it meanwhile."""
        why = await self._clocks.objection(attempt)
        now = self._recorder.state.attempts[attempt.id]
        if why and now.open and now.reason != why:
            self._finished(attempt, ev.Outcome.VERIFYING, reason=why)
        return bool(why) or not now.open

    async def _turn_green(self, attempt: Attempt, names: Sequence[str]) -> tuple[str, ...]:
        """Wait for checks, looked at anew; give what they said, nothing when the operator waits no longer."""
        if attempt.reason != waiting_for(names):
            self._finished(attempt, ev.Outcome.VERIFYING, reason=waiting_for(names))
            self._watch().renew(names, "looking again after the step")
        return await Greening(self._watch(), self._recorder).stand_by(
            names, lambda: self._recorder.state.attempts[attempt.id].open
        )

    def _end(self, attempt: Attempt, proofs: tuple[str, ...]) -> None:
        if not by_hand(self._recorder.state, attempt.action):
            self._finished(attempt, ev.Outcome.DONE, proofs)
            return
        self._finished(attempt, ev.Outcome.VERIFYING, proofs, reason=attempt.reason)
        self._recorder.happened(ev.MarkedDone(action=attempt.action, note=attempt.detail, by=attempt.by))

    def _finished(
        self, attempt: Attempt, outcome: ev.Outcome, proofs: tuple[str, ...] = (), reason: str = ""
    ) -> None:  # fmt: skip
        seconds = round((self._clock.now() - attempt.confirmed_at).total_seconds(), 3)
        self._recorder.happened(
            ev.Finished(
                action=attempt.action, attempt=attempt.id, outcome=outcome, seconds=seconds, verifies=proofs,
                reason=reason,
            )
        )  # fmt: skip
