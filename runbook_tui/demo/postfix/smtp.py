"""Delivery to another host, as smtp(8) does it: find the host, speak SMTP, tell what it said."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import aiosmtplib

from runbook_tui.demo.dns.names import NameServerError
from runbook_tui.demo.postfix.outcome import Outcome, Status, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.postfix.queue import QueuedMail, Recipient
    from runbook_tui.demo.postfix.settings import Settings

PATIENCE = 20.0
"""Real seconds for a connection or an answer."""


class MailNames(Protocol):
    """What is asked of a resolver, as `dns.names.Names` answers; LookupError with the words for the log."""

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """Give a domain's mail hosts as (preference, name), best first."""

    async def addresses(self, name: str) -> list[str]:
        """Give the addresses of a host; an address is its own."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host to connect to; `port` is the well-known one."""

    name: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}[{self.address}]"


class _TryNextError(Exception):
    """This host could not be used: the next one may."""

    def __init__(self, dsn: str, text: str, relay: str = "none") -> None:
        super().__init__(text)
        self.dsn = dsn
        self.text = text
        self.relay = relay


class _StopError(Exception):
    """All recipients share this end."""

    def __init__(self, dsn: str, text: str, relay: str = "none") -> None:
        super().__init__(text)
        self.dsn = dsn
        self.text = text
        self.relay = relay


class SmtpAgent:
    """Sends mail from one host under one configuration."""

    def __init__(self, host: Host, settings: Settings, names: MailNames, ports: Callable[[int], int]) -> None:
        """Take the host's resolver, and where a well-known port is found in the world."""
        self._host = host
        self._names = names
        self._ports = ports
        self._helo = settings.get("smtp_helo_name")
        self._myhostname = settings.get("myhostname").lower()
        self._own = {host.address, *settings.words("proxy_interfaces")}
        level = settings.get("smtp_tls_security_level")
        self._start_tls = None if level == "may" else level not in {"", "none"}
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE  # opportunistic: levels may and encrypt verify nobody

    async def deliver(
        self, agent: str, nexthop: str, mail: QueuedMail, recipients: Sequence[Recipient], *, probe: bool = False
    ) -> list[Outcome]:
        """Send a mail to all recipients that share a next hop; a probe ends before the mail's content.

        `agent` is the name in the log; `nexthop` is `host`, `[host]` (no MX lookup), each with `:port` or without.
        """
        failed: _TryNextError | _StopError
        try:
            targets = await self._targets(nexthop)
            failed = _TryNextError("4.4.1", f"no mail hosts for {nexthop}")
            for target in targets:
                try:
                    return await self._session(agent, target, nexthop, mail, recipients, probe=probe)
                except _TryNextError as error:
                    failed = error
                    if "connect to" in error.text:
                        self._host.log(f"postfix/{agent}", error.text)
        except _StopError as error:
            failed = error
        return [outcome(recipient, agent, failed.dsn, failed.text, failed.relay) for recipient in recipients]

    async def _targets(self, nexthop: str) -> list[Target]:
        found = re.fullmatch(r"(\[[^]]*\]|[^:]*)(?::(\w+))?", nexthop)
        name, port = (found[1], found[2] or "25") if found else (nexthop, "25")
        number = int(port) if port.isdigit() else 25
        try:
            if name.startswith("["):
                host = name.strip("[]")
                return [Target(host, address, number) for address in await self._names.addresses(host)]
            mail_hosts = await self._names.mx(name)
        except LookupError as error:
            raise _not_found(error) from None
        targets: list[Target] = []
        trouble: LookupError | None = None
        for _, host in mail_hosts:
            try:
                addresses = await self._names.addresses(host)
            except LookupError as error:
                trouble = error
                continue
            if self._own & {*addresses}:  # hosts that are no better than this one are not tried (RFC 5321, 5.1)
                if not targets:
                    raise _loops(name)
                break
            targets += [Target(host, address, number) for address in addresses]
        if trouble is not None and not targets:
            raise _not_found(trouble)
        return targets

    async def _session(
        self, agent: str, target: Target, nexthop: str, mail: QueuedMail, recipients: Sequence[Recipient],
        *, probe: bool,
    ) -> list[Outcome]:  # fmt: skip
        client = aiosmtplib.SMTP(
            hostname=target.address, port=self._ports(target.port), timeout=PATIENCE, local_hostname=self._helo,
            source_address=(self._host.address, 0), start_tls=self._start_tls, tls_context=self._tls,
        )  # fmt: skip
        await self._connect(client, target)
        try:
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            self._look_for_myself(client, nexthop)
            return await self._transaction(client, agent, target, mail, recipients, probe=probe)
        except aiosmtplib.SMTPSenderRefused as error:
            raise _said(target, error, "MAIL FROM") from None
        except aiosmtplib.SMTPResponseException as error:
            raise _said(target, error, "EHLO") from None
        except (aiosmtplib.SMTPException, OSError):
            raise _TryNextError("4.4.2", f"lost connection with {target} while talking to it") from None
        finally:
            # waiting for the answer to QUIT could be cut short, and the mail then be sent twice
            if isinstance(client.transport, asyncio.WriteTransport) and not client.transport.is_closing():
                client.transport.write(b"QUIT\r\n")
            client.close()

    async def _connect(self, client: aiosmtplib.SMTP, target: Target) -> None:
        where = f"{target}:{target.port}"
        try:
            await client.connect()
        except aiosmtplib.SMTPConnectResponseError as error:
            text = f"host {target} refused to talk to me: {error.code} {error.message}"
            raise _TryNextError("4.0.0", text) from None  # smtp_skip_5xx_greeting=yes: no refusal for good
        except aiosmtplib.SMTPTimeoutError:
            raise _TryNextError("4.4.1", f"connect to {where}: Connection timed out") from None
        except (aiosmtplib.SMTPConnectError, OSError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            number = getattr(cause, "errno", None)
            why = os.strerror(number) if number else "Connection refused"
            raise _TryNextError("4.4.1", f"connect to {where}: {why}") from None
        except aiosmtplib.SMTPException as error:
            raise _TryNextError("4.7.4", f"TLS is required, but was not offered by host {target}: {error}") from None

    def _look_for_myself(self, client: aiosmtplib.SMTP, nexthop: str) -> None:
        answer = client.last_ehlo_response
        if answer is not None and answer.message.split()[:1] == [self._myhostname]:
            raise _loops(nexthop.strip("[]"))

    async def _transaction(
        self, client: aiosmtplib.SMTP, agent: str, target: Target, mail: QueuedMail,
        recipients: Sequence[Recipient], *, probe: bool,
    ) -> list[Outcome]:  # fmt: skip
        relay = f"{target}:{target.port}"
        await client.mail(mail.sender, options=[f"SIZE={len(mail.content)}"] if not probe else [], encoding="utf-8")
        done = []
        taken = []
        for recipient in recipients:
            try:
                answer = await client.rcpt(recipient.address, encoding="utf-8")
            except aiosmtplib.SMTPRecipientRefused as error:
                refused = _said(target, error, "RCPT TO")
                done.append(outcome(recipient, agent, refused.dsn, refused.text, relay))
            else:
                taken.append(recipient)
                if probe:
                    text = f"{answer.code} {answer.message}"
                    done.append(Outcome(recipient, agent, Status.SENT, "2.0.0", text, relay))
        if probe or not taken:
            return done
        try:
            answer = await client.data(mail.content)
        except aiosmtplib.SMTPDataError as error:
            failed = _said(target, error, "end of DATA")
            return done + [outcome(recipient, agent, failed.dsn, failed.text, relay) for recipient in taken]
        text = f"{answer.code} {answer.message}"
        return done + [Outcome(recipient, agent, Status.SENT, "2.0.0", text, relay) for recipient in taken]


def _said(target: Target, error: aiosmtplib.SMTPResponseException, command: str) -> _StopError:
    status = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", error.message)
    dsn = status[0] if status and status[0][0] == str(error.code)[0] else f"{error.code // 100}.0.0"
    text = f"host {target} said: {error.code} {error.message} (in reply to {command} command)"
    return _StopError(dsn, text, f"{target}:{target.port}")


def _loops(domain: str) -> _StopError:
    return _StopError("5.4.6", f"mail for {domain} loops back to myself")


def _not_found(error: LookupError) -> _StopError:
    return _StopError("4.4.3" if isinstance(error, NameServerError) else "5.4.4", str(error))
