"""Lines in from a pipe, file or terminal, and lines out, in threads: a stuck reader or writer never holds the run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import termios
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_LINE: Final = 200_000
"""Bytes of one line of input; twice the longest command a shell can be given."""

_WAITING: Final = 1_000
"""Lines read ahead of the run."""

END: Final = None


class Input:
    """The lines of a file descriptor; `None` stands for its end, also when it is closed.

    `gone` is set, and no end given, when it was a terminal that hung up: that is no `quit`. The thread is a
    daemon: a terminal on which nobody types does not keep the program from ending.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._terminal = os.isatty(descriptor)
        self.gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = threading.Semaphore(_WAITING)
        threading.Thread(target=self._read, name="standard input", daemon=True).start()

    @property
    def is_terminal(self) -> bool:
        """Whether somebody types here, so that the echo can be held back."""
        return self._terminal

    @contextlib.contextmanager
    def without_echo(self) -> Iterator[None]:
        """Hold the terminal's echo back; what it had not handed over yet is dropped, as getpass(3) does."""
        try:
            before = termios.tcgetattr(self._descriptor)
        except termios.error:  # the terminal is gone: nobody types any more
            yield
            return
        hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, hidden)
        try:
            yield
        finally:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, before)

    def ahead(self) -> list[str]:
        """Give the lines that came and were not asked for yet."""
        found: list[str] = []
        while not self._lines.empty():
            line = self._lines.get_nowait()
            self._room.release()
            if line is END:
                self._lines.put_nowait(END)
                break
            found.append(line)
        return found

    async def next(self) -> str | None:
        """Wait for the next line, without its line end; `None` at the end of input, again and again."""
        line = await self._lines.get()
        self._room.release()
        if line is END:
            self._lines.put_nowait(END)
        return line

    def _read(self) -> None:
        rest = b""
        while chunk := self._chunk():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                self._hand_over(line)
            if len(rest) > LONGEST_LINE:
                rest = rest[: LONGEST_LINE + 1]
        if rest:
            self._hand_over(rest)
        if self._terminal and not os.isatty(self._descriptor):
            self._in_loop(self.gone.set)
        else:
            self._in_loop(self._lines.put_nowait, END)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, 1 << 16)
        except OSError:
            return b""

    def _hand_over(self, line: bytes) -> None:
        self._room.acquire()
        self._in_loop(self._lines.put_nowait, line[: LONGEST_LINE + 1].decode("utf-8", "replace").rstrip("\r"))

    def _in_loop(self, call: Callable[..., None], *values: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program is ending
            self._loop.call_soon_threadsafe(call, *values)


class Output:
    """Writes lines to a file descriptor, each at once, from a thread of its own.

    A reader who stops reading (a paused terminal, a full pipe) must not stop the run or its signal handlers.
    `gone` is set when nobody can read any more: a broken pipe or a closed terminal.
    """

    def __init__(self, descriptor: int, redact: Callable[[str], str] = str) -> None:
        self._descriptor = descriptor
        self._redact = redact
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.gone = asyncio.Event()
        self._thread = threading.Thread(target=self._write, name="standard output", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """How many pieces are not written yet."""
        return self._queue.qsize()

    def line(self, text: str = "") -> None:
        """Write one line."""
        self._queue.put(self._redact(text) + "\n")

    def prompt(self, text: str) -> None:
        """Write a prompt, without a line end."""
        self._queue.put(self._redact(text))

    def close(self, patience: float = 5.0) -> None:
        """Write what is left, for `patience` seconds at most; whoever does not read does not get it."""
        self._queue.put(None)
        self._thread.join(patience)

    def _write(self) -> None:
        while (text := self._queue.get()) is not None:
            rest = text.encode("utf-8", "replace")
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    self._await_room()
                except OSError:
                    with contextlib.suppress(RuntimeError):
                        self._loop.call_soon_threadsafe(self.gone.set)
                    return

    def _await_room(self) -> None:
        """Wait for room in a descriptor that someone else made non-blocking (a terminal is shared)."""
        import select  # noqa: PLC0415 -- only on this rare path

        select.select([], [self._descriptor], [], 1.0)
