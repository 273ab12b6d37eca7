"""A step's own Markdown as the operator reads it: no links that act, no HTML, no fences that are actions."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from runbook_tui.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from typing import Any

    from markdown_it.token import Token

    from runbook_tui.core.model import Step

_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]+")


class ProseParser(MarkdownIt):
    """Parses a step's source; leaves out fences that start on a line of `hidden` (lines count from 0)."""

    def __init__(self, title: str, hidden: frozenset[int]) -> None:
        super().__init__("commonmark")
        self.enable(["table", "strikethrough"])
        self._title = _plain(title)
        self._hidden = hidden

    def parse(self, src: str, env: MutableMapping[str, Any] | None = None) -> list[Token]:
        """Give the tokens that are shown."""
        tokens = _without_title(_unwrapped(super().parse(src, env)), self._title)
        shown = []
        for token in tokens:
            if token.type == "html_block" or (token.type == "fence" and token.map and token.map[0] in self._hidden):
                continue
            if token.type == "fence":
                language = _LANGUAGE.match(token.info)
                token.info = language.group() if language else ""
            if token.type == "inline" and token.children:
                token.children = list(_still(token.children))
            shown.append(token)
        return list(_without_empty(shown))


def prose_source(step: Step) -> str:
    """Give the cleaned source of the step."""
    return clean(dedent(step.source))


def prose_parser(step: Step) -> ProseParser:
    """Give the parser that leaves out what the step's actions show themselves."""
    lines = {action.line for action in step.actions}
    for action in step.actions:
        lines |= {v.line for v in action.verifies} | {u.line for u in action.undos}
        lines |= {o.line for o in action.outputs}
    return ProseParser(step.title, frozenset(line - step.line for line in lines))


def has_prose(step: Step) -> bool:
    """Whether anything is left to read beside title and actions."""
    return bool(prose_parser(step).parse(prose_source(step)))


def _plain(text: str) -> str:
    return re.sub(r"[^\w]+", " ", text).strip().lower()


def _unwrapped(tokens: list[Token]) -> list[Token]:
    """Take away the list around a step that is a list item: its bullet says nothing here."""
    if not tokens or tokens[0].type not in {"bullet_list_open", "ordered_list_open"}:
        return tokens
    end = next(i for i, t in enumerate(tokens) if t.level == 0 and t.type.endswith("_list_close"))
    items = [t for t in tokens[:end] if t.level == 1 and t.type == "list_item_open"]
    if len(items) != 1:
        return tokens
    inner = [t for t in tokens[:end] if t.level > 0 and not (t.level == 1 and t.type.startswith("list_item"))]
    for token in inner:
        token.hidden = False
    return inner + tokens[end + 1 :]


def _without_title(tokens: list[Token], title: str) -> list[Token]:
    """Take away a first heading, or a first paragraph that only repeats the title."""
    if len(tokens) >= 3 and tokens[1].type == "inline":
        first, inline = tokens[0], tokens[1]
        if first.type == "heading_open":
            return tokens[3:]
        text = "".join(c.content for c in inline.children or () if c.type in {"text", "code_inline", "softbreak"})
        if first.type == "paragraph_open" and _plain(text) == title:
            return tokens[3:]
    return tokens


def _still(children: Iterable[Token]) -> Iterable[Token]:
    """Turn links into their text and images into their description; drop HTML."""
    for child in children:
        if child.type in {"link_open", "link_close", "html_inline"}:
            continue
        if child.type == "image":
            child.type = "text"
            child.content = f"({child.content or 'picture'})"
            child.children = None
        yield child


def _without_empty(tokens: list[Token]) -> Iterable[Token]:
    """Drop paragraphs in which nothing is left."""
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.type == "paragraph_open" and not any(
            c.content.strip() or c.type == "code_inline" for c in tokens[index + 1].children or ()
        ):
            index += 3
            continue
        yield token
        index += 1
