"""What is known of host keys before a connection, what one showed, and why a key was refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.core.model import HostName


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key: `key` is one line in OpenSSH form without a comment."""

    algorithm: str
    fingerprint: str
    key: str


@dataclass(frozen=True, slots=True)
class ExpectedKeys:
    """The keys of this run, by role and never by address.

    `pin` is the host's own: then no other is taken for it. `jumps` are those of jump hosts by their name in
    known_hosts. `others` are keys that this host must not show, for they are another role's.
    """

    pin: HostKey | None = None
    jumps: Mapping[str, HostKey] = field(default_factory=dict)
    others: Mapping[HostName, HostKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key that a live connection was made with, and who vouches for it; `jump` names the jump host whose it is."""

    key: HostKey
    source: str
    jump: str = ""


class KeyVerdict(StrEnum):
    """Why a host's key was refused."""

    UNKNOWN = "not known"
    CHANGED = "changed"
    OTHER_TYPE = "of another type than is known"
    REVOKED = "revoked"
    OTHER_ROLE = "another host's"


@dataclass(frozen=True, slots=True)
class KeyRefusal:
    """A refused key and what it can be compared with. Nobody was logged in with it.

    `name` is what known_hosts was searched for, `address` where the connection went. `expected` are the keys that
    are known, `where` who has them; `listed` are known_hosts lines that have the shown key under other names. `role`
    is the host whose key it is; `jump` the name of the jump host that showed it. `key` is None where a
    certificate hides it.
    """

    verdict: KeyVerdict
    key: HostKey | None
    name: str
    address: str = ""
    expected: tuple[HostKey, ...] = ()
    where: str = ""
    listed: tuple[str, ...] = ()
    role: str = ""
    jump: str = ""

    @property
    def alarming(self) -> bool:
        """Whether another key was expected: it takes the whole fingerprint and a reason to trust this one."""
        return self.verdict in {KeyVerdict.CHANGED, KeyVerdict.OTHER_TYPE}

    @property
    def can_be_trusted(self) -> bool:
        """Whether the operator may vouch for the key."""
        return self.key is not None and (self.alarming or self.verdict is KeyVerdict.UNKNOWN)

    @property
    def whose(self) -> str:
        """Name the machine that showed it in words: empty for the host itself."""
        return f"the jump host {self.jump}" if self.jump else ""

    @property
    def compare(self) -> str:
        """Give the command that says the fingerprint on the machine's own console."""
        kind = self.key.algorithm if self.key else ""
        found = next((name for name in ("ed25519", "ecdsa", "rsa") if name in kind), "*")
        return f"ssh-keygen -lf /etc/ssh/ssh_host_{found}_key.pub"
