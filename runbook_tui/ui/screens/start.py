"""The start screen: what this run is, where it was left, and what would be contacted before anything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.core.run import SETTLED, Status
from runbook_tui.core.verbs import next_action, number_of, progress
from runbook_tui.ui import describe
from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.words import DRIFT_GLYPH, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from textual.widget import Widget

    from runbook_tui.core.run import RunState
    from runbook_tui.ui.rhythm import Rhythm

RECENT = 5
"""How many of the last settled actions are named."""


class StartScreen(AskScreen):
    """Asks once for what is contacted without a further question; after a pause it first says how things stand."""

    def __init__(self, state: RunState, consent: Sequence[str], drift: Mapping[str, str], rhythm: Rhythm) -> None:
        back = bool(state.resumes)
        heading = Content.assemble(
            ("Coming back  " if back else "Starting  ", "bold $primary"), untrusted_line(state.runbook.title, "bold")
        )
        super().__init__(
            rhythm, heading, yes="Start" if consent else "Go on", no="Not now" if consent else "Close"
        )
        self._state = state
        self._consent = consent
        self._drift = drift

    def body(self) -> Iterable[Widget]:
        """Give how things stand, what changed, what would be contacted."""
        if self._state.resumes:
            yield Static(Content("\n").join(standing(self._state)), classes="facts", id="standing")
        if self._drift:
            yield Static("The runbook file changed since; this run goes on with its own copy", classes="section")
            yield Static(_drift_lines(self._state, self._drift), classes="facts", id="drift")
        if self._consent:
            yield Static("What starts now, without a further question", classes="section")
            lines = Content("\n").join(Content.assemble(("· ", "$muted"), untrusted_line(c)) for c in self._consent)
            yield Static(lines, classes="facts", id="consent")
            yield Static(
                Content.styled("Nothing else is sent before you confirm it, step by step.", "$muted"), classes="facts"
            )


def standing(state: RunState) -> list[Content]:
    """Say what was done, what was open and how it ended, what is next; one line each."""
    settled, total = progress(state)
    left = f" It was left: {state.paused}." if state.paused else ""
    lines = [Content.assemble(f"{settled} of {plural(total, 'step')} done.", untrusted_line(left))]
    known = [a for a in state.runbook.actions() if state.of(a.id).at is not None]
    recent = sorted((a for a in known if state.of(a.id).status in SETTLED), key=lambda a: str(state.of(a.id).at))
    for action in recent[-RECENT:]:
        at = state.of(action.id).at
        when = f"{at:%Y-%m-%d %H:%M} UTC  " if at else ""
        lines.append(_line(state, action.id, action.title, when))
    for action in known:
        now = state.of(action.id)
        if now.status in {*describe.RESULTS, Status.RUNNING, Status.UNDONE}:
            why = Content.assemble(": ", untrusted_line(now.reason)) if now.reason else Content("")
            lines.append(Content.assemble(_line(state, action.id, action.title, ""), why))
    upcoming = next_action(state)
    if upcoming is None:
        lines.append(Content("Every step is settled."))
    else:
        number = number_of(state, upcoming.id)
        lines.append(Content.assemble(("Next: ", "bold"), f"{number} ", untrusted_line(upcoming.title)))
    return lines


def _line(state: RunState, action_id: str, title: str, when: str) -> Content:
    sign = describe.status_sign(state.of(action_id).status)
    return Content.assemble("  ", when, sign, f"  {number_of(state, action_id)} ", untrusted_line(title))


def _drift_lines(state: RunState, drift: Mapping[str, str]) -> Content:
    lines = []
    for step_id, word in drift.items():
        step = state.runbook.step(step_id)
        name = f"{step.number} {step.title}" if step else step_id
        lines.append(Content.assemble((f"{DRIFT_GLYPH.get(word, '≠')} {word}  ", "$warning"), untrusted_line(name)))
    return Content("\n").join(lines)
