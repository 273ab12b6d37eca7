"""Settles what holds an action back: every question at once, the answers checked before they are sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Checkbox, Input, Select, Static

from runbook_tui.core.applies import choices, condition, not_for, system_hosts, system_of, system_word
from runbook_tui.core.each import known_items, stands_for
from runbook_tui.core.errors import Refused
from runbook_tui.core.events import Settlement
from runbook_tui.core.model import ActionKind, FileMode, HoldCode, LiteralSource
from runbook_tui.core.settle import check_answer, effective, literal_value, mentioned, value_problem
from runbook_tui.core.verbs import number_of, why_held
from runbook_tui.ui.screens.dialogs import Dialog, LineInput, YesNo
from runbook_tui.ui.untrusted import untrusted_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from runbook_tui.core.model import Action, Literal
    from runbook_tui.core.run import RunState

KINDS = (ActionKind.COMMAND, ActionKind.FILE, ActionKind.MANUAL)
MODES = tuple(mode for mode in FileMode if mode is not FileMode.PATCH)


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that is settled; `subject` is the literal's text, the list's name or the host of a system."""

    what: Settlement
    value: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line to type on: what is known `now`, its label, and what it asks for."""

    now: Answer
    label: str
    ask: str


class SettleScreen(Dialog[list[Answer]]):
    """Shows what is held and a field for everything that can be answered; gives the answers that are new."""

    def __init__(self, state: RunState, action: Action) -> None:
        heading = Content.assemble(
            ("Settle  ", "bold $primary"), (number_of(state, action.id), "bold"), "  ",
            untrusted_line(action.title, "bold"),
        )  # fmt: skip
        super().__init__(heading)
        self._state = state
        self._action = action
        self._now = effective(state, action)
        self._held = why_held(state, action)
        self._literals = self._open_literals()
        self._asked = self._asked_lines()

    def _asked_lines(self) -> list[Line]:
        """Give what is typed on a line of its own beside the literals: systems of hosts, then the items of a list."""
        state, each = self._state, self._action.each
        lines = [
            Line(Answer(Settlement.OS, system_of(state, host), host), f"system of {host}", "such as freebsd or debian")
            for host in system_hosts(state, self._action)
        ]
        if each is not None:
            now = ",".join(known_items(state.runbook, state.answers.lists, each.list))
            ask = state.runbook.lists[each.list].ask if each.list in state.runbook.lists else ""
            lines.append(Line(Answer(Settlement.LIST, now, each.list), each.list, ask or "its items, with commas"))
        return lines

    def _open_literals(self) -> list[Literal]:
        wanted = {h.subject for h in self._held if h.code is HoldCode.LITERAL}
        parts = [self._action.text, self._action.cwd, *(v.text for v in self._action.verifies)]
        found = mentioned("\n".join(parts), self._state.runbook.literals)
        repeated = stands_for(self._state.runbook, self._action.each) if self._action.each is not None else []
        return [
            lit
            for lit in self._state.runbook.literals
            if lit.text in wanted
            or (lit in found and lit not in repeated and lit.source in {LiteralSource.VAR, LiteralSource.GUESS})
        ]

    def body(self) -> Iterable[Widget]:
        """Give the reasons, then a field for each answer."""
        if self._held:
            lines = [Content.assemble(("⊘ ", "$warning"), untrusted_line(h.why)) for h in self._held]
            yield Static(Content("\n").join(lines), classes="facts", id="held")
        elif why := not_for(self._state, self._action):
            yield Static(Content.assemble("It does not apply: ", untrusted_line(why)), classes="facts", id="held")
        else:
            yield Static(Content.styled("Nothing holds it back.", "$muted"), classes="facts", id="held")
        yield from self._questions()
        if self._now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
            hosts = [(untrusted_line(str(name)), str(name)) for name in self._state.hosts]
            yield from _choice("Host", "host", hosts, self._now.host)
        modes = [(mode.value, mode.value) for mode in MODES]
        if self._now.kind is ActionKind.FILE and self._now.file is not None:
            yield from _choice("How the file is changed", "mode", modes, self._now.file.mode)
        for index, literal in enumerate(self._literals):
            value = literal_value(self._state, literal) or ""
            label = Content.assemble(
                untrusted_line(literal.text, "bold"), "  ", untrusted_line(literal.ask or "its value", "$muted")
            )
            yield Vertical(Static(label), LineInput(value, id=f"literal-{index}"), classes="field")
        for index, line in enumerate(self._asked):
            label = Content.assemble(untrusted_line(line.label, "bold"), "  ", untrusted_line(line.ask, "$muted"))
            yield Vertical(Static(label), LineInput(line.now.value, id=f"asked-{index}"), classes="field")
        kinds = [(kind.value, kind.value) for kind in KINDS]
        yield from _choice("What it is", "kind", kinds, self._now.kind if self._now.kind in KINDS else None)
        if any(h.code in {HoldCode.UNREAD, HoldCode.CONTRADICTION} for h in self._held):
            yield YesNo(Content("I read it, it is right"), id="accept")
        yield Static(Content.styled("Enter opens a list, Tab goes to the next field.", "$muted"), id="problem")

    def _questions(self) -> Iterable[Widget]:
        """Give what decides whether the action is done at all: its condition, its group of alternatives."""
        if self._action.when:
            known = self._state.answers.conditions.get(condition(self._action))
            answers = [("yes, it is so here", "yes"), ("no, it does not apply here", "no")]
            now = None if known is None else "yes" if known else "no"
            yield from _choice(untrusted_line(f"Only when: {self._now.when}"), "when", answers, now)
        if self._action.alt is not None:
            group = self._action.alt[0]
            ways = [(untrusted_line(way), way) for way in choices(self._state.runbook, group)]
            yield from _choice(untrusted_line(f"Which way for {group}"), "alt", ways, self._chosen(group))

    def _chosen(self, group: str) -> str | None:
        return self._state.answers.choices.get(group)

    def buttons(self) -> Iterable[Widget]:
        """Give both ways out."""
        yield Button("Cancel", id="close")
        yield Button("Settle", id="ok")

    def on_mount(self) -> None:
        """Start in the first field that waits for an answer."""
        fields = [*self.query("Select, Input, Checkbox")]
        empty = [f for f in fields if not isinstance(f, Select) or f.value is Select.NULL]
        if target := next(iter(empty or fields), None):
            target.focus()

    @on(Button.Pressed, "#ok")
    @on(Input.Submitted)
    def _take(self) -> None:
        for index, literal in enumerate(self._literals):
            value = self.query_one(f"#literal-{index}", Input).value.strip()
            if value and (why := value_problem(literal, value)):
                self.query_one("#problem", Static).update(untrusted_line(why, "$warning"))
                return
        for answer in self._typed():
            try:
                check_answer(self._state, self._action.id, answer.what, answer.value, answer.subject)
            except Refused as error:
                text = f"{error.title}. {error.detail}" if error.detail else error.title
                self.query_one("#problem", Static).update(untrusted_line(text, "$warning"))
                return
        self.dismiss(list(self._answers()))

    def _typed(self) -> Iterable[Answer]:
        """Give the systems and items that are new."""
        for index, line in enumerate(self._asked):
            value = self.query_one(f"#asked-{index}", Input).value.strip()
            if line.now.what is Settlement.OS:
                value = system_word(value) or value
            if value and value != line.now.value:
                yield replace(line.now, value=value)

    def _answers(self) -> Iterable[Answer]:
        kind = self._selected("kind")
        if kind and kind != self._now.kind:
            yield Answer(Settlement.KIND, kind)
        true_here = self._selected("when")
        if true_here and (true_here == "yes") is not self._state.answers.conditions.get(condition(self._action)):
            yield Answer(Settlement.WHEN, true_here)
        way = self._selected("alt")
        if way and self._action.alt is not None and way != self._chosen(self._action.alt[0]):
            yield Answer(Settlement.ALT, way)
        host = self._selected("host")
        if host and host != self._now.host:
            yield Answer(Settlement.HOST, host)
        mode = self._selected("mode")
        if mode and (self._now.file is None or mode != self._now.file.mode):
            yield Answer(Settlement.MODE, mode)
        for index, literal in enumerate(self._literals):
            value = self.query_one(f"#literal-{index}", Input).value.strip()
            if value and value != literal_value(self._state, literal):
                yield Answer(Settlement.LITERAL, value, literal.text)
        if any(box.value for box in self.query(Checkbox)):
            yield Answer(Settlement.ACCEPT, "yes")
        # Last of all the list: afterwards the action is no more, its items stand in its place.
        yield from self._typed()

    def _selected(self, name: str) -> str:
        for select in self.query(f"#{name}").results(Select):
            return "" if select.value is Select.NULL else str(select.value)
        return ""


def _choice(
    label: Content | str, name: str, options: list[tuple[Content, str]] | list[tuple[str, str]], now: str | None
) -> Iterable[Widget]:
    values = [value for _, value in options]
    chosen = str(now) if now is not None and str(now) in values else Select.NULL
    select = Select(options, value=chosen, prompt="choose…", id=name, compact=True)
    yield Vertical(Static(label), select, classes="field")
