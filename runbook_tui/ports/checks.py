"""Live checks: what one look says, and what a probe may use for it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from runbook_tui.core.model import HostName
    from runbook_tui.core.run import Status
    from runbook_tui.core.secret import Secret
    from runbook_tui.ports.hosts import Identity, Shell
    from runbook_tui.ports.network import Net


class CheckState(StrEnum):
    """What a live check says. UNKNOWN means it could not look: never green, never a pass."""

    PASS = "PASS"  # noqa: S105 -- a check's state
    WARN = "WARN"
    FAIL = "FAIL"
    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a check's table: a server, a queue, a folder. `state` None: it has none of its own."""

    cells: tuple[str, ...]
    state: CheckState | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One look of a check. Text from outside stands in it raw; it is shown only as any untrusted text is.

    `value` is a short sentence, `detail` what was asked and what came, `error` why it could not look. `eta` is when
    what is PENDING should be over (aware UTC). `rows` go under the probe's `columns`. `level` is the number whose
    course is drawn. `again` is after how many seconds it is worth looking again; None: as often as the check says.
    """

    state: CheckState
    value: str
    detail: str = ""
    eta: datetime | None = None
    rows: tuple[Row, ...] = ()
    level: float | None = None
    error: str = ""
    again: float | None = None


class Hosts(Protocol):
    """The kept connections of a run's hosts, as a check may use them."""

    def find(self, name: str) -> Shell | None:
        """Give the host's shell, or None when the run has no such host."""

    async def identify(self, name: HostName) -> Identity:
        """Connect when not connected, and say who answers.

        Raises:
            HostError: it cannot be reached, or is not the one it should be.
        """


class Secrets(Protocol):
    """Where the passwords are that a check logs in with."""

    async def get(self, name: str) -> Secret:
        """Give the secret stored under this name.

        Raises:
            SecretError: there is none, or it cannot be had; the sentence says why.
        """

    def ask_again(self) -> None:
        """Ask again where a keyring was silent or locked: the operator says that it answers now."""


class Sight(Protocol):
    """What a probe may know and use while it looks once.

    Its parts are read-only: the hosts' kept connections, the network, the passwords, and where the run stands.
    """

    @property
    def hosts(self) -> Hosts:
        """The hosts' kept connections."""

    @property
    def net(self) -> Net:
        """The network beside SSH."""

    @property
    def secrets(self) -> Secrets:
        """The passwords."""

    @property
    def phase(self) -> str:
        """The name of the phase the walk is in; empty where it has none."""

    @property
    def now(self) -> datetime:
        """The wall clock, aware UTC."""

    @property
    def monotonic(self) -> float:
        """Seconds that never go back."""

    @property
    def asked(self) -> bool:
        """Whether the operator asked for this look: what is not tried again by itself may be tried now."""

    def state_of(self, action_id: str) -> Status:
        """Give where an action stands; `#` before its id is allowed, and what is not there is `todo`."""

    def done_at(self, action_id: str) -> datetime | None:
        """Give when an action came to its good end (aware UTC), None when it did not."""


class Probe(Protocol):
    """One live check, to inherit from: it looks when asked and never raises for what it finds.

    `columns` are the heads of its table, for a probe whose readings have rows.
    """

    columns: tuple[str, ...] = ()

    @property
    @abstractmethod
    def asks(self) -> str:
        """What is sent, in one line."""

    @property
    def asks_lines(self) -> tuple[str, ...]:
        """All that is sent, a line each, for the list the operator agrees to."""
        return (self.asks,)

    @abstractmethod
    async def read(self, sight: Sight) -> Reading:
        """Look once. A failure to look is UNKNOWN."""
