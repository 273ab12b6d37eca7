"""The one error base: what is wrong, where, what to do, and the exit code it ends the program with."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ExitCode(IntEnum):
    """What the command line ends with; documented in the README and stable."""

    OK = 0
    NOT_GREEN = 1
    USAGE = 2
    RUNBOOK = 3
    UNREACHABLE = 4
    LOCKED = 5
    FAULT = 70
    SIGHUP = 129
    INTERRUPTED = 130
    SIGTERM = 143


class RunbookTuiError(Exception):
    """An error the user can do something about: never shown as a traceback."""

    exit_code: ExitCode = ExitCode.USAGE

    def __init__(self, title: str, detail: str = "", hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.hint = hint

    def take_out(self, redact: Callable[[str], str]) -> None:
        """Have title, detail and hint as `redact` gives them: what failed may have said a secret."""
        self.title, self.detail, self.hint = map(redact, (self.title, self.detail, self.hint))
        self.args = (self.title,)

    def __str__(self) -> str:
        """Give title, detail and hint as one paragraph each."""
        return "\n".join(part for part in (self.title, self.detail, self.hint) if part)


class UsageError(RunbookTuiError):
    """The command line, a file name or a typed value cannot be used."""


class RunbookError(RunbookTuiError):
    """The runbook has errors; `detail` lists them with line and column."""

    exit_code = ExitCode.RUNBOOK


class StateDirError(RunbookTuiError):
    """The state directory or a run in it cannot be read or written."""

    exit_code = ExitCode.UNREACHABLE


class RunLockedError(RunbookTuiError):
    """Another process holds this run."""

    exit_code = ExitCode.LOCKED


class HostError(RunbookTuiError):
    """A host cannot be reached, is not the one it should be, or refuses us."""

    exit_code = ExitCode.UNREACHABLE


class UnansweredError(HostError):
    """A host was asked, and did not answer: it may have done what it was asked."""


class SecretError(RunbookTuiError):
    """A secret cannot be had or kept: the keyring is absent, refused, locked or silent, or nobody gave the value."""

    exit_code = ExitCode.UNREACHABLE


class WantedSecretError(SecretError):
    """A secret is missing without which an action is not run; `name` is what it would be stored under."""

    def __init__(self, name: str, why: SecretError) -> None:
        super().__init__(why.title, why.detail, why.hint)
        self.name = name


class Refused(RunbookTuiError):  # noqa: N818 -- it is an answer to the operator, not a failure
    """A verb is not allowed now; the title says why. Nothing changed."""


class SigningError(RunbookTuiError):
    """There is no key to sign with, or the named one cannot be used without asking somebody."""
