"""What stands behind names and ports, as a client of each protocol sees it; a protocol is loaded when first spoken."""

from __future__ import annotations

import asyncio
import importlib
import socket
from typing import TYPE_CHECKING

from runbook_tui.core.contact import Endpoint, Found, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runbook_tui.adapters.tls_client import Trust
    from runbook_tui.core.contact import (
        Banner,
        ImapAsk,
        ImapSeen,
        PageAsk,
        PageSeen,
        SmtpAsk,
        SmtpSeen,
        TlsAsk,
        TlsSeen,
    )
    from runbook_tui.core.secret import Secret

    Finder = Callable[[str, int], Awaitable[Found]]

LOOKUP = 5.0
"""Seconds for a name's addresses."""
MOST_ADDRESSES = 8


class SystemServices:
    """Implements `ports.Services`.

    `finder` says where a name and port lead when it is not this machine's resolver, `ca` is the file of authorities
    in place of the system's: a world of its own has both.
    """

    def __init__(self, finder: Finder | None = None, ca: str = "") -> None:
        self._finder = finder or system_addresses
        self._ca = ca
        self._trust: Trust | None = None

    async def find(self, name: str, port: int) -> Found:
        """Give every address of a name."""
        return await self._finder(name, port)

    async def banner(self, endpoint: Endpoint, expect: str, patience: float) -> Banner:
        """Connect, and read what comes first."""
        from runbook_tui.adapters import tcp_client  # noqa: PLC0415 -- light, but like the others

        return await tcp_client.look(endpoint, expect, patience)

    async def smtp(self, endpoint: Endpoint, ask: SmtpAsk) -> SmtpSeen:
        """Speak SMTP without sending a mail."""
        trust = await self._loaded("smtp_client")
        from runbook_tui.adapters import smtp_client  # noqa: PLC0415 -- it is loaded by now

        return await smtp_client.look(endpoint, ask, trust)

    async def tls(self, endpoint: Endpoint, ask: TlsAsk) -> TlsSeen:
        """Look at the certificate."""
        trust = await self._loaded("tls_client")
        from runbook_tui.adapters import tls_client  # noqa: PLC0415 -- same

        return await tls_client.look(endpoint, ask, trust)

    async def page(self, endpoint: Endpoint, ask: PageAsk) -> PageSeen:
        """Fetch the beginning of a page."""
        trust = await self._loaded("http_client")
        from runbook_tui.adapters import http_client  # noqa: PLC0415 -- same

        return await http_client.look(endpoint, ask, trust)

    async def imap(self, endpoint: Endpoint, ask: ImapAsk, secret: Secret | None) -> ImapSeen:
        """Look at a mailbox."""
        trust = await self._loaded("imap_client")
        from runbook_tui.adapters import imap_client  # noqa: PLC0415 -- same

        return await imap_client.look(endpoint, ask, secret, trust)

    async def _loaded(self, module: str) -> Trust:
        # Importing takes a tenth of a second, in which no key would be answered.
        await asyncio.to_thread(importlib.import_module, f"runbook_tui.adapters.{module}")
        from runbook_tui.adapters.tls_client import Trust  # noqa: PLC0415 -- same

        self._trust = self._trust or Trust(self._ca)
        return self._trust


async def system_addresses(name: str, port: int) -> Found:
    """Ask this machine's resolver, as every program on it does."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKUP):
            found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Found(trouble=Trouble.NO_LOOKUP, said=f"no answer within {LOOKUP:g} s")
    except (socket.gaierror, UnicodeError) as error:
        absent = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        proved = isinstance(error, UnicodeError) or error.errno in absent
        return Found(trouble=Trouble.NO_NAME if proved else Trouble.NO_LOOKUP, said=str(error))
    addresses = dict.fromkeys(str(one[4][0]) for one in found)
    return Found(tuple(Endpoint(address, port) for address in addresses)[:MOST_ADDRESSES])
