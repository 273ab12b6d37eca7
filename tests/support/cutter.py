"""A TCP proxy on loopback that cuts connections, swallows what they carry, or lets nobody in."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@dataclass
class Cutter:
    """Passes on what comes. Each new connection takes the next of `cuts`: bytes there and back before it is cut.

    While `flowing` is not set nothing arrives on either side and nobody is told; what was sent arrives afterwards, as
    TCP sends it again. With `turning_away` a new connection is told that and closed, as by an sshd that is full.
    `came` is called for every connection.
    """

    target: int
    turning_away: bytes | None = None
    came: Callable[[], None] = lambda: None
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    cuts: deque[tuple[int | None, int | None]] = field(default_factory=deque)
    port: int = 0
    made: int = 0
    cut: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect to the target and pass on until a limit is reached or an end closes."""
        self.made += 1
        self.came()
        if self.turning_away is not None:
            writer.write(self.turning_away)
            await writer.drain()
            writer.close()
            return
        await self.flowing.wait()
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

    def cut_all(self) -> None:
        """Cut every open connection."""
        for task in self._open:
            task.cancel()

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
        left = limit
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536 if left is None else max(1, min(left, 65_536))):
                await self.flowing.wait()
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
    made.flowing.set()
    tasks = made._open

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
