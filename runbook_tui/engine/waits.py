"""Waits: they count down by the wall clock, also while the program, or the laptop, sleeps."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.proposal import Proposal
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock

LONGEST_NAP = 30.0
"""Seconds between looks at the wall clock."""


class Waits:
    """Begins and ends waits; `ended` is called after each end."""

    def __init__(self, recorder: Recorder, clock: Clock, ended: Callable[[], None]) -> None:
        self._recorder = recorder
        self._clock = clock
        self._ended = ended

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

    async def count_down(self, attempt_id: str) -> None:
        """See one wait to its end: its time, or the operator who leaves it early."""
        while (attempt := self._recorder.state.attempts[attempt_id]).open and attempt.until is not None:
            left = (attempt.until - self._clock.now()).total_seconds()
            if left > 0:
                await self._clock.sleep(min(left, LONGEST_NAP))
                continue
            seconds = (self._clock.now() - attempt.confirmed_at).total_seconds()
            self._recorder.happened(
                ev.Finished(action=attempt.action, attempt=attempt_id, outcome=ev.Outcome.DONE, seconds=seconds)
            )
            self._ended()
            return
