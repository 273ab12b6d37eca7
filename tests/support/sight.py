"""What a probe is handed in a test: real shells where they are given, the rest as the test sets it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runbook_tui.adapters.net import SystemNet
from runbook_tui.core.errors import SecretError
from runbook_tui.core.run import Status
from runbook_tui.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.core.model import HostName
    from runbook_tui.ports import Hosts, Identity, Net, Secrets, Shell


@dataclass
class KnownSecrets:
    """Passwords by name."""

    values: Mapping[str, str] = field(default_factory=dict)

    async def get(self, name: str) -> Secret:
        """Give the password of this name, or raise SecretError."""
        if name not in self.values:
            raise SecretError(f"there is no password for {name}")
        return Secret(name, self.values[name], "the test")

    def ask_again(self) -> None:
        """Do nothing: they are always there."""


@dataclass
class ShellHosts:
    """Hosts by name, each with a shell of the test's."""

    shells: Mapping[str, Shell] = field(default_factory=dict)

    def find(self, name: str) -> Shell | None:
        """Give the host's shell, None when there is no such host."""
        return self.shells.get(name)

    async def identify(self, name: HostName) -> Identity:
        """Connect, and say who answers."""
        return await self.shells[name].connect()


@dataclass
class TestSight:
    """A sight whose every part a test may set; `now` None is the real clock."""

    __test__ = False

    hosts: Hosts = field(default_factory=ShellHosts)
    net: Net = field(default_factory=SystemNet)
    secrets: Secrets = field(default_factory=KnownSecrets)
    phase: str = ""
    asked: bool = False
    at: datetime | None = None
    states: Mapping[str, Status] = field(default_factory=dict)
    done: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The time it is, aware UTC."""
        return self.at or datetime.now(UTC)

    @property
    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def state_of(self, action_id: str) -> Status:
        """Give where an action stands."""
        return self.states.get(action_id.removeprefix("#"), Status.TODO)

    def done_at(self, action_id: str) -> datetime | None:
        """Give when an action was done."""
        return self.done.get(action_id.removeprefix("#"))
