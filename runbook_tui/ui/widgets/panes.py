"""The panes around the output: header, current step, checks, and the lines they collapse to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static

from runbook_tui.core.settle import shown_status
from runbook_tui.core.verbs import number_of, progress
from runbook_tui.ports import CheckState
from runbook_tui.ui import describe
from runbook_tui.ui.prose import ProseParser, has_prose, prose_parser, prose_source
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.widgets.fitted import Fitted
from runbook_tui.ui.words import CHECK, DRIFT_GLYPH, clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markdown_it import MarkdownIt
    from textual.app import ComposeResult

    from runbook_tui.core.model import Action, Step
    from runbook_tui.core.run import RunState
    from runbook_tui.engine import CheckView
    from runbook_tui.ui.describe import Seen
    from runbook_tui.ui.widgets.steps import Spot


def spread(left: Content, right: Content, width: int) -> Content:
    """Put two texts on one line, the right one at the edge; the left one gives way."""
    room = max(0, width - right.cell_length - 2)
    if left.cell_length > room:
        left = left.truncate(room, ellipsis=True)
    gap = max(1, width - left.cell_length - right.cell_length)
    return Content.assemble(left, " " * gap, right)


class HeaderBar(Static):
    """One line: what runs through, between which hosts, how far it is."""

    def show(
        self, state: RunState, step: Step | None, elapsed: float, *, read_only: bool, trouble: str
    ) -> None:  # fmt: skip
        """Draw the line anew."""
        settled, total = progress(state)
        names = [str(n) for n in state.hosts if n != "local"] or ["local"]
        hosts = Content.styled(" → " if len(names) == 2 else ", ", "$muted").join(
            describe.host(n, names) for n in names
        )
        phase = state.runbook.phase_of(step.id) if step else None
        left = Content.assemble((" mailrunbook ", "bold $primary"), " ", untrusted_line(state.runbook.title, "bold"))
        parts: list[Content | str | tuple[str, str]] = []
        if trouble:
            parts += [("the journal can not be written", "bold $error"), " · "]
        if state.rehearsal:
            parts += [("REHEARSAL", "bold $warning"), " · "]
        if read_only:
            parts += [("read-only", "$warning"), " · "]
        parts += [f"{settled}/{total} steps done"]
        if phase is not None and self.size.width >= 100:
            parts += [(" · ", "$muted"), untrusted_line(f"{phase.number} {phase.title}".strip())]
        parts += [(" · ", "$muted"), clock(elapsed), " "]
        right = Content.assemble(*parts)
        if left.cell_length + hosts.cell_length + right.cell_length + 5 <= self.size.width:
            left = Content.assemble(left, "   ", hosts)
        self.update(spread(left, right, self.size.width))


class StepLine(Static):
    """What the list of steps collapses to: the chosen step and its state on one line."""

    def show(self, state: RunState, here: Spot | None) -> None:
        """Draw the line anew."""
        if here is None:
            self.update("")
            return
        number = number_of(state, here.action.id) if here.action else here.step.number
        sign = describe.spot_sign(state, here.step, here.action)
        left = Content.assemble((" ▶ ", "$primary"), (number, "bold"), "  ", untrusted_line(here.step.title))
        danger = here.action is not None and here.action.danger
        mark = Content.styled("DANGER  ", "bold $error") if danger else Content("")
        if here.action is not None and here.action.no_return:
            mark = Content.styled("NO RETURN  ", "bold $error")
        right = Content.assemble(mark, describe.signed(sign), ("   Tab next pane ", "$muted"))
        self.update(spread(left, right, self.size.width))


class StepPane(VerticalScroll, can_focus=True):
    """The chosen step: title, what its last attempt came to, prose, and each action with what it would do."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's own name
        super().__init__(id=id)
        self._prose_of: tuple[str, str] | None = None
        self._step: Step | None = None
        self._top: str = ""

    def compose(self) -> ComposeResult:
        """Title, result, prose, actions."""
        yield Static(id="step-title")
        yield Static(id="step-result")
        yield Markdown(id="prose", parser_factory=self._parser, open_links=False)
        yield Fitted(id="actions")

    def _parser(self) -> MarkdownIt:
        return prose_parser(self._step) if self._step else ProseParser("", frozenset())

    def show(
        self, seen: Seen, step: Step | None, action: Action | None, drift: str, refused: Mapping[str, str]
    ) -> None:  # fmt: skip
        """Draw the step anew; its prose only when it is another one."""
        if step is None:
            self.query_one("#step-title", Static).update(Content("The runbook has no steps."))
            return
        self._step = step
        self.query_one("#step-title", Static).update(self._title(seen, step, drift))
        found = describe.result(seen, action) if action else None
        note = self.query_one("#step-result", Static)
        note.display = found is not None
        if found is not None and action is not None:
            status = shown_status(seen.state, action)
            if tip := describe.advice(status, refused):
                found = Content.assemble(found, "\n", (tip, "$muted"))
            note.update(found)
            note.set_class(status in describe.RESULTS, "-wrong")
        self.query_one("#actions", Fitted).update(lambda width: self._actions(seen, step, action, width))
        self.set_class(any(a.danger or a.no_return for a in step.actions), "-danger")
        self._show_prose(step)
        if action is not None and self._top != action.id:
            self._top = action.id
            self.call_after_refresh(self.scroll_to, y=0, animate=False)

    def prefer_actions(self, first: bool) -> None:
        """Put the actions above the prose, where there is little room, or below it."""
        prose, actions = self.query_one("#prose"), self.query_one("#actions")
        if first != (self.children.index(actions) < self.children.index(prose)):
            (self.move_child(actions, before=prose) if first else self.move_child(actions, after=prose))

    def _show_prose(self, step: Step) -> None:
        if self._prose_of == (step.id, step.source):
            return
        self._prose_of = (step.id, step.source)
        prose = self.query_one("#prose", Markdown)
        prose.display = has_prose(step)
        prose.update(prose_source(step))

    @staticmethod
    def _title(seen: Seen, step: Step, drift: str) -> Content:
        parts: list[Content | str | tuple[str, str]] = [
            (step.number, "bold $primary"), "  ", untrusted_line(step.title, "bold"),
        ]  # fmt: skip
        if any(a.danger for a in step.actions):
            parts += ["   ", ("DANGER", "bold $error")]
        if any(a.no_return for a in step.actions):
            parts += ["   ", ("POINT OF NO RETURN", "bold $error")]
        parts += ["   ", describe.signed(describe.step_sign(seen.state, step))]
        if drift:
            parts += ["   ", (f"{DRIFT_GLYPH.get(drift, '≠')} {drift} in the file since", "$warning")]
        lines = [Content.assemble(*parts)]
        lines += [Content.assemble(("! ", "$warning"), untrusted_line(warning)) for warning in step.warnings]
        return Content("\n").join(lines)

    @staticmethod
    def _actions(seen: Seen, step: Step, chosen: Action | None, width: int) -> Content:
        blocks = []
        for action in step.actions:
            here = chosen is not None and action.id == chosen.id
            head = describe.action_head(seen, action, width, chosen=here)
            if here:
                head = Content.assemble(head, "\n", describe.action_body(seen, action, width))
                head = head if action is step.actions[-1] else Content.assemble(head, "\n")
            blocks.append(head)
        if not blocks:
            return Content.styled("Nothing to run here. Read it and go on.", "$muted")
        return Content("\n").join(blocks)


class ChecksPane(VerticalScroll, can_focus=True):
    """The live checks, one a line."""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(id="checks-text")

    def show(self, checks: Sequence[CheckView], *, consented: bool) -> None:
        """Draw them anew."""
        text = self.query_one("#checks-text", Static)
        if not checks:
            text.update(Content.styled("This runbook has no live checks.", "$muted"))
        elif not consented:
            text.update(Content.styled("The checks start when you agree to them on the start screen.", "$muted"))
        else:
            width = max(len(c.label or c.name) for c in checks)
            text.update(Content("\n").join(check_line(c, min(width, 24)) for c in checks))


def check_line(check: CheckView, width: int) -> Content:
    """Give a check's line: glyph, word, label, value."""
    sign = CHECK[check.state]
    label = untrusted_line(check.label or check.name).truncate(width, ellipsis=True, pad=True)
    return Content.assemble(
        (f"{sign.glyph} {sign.word:<8}", sign.style), label, "  ", untrusted_line(check.value or "not looked yet")
    )


def _check_sign(state: CheckState) -> Content:
    return Content.styled(f"{CHECK[state].glyph} {CHECK[state].word} ", CHECK[state].style)


def _brief(check: CheckView) -> Content:
    """Give a check in a few words, with what it saw where that is not well."""
    seen = f": {check.value}" if check.state is not CheckState.PASS and check.value else ""
    name = untrusted_line(check.label or check.name)
    return Content.assemble(_check_sign(check.state), name, untrusted_line(seen, "$muted"))


NAMED = 2
"""Up to so many checks that are well are named on the one line; more are counted."""


def checks_summary(checks: Sequence[CheckView]) -> Content:
    """Give all checks on one line: what is not well first and by name, what is well as a number."""
    if not checks:
        return Content.styled("no live checks", "$muted")
    order = ("FAIL", "UNKNOWN", "WARN", "PENDING", "PASS")
    ranked = sorted(checks, key=lambda c: order.index(c.state.value))
    well = [c for c in ranked if c.state is CheckState.PASS]
    parts = [_brief(check) for check in ranked if check not in well or len(well) <= NAMED]
    if len(well) > NAMED:
        count = f"all {len(well)}" if len(well) == len(ranked) else f"the other {len(well)}"
        parts.append(Content.assemble(_check_sign(CheckState.PASS), count))
    return Content.styled(" · ", "$muted").join(parts)
