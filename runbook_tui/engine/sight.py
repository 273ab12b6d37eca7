"""What a live check may know and use while it looks: connections, network, passwords, and where the run stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.run import CheckLook, Status
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import next_action
from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from runbook_tui.checks.view import CheckView
    from runbook_tui.core.run import RunState
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock, Hosts, Net, Secrets


@dataclass(frozen=True, slots=True)
class RunSight:
    """The sight of one run: its parts stay, what it says of the run is asked anew each time."""

    recorder: Recorder
    clock: Clock
    hosts: Hosts
    net: Net
    secrets: Secrets
    asked: bool = False

    @property
    def phase(self) -> str:
        """The name of the phase of the action that runs, or else of the first that is not settled."""
        return phase_of(self.recorder.state)

    @property
    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return self.clock.now()

    @property
    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self.clock.monotonic()

    def state_of(self, action_id: str) -> Status:
        """Give where an action stands; what is not there is `todo`."""
        return self.recorder.state.of(action_id.removeprefix("#")).status

    def done_at(self, action_id: str) -> datetime | None:
        """Give when an action came to its good end, by itself or by hand; None when it did not."""
        found = self.recorder.state.of(action_id.removeprefix("#"))
        return found.at if found.status in {Status.DONE, Status.BY_HAND} else None


def phase_of(state: RunState) -> str:
    """Give the name of the phase the walk is in: that of what runs, or of the first action that is not settled.

    When all is settled it is the phase of the last action.
    """
    running = state.running
    action = state.runbook.action(running.action) if running is not None else next_action(state)
    if action is None:
        action = next(reversed(tuple(state.runbook.actions())), None)
    phase = state.runbook.phase_of(action.step) if action is not None else None
    return phase.name if phase is not None else ""


def looks(views: Iterable[CheckView]) -> dict[str, CheckLook]:
    """Give what the checks that can be measured say, for the gates on them; one that cannot says nothing."""
    return {
        view.name: CheckLook(view.state, _said(view), view.since, view.eta, view.looked is not None)
        for view in views if view.measured
    }  # fmt: skip


def _said(view: CheckView) -> str:
    said = clean_line(view.value)
    if view.state is not CheckState.UNKNOWN or view.known_at is None:
        return said
    return f"{said}; at {view.known_at:%H:%M:%S} UTC it was {view.known_state}: {clean_line(view.known)}"
