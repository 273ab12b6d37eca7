"""YAML as nodes with places: what the front matter says, and the line and column of what is wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from runbook_tui.core.markdown import suspicious
from runbook_tui.core.markdown.vocabulary import did_you_mean
from runbook_tui.core.model import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

DEEPEST = 30
"""Nesting of the front matter; nothing in the format needs more than six."""
LONGEST = 200_000
"""Characters of the front matter."""

Value = str | int | float | bool | list["Value"] | dict[str, "Value"] | None
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Notes:
    """Collects problems; `offset` is added to the line of a node (the front matter's own first line)."""

    offset: int = 0
    problems: list[Problem] = field(default_factory=list)

    def error(self, node: yaml.Node | None, code: str, message: str, hint: str = "") -> None:
        """Note an error at the node's place."""
        mark = node.start_mark if node is not None else None
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        self.problems.append(Problem(line + self.offset, column, Severity.ERROR, code, message, hint))

    def line(self, node: yaml.Node) -> int:
        """Give the node's line in the file, from 1."""
        return node.start_mark.line + 1 + self.offset


def compose(text: str, notes: Notes) -> yaml.Node | None:
    """Give the root node, or None with the reason noted. Anchors are refused: a few lines could grow without end."""
    if len(text) > LONGEST:
        notes.error(None, "front-matter", f"the front matter is longer than {LONGEST:,} characters")
        return None
    try:
        if _is_safe(text, notes):
            return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1 + notes.offset, mark.column + 1) if mark is not None else (1, 1)
        message = f"the front matter is not valid YAML: {error.problem or error.context or 'it cannot be read'}"
        notes.problems.append(Problem(*place, Severity.ERROR, "yaml", message, "check quotes, colons and indents"))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        message = f"the front matter holds a character YAML does not allow: U+{int(error.character):04X}"
        notes.problems.append(Problem(line + notes.offset, column, Severity.ERROR, "yaml", message))
    except yaml.YAMLError:
        notes.error(None, "yaml", "the front matter is not valid YAML")
    return None


def _is_safe(text: str, notes: Notes) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            message, hint = "anchors and aliases are not read here", "write the value out"
            notes.problems.append(Problem(*_place(event, notes), Severity.ERROR, "yaml", message, hint))
            return False
        if (tag := getattr(event, "tag", None)) is not None:
            message = f"tags such as {tag} are not read here"
            notes.problems.append(Problem(*_place(event, notes), Severity.ERROR, "yaml", message, "remove it"))
            return False
        if isinstance(event, yaml.ScalarEvent) and (what := _escaped(event, text)):
            message = f"{what} is hidden in the front matter"
            place = _place(event, notes)
            notes.problems.append(Problem(*place, Severity.ERROR, "hidden-character", message, "remove it"))
            return False
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            notes.error(None, "yaml", f"the front matter is nested deeper than {DEEPEST} levels")
            return False
    return True


def _place(event: yaml.Event, notes: Notes) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1 + notes.offset, mark.column + 1) if mark is not None else (1, 1)


def _escaped(event: yaml.ScalarEvent, text: str) -> str:
    r"""Give the name of a character that hides and that the text has as an escape only, such as `\u202e`."""
    if event.style != '"' or event.start_mark is None or event.end_mark is None:
        return ""
    written = text[event.start_mark.index : event.end_mark.index]
    found = [] if any(map(suspicious.hidden, written.split("\n"))) else event.value.split("\n")
    return next((name for line in found for _, name in suspicious.hidden(line)), "")


def mapping(node: yaml.Node | None, what: str, notes: Notes) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Give key, key node and value node of each entry; what is no mapping, or is there twice, is an error."""
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null"):
        return
    if not isinstance(node, yaml.MappingNode):
        notes.error(node, "front-matter", f"{what} is not a list of `name: value`")
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            notes.error(key, "front-matter", f"a name in {what} is not a plain word")
        elif key.value in seen:
            notes.error(key, "equal-keys", f"{key.value} is given twice in {what}", "keep one of them")
        else:
            seen.add(key.value)
            yield key.value, key, value


def fields(node: yaml.Node, what: str, known: Iterable[str], notes: Notes) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Give the entries of a mapping whose keys are all known; an unknown key is an error."""
    names = tuple(known)
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for name, key, value in mapping(node, what, notes):
        if name in names:
            found[name] = (key, value)
        else:
            hint = did_you_mean(name, names) or "known: " + ", ".join(names)
            notes.error(key, "unknown-key", f"unknown key {name} in {what}", hint)
    return found


def text_of(node: yaml.Node, what: str, notes: Notes) -> str:
    """Give a scalar as it is written; anything else is an error and gives an empty text."""
    if isinstance(node, yaml.ScalarNode):
        return "" if node.tag == _TAG + "null" else str(node.value)
    notes.error(node, "front-matter", f"{what} is not a single value")
    return ""


def texts_of(node: yaml.Node, what: str, notes: Notes) -> tuple[str, ...]:
    """Give a list of scalars, or one scalar as a list of one."""
    if isinstance(node, yaml.SequenceNode):
        return tuple(text_of(item, f"an item of {what}", notes) for item in node.value)
    text = text_of(node, what, notes)
    return (text,) if text else ()


def plain(node: yaml.Node) -> Value:
    """Give a node as plain Python values; dates and other tags stay the text they are."""
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): plain(value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "int" if text.lstrip("+-").isdigit() and len(text) < 19:
            return int(text)
        case "bool":
            return text.lower() in {"yes", "true", "on"}
        case "null":
            return None
        case _:
            return text


def scalars(node: yaml.Node, prose: Collection[str] = ()) -> Iterator[yaml.ScalarNode]:
    """Give every scalar, names too, but those that stand under a name that is `prose`."""
    match node:
        case yaml.ScalarNode():
            yield node
        case yaml.SequenceNode():
            for item in node.value:
                yield from scalars(item, prose)
        case yaml.MappingNode():
            for key, value in node.value:
                yield from scalars(key)
                if not (isinstance(key, yaml.ScalarNode) and key.value in prose):
                    yield from scalars(value, prose)
