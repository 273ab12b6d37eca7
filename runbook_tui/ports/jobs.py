"""What runs on a host detached from the connection, and what may be asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job's channel ended. Exactly one of exit, signal, lost says something.

    `lost` is why there is no status at all: never success (PROMISES.md fact 1).
    """

    exit: int | None = None
    signal: str = ""
    lost: str = ""


@dataclass(frozen=True, slots=True)
class JobId:
    """What a detached job is called on its host: unique over all runs and workstations."""

    run: str
    attempt: str


class Standing(StrEnum):
    """How a detached job stands on its host (PROMISES.md 3.1)."""

    ABSENT = "absent"  # not there, though the host knows the run
    AMNESIA = "amnesia"  # not there, and the host does not know the run either
    CLAIMED = "claimed"  # its sending was begun and never completed
    STARTING = "starting"
    RUNNING = "running"
    DONE = "done"
    FENCED = "fenced"  # proved: it did not start and never will
    ORPHAN = "orphan"  # its processes live, but nobody is left to record their end
    REBOOTED = "rebooted"  # the host was started anew meanwhile
    VANISHED = "vanished"  # gone without an exit status


@dataclass(frozen=True, slots=True)
class Stand:
    """How a job stands. `pgid` is 0 where it is not known.

    Once it is DONE `exit`, `size` (the bytes of its output) and `seconds` (what it took by the host's clock) are there.
    """

    standing: Standing
    exit: int | None = None
    size: int = 0
    pgid: int = 0
    seconds: int = 0


class Following(Protocol):
    """A look over the shoulder of a detached job; the job does not need it."""

    @property
    def stand(self) -> Stand:
        """How it stood when the look began."""

    async def end(self) -> Stand:
        """Wait for the job's end; all its output has been given to the sink then.

        Raises:
            LinkLostError: the look broke off; the job goes on, and can be followed again.
        """

    def close(self) -> None:
        """Look no more."""


class Jobs(Protocol):
    """Detached jobs on one host: they outlive the connection and this program."""

    async def launch(
        self, job: JobId, script: str, sink: Callable[[bytes], None], stdin: bytes | None = None
    ) -> Following:
        """Start the job, and follow it from its first byte. Started twice, it runs once.

        Raises:
            HostError: it was proved that nothing ran.
            OutcomeUnknownError: the link broke at a moment that does not tell whether it will.
        """

    async def follow(self, job: JobId, offset: int, sink: Callable[[bytes], None]) -> Following:
        """Follow it from this byte of its output on.

        Raises:
            HostError: the host cannot be asked.
        """

    async def mark(self, job: JobId) -> None:
        """Leave the run's mark on the host, by which a job that is missing later is known not to have run.

        Raises:
            HostError: the host cannot be asked, or its folder for running commands cannot be made.
        """

    async def fence(self, job: JobId) -> Stand:
        """Make sure that it never starts if it has not yet, and say how it stands.

        Raises:
            HostError: the host cannot be asked.
        """

    async def signal(self, job: JobId, signal: str) -> int:
        """Send TERM or KILL to its processes if they are proved to be its own; give how many live a moment later.

        Raises:
            HostError: the host cannot be asked.
        """


class LinkLostError(Exception):
    """The connection was lost; `str()` says how."""
