"""The list of steps by phase: glyph and word for each, the actions of the chosen one under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from runbook_tui.core.applies import applying, not_for, settled, step_settled
from runbook_tui.core.gates import reopened
from runbook_tui.core.model import PhaseRole
from runbook_tui.core.verbs import number_of
from runbook_tui.ui import describe
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.words import DRIFT_GLYPH, NO_RETURN_GLYPH, NOT_HERE_SIGN, REOPENED_GLYPH, SHORT_WORDS, Sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.core.model import Action, Phase, Step
    from runbook_tui.core.run import RunState


@dataclass(frozen=True, slots=True)
class Spot:
    """A place the cursor can stand on: an action, or a step that has none."""

    step: Step
    action: Action | None

    @property
    def id(self) -> str:
        """What tells spots apart."""
        return self.action.id if self.action else f"step:{self.step.id}"


def spots(state: RunState) -> list[Spot]:
    """Give every place the cursor can stand on, in order."""
    return [Spot(s, a) for s in state.runbook.steps() for a in (s.actions or (None,))]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list. `spot` is None on a phase's line."""

    text: Content
    spot: str | None


class Steps(OptionList, can_focus=True):
    """Shows rows; moving its highlight moves the cursor of the main screen."""

    class Chosen(Message):
        """The operator went to another spot in the list."""

        def __init__(self, spot: str) -> None:
            super().__init__()
            self.spot = spot

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's own name
        super().__init__(id=id, markup=False)
        self._rows: list[Row] = []
        self._here = ""

    def show(self, state: RunState, cursor: Spot | None, drift: Mapping[str, str]) -> None:
        """Draw the rows that changed and put the highlight on the cursor."""
        rows = make_rows(state, cursor, drift, max(20, self.scrollable_content_region.width - 2))
        if rows == self._rows:
            return
        if [r.spot for r in rows] == [r.spot for r in self._rows]:
            for index, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
                if old != new:
                    self.replace_option_prompt_at_index(index, new.text)
        else:
            self.clear_options()
            self.add_options(Option(r.text, disabled=r.spot is None) for r in rows)
        self._rows = rows
        self._here = cursor.id if cursor else ""
        self.highlighted = next((i for i, r in enumerate(rows) if r.spot and r.spot == self._here), None)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Tell the screen where the operator went; not where it put the highlight itself, nor where that was before."""
        event.stop()
        if event.option_index != self.highlighted or event.option_index >= len(self._rows):
            return
        spot = self._rows[event.option_index].spot
        if spot and spot != self._here:
            self.post_message(self.Chosen(spot))


def make_rows(state: RunState, cursor: Spot | None, drift: Mapping[str, str], width: int) -> list[Row]:
    """Give the rows: each phase with how far it is, its steps, and the actions of the step the cursor is on."""
    rows: list[Row] = []
    for phase in state.runbook.phases:
        if phase.role is not PhaseRole.STEPS or not phase.steps:
            continue
        rows.append(Row(_phase_text(state, phase, width), None))
        for step in phase.steps:
            here = cursor is not None and cursor.step.id == step.id
            first = (step.actions[0].id if step.actions else f"step:{step.id}") if len(step.actions) < 2 else None
            spot = first or (None if here else _landing(state, step.actions))
            rows.append(Row(_step_text(state, step, drift.get(step.id, ""), width, here=here), spot))
            if here and len(step.actions) > 1:
                chosen = cursor.action if cursor else None
                rows += [
                    Row(_action_text(state, action, width, here=action is chosen), action.id) for action in step.actions
                ]
    return rows


def _landing(state: RunState, actions: Sequence[Action]) -> str:
    """Give the action one lands on when a step is chosen: its first open one."""
    return next((a.id for a in actions if not settled(state, a)), actions[0].id)


def _phase_text(state: RunState, phase: Phase, width: int) -> Content:
    steps = [s for s in phase.steps if applying(state, s)]
    done = f"{sum(step_settled(state, s) for s in steps)}/{len(steps)}" if steps else ""
    title = untrusted_line(f"{phase.number} {phase.title}".strip(), "bold $secondary")
    return _line(Content.assemble(title), Content.styled(done, "$muted"), width)


def _step_text(state: RunState, step: Step, drift: str, width: int, *, here: bool) -> Content:
    sign = describe.step_sign(state, step)
    mark = Content.styled("▶ ", "$primary") if here else Content("  ")
    number = Content.styled(f"{step.number} ", "" if here else "$muted")
    title = untrusted_line(step.title, _style(here, dimmed=sign is NOT_HERE_SIGN))
    left = Content.assemble(mark, "  " * step.depth, number, title)
    word: Content = _word(sign) if step.actions else Content.styled("read", "$muted")
    if any(action.no_return for action in applying(state, step)):
        word = Content.assemble((f"{NO_RETURN_GLYPH} ", "bold $error"), word)
    if any(reopened(state, action) for action in step.actions):
        word = Content.assemble((f"{REOPENED_GLYPH} ", "bold $error"), word)
    if drift:
        word = Content.assemble((DRIFT_GLYPH.get(drift, "≠") + " ", "$warning"), word)
    return _line(left, word, width)


def _action_text(state: RunState, action: Action, width: int, *, here: bool) -> Content:
    number = number_of(state, action.id)
    mark = Content.styled("  ▸ " if here else "    ", "$primary")
    style = _style(here, dimmed=bool(not_for(state, action)))
    left = Content.assemble(mark, (f"{number} ", "$muted"), untrusted_line(_action_title(action), style))
    return _line(left, _word(describe.action_sign(state, action)), width)


def _action_title(action: Action) -> str:
    """Give an action's title, its item first: the end of a line is what a narrow list cuts off."""
    if not action.item:
        return action.title
    return f"{action.item} · {action.title.removesuffix(f' ({action.item})')}"


def _style(here: bool, *, dimmed: bool) -> str:
    return " ".join(("bold " * here + "$muted " * dimmed).split())


def _word(sign: Sign) -> Content:
    return Content.styled(f"{sign.glyph} {SHORT_WORDS.get(sign.word, sign.word)}", sign.style)


def _line(left: Content, right: Content, width: int) -> Content:
    """Put the word at the right edge; the title gives way to it."""
    room = width - right.cell_length - 1
    if left.cell_length > room:
        left = left.truncate(max(1, room), ellipsis=True)
    return Content.assemble(left, " " * max(1, width - left.cell_length - right.cell_length), right)
