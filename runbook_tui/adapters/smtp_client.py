"""Speaks SMTP up to the recipients and leaves with RSET and QUIT: no mail is ever sent (RFC 5321, RFC 3207)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.adapters import tls_client
from runbook_tui.adapters.tls_client import expect, smtp_reply
from runbook_tui.adapters.wire import BrokenError, talking
from runbook_tui.core.contact import SmtpSeen, TlsSeen, Trouble

if TYPE_CHECKING:
    import ssl

    from runbook_tui.adapters.tls_client import Trust
    from runbook_tui.adapters.wire import Wire
    from runbook_tui.core.contact import Endpoint, SmtpAsk, SmtpReply

FAREWELL = 1.0
"""Seconds for the answer to QUIT."""


async def look(endpoint: Endpoint, ask: SmtpAsk, trust: Trust) -> SmtpSeen:
    """Say what the server does. A certificate that is not good ends it only where `strict` wants a good one."""
    try:
        context = await trust.context(ask.tls.ca) if ask.tls else None
    except BrokenError as error:
        return SmtpSeen(error.trouble, error.said, error.stage)
    seen = await _Session(ask).run(endpoint, context)
    code = seen.tls.code if seen.tls else 0
    if not code or ask.strict:
        return seen
    again = await _Session(ask).run(endpoint, tls_client.any_context())
    if again.tls is None or again.tls.trouble:
        return seen
    return replace(again, tls=replace(again.tls, code=code, said=seen.tls.said if seen.tls else ""))


class _Session:
    """One dialogue; `seen` is what is known so far."""

    def __init__(self, ask: SmtpAsk) -> None:
        self._ask = ask
        self.seen = SmtpSeen()

    async def run(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> SmtpSeen:
        """Go as far as it goes."""
        try:
            async with talking(endpoint, self._ask.patience) as wire:
                await self._talk(wire, context)
        except BrokenError as error:
            if error.trouble is Trouble.TLS:
                tls = TlsSeen(error.trouble, error.said, error.stage, code=error.code)
                self.seen = replace(self.seen, tls=tls)
            return replace(self.seen, trouble=error.trouble, said=error.said, stage=error.stage)
        return self.seen

    async def _talk(self, wire: Wire, context: ssl.SSLContext | None) -> None:
        self.seen = replace(self.seen, greeting=await smtp_reply(wire))
        if self.seen.greeting is None or self.seen.greeting.code != 220:
            await _leave(wire)
            return
        hello = await self._hello(wire)
        self.seen = replace(self.seen, offered=tls_client.offers_starttls(hello))
        if self.seen.offered and context is not None and self._ask.tls is not None:
            starttls = await _ask(wire, "STARTTLS", b"STARTTLS\r\n")
            self.seen = replace(self.seen, starttls=starttls)
            if starttls.code == 220:
                facts = tls_client.facts(await wire.start_tls(context, self._ask.tls.name))
                self.seen = replace(self.seen, tls=facts)
                await self._hello(wire)
        await self._recipients(wire)
        await _ask(wire, "RSET", b"RSET\r\n")
        await _leave(wire)

    async def _hello(self, wire: Wire) -> SmtpReply:
        hello = await _ask(wire, "EHLO", b"EHLO %s\r\n" % tls_client.literal(wire.own_address))
        self.seen = replace(self.seen, hello=hello)
        return expect(hello, 250, wire)

    async def _recipients(self, wire: Wire) -> None:
        if not self._ask.recipients:
            return
        self.seen = replace(self.seen, sender=await _ask(wire, "MAIL", b"MAIL FROM:<>\r\n"))
        if self.seen.sender is None or self.seen.sender.code != 250:
            return
        for address in self._ask.recipients:
            reply = await _ask(wire, "RCPT", b"RCPT TO:<%s>\r\n" % address.encode("ascii"))
            self.seen = replace(self.seen, recipients=(*self.seen.recipients, (address, reply)))


async def _ask(wire: Wire, stage: str, command: bytes) -> SmtpReply:
    wire.stage = stage
    await wire.send(command)
    return await smtp_reply(wire)


async def _leave(wire: Wire) -> None:
    """Say QUIT; the server may take a moment to hear it, but whether it answers is nothing to us."""
    with contextlib.suppress(TimeoutError, BrokenError, OSError):
        async with asyncio.timeout(FAREWELL):
            await _ask(wire, "QUIT", b"QUIT\r\n")
