"""A fence's opening line: language, path, title and attribute group; and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from runbook_tui.core.markdown.attributes import Attributes, parse_tail
from runbook_tui.core.markdown.tree import Node, NodeKind
from runbook_tui.core.markdown.vocabulary import FENCE_KINDS, STEP_KINDS, check_group, kind_of
from runbook_tui.core.model import Problem, Severity

_PATH = re.compile(r"(?:~|\$HOME|\$\{HOME\}|\.{1,2})?/\S*|[\w.+-]+(?:/[\w.+-]+)+|[\w+-]*\.[A-Za-z][\w.-]*")
_TITLE = re.compile(r"\b(?:title|filename|file)=(?:\"([^\"]*)\"|'([^']*)'|(\S+))")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_+#.-]+")
_LOST_OPENING = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*[^\s`].*$")


@dataclass(slots=True)
class Fence:
    """A fence or indented block. `line` and `end` (its last line) count from 1, `column` is the info string's.

    `attributes` is None where there is no group, or where it is not ours. `kind` is its class (`run`, `file` …).
    """

    line: int
    end: int
    text: str
    column: int = 1
    language: str = ""
    path: str = ""
    label: str = ""
    attributes: Attributes | None = None
    kind: str = ""
    indented: bool = False
    closed: bool = True
    broken: bool = False
    set_aside: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The explicit id."""
        return self.attributes.id if self.attributes else ""

    def value(self, key: str) -> str:
        """Give a value of the group; empty when it is not there."""
        return self.attributes.values.get(key, "") if self.attributes else ""


def read_fence(node: Node, *, annotated: bool) -> Fence:
    """Read a fence or indented block. In a bare file a group without a class of ours is somebody else's."""
    fence = Fence(node.line + 1, node.end, node.text, node.column, closed=node.closed)
    if node.kind is NodeKind.INDENTED:
        fence.indented = True
        fence.text = node.text.rstrip("\n") + "\n"
        return fence
    head, brace, tail = node.info.partition("{")
    if brace and head and not head[-1].isspace() and annotated:
        place = fence.column + len(head)
        message = "the attribute group follows without a space"
        fence.problems.append(Problem(fence.line, place, Severity.ERROR, "no-space", message, "put a space before {"))
    _read_head(fence, head)
    if brace:
        _read_group(fence, "{" + tail, fence.column + len(head), annotated=annotated)
    if annotated and not node.closed:
        message = "this fence is never closed"
        hint = "end it with the same marker on a line of its own"
        fence.problems.append(Problem(fence.line, 1, Severity.ERROR, "unclosed-fence", message, hint))
    return fence


def _read_head(fence: Fence, head: str) -> None:
    words = head.split()
    if words and _PLAIN_WORD.fullmatch(words[0]):
        fence.language = words[0].lower()
    title = _TITLE.search(head)
    if title is not None:
        fence.label = next(part for part in title.groups() if part is not None)
        if _PATH.fullmatch(fence.label):
            fence.path = fence.label
    elif len(words) > 1 and _PATH.fullmatch(words[1]):
        fence.path = words[1]


def _read_group(fence: Fence, group: str, column: int, *, annotated: bool) -> None:
    attributes, errors = parse_tail(group, line=fence.line, column=column)
    fence.kind = kind_of(attributes)
    if not annotated and fence.kind not in FENCE_KINDS:
        fence.kind = ""
        return
    fence.attributes = attributes
    fence.broken = bool(errors)
    severity = Severity.ERROR if annotated else Severity.WARNING
    found = [Problem(fence.line, e.column, severity, e.code, e.message, e.hint) for e in errors]
    if fence.kind in STEP_KINDS:
        message = f".{fence.kind} is the kind of a step without a fence"
        place = attributes.column("." + fence.kind)
        hint = f"write <!-- step: .{fence.kind} --> at the end of the item's line"
        found.append(Problem(fence.line, place, severity, "misplaced", message, hint))
    elif not fence.kind and (fence.path or "file" in attributes.values or "mode" in attributes.values):
        fence.kind = "file"
    elif not fence.kind and not errors:
        kinds = " ".join("." + kind for kind in FENCE_KINDS)
        message = "this fence has attributes but no kind, so it would only be shown"
        found.append(Problem(fence.line, column, severity, "no-kind", message, f"add one of {kinds}"))
    place_name = fence.kind if fence.kind in FENCE_KINDS else "run"
    group_problems = check_group(attributes, place_name)
    if not annotated:
        group_problems = [Problem(p.line, p.column, severity, p.code, p.message, p.hint) for p in group_problems]
        fence.broken = fence.broken or bool(group_problems)
    fence.problems += found + group_problems


def split_lost(fence: Fence, lines: list[str]) -> list[Fence]:
    """Split a fence that swallowed the opening of the next one, because its own closing line is missing.

    The first part cannot be told from the prose after it, so it is only shown.
    """
    if fence.indented or fence.language in {"markdown", "md"}:
        return [fence]
    marker = lines[fence.line - 1].strip(" >*-\t")[:3]
    starts = [
        number
        for number in range(fence.line, min(fence.end, len(lines)))
        if lines[number].lstrip().startswith(marker) and _LOST_OPENING.match(lines[number])
    ]
    if not starts:
        return [fence]
    parts: list[Fence] = []
    bounds = [fence.line - 1, *starts, fence.end]
    for start, end in pairwise(bounds):
        if start == fence.line - 1:
            part = Fence(fence.line, end, _text(lines[start + 1 : end]), language=fence.language)
            part.set_aside = "its closing line is missing"
        else:
            opening = lines[start].lstrip()
            run = len(opening) - len(opening.lstrip(marker[0]))
            body = _text(lines[start + 1 : end - 1 if end == fence.end and fence.closed else end])
            node = Node(NodeKind.FENCE, start, end, body, opening[run:].strip(), closed=fence.closed)
            part = read_fence(node, annotated=False)
        parts.append(part)
    return parts


def _text(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)
