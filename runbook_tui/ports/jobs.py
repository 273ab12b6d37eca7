"""What runs on a host detached from the connection, and what may be asked about it."""

from __future__ import annotations

from dataclasses import dataclass, field
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
class Owner:
    """Who holds a host for a runbook: the run's mark there, `operator@workstation`, and since when (UTC).

    All are empty where nobody does, or who does has left no name.
    """

    run: str = ""
    who: str = ""
    since: str = ""

    def is_same(self, other: Owner) -> bool:
        """Whether both are the same run on the same workstation."""
        return (self.run, self.who.rpartition("@")[2]) == (other.run, other.who.rpartition("@")[2])


@dataclass(frozen=True, slots=True)
class Claim:
    """That a run wants a host for itself: `book` stands for the runbook, which one run at a time works with there."""

    book: str
    owner: Owner


@dataclass(frozen=True, slots=True)
class JobId:
    """What a detached job is called on its host: unique over all runs and workstations.

    With a `claim` it is started only while its run holds the host.
    """

    run: str
    attempt: str
    claim: Claim | None = field(default=None, compare=False)


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


class Fed(StrEnum):
    """What became of a value that a job waits for."""

    FED = "fed"  # it has it
    TAKEN = "taken"  # it had one before, or waits no more
    GONE = "gone"  # it does not wait for it, or has ended
    CUT = "cut"  # not all of the value came: nothing was given
    REFUSED = "refused"  # it was told that there is none


class Cleaned(StrEnum):
    """What became of a job's folder that was to be removed."""

    REMOVED = "removed"
    GONE = "gone"  # it was not there
    RUNS = "runs"  # its processes live: nothing was touched
    FENCE = "fence"  # it keeps a job that never started from starting late: nothing was touched
    LEFT = "left"  # something is in it that no job makes


STDIN = "secret"
"""The place of a job's standard input, for a value that nobody may see."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question of sudo in a job: the `number`th. `prompt` is what the far side says, to be shown as untrusted.

    `asker` is the process that asks: the same one asks again when it did not take what it got.
    """

    number: int
    prompt: str
    asker: int = 0

    @property
    def place(self) -> str:
        """Where its answer belongs."""
        return f"ask.{self.number}"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a job needs while it goes: `fed` that its standard input comes by `Jobs.feed`, `sudo` that sudo may ask."""

    fed: bool = False
    sudo: bool = False


NOTHING = Needs()


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
        self,
        job: JobId,
        script: str,
        sink: Callable[[bytes], None],
        stdin: bytes | None = None,
        *,
        needs: Needs = NOTHING,
        asked: Callable[[Ask], None] | None = None,
        warned: Callable[[str], None] | None = None,
    ) -> Following:
        """Start the job, and follow it from its first byte. Started twice, it runs once.

        `asked` is called for every question of sudo that nobody answered yet, `warned` with a sentence when a disk of
        the host is nearly full, and when nobody over there is left to record the job's end.

        Raises:
            HostError: it was proved that nothing ran.
            OutcomeUnknownError: the link broke at a moment that does not tell whether it will.
        """

    async def follow(
        self,
        job: JobId,
        offset: int,
        sink: Callable[[bytes], None],
        asked: Callable[[Ask], None] | None = None,
        warned: Callable[[str], None] | None = None,
    ) -> Following:
        """Follow it from this byte of its output on.

        Raises:
            HostError: the host cannot be asked.
        """

    async def feed(self, job: JobId, place: str, value: bytes) -> Fed:
        """Give the job what it waits for there: it is in no file, argument or environment on the way.

        Asked again after a lost link, it is given once at most.

        Raises:
            HostError: the host cannot be asked, or the value cannot be sent so.
        """

    async def refuse(self, job: JobId, place: str) -> Fed:
        """Tell the job that nobody gives what it waits for there.

        Raises:
            HostError: the host cannot be asked.
        """

    async def claim(self, job: JobId, over: Owner | None = None) -> Owner:
        """Leave the run's mark on the host, take its lock if nobody has it, and say who has it now.

        By the mark a job that is missing later is known not to have run. With `over` the lock is taken from that
        owner, if it is still the one. A job without a claim leaves only the mark.

        Raises:
            HostError: the host cannot be asked, or its folder for running commands cannot be made.
        """

    async def release(self, job: JobId) -> bool:
        """Give the lock back if it is the run's own; say whether it was.

        Raises:
            HostError: the host cannot be asked.
        """

    async def fence(self, job: JobId) -> Stand:
        """Make sure that it never starts if it has not yet, and say how it stands.

        Raises:
            HostError: the host cannot be asked.
        """

    async def clean(self, job: JobId) -> Cleaned:
        """Remove the folder of a job that has ended, and the run's mark: the host knows nothing of either then.

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
