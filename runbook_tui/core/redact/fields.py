"""Which fields of an event are free text, and the event with the secrets taken out of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runbook_tui.core import events as ev

if TYPE_CHECKING:
    from runbook_tui.core.events import Event
    from runbook_tui.core.redact.redactor import Redactor

FREE_TEXT: Final[dict[type[Event], tuple[str, ...]]] = {
    ev.Confirmed: ("command", "written", "detail", "warnings", "gates"),
    ev.Finished: ("reason", "verifies"),
    ev.Lost: ("why",),
    ev.Stopped: ("what",),
    ev.Reconciled: ("why",),
    ev.Skipped: ("reason",),
    ev.MarkedDone: ("note",),
    ev.Noted: ("text",),
    ev.GateOverridden: ("reason", "said"),
    ev.CheckTurned: ("value", "detail"),
    ev.Paused: ("why",),
}
"""What people, hosts and checks said. Names, keys, sums and states are no such text: a run is found by them."""


def redact_event(event: Event, redactor: Redactor) -> Event:
    """Give the event without secrets in its free text; the same one when there are none."""
    changed = {}
    for name in FREE_TEXT.get(type(event), ()) if redactor else ():
        value = getattr(event, name)
        clean = tuple(map(redactor.redact, value)) if isinstance(value, tuple) else redactor.redact(value)
        if clean != value:
            changed[name] = clean
    return replace(event, **changed) if changed else event
