"""The loopback addresses of a world: in tier plain several worlds live side by side, each in a 127.A.B of its own."""

from __future__ import annotations

import errno
import random
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field

from runbook_tui.demo.errors import RehearsalError
from runbook_tui.demo.host import PLAIN_PORTS, Tier

HOSTS = {"old": 11, "new": 12, "desk": 13}
"""The last number of each host's address."""

NAME_SERVER = 53
RESOLVERS = (1, 2, 3, 4)
_CLAIM = 254, 10001
_TRIES = 32


@dataclass(slots=True)
class Network:
    """The first three numbers of a world's addresses, such as `127.86.0`; its own while `claim` is open."""

    prefix: str
    claim: socket.socket | None = field(default=None, repr=False)

    def address(self, last: int) -> str:
        """Give an address of the network."""
        return f"{self.prefix}.{last}"

    def release(self) -> None:
        """Let another world have it."""
        if self.claim:
            self.claim.close()
            self.claim = None


def take_network(tier: Tier, *, seed: int | None = None) -> Network:
    """Find addresses of which no port that the world needs is in use, and claim them.

    Raises:
        RehearsalError: none were found, or this machine has 127.0.0.1 alone, as macOS.
    """
    if tier is Tier.NS:
        return Network("127.86.0")
    chance = random.Random(seed)  # noqa: S311 -- no secret
    reason = ""
    for _ in range(_TRIES):
        network = Network(f"127.{chance.randint(64, 254)}.{chance.randint(0, 254)}")
        try:
            network.claim = _claimed(network)
        except OSError as error:
            reason = f"{network.prefix}: {error.strerror}"
            if error.errno == errno.EADDRNOTAVAIL:
                break
        else:
            return network
    raise RehearsalError(
        "The rehearsal finds no free addresses on this machine.", reason,
        f"It needs the ports {', '.join(map(str, sorted(PLAIN_PORTS.values())))} on addresses below 127.0.0.0/8.",
    )  # fmt: skip


def _claimed(network: Network) -> socket.socket:
    """Try every port once, and keep the one that says the network is taken; raises OSError."""
    with ExitStack() as tried:
        last, port = _CLAIM
        claim = socket.socket()
        try:
            claim.bind((network.address(last), port))
            for last in (*HOSTS.values(), NAME_SERVER, *RESOLVERS):
                for port in PLAIN_PORTS.values():
                    trial = tried.enter_context(socket.socket())
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a world left in TIME_WAIT
                    trial.bind((network.address(last), port))
        except OSError:
            claim.close()
            raise
        return claim
