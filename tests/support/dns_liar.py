"""A name server of the test's own on one loopback address, which answers as badly as the test wants."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Datagrams = Callable[[bytes], list[bytes]]
    """Gives the datagrams that a query is answered with."""


@dataclass
class Server(asyncio.DatagramProtocol):
    """Answers datagrams with `handle`; `heard` keeps (port, octets) of every query. TCP answers with `talk`."""

    handle: Datagrams
    talk: Datagrams | None = None
    heard: list[tuple[int, bytes]] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None
    address: str = ""
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self.heard.append((addr[1], data))
        assert self.transport is not None
        for octets in self.handle(data):
            self.transport.sendto(octets, addr)

    async def conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one query over TCP."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            for octets in self.talk(query) if self.talk else []:
                writer.write(len(octets).to_bytes(2, "big") + octets)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def server(handle: Datagrams, talk: Datagrams | None = None, address: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Run one, on UDP and, with `talk`, on TCP at the same port."""
    loop = asyncio.get_running_loop()
    made = Server(handle, talk, address=address)
    transport, _ = await loop.create_datagram_endpoint(lambda: made, (address, 0))
    made.port = transport.get_extra_info("sockname")[1]
    streams = await asyncio.start_server(made.conversation, address, made.port) if talk else None
    try:
        yield made
    finally:
        transport.close()
        if streams is not None:
            streams.close()
            await streams.wait_closed()


def response(query: bytes, *records: str, rcode: str = "NOERROR", aa: bool = False) -> dns.message.Message:
    """Make a true answer; a record is `NAME TTL TYPE DATA`."""
    made = dns.message.make_response(dns.message.from_wire(query))
    made.set_rcode(dns.rcode.from_text(rcode))
    made.flags |= dns.flags.AA if aa else 0
    for record in records:
        name, ttl, rdtype, data = record.split(" ", 3)
        made.answer.append(dns.rrset.from_text(name, int(ttl), "IN", rdtype, data))
    return made


def mx(query: bytes, exchange: str = "new.example.test.", ttl: int = 300) -> bytes:
    """Make a true answer with one MX."""
    return response(query, f"example.test. {ttl} MX 10 {exchange}").to_wire()
