"""How the operator wants to sit at a run: what the options of `run` and `resume` say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options; the defaults are what a bare command means. `given` are the passwords of `--secrets-fd`.

    `sign_with` is the key file that seals are signed with; empty means the one that is found.
    """

    plain: bool = False
    read_only: bool = False
    mouse: bool = True
    debug: bool = False
    given: Mapping[str, Secret] = field(default_factory=dict)
    sign_with: str = ""


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """Take `NAME=VALUE` apart.

    Raises:
        UsageError: there is no `=`, no name or no value, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in given or ():
        name, _, value = text.partition("=")
        if not name or not value:
            raise UsageError(f"{option} {text}: it is written {option} NAME=VALUE")
        if name in found:
            raise UsageError(f"{option} {name} is given twice")
        found[name] = value
    return found
