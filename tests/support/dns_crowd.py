"""A thousand resolvers in one process: every address of 127.0.0.0/8 answers, each with a latency of its own.

The latencies are spread evenly and lie in no order, as in life: `slowest_of` tells which resolver is the last. Each
counts from the moment at which the kernel received the question: a thousand machines do not wait for one another.

Started as `python -m tests.support.dns_crowd COUNT LOSS DEAD SLOWEST_MS`; prints its port, ends with its stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PKTINFO = 8
"""IP_PKTINFO of Linux's ip(7): which of our addresses a datagram was sent to."""
TIMESTAMPNS = 35
"""SO_TIMESTAMPNS of Linux's socket(7): when the kernel received a datagram, as a struct timespec."""
FASTEST = 0.005
ROOT = Path(__file__).parents[2]


def address(number: int) -> str:
    """Give the address of resolver `number`, from 0."""
    return f"127.77.{number // 250}.{number % 250 + 1}"


def number_of(packed: bytes) -> int:
    """Give the number of a resolver's address."""
    return packed[2] * 250 + packed[3] - 1


def place_of(number: int, count: int) -> int:
    """Give the place of a resolver in the order of latencies; 617 is prime, so that each place is taken once."""
    return number * 617 % count


def slowest_of(count: int) -> int:
    """Give the number of the slowest."""
    return next(number for number in range(count) if place_of(number, count) == count - 1)


def heard(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[bytes, float]:
    """Give the address that was asked, and how many seconds ago the kernel received the question."""
    to, ago = b"", 0.0
    for level, kind, octets in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, PKTINFO):
            to = octets[8:12]
        elif (level, kind) == (socket.SOL_SOCKET, TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("@ll", octets)
            ago = time.time() - seconds - nanoseconds / 1e9
    return to, ago


def reply_to(query: bytes, number: int) -> bytes:
    """Give the MX, with one of 32 TTLs, as a cache would."""
    end = query.index(0, 12) + 5
    answer = b"\xc0\x0c\x00\x0f\x00\x01" + struct.pack("!IHH", 60 + number % 32, 8, 10) + b"\x03new\xc0\x0c"
    header = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x01"
    return header + query[12:end] + answer + b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


async def serve(count: int, loss: float, dead: float, slowest: float) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    chance = random.Random(7)
    dead_ones = set(chance.sample(range(count), round(count * dead)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
        bound.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        bound.setblocking(False)
        bound.bind(("0.0.0.0", 0))

        def send(octets: bytes, control: bytes, peer: tuple[str, int]) -> None:
            with contextlib.suppress(BlockingIOError):
                bound.sendmsg([octets], [(socket.IPPROTO_IP, PKTINFO, control)], 0, peer)

        def readable() -> None:
            for _ in range(64):
                try:
                    query, ancillary, _, peer = bound.recvmsg(4096, 128)
                except BlockingIOError:
                    return
                to, ago = heard(ancillary)
                number = number_of(to)
                if number in dead_ones or chance.random() < loss:
                    continue
                share = place_of(number, count) / max(1, count - 1)
                latency = FASTEST + (slowest - FASTEST) * share if slowest else 0.0
                # The middle field is the address to answer from; no interface is prescribed.
                loop.call_later(latency - ago, send, reply_to(query, number), b"\0\0\0\0" + to + b"\0\0\0\0", peer)

        loop.add_reader(bound, readable)
        sys.stdout.write(f"{bound.getsockname()[1]}\n")
        sys.stdout.flush()
        await loop.run_in_executor(None, sys.stdin.read)
        loop.remove_reader(bound)


@contextlib.contextmanager
def crowd(count: int, loss: float = 0.0, dead: float = 0.0, slowest: float = 0.0) -> Iterator[int]:
    """Run a crowd in a process of its own; gives its port. `slowest` is the latency of the last one in seconds."""
    command = [sys.executable, "-m", "tests.support.dns_crowd", str(count), str(loss), str(dead), str(slowest)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(20)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *(float(word) for word in sys.argv[2:5])))
