"""Loopback addresses and ports that no other test uses."""

from __future__ import annotations

import os
import random
import socket

_chance = random.Random(os.urandom(8))


def network() -> str:
    """Give the first three numbers of a 127.A.B.0/24 of the test's own."""
    return f"127.{_chance.randint(100, 250)}.{_chance.randint(1, 254)}"


def free_port(address: str = "127.0.0.1") -> int:
    """Give a port that is free on TCP and UDP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind((address, 0))
            port = int(stream.getsockname()[1])
            try:
                datagrams.bind((address, port))
            except OSError:
                continue
            return port
