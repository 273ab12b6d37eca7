"""A typed line as an order: which verb, and what was written after it. Pure; nothing is looked up in the run."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Word(StrEnum):
    """The verbs of line mode (ARCHITECTURE.md, "Line mode")."""

    CONFIRM = "confirm"
    SKIP = "skip"
    RETRY = "retry"
    EDIT = "edit"
    UNDO = "undo"
    DONE = "done"
    NOTE = "note"
    STOP = "stop"
    SET = "set"
    ACCEPT = "accept"
    OVERRIDE = "override"
    RELOAD = "reload"
    RECHECK = "recheck"
    ROLLBACK = "rollback"
    HOSTS = "hosts"
    TRUST = "trust"
    TAKEOVER = "takeover"
    GO = "go"
    CHECKS = "checks"
    SECRET = "secret"  # noqa: S105 -- a verb
    EXPORT = "export"
    CLEAN = "clean"
    STATUS = "status"
    HELP = "help"
    QUIT = "quit"


AT_ONCE = frozenset({Word.STOP, Word.STATUS, Word.CHECKS, Word.NOTE, Word.HELP})
"""What acts while an action runs; every other line waits until it has ended."""

ASKING = frozenset({
    Word.CONFIRM, Word.RETRY, Word.EDIT, Word.UNDO, Word.ROLLBACK, Word.RELOAD, Word.RECHECK,
    Word.CLEAN,
})  # fmt: skip
"""What prints a confirmation and takes the next line as its answer."""

LOOKING = frozenset({
    Word.HOSTS, Word.GO, Word.CHECKS, Word.SECRET, Word.EXPORT, Word.STATUS, Word.HELP, Word.QUIT,
})  # fmt: skip
"""What changes nothing in the run: it is heard where the run was opened read-only, too."""

USAGE = {
    Word.CONFIRM: ("confirm", "show what would run, then ask"),
    Word.SKIP: ("skip REASON", "leave this action out, and say why; what is optional needs no reason"),
    Word.RETRY: ("retry", "run it again, through the same confirmation"),
    Word.EDIT: ("edit COMMAND", "run another command instead, this time"),
    Word.UNDO: ("undo", "run its way back, through the same confirmation"),
    Word.DONE: ("done NOTE", "it was done by hand"),
    Word.NOTE: ("note TEXT", "write a note into the transcript"),
    Word.STOP: ("stop [kill]", "stop the running action: TERM first, KILL when that was not enough"),
    Word.SET: (
        (
            "set host NAME | set mode MODE | set kind run|file|manual | set os=WORD | set when=yes|no | set alt=WAY"
            " | set LITERAL=VALUE | set LIST=A,B"
        ),
        "settle what holds it",
    ),
    Word.ACCEPT: ("accept", "I read it, it is right"),
    Word.OVERRIDE: ("override REASON", "let a held step through its gates, and say what you saw"),
    Word.RELOAD: ("reload", "show what the edited runbook file changes, then ask whether to adopt it"),
    Word.RECHECK: ("recheck", "ask on the host how it stands there; when that says done, ask whether to mark it so"),
    Word.ROLLBACK: ("rollback STEP", "undo what was done from that step on, the last first, each confirmed"),
    Word.HOSTS: ("hosts", "the hosts, their keys and links"),
    Word.TRUST: ("trust HOST FINGERPRINT [REASON]", "accept the key that host shows, in this run"),
    Word.TAKEOVER: ("takeover HOST", "take a host's lock from the run that hosts names"),
    Word.GO: ("go STEP", "make another step the current one: its number or id; without one, list them"),
    Word.CHECKS: ("checks [NAME]", "the live checks; one with all that is known of it, and it looks now"),
    Word.SECRET: ("secret [NAME]", "type the passwords that are missing, or this one; a silent keyring is asked again"),
    Word.EXPORT: ("export md|json FILE", "write the transcript"),
    Word.CLEAN: ("clean", "remove from the hosts what the closed run's commands left there; shows what, then asks"),
    Word.STATUS: ("status", "where the run stands, and the text of the current step"),
    Word.HELP: ("help", "this list"),
    Word.QUIT: ("quit", "pause the run and leave"),
}  # fmt: skip
"""How each verb is written, and what it does."""

_ALONE = frozenset({
    Word.CONFIRM, Word.RETRY, Word.UNDO, Word.RELOAD, Word.RECHECK, Word.ACCEPT, Word.HOSTS, Word.CLEAN, Word.STATUS,
    Word.HELP, Word.QUIT,
})  # fmt: skip
_WITH_TEXT = frozenset({
    Word.ROLLBACK, Word.OVERRIDE, Word.EDIT, Word.DONE, Word.NOTE, Word.SET, Word.TRUST, Word.TAKEOVER, Word.EXPORT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """A line understood: the verb and the rest of the line, without the white space around it."""

    word: Word
    rest: str = ""


class NotAnOrderError(ValueError):
    """The line is no verb, or the verb lacks something or has too much; `str()` says so in one sentence."""


def understand(line: str) -> Order:
    """Read one line that is not empty.

    Raises:
        NotAnOrderError: it cannot be obeyed as it stands.
    """
    first, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    try:
        word = Word(first)
    except ValueError:
        near = get_close_matches(first.lower(), [w.value for w in Word], n=1)
        hint = f"did you mean {near[0]}?" if near else "help lists the verbs"
        raise NotAnOrderError(f"there is no verb {first[:40]!r}; {hint}") from None
    usage = USAGE[word][0]
    if word in _ALONE and rest:
        raise NotAnOrderError(f"{word} stands alone on its line; nothing was done")
    if word in _WITH_TEXT and not rest:
        raise NotAnOrderError(f"something is missing: {usage}")
    if word is Word.STOP and rest not in {"", "kill"}:
        raise NotAnOrderError(f"it is written {usage}")
    return Order(word, rest)


def acts_at_once(line: str) -> bool:
    """Whether the line is obeyed while an action runs."""
    return _first(line) in AT_ONCE


def asks(line: str) -> bool:
    """Whether the line is followed by an answer."""
    return _first(line) in ASKING


def _first(line: str) -> str:
    return line.strip().partition(" ")[0]
