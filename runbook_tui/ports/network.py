"""The network beside SSH: name servers, mail servers, web servers, ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    from runbook_tui.core.knock import Knock
    from runbook_tui.core.lookup import Answer, Question
    from runbook_tui.core.secret import Secret


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
