"""An address that moved: from then on every role has to show its own key on a new connection (PROMISES.md 3.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.applies import host_of
from runbook_tui.core.model import LOCAL, Action, ActionKind, Hold, HoldCode
from runbook_tui.core.pins import remote
from runbook_tui.core.run import Rebound, RunState, Status

if TYPE_CHECKING:
    from runbook_tui.core.model import HostName


def roles(state: RunState) -> tuple[HostName, ...]:
    """Give the remote roles that the run has to do with: known by their key, or with something to do."""
    busy = {host_of(state, action) for action in state.runbook.actions()}
    return tuple(name for name in remote(state) if name in state.pins or name in busy)


def moved(state: RunState, record: ev.Record) -> RunState:
    """Take in that an action that moves an address came to an end, however it ended: what it did is done."""
    action = state.runbook.action(getattr(record.event, "action", ""))
    if action is None or not action.rebinds or not _ends(record.event):
        return state
    return replace(state, rebound=Rebound(action.id, record.seq, frozenset(roles(state))))


def _ends(event: ev.Event) -> bool:
    match event:
        case ev.Finished(outcome=outcome):
            return outcome != ev.Outcome.VERIFYING
        case ev.Reconciled(state=status):
            return status not in {Status.RUNNING, Status.NOT_RUN}
        case ev.Lost() | ev.Stopped() | ev.MarkedDone():
            return True
        case _:
            return False


def seen(state: RunState, host: str) -> RunState:
    """Take in that a role showed its own key, or need not."""
    if state.rebound is None:
        return state
    return replace(state, rebound=replace(state.rebound, waiting=state.rebound.waiting - {host}))


def waiting(state: RunState) -> tuple[HostName, ...]:
    """Give the roles that have not shown their own key since an address moved, in the runbook's order."""
    if state.rebound is None:
        return ()
    return tuple(name for name in state.hosts if name in state.rebound.waiting)


def rebound_holds(state: RunState, action: Action, kind: ActionKind) -> list[Hold]:
    """Hold back what runs on a host until every role showed its own key.

    What moves the address may be done again: that can be the only way to reach a host.
    """
    roles_ = waiting(state)
    if not roles_ or state.rebound is None or action.rebinds or kind not in {ActionKind.COMMAND, ActionKind.FILE}:
        return []
    if host_of(state, action) == LOCAL and not action.verifies:
        return []
    by = state.runbook.action(state.rebound.action)
    step = state.runbook.step(by.step) if by is not None else None
    where = f" with {step.number}" if step is not None else ""
    keys = "must show their own keys" if len(roles_) > 1 else "must show its own key"
    why = f"an address moved{where}: {' and '.join(roles_)} {keys} on a new connection first"
    return [Hold(HoldCode.REBOUND, why, " ".join(roles_))]
