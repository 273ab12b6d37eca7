"""The panes around the output: header, current step, and the lines they collapse to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static

from runbook_tui.core.settle import shown_status
from runbook_tui.core.verbs import number_of, progress
from runbook_tui.ui import describe
from runbook_tui.ui.prose import ProseParser, has_prose, prose_parser, prose_source
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.widgets.fitted import Fitted
from runbook_tui.ui.words import DRIFT_GLYPH, clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markdown_it import MarkdownIt
    from textual.app import ComposeResult

    from runbook_tui.core.model import Action, Step
    from runbook_tui.core.run import RunState
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
        self, state: RunState, step: Step | None, elapsed: float, *, mode: str, alarm: str,
        file_changed: bool = False,
    ) -> None:  # fmt: skip
        """Draw the line anew. `mode` is how one sits here where it is not at the verbs, `alarm` what is wrong."""
        settled, total = progress(state)
        names = [str(n) for n in state.hosts if n != "local"] or ["local"]
        hosts = Content.styled(" → " if len(names) == 2 else ", ", "$muted").join(
            describe.host(n, names) for n in names
        )
        phase = state.runbook.phase_of(step.id) if step else None
        left = Content.assemble((" mailrunbook ", "bold $primary"), " ", untrusted_line(state.runbook.title, "bold"))
        parts: list[Content | str | tuple[str, str]] = []
        if alarm:
            parts += [untrusted_line(alarm, "bold $error"), " · "]
        if file_changed:
            parts += [("runbook file changed: l", "$warning"), " · "]
        if state.rehearsal:
            parts += [("REHEARSAL", "bold $warning"), " · "]
        if mode:
            parts += [(mode, "$warning"), " · "]
        parts += [f"{settled}/{total} steps done"]
        if phase is not None and self.size.width >= 100:
            parts += [(" · ", "$muted"), untrusted_line(f"{phase.number} {phase.title}".strip())]
        parts += [(" · ", "$muted"), clock(elapsed), " "]
        right = Content.assemble(*parts)
        if left.cell_length + hosts.cell_length + right.cell_length + 5 <= self.size.width:
            left = Content.assemble(left, "   ", hosts)
        self.update(spread(left, right, self.size.width), layout=False)


class StepLine(Static):
    """What the list of steps collapses to: the chosen step and its state on one line."""

    def show(self, state: RunState, here: Spot | None) -> None:
        """Draw the line anew."""
        if here is None:
            self.update("", layout=False)
            return
        number = number_of(state, here.action.id) if here.action else here.step.number
        sign = describe.spot_sign(state, here.step, here.action)
        left = Content.assemble((" ▶ ", "$primary"), (number, "bold"), "  ", untrusted_line(here.step.title))
        danger = here.action is not None and here.action.danger
        mark = Content.styled("DANGER  ", "bold $error") if danger else Content("")
        if here.action is not None and here.action.no_return:
            mark = Content.styled("NO RETURN  ", "bold $error")
        right = Content.assemble(mark, describe.signed(sign), ("   Tab next pane ", "$muted"))
        self.update(spread(left, right, self.size.width), layout=False)


class StepPane(VerticalScroll, can_focus=True):
    """The chosen step: title, what its last attempt came to, prose, and each action with what it would do."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's own name
        super().__init__(id=id)
        self._prose_of: tuple[str, str] | None = None
        self._step: Step | None = None
        self._top: str = ""

    def compose(self) -> ComposeResult:
        """Title, result, prose, actions."""
        yield Fitted(id="step-title")
        yield Fitted(id="step-result")
        yield Markdown(id="prose", parser_factory=self._parser, open_links=False)
        yield Fitted(id="actions")

    def _parser(self) -> MarkdownIt:
        return prose_parser(self._step) if self._step else ProseParser("", frozenset())

    def show(
        self, seen: Seen, step: Step | None, action: Action | None, drift: str, refused: Mapping[str, str]
    ) -> None:  # fmt: skip
        """Draw the step anew; its prose only when it is another one."""
        if step is None:
            self.query_one("#step-title", Fitted).put(Content("The runbook has no steps."))
            return
        self._step = step
        self.query_one("#step-title", Fitted).put(self._title(seen, step, drift))
        found = describe.result(seen, action) if action else None
        note = self.query_one("#step-result", Fitted)
        note.display = found is not None
        if found is not None and action is not None:
            status = shown_status(seen.state, action)
            if tip := describe.advice(status, refused):
                found = Content.assemble(found, "\n", (tip, "$muted"))
            note.put(found)
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
