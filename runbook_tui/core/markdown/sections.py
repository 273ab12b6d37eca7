"""What both readers share: drafts of phases and steps, the heading stack, and which line belongs to whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core.markdown.fences import Fence, read_fence
from runbook_tui.core.markdown.tree import Node, NodeKind, code_spans
from runbook_tui.core.markdown.words import plain_title
from runbook_tui.core.model import PhaseRole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runbook_tui.core.markdown.attributes import Attributes
    from runbook_tui.core.markdown.classify import Decision
    from runbook_tui.core.model import Problem

INHERITED = frozenset({PhaseRole.ROLLBACK, PhaseRole.ASIDE})
_ALERT = re.compile(r"\s*\[!(WARNING|CAUTION)\]\s*", re.IGNORECASE)


@dataclass(slots=True)
class DraftStep:
    """A step before its actions are built. `line` counts from 1; `decisions` go with `fences`."""

    title: str
    line: int
    depth: int
    headings: tuple[str, ...]
    attributes: Attributes | None = None
    parent: DraftStep | None = None
    fences: list[Fence] = field(default_factory=list)
    decisions: list[Decision | None] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)

    def inline(self) -> tuple[str, ...]:
        """Give the code spans of its prose, each once."""
        return tuple(dict.fromkeys(span for text in self.prose for span in code_spans(text)))


@dataclass(slots=True)
class DraftPhase:
    """A section before it is built; `role` None means it follows from its steps."""

    title: str
    line: int
    level: int
    role: PhaseRole | None = None
    name: str = ""
    steps: list[DraftStep] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    decisions: list[Decision | None] = field(default_factory=list)
    group: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """A heading and the blocks up to the next one. The first section may have no heading."""

    heading: Node | None
    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """What a reader made of the file. `owners` says for each line (from 0) whose it is."""

    phases: list[DraftPhase]
    owners: list[DraftStep | DraftPhase | None]
    problems: list[Problem]

    def fences(self) -> Iterator[Fence]:
        """Give every fence of every step and phase."""
        for phase in self.phases:
            yield from phase.fences
            for step in phase.steps:
                yield from step.fences


def sections(nodes: list[Node]) -> list[Section]:
    """Split the top-level blocks at the headings."""
    found = [Section(None)]
    for node in nodes:
        if node.kind is NodeKind.HEADING:
            found.append(Section(node))
        else:
            found[-1].nodes.append(node)
    return found if found[0].nodes else found[1:]


def heading_title(section: Section) -> str:
    """Give the plain title of a section's heading."""
    return plain_title(section.heading.text) if section.heading else ""


class Lines:
    """Which step or phase each line belongs to."""

    def __init__(self, count: int) -> None:
        self.owners: list[DraftStep | DraftPhase | None] = [None] * count

    def give(self, node: Node, owner: DraftStep | DraftPhase) -> None:
        """Let the node's lines be the owner's; what lies inside is given away again later."""
        self.give_range(node.line, node.end, owner)

    def give_range(self, line: int, end: int, owner: DraftStep | DraftPhase) -> None:
        """Let lines (from 0, `end` excluded) be the owner's."""
        end = min(end, len(self.owners))
        self.owners[line:end] = [owner] * max(end - line, 0)


class Fences:
    """The fences of a file, each read once."""

    def __init__(self, *, annotated: bool) -> None:
        self.annotated = annotated
        self.found: dict[int, Fence] = {}
        self.problems: list[Problem] = []

    def of(self, node: Node) -> Fence:
        """Give the fence of a node."""
        if node.line not in self.found:
            fence = read_fence(node, annotated=self.annotated)
            self.found[node.line] = fence
            self.problems += fence.problems
        return self.found[node.line]


def is_block(node: Node) -> bool:
    """Whether the node is a fence or an indented block."""
    return node.kind in {NodeKind.FENCE, NodeKind.INDENTED}


def adopted(nodes: list[Node], keep: Callable[[Node], bool] = lambda _: False) -> list[Node]:
    """Move each fence that stands right after a list into the deepest last item of it (FORMAT.md, rule 5).

    CommonMark closes the list at such a fence. A list for which `keep` is true is left as it is.
    """
    found: list[Node] = []
    item: Node | None = None
    for node in nodes:
        if node.kind is NodeKind.LIST:
            item = None if keep(node) else deepest_last(node)
        elif is_block(node) and item is not None:
            item.children.append(node)
            continue
        else:
            item = None
        found.append(node)
    return found


def deepest_last(node: Node) -> Node | None:
    """Give the last item of a list, or the last item of the last list in it."""
    item: Node | None = None
    while node.children:
        last = node.children[-1]
        item = last
        nested = [child for child in last.children if child.kind is NodeKind.LIST]
        if not nested:
            return item
        node = nested[-1]
    return item


def own_blocks(item: Node) -> Iterator[Node]:
    """Give the fences of an item that are not inside a nested list."""
    for child in item.children:
        if is_block(child):
            yield child
        elif child.kind is NodeKind.QUOTE:
            yield from own_blocks(child)


def first_text(item: Node) -> str:
    """Give the inline source of an item's first paragraph or heading."""
    first = item.children[0] if item.children else None
    return first.text if first and first.kind in {NodeKind.PARAGRAPH, NodeKind.HEADING} else ""


def alert(node: Node) -> str:
    """Give the text of a `[!WARNING]` or `[!CAUTION]` quote; empty for any other block."""
    if node.kind is not NodeKind.QUOTE or not node.children:
        return ""
    found = _ALERT.match(node.children[0].text)
    if found is None:
        return ""
    texts = [node.children[0].text[found.end() :], *(child.text for child in node.children[1:])]
    return " ".join(" ".join(texts).split())
