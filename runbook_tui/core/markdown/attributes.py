"""The attribute grammar of fence tails and item comments (FORMAT.md, Spelling), parsed from the raw text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = r"[A-Za-z][A-Za-z0-9_-]*"
_ID_OR_CLASS = re.compile(rf"([#.])({NAME})")
_KEY = re.compile(r"[a-z][a-z-]*")
_UNQUOTED = re.compile(r"[^\s\"'{}`]+")
_ESCAPE = re.compile(r'\\([\\"])')
_SPACE = re.compile(r"\s*")
_TO_SPACE = re.compile(r"\S*")


@dataclass(frozen=True, slots=True)
class GrammarError:
    """What does not fit the grammar; `column` counts from 1 in the line the text stands in."""

    column: int
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """One group as written. `columns` maps each item (`#id`, `.class` or the bare key) to its column.

    `line` counts from 1.
    """

    line: int = 0
    id: str = ""
    classes: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether the class is there."""
        return name in self.classes

    def column(self, item: str) -> int:
        """Give the column of `#id`, `.class` or a key; 1 when it is not there."""
        return self.columns.get(item, 1)


@dataclass(slots=True)
class _Group:
    """The items found so far."""

    id: str = ""
    classes: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    errors: list[GrammarError] = field(default_factory=list)

    def frozen(self, line: int) -> Attributes:
        return Attributes(line, self.id, tuple(self.classes), self.values, self.columns)


def parse_tail(text: str, *, line: int, column: int) -> tuple[Attributes, tuple[GrammarError, ...]]:
    """Parse `{…}` at the end of an info string.

    `text` starts with `{`, which stands in `column` of `line`. After an error the items that could be read are
    given all the same.
    """
    group = _Group()
    end = _items(text, 1, column, group, closing=True)
    if end is None:
        if not group.errors:
            message = "the attribute group is not closed"
            group.errors.append(GrammarError(column, "unclosed-brace", message, "add } at the end of the line"))
    elif text[end + 1 :].strip():
        start = end + 1 + _space(text, end + 1)
        message = "text stands after the closing }"
        hint = "the attribute group is the last thing on the line"
        group.errors.append(GrammarError(column + start, "text-after-brace", message, hint))
    return group.frozen(line), tuple(group.errors)


def parse_items(text: str, *, line: int, column: int) -> tuple[Attributes, tuple[GrammarError, ...]]:
    """Parse the items of an item comment, which has no braces. `text` starts in `column` of `line`."""
    group = _Group()
    _items(text, 0, column, group, closing=False)
    return group.frozen(line), tuple(group.errors)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() - at if found else 0


def _items(text: str, at: int, column: int, group: _Group, *, closing: bool) -> int | None:
    """Read items from `at` on; give where the closing brace stands, or None at the end of the text."""
    while True:
        at += _space(text, at)
        if at >= len(text):
            return None
        if closing and text[at] == "}":
            return at
        following = _item(text, at, column, group)
        if following is None:
            return None
        if following < len(text) and not text[following].isspace() and not (closing and text[following] == "}"):
            message = f"{text[following]!r} cannot stand here"
            hint = "items are separated by spaces; put a value with spaces or quotes in quotes"
            group.errors.append(GrammarError(column + following, "bad-item", message, hint))
            rest = _TO_SPACE.match(text, following)
            following = rest.end() if rest else len(text)
            if closing and text[following - 1] == "}":
                return following - 1
        at = following


def _item(text: str, at: int, column: int, group: _Group) -> int | None:
    """Read one item; give where it ends, or None when a quote is never closed."""
    if text[at] in "#.":
        return _id_or_class(text, at, column, group)
    key = _KEY.match(text, at)
    if key is None:
        group.errors.append(
            GrammarError(column + at, "bad-item", f"{text[at]!r} does not begin an item", "#id, .class or key=value")
        )
        rest = _TO_SPACE.match(text, at)
        end = rest.end() if rest else len(text)
        return end - 1 if text[end - 1] == "}" and end - 1 > at else end
    end, value = key.end(), "yes"
    if text[end : end + 1] == "=":
        read = _value(text, end + 1, column, group)
        if read is None:
            return None
        value, end = read
    name = key.group()
    if name in group.values:
        group.errors.append(GrammarError(column + at, "equal-keys", f"{name} is given twice", "keep one of them"))
    else:
        group.values[name] = value
        group.columns[name] = column + at
    return end


def _id_or_class(text: str, at: int, column: int, group: _Group) -> int:
    found = _ID_OR_CLASS.match(text, at)
    if found is None:
        what = "an id" if text[at] == "#" else "a class"
        hint = "it begins with a letter and goes on with letters, digits, _ and -"
        group.errors.append(GrammarError(column + at, "bad-item", f"{text[at]} without {what} after it", hint))
        return at + 1
    mark, name = found.groups()
    if mark == "#":
        if group.id:
            hint = "an item has one id; keep one of them"
            group.errors.append(GrammarError(column + at, "two-ids", f"a second id, #{name}", hint))
        else:
            group.id = name
            group.columns["#" + name] = column + at
    elif name not in group.classes:
        group.classes.append(name)
        group.columns["." + name] = column + at
    return found.end()


def _value(text: str, at: int, column: int, group: _Group) -> tuple[str, int] | None:
    """Read a value; give it and where it ends, or None when its quote is never closed."""
    quote = text[at : at + 1]
    if quote not in {'"', "'"}:
        found = _UNQUOTED.match(text, at)
        if found is None:
            group.errors.append(
                GrammarError(column + at, "no-value", "a value is missing after =", 'an empty value is written ""')
            )
            return "", at
        return found.group(), found.end()
    end = at + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" and text[end + 1 : end + 2] in {"\\", '"'} else 1
    if end >= len(text):
        message = f"the quote {quote} is not closed"
        group.errors.append(GrammarError(column + at, "unclosed-quote", message, f"add {quote} after the value"))
        return None
    inner = text[at + 1 : end]
    if "`" in inner:
        message = "a back-quote cannot stand in an attribute"
        group.errors.append(GrammarError(column + at + inner.index("`") + 1, "back-quote", message))
    return _ESCAPE.sub(r"\1", inner), end + 1
