"""The SMTP server's side of a conversation: aiosmtpd speaks, Postfix's words and decisions are put in its mouth."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, AnyStr, Protocol

from aiosmtpd.smtp import SMTP

from runbook_tui.demo.postfix import headers
from runbook_tui.demo.postfix.maps import TableError

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Mapping

    from aiosmtpd.smtp import Envelope, Session

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.postfix.access import Access, Reply
    from runbook_tui.demo.postfix.settings import Settings

_WORDS: Mapping[str, str] = {
    "250 OK": "250 2.0.0 Ok",
    "221 Bye": "221 2.0.0 Bye",
    "220 Ready to start TLS": "220 2.0.0 Ready to start TLS",
    "503 Error: need MAIL command": "503 5.5.1 Error: need MAIL command",
    "503 Error: nested MAIL command": "503 5.5.1 Error: nested MAIL command",
    "500 Error: bad syntax": "500 5.5.2 Error: bad syntax",
    "500 Command line too long": "500 5.5.2 Error: command line too long",
    "501 Syntax: RCPT TO: <address>": "501 5.5.4 Syntax: RCPT TO:<address>",
    "501 Syntax: VRFY <address>": "501 5.5.4 Syntax: VRFY address [SMTPUTF8]",
    "501 Syntax: DATA": "501 5.5.4 Syntax: DATA",
    "501 Syntax: RSET": "501 5.5.4 Syntax: RSET",
    "552 Error: message size exceeds fixed maximum message size": "552 5.3.4 Message size exceeds fixed limit",
    "552 Error: Too much mail data": "552 5.3.4 Error: message file too big",
}
"""What aiosmtpd says, and what Postfix says in its place."""


class Reception(Protocol):
    """What a conversation needs of the mail system behind it."""

    @property
    def host(self) -> Host:
        """The host it runs on."""

    @property
    def settings(self) -> Settings:
        """main.cf as it was read last."""

    @property
    def access(self) -> Access:
        """Who may send what to whom."""

    @property
    def disk_full(self) -> bool:
        """Whether there is no room for another mail."""

    def new_id(self) -> str:
        """Make a queue id."""

    def accept(self, queue_id: str, sender: str, recipients: list[str], content: bytes) -> None:
        """Put a mail into the queue; raises OSError."""


class Conversation(SMTP):
    """One client's connection."""

    def __init__(self, reception: Reception, tls: ssl.SSLContext | None, open_ones: set[Conversation]) -> None:
        """Take the mail system, what STARTTLS shows (None: it is not offered), and where to be found while open."""
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd would write on the operator's screen
        settings = reception.settings
        super().__init__(
            _Decisions(reception), hostname=settings.get("myhostname"), ident=_ident(settings), tls_context=tls,
            data_size_limit=settings.number("message_size_limit"), enable_SMTPUTF8=True,
        )  # fmt: skip
        self._open_ones = open_ones
        self._reception = reception

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or go on below TLS."""
        super().connection_made(transport)
        if self not in self._open_ones and self.session is not None:
            self._open_ones.add(self)
            self._log(f"connect from unknown[{_client(self.session)}]")

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        if self in self._open_ones and self.session is not None:
            self._open_ones.discard(self)
            self._log(f"disconnect from unknown[{_client(self.session)}]")
        super().connection_lost(error)

    def abort(self) -> None:
        """Drop the connection, as when smtpd is killed."""
        if self.transport is not None:
            self.transport.close()

    async def push(self, status: AnyStr) -> None:
        """Say something, in Postfix's words."""
        if isinstance(status, str):
            words = self._words(status)
            if words[0] == "5" and self._reception.settings.flag("soft_bounce"):
                words = f"4{words[1:4]}{words[4:].replace('5', '4', 1) if words[4:6] == '5.' else words[4:]}"
            await super().push(words)
        else:
            await super().push(status)

    async def check_helo_needed(self, helo: str = "HELO") -> bool:
        """Take mail from clients that do not greet (smtpd_helo_required=no)."""
        del helo
        return False

    def _words(self, said: str) -> str:
        if said in _WORDS:
            return _WORDS[said]
        if said.startswith("500 Error: command "):
            return "500 5.5.2 Error: command not recognized"
        if said.startswith("501 Syntax: MAIL FROM"):
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        sender = self.envelope.mail_from if self.envelope else None
        if said == "503 Error: need RCPT command":
            return "554 5.5.1 Error: no valid recipients" if sender else "503 5.5.1 Error: need RCPT command"
        if said == "553 5.1.3 Error: malformed address":
            return "501 5.1.3 Bad recipient address syntax" if sender else "501 5.1.7 Bad sender address syntax"
        return said

    def _log(self, text: str) -> None:
        self._reception.host.log("postfix/smtpd", text)


class _Decisions:
    """aiosmtpd's handler: what Postfix answers."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._queue_id = ""

    async def handle_HELO(self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str) -> str:  # noqa: N802 -- aiosmtpd's name
        session.host_name = hostname
        return f"250 {self._reception.settings.get('myhostname')}"

    async def handle_EHLO(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, offered: list[str]
    ) -> list[str]:
        session.host_name = hostname
        settings = self._reception.settings
        words = [settings.get("myhostname"), "PIPELINING", f"SIZE {settings.number('message_size_limit')}", "VRFY"]
        words += ["STARTTLS"] if "250-STARTTLS" in offered else []
        words += ["ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"]
        return [f"250-{word}" for word in words[:-1]] + [f"250 {words[-1]}"]

    async def handle_MAIL(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._reception.disk_full:
            return "452 4.3.1 Insufficient system storage"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        self._queue_id = ""
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.endswith("@") or re.search(r"[\s<>]", address):
            return "501 5.1.3 Bad recipient address syntax"
        client = _client(session)
        refusal = self._refusal(address, client)
        if refusal is not None:
            self._log(
                f"{self._queue_id or 'NOQUEUE'}: reject: RCPT from unknown[{client}]: {refusal}; "
                f"from=<{_sender(envelope)}> to=<{address}> proto={_protocol(session)} helo=<{session.host_name or ''}>"
            )
            return str(refusal)
        if not self._queue_id:
            self._queue_id = self._reception.new_id()
            self._log(f"{self._queue_id}: client=unknown[{client}]")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_VRFY(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, address: str
    ) -> str:
        return str(self._refusal(address, _client(session)) or f"252 2.0.0 {address}")

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        content = envelope.content
        text = (content if isinstance(content, bytes) else (content or "").encode()).replace(b"\r\n", b"\n")
        settings = self._reception.settings
        text = self._received(session, envelope).encode() + text
        if headers.hops(text) >= settings.number("hopcount_limit"):
            self._reception.host.log(
                "postfix/cleanup", f"warning: {self._queue_id}: message rejected: hopcount exceeded"
            )
            return "554 5.4.0 Error: too many hops"
        try:
            self._reception.accept(self._queue_id, _sender(envelope), envelope.rcpt_tos, text)
        except OSError as error:
            self._log(f"warning: {self._queue_id}: queue file write error: {error.strerror}")
            return "451 4.3.0 Error: queue file write error"
        return f"250 2.0.0 Ok: queued as {self._queue_id}"

    async def handle_exception(self, error: Exception) -> str:
        self._log(f"warning: {type(error).__name__}: {error}")
        return "451 4.3.0 Error: queue file write error"

    def _refusal(self, address: str, client: str) -> Reply | None:
        access = self._reception.access
        try:
            return access.refusal(address, client)
        except TableError as error:
            self._log(f"warning: {error}")
            return access.unreadable(address)

    def _received(self, session: Session, envelope: Envelope) -> str:
        settings = self._reception.settings
        date = headers.date(self._reception.host.clock.time())
        only = envelope.rcpt_tos[0] if len(envelope.rcpt_tos) == 1 else ""
        received = (
            f"Received: from {session.host_name or 'unknown'} (unknown [{_client(session)}])\n"
            f"\tby {settings.get('myhostname')} (Postfix) with {_protocol(session)} id {self._queue_id}"
        )
        return received + (f"\n\tfor <{only}>; {date}\n" if only else f";\n\t{date}\n")

    def _log(self, text: str) -> None:
        self._reception.host.log("postfix/smtpd", text)


def _ident(settings: Settings) -> str:
    hostname = settings.get("myhostname")
    return settings.get("smtpd_banner").removeprefix(hostname).strip()


def _sender(envelope: Envelope) -> str:
    return (envelope.mail_from or "").strip("<>")


def _protocol(session: Session) -> str:
    return ("ESMTPS" if session.ssl else "ESMTP") if session.extended_smtp else "SMTP"


def _client(session: Session) -> str:
    return session.peer[0] if session.peer else "unknown"
