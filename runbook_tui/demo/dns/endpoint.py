"""What both kinds of name server share: one address on UDP and TCP, and how long an answer may be."""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message

from runbook_tui.demo.machine import ServiceError

if TYPE_CHECKING:
    from collections.abc import Coroutine

LARGEST_UDP = 1232
"""Octets of the longest UDP answer: named's max-udp-size, which fits any path without fragments."""
LARGEST_TCP = 65535


class Endpoint(ABC):
    """A `machine.Service` that answers DNS messages; a subclass gives `answer`."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self._datagrams: asyncio.DatagramTransport | None = None
        self._streams: asyncio.Server | None = None
        self._work: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> bool:
        """Whether it answers now."""
        return self._datagrams is not None

    async def start(self) -> None:
        """Listen on UDP and TCP.

        Raises:
            ServiceError: the port is taken.
        """
        if self.running:
            return
        loop = asyncio.get_running_loop()
        try:
            streams = await asyncio.start_server(self._converse, self.address, self.port)
            try:
                datagrams, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), (self.address, self.port)
                )
            except OSError:
                streams.close()
                raise
        except OSError as error:
            raise ServiceError(f"{self.address}#{self.port}: {error.strerror or error}") from error
        self._streams, self._datagrams = streams, datagrams

    async def stop(self) -> None:
        """Close both sockets and every conversation."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._streams is not None:
            self._streams.close()
        self._datagrams = self._streams = None
        work = tuple(self._work)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    async def reload(self) -> None:  # noqa: B027 -- most endpoints have nothing to read, and need not say so
        """Read the configuration again: there is none."""

    @abstractmethod
    async def answer(self, wire: bytes, limit: int) -> bytes | None:
        """Give the reply to a message, at most `limit` octets by the transport; None for no reply at all."""

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Have work done that ends with this server at the latest."""
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (conversation := asyncio.current_task()) is not None:
            self._work.add(conversation)
            conversation.add_done_callback(self._work.discard)
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                reply = await self.answer(await reader.readexactly(length), LARGEST_TCP)
                if reply is None:
                    break
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            pass  # the server stops; asyncio's own callback for a client would report the cancellation as an error
        finally:
            writer.close()

    async def reply_to_datagram(self, wire: bytes, peer: tuple[str, int]) -> None:
        """Answer one datagram."""
        reply = await self.answer(wire, LARGEST_UDP)
        if reply is not None and self._datagrams is not None:
            self._datagrams.sendto(reply, peer)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._endpoint.spawn(self._endpoint.reply_to_datagram(data, addr))


def skeleton(query: dns.message.Message) -> dns.message.Message:
    """Make an empty response with the EDNS size that named offers."""
    return dns.message.make_response(query, our_payload=LARGEST_UDP)


def to_wire(response: dns.message.Message, query: dns.message.Message, limit: int) -> bytes:
    """Write a response; over UDP cut to what the client takes, with TC set (RFC 2181 section 9)."""
    if limit != LARGEST_TCP:
        limit = min(limit, max(query.payload, 512)) if query.edns >= 0 else 512
    return bytes(response.to_wire(max_size=limit, prefer_truncation=True))


def parsed(wire: bytes) -> dns.message.Message | None:
    """Read a message without checking its signature; None for what is no request at all."""
    try:
        message = dns.message.from_wire(wire, keyring=False)
    except (dns.exception.DNSException, ValueError):
        return None
    return None if message.flags & dns.flags.QR else message
