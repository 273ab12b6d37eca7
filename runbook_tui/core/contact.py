"""What a client found behind an address and port, protocol by protocol, as plain data; its texts are strangers'."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Trouble(StrEnum):
    """Why it went no further. NO_LOOKUP, UNREACHABLE and NO_AUTHORITIES say something of this side only."""

    NO_NAME = "its name has no address"
    NO_LOOKUP = "its name could not be looked up"
    UNREACHABLE = "it cannot be reached from here"
    NO_AUTHORITIES = "the file of certificate authorities cannot be read"
    SILENT = "it does not answer"
    REFUSED = "it refuses connections"
    RESET = "it closed the connection"
    HUNG = "it stopped answering"
    TLS = "TLS failed"
    ODD = "it says something else"
    LOGIN = "it refuses the login"
    NOT_UNDERSTOOD = "its answer was not understood"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IPv4 or IPv6 address and a TCP port."""

    address: str
    port: int

    def __str__(self) -> str:
        """Give `192.0.2.1:25` or `[2001:db8::1]:25`."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a name leads. Without endpoints, `trouble` and `said` say why."""

    endpoints: tuple[Endpoint, ...] = ()
    trouble: Trouble | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Banner:
    """What came first, without being asked for; `said` is it, or what went wrong."""

    trouble: Trouble | None = None
    said: str = ""
    matched: bool = False


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate. `names` are its DNS names and addresses; `key` is such as `EC 256`."""

    names: tuple[str, ...]
    issuer: str
    key: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class TlsAsk:
    """`name` is what the certificate must be for, `ca` a file of authorities in place of the system's.

    `starttls` is `smtp`, `imap`, or empty for TLS from the first byte. `patience` is seconds for all of it.
    """

    name: str
    ca: str = ""
    starttls: str = ""
    patience: float = 9.0


@dataclass(frozen=True, slots=True)
class TlsSeen:
    """A TLS session. `code` is OpenSSL's reason why the certificate is not good (0: it is), `said` its words.

    `sent` is how many certificates came; 0: that could not be told.
    """

    trouble: Trouble | None = None
    said: str = ""
    stage: str = ""
    version: str = ""
    certificate: Certificate | None = None
    sent: int = 0
    code: int = 0


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A reply: its code and its text in one line."""

    code: int
    text: str = ""

    def __str__(self) -> str:
        """Give it as it came."""
        return f"{self.code} {self.text}".rstrip()


@dataclass(frozen=True, slots=True)
class SmtpAsk:
    """Recipients to name, and how TLS is to be used: not at all, if offered, or with a good certificate only."""

    recipients: tuple[str, ...] = ()
    tls: TlsAsk | None = None
    strict: bool = False
    patience: float = 9.0


@dataclass(frozen=True, slots=True)
class SmtpSeen:
    """A dialogue without a mail. `offered` is whether EHLO's answer had STARTTLS, None before there was one."""

    trouble: Trouble | None = None
    said: str = ""
    stage: str = ""
    greeting: SmtpReply | None = None
    hello: SmtpReply | None = None
    offered: bool | None = None
    starttls: SmtpReply | None = None
    tls: TlsSeen | None = None
    sender: SmtpReply | None = None
    recipients: tuple[tuple[str, SmtpReply], ...] = ()


@dataclass(frozen=True, slots=True)
class PageAsk:
    """A page: `name` and `target` stand in the request, `tls` when it is an https one."""

    name: str
    target: str = "/"
    tls: TlsAsk | None = None
    patience: float = 9.0


@dataclass(frozen=True, slots=True)
class PageSeen:
    """An answer's status, where it leads on, and the first of its body; `whole` when the body came to its end."""

    trouble: Trouble | None = None
    said: str = ""
    stage: str = ""
    status: int = 0
    reason: str = ""
    location: str = ""
    body: str = ""
    whole: bool = False
    tls: TlsSeen | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox folder: `path` is its name, cut at the server's delimiter and without the personal prefix.

    `trouble` is why its status could not be had.
    """

    path: tuple[str, ...]
    messages: int = 0
    unseen: int = 0
    uidvalidity: int = 0
    trouble: str = ""

    def __str__(self) -> str:
        """Give the name with `/` between its parts."""
        return "/".join(self.path)


@dataclass(frozen=True, slots=True)
class ImapAsk:
    """Whose mailbox to look at. The password comes beside it; `select` is the folder that is opened, read-only."""

    user: str
    tls: TlsAsk
    select: str = "INBOX"
    patience: float = 9.0


@dataclass(frozen=True, slots=True)
class ImapSeen:
    """A mailbox. `namespace` is the personal prefix and delimiter, None where the server has no such command.

    `opened` is how many messages the opened folder has; `body` the bytes of one of them that came and should have.
    `seconds` is from before the connection to the end. `left_out` folders were not asked for their status.
    """

    trouble: Trouble | None = None
    said: str = ""
    stage: str = ""
    code: int = 0
    capabilities: frozenset[str] = frozenset()
    namespace: tuple[str, str] | None = None
    folders: tuple[Folder, ...] = ()
    subscribed: tuple[tuple[str, ...], ...] = ()
    opened: int | None = None
    body: tuple[int, int] | None = None
    seconds: float = 0.0
    left_out: int = 0
