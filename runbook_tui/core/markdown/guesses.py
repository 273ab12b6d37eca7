"""Words of a bare how-to that stand for the reader's own: example domains, `<words>`, a log-in's name and password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.core.markdown.values import word_set
from runbook_tui.core.model import ActionKind, Literal, LiteralSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbook_tui.core.model import Action

_EXAMPLE_NAME = re.compile(
    r"(?<![\w.-])(?:[A-Za-z0-9_-]+\.)*(?:[A-Za-z0-9-]+\.(?:tld|example|invalid)|example\.(?:com|org|net)|"
    r"(?:your|my)-?(?:domain|server|host|site)\.[a-z]{2,4})(?![\w-])(?!\.\w)"
)
_ANGLE = re.compile(r"<[a-zA-Z][a-zA-Z0-9 _-]{0,40}>")
_LOGIN = re.compile(r"^\s*\w+\s+login\s+(\S+)\s+(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
MOST_GUESSES = 200
"""Placeholders guessed in one file; a text with more of them uses these names as they are."""
_HOST_LABELS = word_set("www mail mx imap smtp pop pop3 webmail ns1 ns2 ns host server old new db git")
_USER_WORDS = ("user", "login", "account")
_SECRET_WORDS = ("password", "passwd", "secret", "token", "key")


def guessed_literals(actions: Iterable[Action], lines: list[str]) -> tuple[Literal, ...]:
    """Give what looks like a placeholder in the actions, with the lines (from 1) where each one occurs."""
    kinds: dict[str, str] = {}
    for action in actions:
        path = action.file.path if action.file else ""
        for found in _EXAMPLE_NAME.finditer(f"{action.text}\n{path}"):
            kinds.setdefault(found.group(), _name_kind(found.group()))
        if action.kind is not ActionKind.FILE:
            for found in _ANGLE.finditer(action.text):
                kinds.setdefault(found.group(), _angle_kind(found.group()))
        for login in _LOGIN.finditer(action.text):
            kinds.setdefault(login.group(1), "user")
            kinds.setdefault(login.group(2), "secret")
    kinds = dict(list(kinds.items())[:MOST_GUESSES])
    where = _occurrences(kinds, lines)
    return tuple(
        Literal(text, LiteralSource.GUESS, text, kind=kind, lines=where.get(text, ())) for text, kind in kinds.items()
    )


def with_lines(literals: tuple[Literal, ...], lines: list[str], first: int) -> dict[str, tuple[int, ...]]:
    """Give the lines (from 1) of the text where each literal stands; `first` is the text's first line, from 0."""
    return _occurrences([lit.text for lit in literals], ["" if n < first else line for n, line in enumerate(lines)])


def _occurrences(texts: Iterable[str], lines: list[str]) -> dict[str, tuple[int, ...]]:
    """Look for the longest of the texts at each place, whole tokens only."""
    body = "\n".join(lines)
    ordered = sorted((text for text in texts if text in body), key=len, reverse=True)
    if not ordered:
        return {}
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(text)}(?![\w-])" for text in ordered))
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        for text in {m.group() for m in pattern.finditer(line)}:
            found.setdefault(text, []).append(number)
    return {text: tuple(numbers) for text, numbers in found.items()}


def _name_kind(name: str) -> str:
    labels = name.lower().split(".")
    return "host" if len(labels) > 2 or labels[0] in _HOST_LABELS else "domain"


def _angle_kind(text: str) -> str:
    lower = text.lower()
    for kind, clues in (("secret", _SECRET_WORDS), ("user", _USER_WORDS), ("domain", ("domain",)),
                        ("host", ("host", "server")), ("path", ("path", "file", "dir"))):  # fmt: skip
        if any(clue in lower for clue in clues):
            return kind
    return "value"
