"""The Protocols through which the engine reaches the outside; adapters implement them, tests may too."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from runbook_tui.core.contact import (
        Banner,
        Endpoint,
        Found,
        ImapAsk,
        ImapSeen,
        PageAsk,
        PageSeen,
        SmtpAsk,
        SmtpSeen,
        TlsAsk,
        TlsSeen,
    )
    from runbook_tui.core.events import Event, Record
    from runbook_tui.core.knock import Knock
    from runbook_tui.core.lookup import Answer, Question
    from runbook_tui.core.model import Host, HostName
    from runbook_tui.core.rehearsal import Fault, WorldView
    from runbook_tui.core.run import Status
    from runbook_tui.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Identity:
    """A host as its *live connection* reports it.

    `user` and `name` are what the far side says (`id -un`, `uname -n`); `address` is `ip:port` of the peer,
    empty for the operator's own machine; `fingerprint` is `SHA256:…` of the host key in use. `system` is one word:
    `freebsd`, or the `ID` of os-release(5) such as `debian`; empty when it did not say.
    """

    host: HostName
    user: str
    name: str
    address: str = ""
    fingerprint: str = ""
    algorithm: str = ""
    system: str = ""

    def __str__(self) -> str:
        """Give `user@name (address, key SHA256:…)`."""
        details = ", ".join(d for d in (self.address, f"key {self.fingerprint}" if self.fingerprint else "") if d)
        return f"{self.user}@{self.name} ({details or 'this machine'})"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key: `key` is one line in OpenSSH form without a comment."""

    algorithm: str
    fingerprint: str
    key: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job's channel ended. Exactly one of exit, signal, lost says something.

    `lost` is why there is no status at all: never success (PROMISES.md fact 1).
    """

    exit: int | None = None
    signal: str = ""
    lost: str = ""


class Link(StrEnum):
    """The state of a host's connection."""

    IDLE = "not connected"
    CONNECTING = "connecting"
    UP = "connected"
    DOWN = "not reachable"
    REFUSED = "refused"


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


class Job(Protocol):
    """A script that was started on a host."""

    @property
    def pgid(self) -> int:
        """The process group over there, as that host's `ps` says."""

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
    def offered_key(self) -> HostKey | None:
        """The key the server showed when it was refused as unknown or changed; None otherwise."""

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

    def trust(self, key: HostKey) -> None:
        """Accept exactly this key for this host from now on."""

    async def close(self) -> None:
        """Close the connection; idempotent."""


class OutcomeUnknownError(Exception):
    """The link broke after the script may have arrived: it is not known whether it ran. `str()` says why."""


class RunbookSource(Protocol):
    """The file that the run's runbook was read from, and where an edited text is kept once it is adopted."""

    def now(self) -> bytes | None:
        """Give the file as it is now; None when it is gone or cannot be read."""

    def keep(self, data: bytes) -> None:
        """Keep a text for this run, durably.

        Raises:
            StateDirError: it could not be written.
        """


class Journal(Protocol):
    """The append-only record of one run."""

    @property
    def head(self) -> str:
        """The hash of the last record."""

    @property
    def records(self) -> Sequence[Record]:
        """Everything recorded so far, oldest first."""

    def append(self, event: Event, *, durable: bool = True) -> Record:
        """Record the event; with `durable` it is on the disk when this returns.

        Raises:
            StateDirError: it could not be written; the journal is as it was before.
        """

    def seal(self) -> None:
        """Write SHA256SUMS with the count and head of the journal.

        Raises:
            StateDirError: it could not be written.
        """


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of stored output: raw bytes `raw_offset`.. and the cleaned text that stands for them, in the file."""

    raw_offset: int
    raw_length: int
    text_offset: int
    text_length: int
    sha256: str
    text_sha256: str = ""


class OutputWriter(Protocol):
    """Where one attempt's output goes: cleaned text on disk, raw lengths and sums beside it."""

    def write(self, raw: bytes, text: str) -> Segment | None:
        """Store the cleaned `text` that stands for `raw`; return a segment when one was completed."""

    def close(self) -> Segment | None:
        """Complete and return the last segment, if any; idempotent."""


class OutputStore(Protocol):
    """The output of a run's attempts."""

    def writer(self, attempt: str, raw_offset: int = 0, text_offset: int | None = None) -> OutputWriter:
        """Open the attempt's output for going on behind so many raw bytes, for which so much text is stored."""

    def text(self, attempt: str) -> str:
        """All cleaned text stored for an attempt; empty when there is none."""


class Clock(Protocol):
    """Time, so that a test can hold it."""

    def now(self) -> datetime:
        """Give the wall clock, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def nap(self, seconds: float) -> None:
        """Wait until it is worth looking at the world again: a rehearsal's time may run faster than one can look."""


class ShellFactory(Protocol):
    """Makes the Shell of a host; `pins` are the keys trusted for this run."""

    def __call__(self, host: Host, pin: HostKey | None) -> Shell:
        """Make it; nothing is contacted yet."""


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


class Dns(Protocol):
    """Asks name servers, many at once."""

    async def sweep(self, questions: Sequence[Question], deadline: float = 3.0) -> tuple[Answer, ...]:
        """Ask all; give an answer for each question, in their order, within `deadline` seconds. Never raises."""

    def is_public(self, address: str) -> bool:
        """Whether senders out there can reach an address: it is none for use inside a network (RFC 6890)."""

    async def own_resolvers(self) -> tuple[str, ...]:
        """Give the addresses this machine itself asks; empty when that cannot be told."""


class MailDoors(Protocol):
    """Port 25 of the world's mail servers."""

    async def knock(self, address: str, port: int = 25) -> Knock:
        """Say what an address does with who comes to bring mail, within a few seconds. Never raises for it."""


class Services(Protocol):
    """What stands behind names and ports. Nothing here raises for what is found; the asked patience is kept."""

    async def find(self, name: str, port: int) -> Found:
        """Say where a name leads, with every address it has."""

    async def banner(self, endpoint: Endpoint, expect: str, patience: float) -> Banner:
        """Connect; with `expect`, a regular expression, read what comes first until it matches."""

    async def smtp(self, endpoint: Endpoint, ask: SmtpAsk) -> SmtpSeen:
        """Speak SMTP up to the recipients, then RSET and QUIT: no mail is sent."""

    async def tls(self, endpoint: Endpoint, ask: TlsAsk) -> TlsSeen:
        """Look at the certificate."""

    async def page(self, endpoint: Endpoint, ask: PageAsk) -> PageSeen:
        """Fetch the beginning of one page; a redirection is told, not followed."""

    async def imap(self, endpoint: Endpoint, ask: ImapAsk, secret: Secret | None) -> ImapSeen:
        """Look at a mailbox without changing it; with no secret, at what comes before the login."""


class Net(Protocol):
    """The network as the operator's machine reaches it, beside SSH: one member for each protocol checks speak."""

    @property
    def dns(self) -> Dns:
        """Name servers."""

    @property
    def doors(self) -> MailDoors:
        """Mail servers' doors."""

    @property
    def services(self) -> Services:
        """Servers of every other kind, and what mail servers say to a client."""


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


class Rehearsal(Protocol):
    """The embedded world of a rehearsal, as a front end may look at it and steer it.

    Everything but `look` gives a sentence of what was done. All raise HostError when the world does not answer.
    """

    async def look(self) -> WorldView:
        """Say how the world is now."""

    async def fast_forward(self) -> str:
        """Move world time to the end of the next TTL that runs."""

    async def stream(self) -> str:
        """Stop the stream of numbered mails, or start it again."""

    async def toggle(self, fault: Fault) -> str:
        """Break something on purpose, or mend it."""
