"""The block structure of a Markdown text, as a small tree with line numbers; inline markup is left alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from markdown_it.token import Token

DEEPEST = 60
"""Lists and quotes nested deeper than this are not read; CommonMark itself sets no limit."""

_NOT_LINE_ENDS = str.maketrans({"\r": "\N{SYMBOL FOR CARRIAGE RETURN}", "\x00": "\N{SYMBOL FOR NULL}"})


class NodeKind(StrEnum):
    """What a node is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    FENCE = "fence"
    INDENTED = "code_block"
    LIST = "list"
    ITEM = "item"
    QUOTE = "quote"
    HTML = "html"


@dataclass(slots=True)
class Node:
    """A block. Lines count from 0, `end` is the first line after it.

    `text` is a paragraph's or heading's inline source, a fence's body, an HTML block's source. `info` is the raw
    text after a fence's marker, which begins in column `column` (from 1); `closed` whether the fence has an end.
    """

    kind: NodeKind
    line: int
    end: int
    text: str = ""
    info: str = ""
    column: int = 1
    closed: bool = True
    level: int = 0
    children: list[Node] = field(default_factory=list)


_CONTAINERS = {
    "bullet_list": NodeKind.LIST,
    "ordered_list": NodeKind.LIST,
    "list_item": NodeKind.ITEM,
    "blockquote": NodeKind.QUOTE,
}
_LEAVES = {"heading_open": NodeKind.HEADING, "paragraph_open": NodeKind.PARAGRAPH}


def parse(text: str) -> list[Node]:
    """Give the top-level blocks of a text with LF line ends."""
    markdown = MarkdownIt("commonmark", {"maxNesting": DEEPEST}).disable("reference")
    markdown.core.ruler.disable(["inline", "text_join"])
    lines = text.split("\n")
    root: list[Node] = []
    stack: list[list[Node]] = [root]
    for token in markdown.parse(text.translate(_NOT_LINE_ENDS)):
        name, _, edge = token.type.rpartition("_")
        line, end = token.map or (0, 0)
        if name in _CONTAINERS and edge == "open":
            node = Node(_CONTAINERS[name], line, end)
            stack[-1].append(node)
            stack.append(node.children)
        elif name in _CONTAINERS:
            stack.pop()
        elif token.type in _LEAVES:
            level = int(token.tag[1]) if token.type == "heading_open" else 0
            stack[-1].append(Node(_LEAVES[token.type], line, end, level=level))
        elif token.type == "inline":
            stack[-1][-1].text = token.content
        elif token.type == "fence":
            stack[-1].append(_fence(token, lines))
        elif token.type == "code_block":
            stack[-1].append(Node(NodeKind.INDENTED, line, end, token.content, column=5))
        elif token.type == "html_block":
            stack[-1].append(Node(NodeKind.HTML, line, end, token.content))
    return root


def _fence(token: Token, lines: list[str]) -> Node:
    line, end = token.map or (0, 0)
    opening = lines[line]
    at = opening.find(token.markup)
    start = at + len(token.markup)
    last = lines[end - 1].strip(" \t>") if end - 1 > line else ""
    closed = len(last) >= len(token.markup) and not last.strip(token.markup[0])
    info = opening[start:]
    column = start + 1 + len(info) - len(info.lstrip())
    return Node(NodeKind.FENCE, line, end, token.content, info.strip(), column, closed=closed)


@dataclass(frozen=True, slots=True)
class Comment:
    """An HTML comment. `text` is its inside; `line` and `column` (both from 1) say where that begins."""

    line: int
    column: int
    text: str
    closed: bool = True


_COMMENT_OPEN = "<!--"
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)([^\n]*?[^`\n])??\1(?!`)")


def code_spans(text: str) -> list[str]:
    """Give the insides of the code spans that end on the line they begin on."""
    return [found.group(2).strip() for found in _code_spans(text) if found.group(2)]


def _code_spans(text: str) -> list[re.Match[str]]:
    return list(_CODE_SPAN.finditer(text)) if len(text) < 20_000 else []


def comments(node: Node, lines: list[str]) -> list[Comment]:
    """Give the HTML comments of a heading, paragraph or HTML block; not those inside code spans."""
    if _COMMENT_OPEN not in node.text:
        return []
    found = []
    number = node.line
    while number < node.end:
        line = lines[number]
        masked = line if node.kind is NodeKind.HTML else _mask(line)
        at = masked.find(_COMMENT_OPEN)
        while at >= 0:
            start = at + len(_COMMENT_OPEN)
            inside, end_line, end = _inside(lines, number, start, node.end)
            found.append(Comment(number + 1, start + 1, inside, closed=end >= 0))
            if end < 0:
                return found
            if end_line != number:
                number = end_line
                line = lines[number]
                masked = line if node.kind is NodeKind.HTML else _mask(line)
            at = masked.find(_COMMENT_OPEN, end)
        number += 1
    return found


def _inside(lines: list[str], number: int, start: int, last: int) -> tuple[str, int, int]:
    """Give a comment's inside, the line it ends on and the column after `-->`; -1 when it has no end."""
    end = lines[number].find("-->", start)
    if end >= 0:
        return lines[number][start:end], number, end + 3
    parts = [lines[number][start:]]
    for following in range(number + 1, last):
        end = lines[following].find("-->")
        if end >= 0:
            return "\n".join([*parts, lines[following][:end]]), following, end + 3
        parts.append(lines[following])
    return "\n".join(parts), last, -1


def _mask(line: str) -> str:
    return _CODE_SPAN.sub(lambda m: "\x00" * len(m.group()), line) if len(line) < 20_000 else line
