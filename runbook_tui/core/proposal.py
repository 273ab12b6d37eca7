"""What a confirmation shows: exactly what would run, where, what counts as done, and what must be answered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_tui.core.events import Role
    from runbook_tui.core.model import ActionId, ActionKind, HostName
    from runbook_tui.core.secret import Secret

YES = "y"
"""What the app's key and line mode's `yes` stand for where nothing has to be typed."""


NO_RETURN = "no way back after this: it is the point of no return"
"""What is said of a `.no-return` action wherever there is room for a sentence."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What an action's dry run said: its command, its output (cleaned, bounded) and how it ended, in words."""

    command: str
    output: str
    ended: str
    well: bool

    @property
    def text(self) -> str:
        """Give all of it as it is recorded."""
        return f"dry run: {self.command}\n{self.output}{'' if self.well else 'FAILED: '}{self.ended}\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What an attempt is to do where.

    `fed` is what comes on its standard input and may be seen nowhere, `user` who is logged in there. One of an earlier
    sitting is `taken_up`: `started` says that its host answered then, `exit` how its command ended where only its proof
    is missing, `raw_offset` how many bytes of its output are stored, `waited` the seconds since it was confirmed.
    """

    attempt: str
    action: ActionId
    role: Role
    host: HostName
    command: str
    stdin: bytes | None = None
    fed: Secret | None = None
    user: str = ""
    taken_up: bool = False
    started: bool = False
    exit: int | None = None
    raw_offset: int = 0
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """One confirmation. What is confirmed is exactly this object: `sha256` is of `command`'s UTF-8 bytes.

    `user`, `name`, `address`, `fingerprint` are as the live connection reports them; empty for a wait.
    `written` is the runbook's command where the operator edited it, else empty. `detail` is a file's diff
    or when a wait ends. `stdin` is a file's new content. `wants` is `YES` or the words that must be typed.
    `gates` say how each gate of the action was answered, `dry_run` what it would do. `no_return` means that nothing
    leads back once it ran. `fed` is a standard input that may be seen nowhere, `input` says in words what it is.
    `attempt` is the id it would have: a proposal is stale once another attempt took that id.
    """

    attempt: str
    action: ActionId
    number: str
    title: str
    role: Role
    kind: ActionKind
    host: HostName | None
    user: str
    name: str
    address: str
    fingerprint: str
    command: str
    stdin: bytes | None
    written: str
    detail: str
    done_when: tuple[str, ...]
    way_back: tuple[str, ...]
    warnings: tuple[str, ...]
    danger: bool
    wants: str
    gates: tuple[str, ...] = ()
    dry_run: DryRun | None = None
    no_return: bool = False
    fed: Secret | None = None
    input: str = ""

    @property
    def sha256(self) -> str:
        """The hex digest of the command that would run."""
        return hashlib.sha256(self.command.encode()).hexdigest()

    @property
    def other_warnings(self) -> tuple[str, ...]:
        """Give the warnings beside that of the point of no return, which is said on its own and louder."""
        return tuple(warning for warning in self.warnings if warning != NO_RETURN)

    @property
    def where(self) -> str:
        """Give `old = root@old.example (198.51.100.10:22, key SHA256:…)`, or what else is meant."""
        if self.host is None:
            return "nowhere: it only waits"
        inside = ", ".join(p for p in (self.address, f"key {self.fingerprint}" if self.fingerprint else "") if p)
        return f"{self.host} = {self.user}@{self.name} ({inside or 'this machine'})"
