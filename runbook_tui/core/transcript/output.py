"""An attempt's output as a transcript holds it: cut to a sensible length, measured, its gaps named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runbook_tui.core.run import RunState

LONGEST = 2_000
"""Lines of output that a transcript holds whole."""

HEAD, TAIL = 1_000, 500
"""Lines that stay at the beginning and at the end of a longer one."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The stored output of a run's attempts: `text` gives it cleaned, `segments` are as the journal has them."""

    state: RunState
    text: Callable[[str], str]
    segments: dict[str, list[ev.Output]] = field(default_factory=dict)

    def shown(self, attempt: str) -> str:
        """Give the text of an attempt's output, without what is too long or withheld."""
        if self.is_withheld(attempt):
            return ""
        return clean(cut(self.text(attempt), attempt))

    def is_withheld(self, attempt: str) -> bool:
        """Whether the runbook says `.no-log` for the action."""
        action = self.state.runbook.action(self.state.attempts[attempt].action)
        return action is not None and action.no_log

    def gaps(self, attempt: str) -> list[str]:
        """Give a sentence for stored text that is not there any more."""
        stored = max((s.text_offset + s.text_length for s in self.segments.get(attempt, ())), default=0)
        there = len(self.text(attempt).encode())
        return [f"of {stored:,} bytes of stored text only {there:,} are there"] if there < stored else []


def stored(state: RunState, records: Iterable[ev.Record], text: Callable[[str], str]) -> Outputs:
    """Gather the output segments of a run."""
    found = Outputs(state, text)
    for record in records:
        if isinstance(record.event, ev.Output):
            found.segments.setdefault(record.event.attempt, []).append(record.event)
    return found


def cut(text: str, attempt: str) -> str:
    """Give the text whole, or its beginning and end with a word on what is left out between them."""
    lines: Sequence[str] = text.removesuffix("\n").split("\n")
    if len(lines) <= LONGEST:
        return text
    left_out = len(lines) - HEAD - TAIL
    note = f"… {left_out:,} lines left out here, the whole is in output/{attempt}.log"
    return "\n".join([*lines[:HEAD], note, *lines[-TAIL:]]) + "\n"
