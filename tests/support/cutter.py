"""A TCP proxy on loopback that cuts a connection after so many bytes, in either direction."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Cutter:
    """Passes on what comes. Each new connection takes the next of `cuts`: bytes there and back before it is cut."""

    target: int
    cuts: deque[tuple[int | None, int | None]] = field(default_factory=deque)
    port: int = 0
    made: int = 0
    cut: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect to the target and pass on until a limit is reached or an end closes."""
        self.made += 1
        there, back = self.cuts.popleft() if self.cuts else (None, None)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        ways = [
            asyncio.ensure_future(self._way(reader, far_writer, there)),
            asyncio.ensure_future(self._way(far_reader, writer, back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, far_writer):
                end.transport.abort()

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
        left = limit
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536 if left is None else max(1, min(left, 65_536))):
                writer.write(data)
                await writer.drain()
                left = None if left is None else left - len(data)
                if left is not None and left <= 0:
                    self.cut += 1
                    return


@contextlib.asynccontextmanager
async def cutter(target: int) -> AsyncIterator[Cutter]:
    """Run one in front of a port."""
    made = Cutter(target)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(made.pass_on(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
