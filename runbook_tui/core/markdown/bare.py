"""Phases and steps of a bare how-to, found by what its headings, lists and blocks look like (FORMAT.md, rules 3-6)."""

from __future__ import annotations

import re

from runbook_tui.core.markdown import words
from runbook_tui.core.markdown.classify import Decision, classify
from runbook_tui.core.markdown.fences import Fence, split_lost
from runbook_tui.core.markdown.sections import (
    INHERITED,
    Draft,
    DraftPhase,
    DraftStep,
    Fences,
    Lines,
    Section,
    adopted,
    alert,
    first_text,
    heading_title,
    is_block,
    sections,
)
from runbook_tui.core.markdown.tree import Node, NodeKind
from runbook_tui.core.model import BlockKind, PhaseRole, Problem, Severity

_TASK = re.compile(r"\[[ xX]\]\s")
_DETAILS = re.compile(r"<(/?)details\b", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary[^>]*>\s*([^<]{0,200})", re.IGNORECASE)
_ASKS_FOR = frozenset({BlockKind.FILE, BlockKind.EXAMPLE, BlockKind.DNS})
_KINDS = {
    "run": BlockKind.COMMAND,
    "file": BlockKind.FILE,
    "output": BlockKind.OUTPUT,
    "verify": BlockKind.VERIFY,
    "undo": BlockKind.UNDO,
    "session": BlockKind.INTERACTIVE,
    "example": BlockKind.EXAMPLE,
    "dns": BlockKind.DNS,
    "transcript": BlockKind.OUTPUT,
}


class BareReader:
    """Reads one how-to without a `runbook:` key."""

    def __init__(self, lines: list[str], title: str) -> None:
        self.lines = lines
        self.title = title
        self.fences = Fences(annotated=False)
        self.owners = Lines(len(lines))
        self.phases: list[DraftPhase] = []
        self.problems: list[Problem] = []
        self.levels: list[tuple[int, str, PhaseRole | None]] = []
        self.step: DraftStep | None = None
        self.before: Node | None = None
        self.follows_block = False
        self.details: list[str] = []
        self.decisions: dict[int, list[tuple[Fence, Decision]]] = {}

    def read(self, nodes: list[Node]) -> Draft:
        """Give the draft of the file's top-level blocks."""
        found = sections(nodes)
        for index, section in enumerate(found):
            self._section(section)
            following = found[index + 1].heading if index + 1 < len(found) else None
            phase = self.phases[-1]
            phase.group = following is not None and following.level > phase.level
        for phase in self.phases:
            if phase.role is PhaseRole.REFERENCE:
                self._give_back(phase)
        return Draft(self.phases, self.owners.owners, self.problems + self.fences.problems)

    def _give_back(self, phase: DraftPhase) -> None:
        """Let a section that only informs have blocks, but no steps."""
        for step in phase.steps:
            phase.fences += step.fences
            phase.decisions += step.decisions
        mine = {id(step) for step in phase.steps}
        owners = self.owners.owners
        for number in range(phase.line - 1, len(owners)):
            if id(owners[number]) in mine:
                owners[number] = phase
            elif owners[number] is not phase and owners[number] is not None:
                break
        phase.steps = []

    def _section(self, section: Section) -> None:
        title, line, level = self.title, 1, 0
        if section.heading is not None:
            title, line, level = heading_title(section), section.heading.line + 1, section.heading.level
        elif section.nodes:
            line = section.nodes[0].line + 1
        while self.levels and self.levels[-1][0] >= level:
            self.levels.pop()
        above = self.levels[-1][2] if self.levels else None
        role = above if above in INHERITED else words.role_of(title)
        self.levels.append((level, title, role))
        phase = DraftPhase(title, line, level, role)
        self.phases.append(phase)
        end = max((node.end for node in section.nodes), default=line)
        self.owners.give_range(line - 1, end, phase)
        self.step = self.before = None
        self.follows_block = False
        for node in adopted(section.nodes):
            self._node(node)

    def _node(self, node: Node) -> None:
        if is_block(node):
            self._top_block(node)
            return
        self.follows_block = False
        if node.kind is NodeKind.LIST:
            self._top_list(node)
            self.before = None
            return
        self._to_current(node)
        self.before = None
        match node.kind:
            case NodeKind.PARAGRAPH if words.is_negative(node.text):
                self._warn(words.plain_title(node.text))
                self.before = node
            case NodeKind.PARAGRAPH:
                self.before = node
                self._prose(node)
            case NodeKind.QUOTE:
                if warning := alert(node):
                    self._warn(warning)
                self._show_inside(node, "it stands in a quotation")
            case NodeKind.HTML:
                self._html(node)
            case _:
                pass

    def _to_current(self, node: Node) -> None:
        if self.step is not None:
            self.owners.give(node, self.step)

    def _prose(self, node: Node) -> None:
        if self.step is not None:
            self.step.prose.append(node.text)

    def _warn(self, text: str) -> None:
        (self.step or self.phases[-1]).warnings.append(text)

    def _html(self, node: Node) -> None:
        for found in _DETAILS.finditer(node.text):
            if found.group(1):
                self.details = self.details[:-1]
            else:
                self.details.append("")
        summary = _SUMMARY.search(node.text)
        if summary is not None and self.details:
            self.details[-1] = summary.group(1)

    def _decide(self, node: Node, before: str) -> list[tuple[Fence, Decision]]:
        """Give the fences a node holds (more than one when a closing line is missing) with what they are."""
        if node.line not in self.decisions:
            self.decisions[node.line] = list(self._decided(self.fences.of(node), before))
        return self.decisions[node.line]

    def _decided(self, fence: Fence, before: str) -> list[tuple[Fence, Decision]]:
        parts = split_lost(fence, self.lines)
        if len(parts) > 1:
            message = "this fence swallows the opening of the next one; its own closing line is missing"
            hint = "end it with the same marker on a line of its own"
            self.problems.append(Problem(fence.line, 1, Severity.WARNING, "unclosed-fence", message, hint))
        elif not fence.closed:
            message = "this fence is never closed"
            self.problems.append(Problem(fence.line, 1, Severity.WARNING, "unclosed-fence", message))
        for part in parts:
            if any(words.is_way_back(summary) for summary in self.details):
                part.set_aside = "it stands under a way back"
        return [(part, self._one(part, before)) for part in parts]

    def _one(self, fence: Fence, before: str) -> Decision:
        if fence.kind and not fence.set_aside and not fence.broken:
            sure, why = (1.0, f"it is marked .{fence.kind}") if fence.closed else (0.6, "the fence is never closed")
            return Decision(_KINDS[fence.kind], sure, why, fence.text, fence.path)
        if fence.broken:
            fence.set_aside = "its attributes cannot be read"
        if fence.set_aside:
            fence.kind = ""
        return classify(fence, before)

    def _put(self, holder: DraftStep | DraftPhase, node: Node, found: list[tuple[Fence, Decision]]) -> None:
        for fence, decision in found:
            holder.fences.append(fence)
            holder.decisions.append(decision)
        self.owners.give(node, holder)

    def _top_block(self, node: Node) -> None:
        before = self.before
        text = before.text if before is not None else ""
        found = self._decide(node, text)
        acts = any(decision.runnable or fence.kind in {"verify", "undo"} for fence, decision in found)
        asks = before is not None and any(d.kind in _ASKS_FOR for _, d in found) and _asks(text)
        if (acts or asks) and not (self.follows_block and self.step is not None):
            if before is not None:
                self._paragraph_step(before)
            elif self.step is None:
                self.step = self._add(self.phases[-1].title, node.line + 1, None)
        self._put(self.step or self.phases[-1], node, found)
        self.before = None
        self.follows_block = True

    def _paragraph_step(self, node: Node) -> None:
        previous = self.step
        if previous is not None and previous.prose and previous.prose[-1] is node.text:
            previous.prose.pop()
        self.step = self._add(words.step_title(node.text) or self.phases[-1].title, node.line + 1, None)
        self.step.prose.append(node.text)
        self.owners.give(node, self.step)

    def _add(self, title: str, line: int, parent: DraftStep | None) -> DraftStep:
        path = tuple(title for _, title, _ in self.levels)
        step = DraftStep(title or "(untitled)", line, parent.depth + 1 if parent else 0, path, parent=parent)
        self.phases[-1].steps.append(step)
        return step

    def _top_list(self, node: Node) -> None:
        if self._is_of_steps(node):
            self._steps(node, None)
        else:
            self._to_current(node)
            self._details(node)

    def _is_of_steps(self, node: Node) -> bool:
        """Whether a third of the items ask for something, or one is a task or carries something to do (rule 4)."""
        asking = 0
        for item in node.children:
            text = first_text(item)
            if _TASK.match(text) or self._carries(item):
                return True
            asking += words.is_imperative(text)
        return asking > 0 and asking * 3 >= len(node.children)

    def _carries(self, item: Node) -> bool:
        text = first_text(item)
        for child in item.children:
            if is_block(child) and any(decision.runnable for _, decision in self._decide(child, text)):
                return True
            if child.kind is NodeKind.LIST and any(map(self._carries, child.children)):
                return True
        return False

    def _steps(self, node: Node, parent: DraftStep | None) -> None:
        for item in node.children:
            text = first_text(item)
            if words.is_negative(text) and not self._carries(item):
                self._to_current(item)
                self._warn(words.plain_title(text))
                continue
            step = self._add(words.item_title(text), item.line + 1, parent)
            self.step = step
            self.owners.give(item, step)
            self._item_body(item, step)

    def _item_body(self, item: Node, step: DraftStep) -> None:
        before = ""
        for child in item.children:
            if is_block(child):
                self._put(step, child, self._decide(child, before))
            elif child.kind is NodeKind.LIST and self._is_of_steps(child):
                self._steps(child, step)
            elif child.kind is NodeKind.LIST:
                self._details(child)
            elif child.kind is NodeKind.QUOTE:
                if warning := alert(child):
                    step.warnings.append(warning)
                self._show_inside(child, "it stands in a quotation", step)
            else:
                before = child.text
                step.prose.append(child.text)
                if child.kind is NodeKind.HTML:
                    self._html(child)

    def _details(self, node: Node) -> None:
        """Take a list that is not one of steps: its text informs, its blocks are shown."""
        for item in node.children:
            self._prose(item.children[0]) if item.children else None
            self._show_inside(item, "")

    def _show_inside(self, node: Node, why: str, step: DraftStep | None = None) -> None:
        """Show the blocks inside a node without offering any of them."""
        holder = step or self.step or self.phases[-1]
        for child in node.children:
            if is_block(child):
                if why:
                    self.fences.of(child).set_aside = why
                self._put(holder, child, self._decide(child, first_text(node)))
            else:
                self._show_inside(child, why, step)


def _asks(text: str) -> bool:
    parts = words.sentences(text)
    return bool(parts) and words.is_imperative(parts[-1])
