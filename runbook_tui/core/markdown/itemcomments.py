"""Item comments: `<!-- step: … -->` and `<!-- phase: … -->`, and near misses of them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

from runbook_tui.core.markdown.attributes import NAME, Attributes, parse_items
from runbook_tui.core.markdown.tree import Comment, Node, NodeKind, comments
from runbook_tui.core.markdown.vocabulary import FENCE_KINDS, STEP, check_group, kind_of
from runbook_tui.core.model import Problem, Severity

_WORD = re.compile(r"\s*([A-Za-z]+)\s*:")
_LIKE_ITEMS = re.compile(r"\s*(?:[#.][A-Za-z]|[a-z-]+=|\S+\s*$)")


@dataclass(slots=True)
class ItemComments:
    """What the comments of one heading or item say. `line` and `column` are the step comment's."""

    step: Attributes | None = None
    phase: str = ""
    line: int = 0
    column: int = 1
    problems: list[Problem] = field(default_factory=list)

    def take(self, node: Node, lines: list[str]) -> ItemComments:
        """Take in the comments of one more node; give itself."""
        for comment in comments(node, lines):
            self._comment(comment, node)
        return self

    def _error(self, line: int, column: int, code: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(line, column, Severity.ERROR, code, message, hint))

    def _comment(self, comment: Comment, node: Node) -> None:
        if not comment.closed:
            code = "unclosed-comment"
            hint = "add --> after it"
            if node.kind is NodeKind.HTML or _WORD.match(comment.text):
                message = "this comment is never closed, so what follows is not read"
                self._error(comment.line, comment.column, code, message, hint)
            return
        found = _WORD.match(comment.text)
        if found is None:
            return
        word = found.group(1)
        rest = comment.text[found.end() :]
        column = comment.column + found.end()
        if word == "step":
            self._step(rest, comment, column)
        elif word == "phase":
            self._phase(rest.strip(), comment)
        elif _is_near(word) and _LIKE_ITEMS.match(rest):
            near = difflib.get_close_matches(word.lower(), ["step", "phase"], n=1)
            message = f"<!-- {word}: … --> means nothing here"
            self._error(comment.line, comment.column, "unknown-comment", message, f"did you mean {near[0]}:?")

    def _step(self, rest: str, comment: Comment, column: int) -> None:
        if self.step is not None:
            message = "a second step comment for the same item"
            self._error(comment.line, comment.column, "two-comments", message, "put everything into one")
            return
        if "\n" in rest.strip():
            message = "a step comment stands on one line"
            self._error(comment.line, comment.column, "comment-lines", message, "join its lines")
            rest = rest.replace("\n", " ")
        attributes, errors = parse_items(rest, line=comment.line, column=column)
        self.step, self.line, self.column = attributes, comment.line, comment.column
        for e in errors:
            self._error(comment.line, e.column, e.code, e.message, e.hint)
        kind = kind_of(attributes)
        if kind in FENCE_KINDS:
            message = f".{kind} is the kind of a fence"
            place = attributes.column("." + kind)
            self._error(comment.line, place, "misplaced", message, f"write {{.{kind}}} after a fence's language")
            kind = ""
        self.problems += check_group(attributes, kind or STEP)
        if kind == "wait" and not {"for", "gate", "check"} & set(attributes.values):
            place = attributes.column(".wait")
            self._error(comment.line, place, "wait-for", ".wait does not say for how long", "add for=30m")

    def _phase(self, name: str, comment: Comment) -> None:
        if not re.fullmatch(NAME, name):
            message = f"{name!r} cannot name a phase"
            self._error(comment.line, comment.column, "bad-value", message, "letters, digits, _ and -")
        elif self.phase:
            self._error(comment.line, comment.column, "two-comments", "a second phase comment here")
        else:
            self.phase = name


def _is_near(word: str) -> bool:
    return bool(difflib.get_close_matches(word.lower(), ["step", "phase"], n=1, cutoff=0.7))
