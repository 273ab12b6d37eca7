"""BIND 9 on loopback: a parent zone, a primary and a secondary of `example.test`, and two caching resolvers.

named listens only on addresses that an interface has, which for all but root is 127.0.0.1: so each has a port of its
own there, and a relay gives it an address of its own at one common port, as name servers have in life.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.message
import dns.query

from tests.demo.loopback import free_port, network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAMED = shutil.which("named") or shutil.which("named", path="/usr/sbin")
PARENT, PRIMARY, SECONDARY, RESOLVER_A, RESOLVER_B = 1, 2, 3, 4, 5

OPTIONS = """\
options {{
    directory "{folder}"; managed-keys-directory "{folder}"; session-keyfile "{folder}/session.key"; pid-file none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; empty-zones-enable no; dnssec-validation no;
    notify-delay 0; allow-transfer {{ any; }}; {more}
}};
controls {{ }};
{zones}
"""
FORWARD = 'zone "{zone}" {{ type forward; forward only; forwarders {{ {servers} }}; }};\n'


@dataclass
class Bind:
    """The five servers. `ttl` is the MX's in seconds, `refresh` the zone's."""

    folder: Path
    ttl: int = 3
    refresh: int = 3600
    notify: bool = True
    negative: int = 2
    port: int = field(default_factory=free_port)
    ports: dict[int, int] = field(default_factory=lambda: {number: free_port() for number in range(1, 6)})
    net: str = field(default_factory=network)
    serial: int = 1
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def address(self, number: int) -> str:
        """Give a server's address."""
        return f"{self.net}.{number}"

    def at(self, number: int) -> str:
        """Give a server as `at:` names it."""
        return f"{self.address(number)}:{self.port}"

    def write_zone(self, mx: str, more: str = "") -> None:
        """Write the zone with this MX and the next serial."""
        self.serial += 1
        (self.folder / "zone").write_text(
            f"$TTL {self.ttl}\n@ SOA ns1 root {self.serial} {self.refresh} 60 86400 {self.negative}\n"
            f"@ NS ns1\n@ NS ns2\n@ MX {mx}\nns1 A {self.address(PRIMARY)}\nns2 A {self.address(SECONDARY)}\n"
            f"old A 127.0.0.11\nnew A 127.0.0.12\nalias CNAME new\n{more}\n", encoding="ascii",
        )  # fmt: skip

    def change(self, mx: str, more: str = "") -> None:
        """Change the MX at the primary, as an admin does; with NOTIFY the secondary has it as well."""
        self.write_zone(mx, more)
        self.running[PRIMARY].send_signal(signal.SIGHUP)
        for number in (PRIMARY, SECONDARY) if self.notify else (PRIMARY,):
            self.wait(number, serial=self.serial)

    def start(self) -> None:
        """Write everything and start all."""
        self.write_zone("10 old")
        (self.folder / "parent").write_text(
            f"$TTL 60\n@ SOA ns.test. root 1 3600 60 86400 60\n@ NS ns.test.\nns A {self.address(PARENT)}\n"
            f"example NS ns1.example.test.\nexample NS ns2.example.test.\n"
            f"ns1.example A {self.address(PRIMARY)}\nns2.example A {self.address(SECONDARY)}\n", encoding="ascii",
        )  # fmt: skip
        notify = "explicit" if self.notify else "no"
        tell = f"also-notify {{ 127.0.0.1 port {self.ports[SECONDARY]}; }}; notify {notify};"
        from_primary = f"primaries {{ 127.0.0.1 port {self.ports[PRIMARY]}; }}; allow-notify {{ any; }};"
        own = {
            PARENT: f'zone "test" {{ type primary; file "{self.folder}/parent"; }};',
            PRIMARY: f'zone "example.test" {{ type primary; file "{self.folder}/zone"; {tell} }};',
            SECONDARY: f'zone "example.test" {{ type secondary; file "{self.folder}/copy"; {from_primary} }};',
        }
        for number, zones in own.items():
            self._named(number, "recursion no;", zones)
            self.wait(number, name="test" if number == PARENT else "example.test")
        places = {"test": (PARENT,), "example.test": (PRIMARY, SECONDARY)}
        forward = "".join(
            FORWARD.format(zone=zone, servers=" ".join(f"127.0.0.1 port {self.ports[n]};" for n in numbers))
            for zone, numbers in places.items()
        )
        for number in (RESOLVER_A, RESOLVER_B):
            self._named(number, "recursion yes; allow-query { any; };", forward)
        for number in (RESOLVER_A, RESOLVER_B):
            self.wait(number, name="test")

    def _named(self, number: int, more: str, zones: str) -> None:
        conf = self.folder / f"named-{number}.conf"
        own_folder = self.folder / str(number)
        own_folder.mkdir()
        text = OPTIONS.format(folder=own_folder, port=self.ports[number], more=more, zones=zones)
        conf.write_text(text, encoding="ascii")
        assert NAMED is not None
        with (self.folder / f"named-{number}.log").open("wb") as log:
            command = [NAMED, "-g", "-n", "1", "-U", "1", "-c", str(conf)]
            self.running[number] = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self, number: int, serial: int | None = None, name: str = "example.test") -> None:
        """Wait until a server answers for the zone, with this serial where one is given."""
        until = time.monotonic() + 60
        query = dns.message.make_query(name, "SOA")
        while time.monotonic() < until:
            with contextlib.suppress(dns.exception.DNSException, OSError):
                reply = dns.query.tcp(query, "127.0.0.1", 1, self.ports[number])
                if reply.answer and (serial is None or reply.answer[0][0].serial == serial):
                    return
            time.sleep(0.02)
        raise AssertionError(f"server {number}: {(self.folder / f'named-{number}.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End all that was started."""
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.running.values():
            process.wait(20)


class _Relay(asyncio.DatagramProtocol):
    """Hands datagrams on to a server, each from a socket of its own, and what comes back to who asked."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.DatagramTransport | None = None
        self._work: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand on."""
        task = asyncio.ensure_future(self._carry(data, addr))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _carry(self, data: bytes, addr: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
            there.setblocking(False)
            there.connect(("127.0.0.1", self._port))
            await loop.sock_sendall(there, data)
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(60):
                    answer = await loop.sock_recv(there, 65535)
                if self._transport is not None and not self._transport.is_closing():
                    self._transport.sendto(answer, addr)

    async def close(self) -> None:
        """Stop."""
        if self._transport is not None:
            self._transport.close()
        for task in tuple(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)


@contextlib.asynccontextmanager
async def bind(folder: Path, *, ttl: int = 3, notify: bool = True) -> AsyncIterator[Bind]:
    """Run the five servers and their relays."""
    made = Bind(folder, ttl=ttl, notify=notify)
    relays: list[_Relay] = []
    loop = asyncio.get_running_loop()
    try:
        await asyncio.to_thread(made.start)
        for number, port in made.ports.items():
            place = (made.address(number), made.port)
            _, relay = await loop.create_datagram_endpoint(functools.partial(_Relay, port), place)
            relays.append(relay)
        yield made
    finally:
        for relay in relays:
            await relay.close()
        await asyncio.to_thread(made.stop)
