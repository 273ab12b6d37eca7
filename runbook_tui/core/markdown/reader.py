"""A Markdown file's bytes to a Runbook, with every problem in it; bad content never raises."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import guesses, suspicious
from runbook_tui.core.markdown.actions import Context
from runbook_tui.core.markdown.annotated import AnnotatedReader
from runbook_tui.core.markdown.bare import BareReader
from runbook_tui.core.markdown.build import Builder, Built
from runbook_tui.core.markdown.decode import decode
from runbook_tui.core.markdown.frontmatter import Front, read_front
from runbook_tui.core.markdown.references import check_references
from runbook_tui.core.markdown.spliced import check_spliced, check_sudo
from runbook_tui.core.markdown.tree import Node, NodeKind, parse
from runbook_tui.core.markdown.words import plain_title
from runbook_tui.core.model import LOCAL, BlockKind, Literal, Problem, Runbook, Severity

if TYPE_CHECKING:
    from collections.abc import Collection

    from runbook_tui.core.markdown.sections import Draft

_SHOWN_ONLY = frozenset({BlockKind.EXAMPLE, BlockKind.OUTPUT, BlockKind.DNS})
MOST_PROBLEMS = 500
"""Problems kept of one file; a file with more of them is not read by anyone to the end."""


def read(data: bytes, *, name: str = "", hosts: Collection[str] = ()) -> Runbook:
    """Read a runbook.

    Args:
        data: the file's bytes.
        name: the file's name, which stands for a title where the text has none.
        hosts: names given with `--host`, known besides those of the front matter.

    Returns:
        The runbook. What is wrong is in `problems`, in the order of the lines; one of severity error means that
        it cannot be opened.
    """
    decoded = decode(data)
    lines = decoded.text.split("\n")
    front = read_front(lines, hosts)
    problems = [*decoded.problems, *front.problems]
    if not front.annotated:
        lines, dropped = _without_zero_width(lines)
        problems += dropped
    body = "\n" * front.end + "\n".join(lines[front.end :])
    nodes = parse(body)
    title = _title(nodes, front, name)
    context = Context(front.annotated, {*front.hosts, *hosts, LOCAL}, tuple(lit.text for lit in front.literals))
    reader = AnnotatedReader(lines, title) if front.annotated else BareReader(lines, title)
    draft = reader.read(nodes)
    builder = Builder(draft, lines, context)
    built = builder.build()
    check_references(list(builder.groups()), built.phases, built.explicit, front, context)
    check_spliced(built.phases, front.literals, lines, context)
    check_sudo(built.phases, context)
    problems += [*draft.problems, *context.problems, *_hidden(built, draft, lines, annotated=front.annotated)]
    return Runbook(
        title=title,
        text=decoded.text,
        sha256=hashlib.sha256(data).hexdigest(),
        encoding=decoded.encoding,
        annotated=front.annotated,
        phases=built.phases,
        hosts=MappingProxyType(front.hosts),
        literals=_literals(front, built, lines),
        lists=MappingProxyType(front.lists),
        checks=front.checks,
        problems=_ordered(problems),
    )


def _title(nodes: list[Node], front: Front, name: str) -> str:
    """Give the only first-level heading, else the front matter's title, else the first heading, else the name."""
    headings = [node for node in nodes if node.kind is NodeKind.HEADING]
    top = [node for node in headings if node.level == 1]
    if len(top) == 1:
        return plain_title(top[0].text) or front.title or name
    if front.title:
        return plain_title(front.title)
    return (plain_title(headings[0].text) if headings else "") or re.sub(r"\.(md|markdown)$", "", name) or "Runbook"


def _without_zero_width(lines: list[str]) -> tuple[list[str], list[Problem]]:
    """Drop zero-width characters from a bare post, and say where (FORMAT.md, rule 1)."""
    found = []
    cleaned = []
    for number, line in enumerate(lines, 1):
        first = suspicious.ZERO_WIDTH.search(line) if not line.isascii() else None
        if first is not None:
            message = "a zero-width character was dropped"
            found.append(Problem(number, first.start() + 1, Severity.WARNING, "zero-width", message))
            line = suspicious.ZERO_WIDTH.sub("", line)  # noqa: PLW2901 -- the cleaned line
        cleaned.append(line)
    return cleaned, found


def _hidden(built: Built, draft: Draft, lines: list[str], *, annotated: bool) -> list[Problem]:
    """Find what hides in the lines that may be run or written: controls, bidi, look-alike letters."""
    blocks = [block for phase in built.phases for block in phase.blocks]
    blocks += [block for phase in built.phases for step in phase.steps for block in step.blocks]
    spans = [(block.line, block.kind) for block in blocks if block.kind not in _SHOWN_ONLY]
    ends = {fence.line: fence.end for fence in draft.fences()}
    numbers = {number for line, _ in spans for number in range(line, ends.get(line, line) + 1)}
    files = {n for line, kind in spans if kind is BlockKind.FILE for n in range(line + 1, ends.get(line, line) + 1)}
    if annotated:
        numbers |= {number for number, line in enumerate(lines, 1) if "<!--" in line}
    found = []
    for number in sorted(n for n in numbers if n <= len(lines)):
        line = lines[number - 1]
        for column, what in suspicious.hidden(line):
            message = f"{what} is hidden in text that is run or written"
            found.append(Problem(number, column, Severity.ERROR, "hidden-character", message, "remove it"))
        for column, word in suspicious.look_alikes(line) if number not in files else ():
            message = f"{word!r} mixes letters of two alphabets that look alike"
            found.append(Problem(number, column, Severity.ERROR, "look-alike", message, "type the word again"))
    return found


def _literals(front: Front, built: Built, lines: list[str]) -> tuple[Literal, ...]:
    if front.annotated:
        where = guesses.with_lines(front.literals, lines, front.end)
        return tuple(replace(lit, lines=where.get(lit.text, ())) for lit in front.literals)
    actions = [action for phase in built.phases for step in phase.steps for action in step.actions]
    return guesses.guessed_literals(actions, lines)


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    """Give each problem once, in the order of the file; of too many the errors first."""
    unique = list(dict.fromkeys(problems))
    if len(unique) > MOST_PROBLEMS:
        unique = sorted(unique, key=lambda p: p.severity is not Severity.ERROR)[:MOST_PROBLEMS]
    return tuple(sorted(unique, key=lambda p: (p.line, p.column)))
