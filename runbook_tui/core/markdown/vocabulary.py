"""Every class and key FORMAT.md names: where it may stand, what its value must be, and whether it is built."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.applies import system_word
from runbook_tui.core.markdown import values
from runbook_tui.core.model import FileMode, Hold, HoldCode, Match, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runbook_tui.core.markdown.attributes import Attributes

FENCE_KINDS = ("run", "file", "output", "verify", "undo", "session", "example", "dns", "transcript")
STEP_KINDS = ("manual", "wait")
FLAGS = ("danger", "no-return", "no-log", "secret", "two")
CLASSES = (*FENCE_KINDS, *STEP_KINDS, *FLAGS)

STEP = "step"
"""The place of an item comment without a kind of its own: its attributes are the defaults of its fences."""

NOT_BUILT = {
    "parallel": "parallel items are not built yet",
    ".two": "asking a second person is not built yet",
    ".session": "sessions are not built yet",
    "mode=patch": "mode=patch is not built yet",
}
"""What is parsed but not honoured: it holds its action back and says so. Building one takes its line away."""

_ALL = frozenset({"run", "file", "session", "manual", "wait", STEP})
_DOES = frozenset({"run", "file", "session", STEP})
_SHELL = frozenset({"run", "verify", "undo", "session", STEP})
_FILE = frozenset({"file"})
_PROOF = frozenset({"verify"})


@dataclass(frozen=True, slots=True)
class Key:
    """Where a key may stand, and what is wrong with a value (empty: nothing)."""

    places: frozenset[str]
    problem: Callable[[str], str] = lambda _: ""


def _needs_duration(text: str) -> str:
    return "" if values.duration(text) is not None else "it is no duration such as 60s, 30m, 48h or 7d"


def _needs_exits(text: str) -> str:
    return "" if values.exits(text) is not None else 'it is no list of exit statuses such as "0 24"'


def _needs_number(text: str) -> str:
    return "" if text.isascii() and text.isdigit() and len(text) < 4 else "it is no whole number below 1000"


def _needs_perm(text: str) -> str:
    return "" if values.is_perm(text) else "it is no octal mode such as 644 or 0600"


def _needs_owner(text: str) -> str:
    return "" if values.is_owner(text) else "it is no user or user:group"


def _needs_yes(text: str) -> str:
    return "" if values.yes_or_no(text) is not None else "it is neither yes nor no"


def _needs_user(text: str) -> str:
    return "" if values.is_owner(text) and ":" not in text else "it is no user's name"


def _needs_system(text: str) -> str:
    return "" if system_word(text) else "it is no one word such as freebsd or debian"


def _needs_each(text: str) -> str:
    return "" if values.each(text) else 'it is not written "NAME in LIST"'


def _needs_alt(text: str) -> str:
    return "" if values.alternative(text) else 'it is not written "GROUP:CHOICE"'


def _needs_text(text: str) -> str:
    return "" if text.strip() else "it is empty"


def _one_of(words: Iterable[str]) -> Callable[[str], str]:
    known = tuple(words)
    return lambda text: "" if text in known else f"it is none of {', '.join(known)}"


KEYS = {
    "host": Key(_ALL | {"verify", "undo", "dns"}, _needs_text),
    "user": Key(_DOES | {"verify", "undo"}, _needs_user),
    "sudo": Key(_DOES | {"verify", "undo"}, _needs_yes),
    "os": Key(_ALL | {"verify", "undo"}, _needs_system),
    "file": Key(_FILE, _needs_text),
    "mode": Key(_FILE, _one_of(FileMode)),
    "owner": Key(_FILE, _needs_owner),
    "perm": Key(_FILE, _needs_perm),
    "backup": Key(_FILE, _needs_yes),
    "validate": Key(_FILE, _needs_text),
    "exit": Key(_SHELL, _needs_exits),
    "expect": Key(frozenset({"run", "verify", "session", STEP}), values.pattern_problem),
    "of": Key(frozenset({"output", "verify", "undo"}), _needs_text),
    "match": Key(frozenset({"output"}), _one_of(Match)),
    "gate": Key(_ALL, _needs_text),
    "check": Key(_ALL, _needs_text),
    "each": Key(_DOES, _needs_each),
    "parallel": Key(_DOES, _needs_number),
    "dry-run": Key(_DOES, _needs_text),
    "for": Key(frozenset({"wait"}), _needs_duration),
    "alt": Key(_ALL, _needs_alt),
    "optional": Key(_ALL, _needs_yes),
    "when": Key(_ALL, _needs_text),
    "needs": Key(_ALL, _needs_text),
    "timeout": Key(_ALL | {"verify", "undo"}, _needs_duration),
    "idempotent": Key(_DOES, _needs_yes),
    "eta": Key(_ALL, _needs_duration),
    "cwd": Key(_SHELL, _needs_text),
    "retry": Key(_PROOF, _needs_number),
    "every": Key(_PROOF, _needs_duration),
    "recheck": Key(_DOES, _needs_text),
    "secret": Key(_SHELL, _needs_text),
    "rebinds": Key(_ALL, _needs_text),
}

_FLAG_PLACES = {
    "danger": _ALL | {"undo"},
    "no-return": _ALL,
    "no-log": _ALL | {"verify", "undo"},
    "secret": _FILE | {STEP},
    "two": _ALL,
}


def did_you_mean(word: str, known: Iterable[str], mark: str = "") -> str:
    """Give `did you mean …?` with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word[:60], list(known), n=1, cutoff=0.6)
    return f"did you mean {mark}{near[0]}?" if near else ""


def kind_of(attributes: Attributes) -> str:
    """Give the class that names the kind of a fence or step; empty when there is none."""
    return next((name for name in attributes.classes if name in FENCE_KINDS or name in STEP_KINDS), "")


def check_group(attributes: Attributes, place: str) -> list[Problem]:
    """Give the errors in a group: unknown or misplaced classes and keys, values that do not fit.

    `place` is the kind of the fence, `manual`, `wait`, or `step` for an item comment without a kind.
    """
    line = attributes.line
    kinds = [name for name in attributes.classes if name in FENCE_KINDS or name in STEP_KINDS]
    found: list[Problem] = []

    def error(item: str, code: str, message: str, hint: str = "") -> None:
        found.append(Problem(line, attributes.column(item), Severity.ERROR, code, message, hint))

    for name in kinds[1:]:
        error("." + name, "two-kinds", f".{name} beside .{kinds[0]}: a block has one kind", "keep one of them")
    for name in attributes.classes:
        if name not in CLASSES:
            error("." + name, "unknown-class", f"unknown class .{name}", _near_class(name))
        elif name in _FLAG_PLACES and place not in _FLAG_PLACES[name]:
            error("." + name, "misplaced", f".{name} does nothing on {_where(place)}")
    for name, value in attributes.values.items():
        key = KEYS.get(name)
        if key is None:
            error(name, "unknown-key", f"unknown key {name}", _near_key(name))
        elif place not in key.places:
            places = ", ".join(sorted("an item comment" if p == STEP else f".{p}" for p in key.places))
            error(name, "misplaced", f"{name} does nothing on {_where(place)}", f"it belongs on {places}")
        elif why := key.problem(value):
            error(name, "bad-value", f"{name}={_short(value)}: {why}")
    return found


def _near_class(name: str) -> str:
    return did_you_mean(name, CLASSES, ".") or did_you_mean(name, KEYS) or "known: ." + " .".join(CLASSES)


def _near_key(name: str) -> str:
    if name in CLASSES:
        return f"did you mean .{name}?"
    return did_you_mean(name, KEYS) or did_you_mean(name, CLASSES, ".") or "known: " + " ".join(KEYS)


def _where(place: str) -> str:
    return "an item comment" if place == STEP else f"a .{place}"


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:39] + "…")


def not_built(attributes: Attributes) -> list[Hold]:
    """Give a hold for everything in the group that is parsed but not honoured yet."""
    items = [f".{name}" for name in attributes.classes] + list(attributes.values)
    if attributes.values.get("mode") == FileMode.PATCH:
        items.append("mode=patch")
    return [Hold(HoldCode.UNSUPPORTED, NOT_BUILT[item], item) for item in items if item in NOT_BUILT]
