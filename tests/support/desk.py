"""Line mode on pipes inside the test's own loop, around a real engine: for what needs a clock held still."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Self

from runbook_tui.plain.front import PlainFrontEnd
from runbook_tui.plain.lines import Input

if TYPE_CHECKING:
    from runbook_tui.engine import Engine


class Desk:
    """An operator at a pipe. `hear` waits for a line that fits; `leave` closes the input and gives why it ended."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heard: list[str] = []
        self.hung_up = asyncio.Event()
        self._stdin, self._typing = os.pipe()
        self._said, self._stdout = os.pipe()
        self._lines = Input(self._said)

    async def __aenter__(self) -> Self:
        await self.engine.__aenter__()
        self._front = PlainFrontEnd(self.engine, self._stdin, self._stdout, self.hung_up.set)
        self._running = asyncio.create_task(self._front.run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.hang_up()
        if not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running])
        await self.engine.__aexit__()
        self._front.close("the test is over")
        for descriptor in (self._stdin, self._stdout):
            os.close(descriptor)
        while (line := await self._lines.next()) is not None:
            self.heard.append(line)
        os.close(self._said)

    def say(self, *lines: str) -> None:
        """Type lines."""
        os.write(self._typing, "".join(f"{line}\n" for line in lines).encode())

    async def hear(self, pattern: str, seconds: float = 60.0) -> str:
        """Wait for the next line in which the pattern is found."""
        try:
            async with asyncio.timeout(seconds):
                while (line := await self._lines.next()) is not None:
                    self.heard.append(line)
                    if re.search(pattern, line):
                        return line
        except TimeoutError:
            pass
        raise AssertionError(f"{pattern!r} was not heard; heard:\n" + "\n".join(self.heard))

    def stop_listening(self) -> None:
        """Put a pipe that nobody reads in the place of the output, as a reader that ended leaves it."""
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, self._stdout)
        os.close(writing)

    async def interrupt(self) -> bool:
        """Press Ctrl-C."""
        return await self._front.interrupt()

    def hang_up(self) -> None:
        """Close the input."""
        if self._typing >= 0:
            os.close(self._typing)
            self._typing = -1

    async def left(self) -> str:
        """Wait until the front end wants to leave; give why."""
        return await asyncio.wait_for(self._running, 20)
