"""Servers on loopback that say what a test tells them, hang where it wants, and never end when they should."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.adapters.clock import SystemClock
from runbook_tui.adapters.net import SystemNet
from runbook_tui.adapters.services import SystemServices
from runbook_tui.core.contact import Endpoint, Found, Trouble
from tests.support.sight import KnownSecrets, TestSight

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NAME = "mail.example.test"
HOSTILE = b"\x1b]0;owned\x07[@click=app.pwn]x[/] \xff\xfe\r\x00\xe2\x80\xae"


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> AsyncIterator[int]:
    """Run a server; give its port. What still serves at the end is cancelled and awaited."""
    running: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            running.discard(task)

    server = await asyncio.start_server(one, address, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


def script(*steps: bytes | None, hang: bool = False) -> Serve:
    """Give a server that says the first, then answers each line with the next; None says nothing. Then it closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for place, step in enumerate(steps):
            if place:
                await reader.readuntil(b"\n")
            if step is not None:
                writer.write(step)
                await writer.drain()
        if hang:
            await asyncio.Event().wait()

    return serve


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001 -- says nothing
    """Take the connection, and say nothing."""
    await asyncio.Event().wait()


def flood(piece: bytes) -> Serve:
    """Give a server that says the same for ever."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.transport.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # a connection that is gone makes drain return at once

    return serve


def drip(piece: bytes, seconds: float = 0.05) -> Serve:
    """Give a server that says a little for ever, so that no single read is late."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(piece)
            await writer.drain()
            await SystemClock().sleep(seconds)

    return serve


@dataclass
class Finder:
    """Leads every name to the given addresses, all at one port."""

    port: int
    addresses: tuple[str, ...] = ("127.0.0.1",)
    by_name: dict[str, int] = field(default_factory=dict)

    async def __call__(self, name: str, port: int) -> Found:
        """Say where a name leads; `nowhere` leads nowhere."""
        if name == "nowhere.test":
            return Found(trouble=Trouble.NO_NAME, said="no such name")
        assert port
        return Found(tuple(Endpoint(one, self.by_name.get(name, self.port)) for one in self.addresses))


def sight(port: int, ca: str = "", phase: str = "", *addresses: str, **more: int) -> TestSight:
    """Give a sight whose names all lead to a port on loopback; `more` are the ports of other names."""
    finder = Finder(port, addresses or ("127.0.0.1",), {f"{name}.example.test": port for name, port in more.items()})
    net = SystemNet(services=SystemServices(finder, ca))
    return TestSight(net=net, phase=phase, secrets=KnownSecrets({"imap plop": "sesame & söhne"}))
