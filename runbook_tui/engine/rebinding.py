"""Has every role show its own key on a new connection once an address moved."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import HoldCode
from runbook_tui.core.rebinding import roles, waiting
from runbook_tui.core.settle import holds

if TYPE_CHECKING:
    from runbook_tui.core.model import Action
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.recorder import Recorder


class Rebinding:
    """Asks the roles; that they answered with their own key is recorded where connections are made."""

    def __init__(self, recorder: Recorder, connections: Connections) -> None:
        self._recorder = recorder
        self._connections = connections
        self._followed = self._seq

    @property
    def _seq(self) -> int:
        rebound = self._recorder.state.rebound
        return rebound.seq if rebound is not None else 0

    @property
    def has_news(self) -> bool:
        """Whether an address moved since this was asked last."""
        before, self._followed = self._followed, self._seq
        return before != self._followed

    async def look(self) -> None:
        """Connect to every role anew; what does not answer stays held, and says why among the hosts."""
        for role in waiting(self._recorder.state):
            with contextlib.suppress(HostError):
                await self._connections.identify(role)

    def holds(self, action: Action) -> bool:
        """Whether the action is held until roles have shown their keys."""
        return any(hold.code is HoldCode.REBOUND for hold in holds(self._recorder.state, action))

    async def require(self, action_id: str) -> None:
        """Have every role known by its key before an address moves, and show that key after it.

        Raises:
            HostError: one is not reached, or is not the one it should be.
        """
        state = self._recorder.state
        action = state.runbook.action(action_id)
        moves = action is not None and action.rebinds
        for role in [role for role in roles(state) if role not in state.pins] if moves else waiting(state):
            await self._connections.identify(role)

    def refuse_unseen(self, action_id: str) -> None:
        """Refuse to run anything while a role has not shown its own key.

        Raises:
            Refused: one has not.
        """
        state = self._recorder.state
        action = state.runbook.action(action_id)
        if action is not None and self.holds(action) and (missing := waiting(state)):
            raise Refused(f"an address moved, and {' and '.join(missing)} did not show the right key yet")

    def excuse(self, reason: str, by: str) -> None:
        """Go on without the roles that cannot be reached any more; before anything runs on one it is still asked.

        Raises:
            Refused: one of them answers, and with another key than its own.
        """
        missing = waiting(self._recorder.state)
        for role in missing:
            if (refusal := self._connections.refusal(role)) is not None:
                whose = f": the key of {refusal.role}" if refusal.role else ""
                raise Refused(f"{role} shows another key than its own{whose}", "See hosts for what it shows.")
        for role in missing:
            self._recorder.intend(ev.HostExcused(host=role, reason=reason, by=by))
