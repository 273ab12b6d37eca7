"""One host over one kept connection: who answers there, and commands that run while it is held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.errors import HostError
    from runbook_tui.core.model import Host, HostName
    from runbook_tui.ports.host_keys import ExpectedKeys, HostKey, KeyRefusal, ShownKey
    from runbook_tui.ports.jobs import Ended, Jobs


@dataclass(frozen=True, slots=True)
class Identity:
    """A host as its *live connection* reports it.

    `user` and `name` are what the far side says (`id -un`, `uname -n`); `address` is `ip:port` of the peer,
    empty for the operator's own machine; `fingerprint` is `SHA256:…` of the host key in use. `system` is one word:
    `freebsd`, or the `ID` of os-release(5) such as `debian`; empty when it did not say. `keys` are the host key in use
    and those of the jump hosts before it, with who vouched for each.
    """

    host: HostName
    user: str
    name: str
    address: str = ""
    fingerprint: str = ""
    algorithm: str = ""
    system: str = ""
    keys: tuple[ShownKey, ...] = ()

    def __str__(self) -> str:
        """Give `user@name (address, key SHA256:…)`."""
        details = ", ".join(d for d in (self.address, f"key {self.fingerprint}" if self.fingerprint else "") if d)
        return f"{self.user}@{self.name} ({details or 'this machine'})"


class Link(StrEnum):
    """The state of a host's connection."""

    IDLE = "not connected"
    CONNECTING = "connecting"
    ASKING = "waits for you to log in"
    UP = "connected"
    DOWN = "not reachable"
    REFUSED = "refused"


class Job(Protocol):
    """A script that was started on a host."""

    @property
    def pgid(self) -> int:
        """The process group over there, as that host's `ps` says."""

    @property
    def noise(self) -> str:
        """What the login shell said by itself before the script ran; cut where it is long."""

    async def wait(self) -> Ended:
        """Wait for the end. All output has been given to the sink when it returns. Never raises for a lost link."""

    def close(self) -> None:
        """Let go of the channel without waiting; what runs over there may go on."""


class Shell(Protocol):
    """`/bin/sh` on one host, over one kept connection."""

    @property
    def host(self) -> Host:
        """The host this shell reaches."""

    @property
    def link(self) -> Link:
        """The state of the connection as last seen."""

    @property
    def jobs(self) -> Jobs:
        """What runs there detached."""

    @property
    def refusal(self) -> KeyRefusal | None:
        """Why the last connection was refused for a host key, the host's own or a jump host's; None when it was not."""

    @property
    def session_limit(self) -> int | None:
        """How many sessions of this connection were open when the server refused one more; None while it did not."""

    @property
    def resting(self) -> HostError | None:
        """The failure after which nobody who can wait should try to connect again yet; None when anybody may."""

    async def connect(self) -> Identity:
        """Connect if not connected, and say who is there.

        Raises:
            HostError: with a sentence for each cause (name, refused, timeout, key unknown, key changed, login).
        """

    async def start(self, script: str, sink: Callable[[bytes], None], stdin: bytes | None = None) -> Job:
        """Run `script` with `/bin/sh`; standard output and error go to `sink` in their own order.

        With `stdin` None the script's standard input is /dev/null. Returns when the far side has said that the
        whole script arrived and is being started.

        Raises:
            HostError: it was proved that nothing ran (no connection, the script did not arrive whole).
            OutcomeUnknownError: the link broke at a moment that does not tell whether it ran.
        """

    async def signal_group(self, pgid: int, signal: str) -> int:
        """Send TERM or KILL to the process group; return how many processes of it live a moment later.

        Raises:
            HostError: the host cannot be reached to do it.
        """

    def rested(self) -> None:
        """Let anybody try to connect at once, because what was known of the way there holds no more."""

    def expect(self, keys: ExpectedKeys) -> None:
        """Judge host keys by these from the next connection on."""

    async def close(self) -> None:
        """Close the connection; idempotent."""


class OutcomeUnknownError(Exception):
    """The link broke after the script may have arrived: it is not known whether it ran. `str()` says why."""


class ShellFactory(Protocol):
    """Makes the Shell of a host; `pins` are the keys trusted for this run."""

    def __call__(self, host: Host, pin: HostKey | None) -> Shell:
        """Make it; nothing is contacted yet."""
