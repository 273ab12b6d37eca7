"""Lines through real pipes: in, out, closed, broken and stuck."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import threading
from typing import TYPE_CHECKING

from runbook_tui.plain.lines import LONGEST_LINE, Input, Output
from tests.support.bench import eventually

if TYPE_CHECKING:
    from pathlib import Path


async def all_of(lines: Input) -> list[str]:
    """Read to the end of input."""
    found = []
    while (line := await asyncio.wait_for(lines.next(), 20)) is not None:
        found.append(line)
    return found


async def test_lines_of_a_pipe_come_whole_whatever_their_chunks() -> None:
    """A line may come in pieces, with CRLF, as bytes that are no UTF-8, or without a line end at the end."""
    reading, writing = os.pipe()
    lines = Input(reading)
    for piece in (b"con", b"firm\nye", b"s\r\nno\xff", b"te x\nlast"):
        os.write(writing, piece)
    os.close(writing)
    assert await all_of(lines) == ["confirm", "yes", "no�te x", "last"]
    os.close(reading)


async def test_the_end_of_input_is_given_again_and_again() -> None:
    """Asking once more after the end gives the end."""
    reading, writing = os.pipe()
    os.close(writing)
    lines = Input(reading)
    assert [await lines.next() for _ in range(3)] == [None, None, None]
    os.close(reading)


async def test_a_closed_descriptor_is_the_end_of_input() -> None:
    """Standard input that was closed is no error."""
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    assert await all_of(Input(reading)) == []


async def test_a_line_longer_than_any_command_is_cut(tmp_path: Path) -> None:
    """A line without end fills no memory; the lines after it are read as lines, also from a plain file."""
    path = tmp_path / "input"
    path.write_bytes(b"x" * (3 * LONGEST_LINE) + b"\nquit\n")
    descriptor = os.open(path, os.O_RDONLY)
    found = await all_of(Input(descriptor))
    assert [len(found[0]), found[1:]] == [LONGEST_LINE + 1, ["quit"]]
    os.close(descriptor)


async def test_much_input_is_read_only_as_far_as_it_is_taken() -> None:
    """A flood of lines waits in the pipe, not in memory."""
    reading, writing = os.pipe()
    lines = Input(reading)
    flood = threading.Thread(target=_flood, args=(writing, 20_000), daemon=True)
    flood.start()
    await eventually(lambda: not flood.is_alive() or (lines._lines.qsize() >= 1_000 and _full(writing)))
    assert flood.is_alive()
    assert lines._lines.qsize() <= 1_001
    assert len(await all_of(lines)) == 20_000
    flood.join(20)
    os.close(reading)


def _flood(writing: int, count: int) -> None:
    with os.fdopen(writing, "w") as pipe:
        pipe.writelines(f"line {number}\n" for number in range(count))


def _full(writing: int) -> bool:
    return not select.select([], [writing], [], 0)[1]


async def test_a_terminal_that_hung_up_is_no_end_of_input() -> None:
    """A terminal that is gone is told apart from Ctrl-D on one that is there."""
    master, slave = pty.openpty()
    lines = Input(slave)
    os.write(master, b"status\n\x04")
    assert [await lines.next(), await lines.next()] == ["status", None]
    gone = Input(slave)
    os.close(master)
    await asyncio.wait_for(gone.gone.wait(), 20)
    assert gone._lines.empty()
    assert not lines.gone.is_set()
    os.close(slave)


async def test_a_line_is_written_at_once() -> None:
    """What is said is readable before anything else is said."""
    reading, writing = os.pipe()
    out = Output(writing)
    out.line("3.2 running")
    assert await asyncio.to_thread(os.read, reading, 100) == b"3.2 running\n"
    out.close()
    os.close(reading)
    os.close(writing)


async def test_a_reader_that_left_is_noticed_and_holds_nothing_up() -> None:
    """A broken pipe sets `gone`; closing returns."""
    reading, writing = os.pipe()
    os.close(reading)
    out = Output(writing)
    out.line("nobody hears this")
    await asyncio.wait_for(out.gone.wait(), 20)
    out.line("nor this")
    out.close()
    os.close(writing)


async def test_a_reader_that_does_not_read_stops_nobody() -> None:
    """More than the pipe holds can be said without waiting, and comes when it is read."""
    reading, writing = os.pipe()
    out = Output(writing)
    for number in range(50_000):
        out.line(f"line {number}")
    assert out.behind > 0
    out.close(patience=0.01)
    got = await asyncio.to_thread(_read_until, reading, b"line 49999\n")
    assert got.startswith(b"line 0\nline 1\n")
    os.close(reading)
    os.close(writing)


def _read_until(reading: int, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        got += os.read(reading, 1 << 16)
    return got
