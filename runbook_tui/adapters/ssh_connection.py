"""Makes one SSH connection, through its jump hosts, with every host key checked by name or against a pin."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import asyncssh

from runbook_tui.adapters.known_hosts import read_known_hosts
from runbook_tui.adapters.ssh_credentials import Credentials
from runbook_tui.adapters.ssh_errors import LOGIN_TIMEOUT, Attempt, ConnectError, unreachable
from runbook_tui.adapters.ssh_host_keys import (
    asyncssh_lists,
    host_key,
    host_key_algorithms,
    keys_for,
    known_as,
    vouched,
)
from runbook_tui.adapters.ssh_login import Client, load_identities
from runbook_tui.core.errors import HostError
from runbook_tui.core.text import clean_line
from runbook_tui.ports import ExpectedKeys, Link, ShownKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.adapters.ssh_credentials import Person
    from runbook_tui.adapters.ssh_target import SshSettings, Target

CLOSE_SECONDS = 2.0
GREETING_SECONDS = 1.0
GREETING_BYTES = 255

# AES-GCM first: with AES instructions it is 1.5 times as fast as the default chacha20.
_CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
    "aes256-ctr", "aes192-ctr", "aes128-ctr",
)  # fmt: skip


@dataclass(slots=True)
class Connection:
    """An open connection with those to its jump hosts; `address` is the peer's `ip:port`, or how it was reached."""

    client: asyncssh.SSHClientConnection
    key: ShownKey
    address: str
    hops: tuple[Connection, ...] = ()

    async def close(self) -> None:
        """Close it and its hops, the last one first; a dead link is not waited for."""
        for connection in (self.client, *(hop.client for hop in reversed(self.hops))):
            connection.close()
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.wait_closed()
            except TimeoutError:
                connection.abort()


async def open_connection(
    target: Target, expected: ExpectedKeys, settings: SshSettings, on_lost: Callable[[], None], person: Person
) -> Connection:
    """Connect and log in; `person` is asked for what no key gives.

    A pin of this run stands for all of known_hosts, revoked keys excepted, for the target and for each hop.

    Raises:
        ConnectError: with the sentence for the cause; a hop that fails is named.
    """
    hops: list[Connection] = []
    try:
        for hop in target.hops:
            try:
                via = hops[-1] if hops else None
                hops.append(await _open_hop(hop, expected, settings, via, on_lost, person=person))
            except ConnectError as failed:
                error = HostError(f"Jump host {hop.name}: {failed.error.title}", failed.error.detail, failed.error.hint)
                # What a hop showed must not be trusted for the target.
                refusal = replace(failed.refusal, jump=known_as(hop)) if failed.refusal else None
                raise ConnectError(error, failed.link, refusal) from failed
        connection = await _open(target, expected, settings, hops[-1] if hops else None, on_lost, person=person)
    except BaseException:
        for opened in reversed(hops):
            await opened.close()
        raise
    connection.hops = tuple(hops)
    return connection


async def _open_hop(
    hop: Target, expected: ExpectedKeys, settings: SshSettings, via: Connection | None, on_lost: Callable[[], None],
    *, person: Person,
) -> Connection:  # fmt: skip
    """Connect to a jump host. It may well be one of the run's own hosts, so no other's key is kept from it."""
    own = ExpectedKeys(pin=expected.jumps.get(known_as(hop)))
    opened = await _open(hop, own, settings, via, on_lost, person=person, jump=True)
    opened.key = replace(opened.key, jump=known_as(hop))
    return opened


async def _open(
    target: Target, expected: ExpectedKeys, settings: SshSettings, via: Connection | None,
    on_lost: Callable[[], None], *, person: Person, jump: bool = False,
) -> Connection:  # fmt: skip
    known_hosts = read_known_hosts(settings.known_hosts_files)
    known = keys_for(target, expected, known_hosts)
    credentials = Credentials(person, target, settings.hold_timeout, settings.login_timeout, jump=jump)
    identities = await load_identities(target, credentials)
    connection = None
    try:
        while connection is None:
            client = Client(identities, credentials, on_lost)
            attempt = Attempt(target, known, expected, known_hosts, client, identities, credentials)
            try:
                connection = await _log_in(target, settings, attempt, via)
            except (OSError, asyncssh.Error, ValueError) as error:
                if not await credentials.unanswered():
                    credentials.wrong()
                    raise attempt.explain(error) from error
    finally:
        identities.close()
        credentials.close()
    await credentials.right()
    key = connection.get_server_host_key()
    if key is None:  # only with GSS key exchange, which is off
        connection.abort()
        raise ConnectError(HostError(f"{target} showed no host key."), Link.REFUSED)
    shown = ShownKey(host_key(key), vouched(known, key))
    return Connection(connection, shown, _address(connection, target, via))


async def _log_in(
    target: Target, settings: SshSettings, attempt: Attempt, via: Connection | None
) -> asyncssh.SSHClientConnection:
    """Connect and log in; while the person is asked the time limit is the one for holding the line."""
    sock = None if via else await _tcp(target, settings.connect_timeout)
    if sock:
        attempt.client.greeting = await _greeting(sock)
    limit = settings.login_timeout if sock else settings.connect_timeout + settings.login_timeout
    try:
        async with asyncio.timeout(limit) as attempt.credentials.pace:
            return await _negotiate(target, settings, attempt, via, sock)
    except TimeoutError:
        if attempt.client.reached:
            raise asyncssh.ConnectionLost(LOGIN_TIMEOUT) from None
        raise
    except BaseException:
        if sock:
            sock.close()
        raise


async def _negotiate(
    target: Target, settings: SshSettings, attempt: Attempt, via: Connection | None, sock: socket.socket | None
) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        target.address,
        target.port,
        config=None,  # the operator's configuration is read by us, for address, user, keys and hops only
        sock=sock,
        tunnel=via.client if via else (),
        client_factory=lambda: attempt.client,
        known_hosts=(*asyncssh_lists(attempt.known, attempt.expected),),
        host_key_alias=target.name,
        server_host_key_algs=host_key_algorithms(attempt.known),
        x509_trusted_certs=None,
        username=target.user,
        client_keys=None,  # `Client` offers them, in ssh's order
        agent_path=None,
        gss_host=None,
        host_based_auth=False,
        encryption_algs=list(_CIPHERS),
        connect_timeout=None,
        login_timeout=0,
        keepalive_interval=settings.keepalive_interval,
        keepalive_count_max=settings.keepalive_count_max,
    )


async def _tcp(target: Target, limit: float) -> socket.socket:
    """Connect to the first address that answers; each gets its share of the time, so that a dead one costs little.

    Raises:
        ConnectError: none did; the last failure says why.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limit):
            found = await loop.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error if isinstance(error, OSError) else socket.gaierror(0, str(error))
        raise ConnectError(unreachable(target, reason)) from error
    last: OSError = OSError("no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(limit / len(found)):
                await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise ConnectError(unreachable(target, last)) from last


async def _greeting(sock: socket.socket) -> str:
    """Give a first line that is not SSH's own, without taking it away; a server that waits for ours is not waited for.

    asyncssh passes over such a line without telling it.
    """
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            await readable.wait()
        line = sock.recv(GREETING_BYTES, socket.MSG_PEEK).partition(b"\n")[0].strip()
    except OSError:
        return ""
    except BaseException:
        sock.close()
        raise
    finally:
        loop.remove_reader(sock)
    return "" if line.startswith(b"SSH-") else clean_line(line.decode("utf-8", "backslashreplace"))


def _address(connection: asyncssh.SSHClientConnection, target: Target, via: Connection | None) -> str:
    host, port = target.address, target.port
    if via is None:
        with contextlib.suppress(TypeError, ValueError):
            host, port = connection.get_extra_info("peername")[:2]
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{shown} through {via.address}" if via else shown
