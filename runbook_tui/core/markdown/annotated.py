"""Phases and steps of an annotated runbook: what the author marked, and nothing else (ARCHITECTURE.md, Steps)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import words
from runbook_tui.core.markdown.itemcomments import ItemComments
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
    own_blocks,
    sections,
)
from runbook_tui.core.markdown.tree import Node, NodeKind
from runbook_tui.core.model import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACTS = frozenset({"run", "file", "session"})
_BELONGS = frozenset({"verify", "undo", "output"})


@dataclass(slots=True)
class _Open:
    """A heading that is still open: later headings of a deeper level are below it."""

    level: int
    title: str
    step: DraftStep | None
    phase: DraftPhase | None


class AnnotatedReader:
    """Reads one annotated file."""

    def __init__(self, lines: list[str], title: str) -> None:
        self.lines = lines
        self.title = title
        self.fences = Fences(annotated=True)
        self.owners = Lines(len(lines))
        self.phases: list[DraftPhase] = []
        self.problems: list[Problem] = []
        self.open: list[_Open] = []
        self.last: DraftStep | None = None
        self.consumed: set[int] = set()

    def read(self, nodes: list[Node]) -> Draft:
        """Give the draft of the file's top-level blocks."""
        for section in sections(nodes):
            self._section(section)
        for phase, following in pairwise(self.phases):
            phase.group = following.level > phase.level
        return Draft(self.phases, self.owners.owners, self.problems + self.fences.problems)

    def _section(self, section: Section) -> None:
        found = ItemComments()
        if section.heading is not None:
            self._take(found, section.heading)
            for node in section.nodes:
                if node.kind is not NodeKind.HTML or "<!--" not in node.text:
                    break
                self._take(found, node)
        self.problems += found.problems
        # A heading that is marked as a step keeps its fences, unless the list above them is one of steps.
        marked = found.step is not None
        nodes = adopted(section.nodes, lambda node: marked and not self._has_step_items(node))
        direct = [block for node in nodes for block in _direct_blocks(node)]
        is_step = marked or any(map(self._is_classified, direct))
        if section.heading is not None and is_step:
            owner: DraftStep | DraftPhase = self._heading_step(section.heading, heading_title(section), found)
        else:
            owner = self._heading_phase(section, found)
        end = max((node.end for node in section.nodes), default=owner.line)
        self.owners.give_range(owner.line - 1, end, owner)
        self.last = owner if isinstance(owner, DraftStep) else None
        self._walk(nodes, self.last)

    def _take(self, found: ItemComments, node: Node) -> None:
        found.take(node, self.lines)
        self.consumed.add(id(node))

    def _path(self) -> tuple[str, ...]:
        return tuple(entry.title for entry in self.open)

    def _close(self, level: int) -> None:
        while self.open and self.open[-1].level >= level:
            self.open.pop()

    def _heading_phase(self, section: Section, found: ItemComments) -> DraftPhase:
        heading = section.heading
        if heading is None:
            first = section.nodes[0].line + 1 if section.nodes else 1
            phase = DraftPhase(self.title, first, 0)
            self.phases.append(phase)
            return phase
        title = heading_title(section)
        self._close(heading.level)
        above = next((e.phase for e in reversed(self.open) if e.phase is not None), None)
        role = words.role_of(title)
        role = role if role in INHERITED else None
        if above is not None and above.role in INHERITED:
            role = above.role
        name = found.phase or (above.name if above is not None else "")
        phase = DraftPhase(title, heading.line + 1, heading.level, role, name)
        self.phases.append(phase)
        self.open.append(_Open(heading.level, title, None, phase))
        return phase

    def _heading_step(self, heading: Node, title: str, found: ItemComments) -> DraftStep:
        self._close(heading.level)
        if not self.phases:
            self.phases.append(DraftPhase(self.title, heading.line + 1, 0))
        above = self.open[-1].step if self.open else None
        step = DraftStep(title, heading.line + 1, 0, self._path(), found.step)
        self._add(step, above)
        self.open.append(_Open(heading.level, title, step, None))
        if found.phase:
            message = "a phase comment on a heading that is a step"
            hint = "a phase is a heading that owns no marked fence; put the fence into an item below it"
            place = Problem(step.line, 1, Severity.ERROR, "phase-on-step", message, hint)
            self.problems.append(place)
        return step

    def _add(self, step: DraftStep, above: DraftStep | None) -> None:
        step.parent = above
        step.depth = above.depth + 1 if above is not None else 0
        self.phases[-1].steps.append(step)
        self.last = step

    def _is_classified(self, node: Node) -> bool:
        """Whether the fence makes what owns it a step; one that says `of=` belongs to another one."""
        fence = self.fences.of(node)
        return fence.kind in _ACTS or (fence.kind in _BELONGS and not fence.value("of"))

    def _has_step_items(self, node: Node) -> bool:
        return any(
            self._is_step_item(item)
            or any(self._has_step_items(child) for child in item.children if child.kind is NodeKind.LIST)
            for item in node.children
        )

    def _is_step_item(self, item: Node) -> bool:
        if any(ItemComments().take(node, self.lines).step is not None for node in _comment_places(item)):
            return True
        return any(map(self._is_classified, own_blocks(item)))

    def _walk(self, nodes: list[Node], owner: DraftStep | None) -> None:
        """Go through the blocks of a section or item; `owner` is the step they belong to, if any."""
        for node in nodes:
            if node.kind is NodeKind.LIST:
                for item in node.children:
                    self._item(item, owner)
                continue
            target = owner or self.last
            if target is not None:
                self.owners.give(node, target)
            if is_block(node):
                self._put(node, target)
            elif node.kind is NodeKind.QUOTE:
                warning = alert(node)
                if warning:
                    (target or self.phases[-1]).warnings.append(warning)
                self._walk(node.children, owner)
            else:
                if target is not None:
                    target.prose.append(node.text)
                self._stray(node)

    def _stray(self, node: Node) -> None:
        """Note comments of ours that belong to nothing."""
        if id(node) in self.consumed:
            return
        stray = ItemComments().take(node, self.lines)
        self.problems += [p for p in stray.problems if p.code in {"unclosed-comment", "unknown-comment"}]
        if stray.step is not None:
            message = "this step comment belongs to no item or heading"
            hint = "put it at the end of the item's own line, or indent it under the item"
            self.problems.append(Problem(stray.line, stray.column, Severity.ERROR, "stray-comment", message, hint))
        if stray.phase:
            message = "this phase comment does not follow a heading"
            hint = "put it after its heading"
            self.problems.append(Problem(node.line + 1, 1, Severity.ERROR, "stray-comment", message, hint))

    def _put(self, node: Node, target: DraftStep | None) -> None:
        holder = target or self.phases[-1]
        holder.fences.append(self.fences.of(node))
        holder.decisions.append(None)
        self.owners.give(node, holder)

    def _item(self, item: Node, owner: DraftStep | None) -> None:
        if not self._is_step_item(item):
            target = owner or self.last
            if target is not None:
                self.owners.give(item, target)
            self._walk(item.children, owner)
            return
        found = ItemComments()
        for node in _comment_places(item):
            self._take(found, node)
        self.problems += found.problems
        title = words.item_title(first_text(item))
        step = DraftStep(title or "(untitled)", item.line + 1, 0, self._path(), found.step)
        self._add(step, owner)
        self.owners.give(item, step)
        self._walk(item.children, step)


def _direct_blocks(node: Node) -> Iterator[Node]:
    if is_block(node):
        yield node
    elif node.kind is NodeKind.QUOTE:
        yield from own_blocks(node)


def _comment_places(item: Node) -> Iterator[Node]:
    """Give the nodes of an item whose comments are the item's: its first text, and HTML blocks of its own."""
    for index, child in enumerate(item.children):
        first = index == 0 and child.kind in {NodeKind.PARAGRAPH, NodeKind.HEADING}
        if first or child.kind is NodeKind.HTML:
            yield child
