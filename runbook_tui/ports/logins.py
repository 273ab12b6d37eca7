"""What a login wants that no key file gives: passwords, passphrases, answers; and who is asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.secret import Secret


class LoginKind(StrEnum):
    """What is wanted, in a word for the sentence that asks for it."""

    PASSWORD = "password"  # noqa: S105 -- a kind, no value
    PASSPHRASE = "passphrase"  # noqa: S105 -- the same
    QUESTIONS = "questions"
    SUDO = "sudo password"


@dataclass(frozen=True, slots=True)
class LoginField:
    """One line to type. `prompt` is the server's own text for questions: untrusted; `hidden` is typed unseen.

    Only what is `storable` may be kept: a code that is good for one time never is.
    """

    prompt: str
    hidden: bool = True
    storable: bool = False


@dataclass(frozen=True, slots=True)
class LoginAsk:
    """One question to the person. What the server says of it, `said` and the prompts, is untrusted text.

    `host` is the role, `target` who logs in where, which is a jump host's when `jump`. `name` is under which the value
    may be stored; empty for what is good only once. `again` says what became of the value before.
    """

    kind: LoginKind
    host: str
    target: str
    fields: tuple[LoginField, ...]
    name: str = ""
    jump: bool = False
    key_file: str = ""
    said: str = ""
    again: str = ""

    @property
    def sentence(self) -> str:
        """Say in our own words who wants what; the server's words are beside it."""
        who = f"{self.target}, the jump host to {self.host}," if self.jump else self.target
        match self.kind:
            case LoginKind.PASSWORD:
                return f"{who} wants a password."
            case LoginKind.PASSPHRASE:
                return f"{who} wants the key of {self.key_file}, which is locked with a passphrase."
            case LoginKind.QUESTIONS:
                return f"{who} asks before it lets you in."
            case LoginKind.SUDO:
                return f"sudo on {who} wants a password."


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """What was typed, a value for each field; with `keep` the stored name is to have it once it proved right."""

    values: tuple[Secret, ...]
    keep: bool = False


class Asker(Protocol):
    """Gives a login what it wants: what is stored, what was right before in this sitting, and what a person types."""

    async def stored(self, name: str) -> Secret | None:
        """Give the value for a name without asking a person; None when there is none, or it was refused before."""

    async def ask(self, wanted: LoginAsk) -> LoginAnswer | None:
        """Ask the person, however long that takes; None when they do not want to."""

    async def proved(self, wanted: Secret, *, keep: bool) -> None:
        """Take note that a value was right; `keep` puts it under its name into the keyring."""

    def refused(self, values: Sequence[Secret]) -> None:
        """Take note that these values were not right: none of them is tried again by itself."""


class Keeper(Protocol):
    """Puts a value where it is found in the next sitting."""

    async def keep(self, secret: Secret) -> str:
        """Store it; give where, in words.

        Raises:
            RunbookTuiError: it is not kept.
        """
