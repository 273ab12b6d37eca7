"""The start screen: what this run is, how it stands after a pause, and what would be contacted before anything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.screens.pages import Page
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.words import DRIFT_GLYPH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from textual.widget import Widget

    from runbook_tui.core.returning import Section
    from runbook_tui.core.run import RunState
    from runbook_tui.ui.rhythm import Rhythm

LOOKS_EVERY = 0.5
"""Seconds between looks whether the page after the start has something new to say."""


class StartScreen(AskScreen):
    """Asks once for what is contacted without a further question; after a pause it first says how things stand."""

    def __init__(
        self, state: RunState, consent: Sequence[str], drift: Mapping[str, str], rhythm: Rhythm,
        sections: Sequence[Section] = (),
    ) -> None:  # fmt: skip
        heading = _heading(state, "Coming back" if sections else "Starting")
        super().__init__(
            rhythm, heading, yes="Start" if consent else "Go on", no="Not now" if consent else "Close"
        )
        self._state = state
        self._consent = consent
        self._drift = drift
        self._sections = sections

    def body(self) -> Iterable[Widget]:
        """Give how things stand, what changed, what would be contacted."""
        if self._sections:
            yield Static(sections_text(self._sections), classes="facts", id="standing")
        elif self._drift:
            yield Static("The runbook file changed since: l shows how, and adopts it", classes="section")
            yield Static(_drift_lines(self._state, self._drift), classes="facts", id="drift")
        if self._consent:
            yield Static("What starts now, without a further question", classes="section")
            lines = Content("\n").join(Content.assemble(("· ", "$muted"), untrusted_line(c)) for c in self._consent)
            yield Static(lines, classes="facts", id="consent")
            yield Static(
                Content.styled("Nothing else is sent before you confirm it, step by step.", "$muted"), classes="facts"
            )


class ReturnScreen(Page):
    """The same page once hosts may be asked: it fills with how things ended, and with what the checks say now."""

    def __init__(self, state: RunState, sections: Callable[[], Sequence[Section]]) -> None:
        super().__init__(_heading(state, "Coming back"), classes="-wide")
        self._sections = sections
        self._shown: Sequence[Section] = ()

    def body(self) -> Iterable[Widget]:
        """Give how things stand."""
        yield Static(classes="facts", id="standing")

    def on_mount(self) -> None:
        """Keep it true."""
        self._draw()
        self.set_interval(LOOKS_EVERY, self._draw)

    def _draw(self) -> None:
        sections = self._sections()
        if sections != self._shown:
            self._shown = sections
            self.query_one("#standing", Static).update(sections_text(sections))


def _heading(state: RunState, what: str) -> Content:
    return Content.assemble((f"{what}  ", "bold $primary"), untrusted_line(state.runbook.title, "bold"))


def sections_text(sections: Sequence[Section]) -> Content:
    """Give sections as text: each heading stands before the first of its lines."""
    lines: list[Content] = []
    for section in sections:
        lines.append(Content.styled(section.heading, "bold $warning" if section.alarm else "bold $muted"))
        lines += [Content.assemble("  ", untrusted_line(line)) for line in section.lines]
    return Content("\n").join(lines)


def _drift_lines(state: RunState, drift: Mapping[str, str]) -> Content:
    lines = []
    for step_id, word in drift.items():
        step = state.runbook.step(step_id)
        name = f"{step.number} {step.title}" if step else step_id
        lines.append(Content.assemble((f"{DRIFT_GLYPH.get(word, '≠')} {word}  ", "$warning"), untrusted_line(name)))
    return Content("\n").join(lines)
