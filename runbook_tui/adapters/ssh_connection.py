"""Makes one SSH connection, through its jump hosts, with every host key checked by name or against a pin."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from runbook_tui.adapters.known_hosts import KnownKeys, read_known_hosts
from runbook_tui.adapters.ssh_credentials import Credentials
from runbook_tui.adapters.ssh_errors import LOGIN_TIMEOUT, Attempt, ConnectError, host_key, unreachable
from runbook_tui.adapters.ssh_login import Client, load_identities
from runbook_tui.core.errors import HostError
from runbook_tui.ports import HostKey, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.adapters.ssh_credentials import Person
    from runbook_tui.adapters.ssh_target import SshSettings, Target

CLOSE_SECONDS = 2.0

# AES-GCM first: with AES instructions it is 1.5 times as fast as the default chacha20.
_CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
    "aes256-ctr", "aes192-ctr", "aes128-ctr",
)  # fmt: skip


@dataclass(slots=True)
class Connection:
    """An open connection with those to its jump hosts; `address` is the peer's `ip:port`, or how it was reached."""

    client: asyncssh.SSHClientConnection
    key: HostKey
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
    target: Target, pin: HostKey | None, settings: SshSettings, on_lost: Callable[[], None], person: Person
) -> Connection:
    """Connect and log in; `person` is asked for what no key gives.

    `pin` stands for all of known_hosts, revoked keys excepted, for the target itself; hops are always looked up.

    Raises:
        ConnectError: with the sentence for the cause; a hop that fails is named.
    """
    hops: list[Connection] = []
    try:
        for hop in target.hops:
            try:
                via = hops[-1] if hops else None
                hops.append(await _open(hop, None, settings, via, on_lost, person=person, jump=True))
            except ConnectError as failed:
                # The key that was offered is the hop's, and must not be trusted for the target.
                error = HostError(f"Jump host {hop.name}: {failed.error.title}", failed.error.detail, failed.error.hint)
                raise ConnectError(error, failed.link) from failed
        connection = await _open(target, pin, settings, hops[-1] if hops else None, on_lost, person=person)
    except BaseException:
        for opened in reversed(hops):
            await opened.close()
        raise
    connection.hops = tuple(hops)
    return connection


async def _open(
    target: Target, pin: HostKey | None, settings: SshSettings, via: Connection | None, on_lost: Callable[[], None],
    *, person: Person, jump: bool = False,
) -> Connection:  # fmt: skip
    known_hosts = read_known_hosts(settings.known_hosts_files)
    known = known_hosts.keys(target.name, 22 if target.alias_named else target.port)
    if pin is not None:
        known = KnownKeys((asyncssh.import_public_key(pin.key),), (), known.revoked)
    credentials = Credentials(person, target, settings.hold_timeout, settings.login_timeout, jump=jump)
    identities = await load_identities(target, credentials)
    connection = None
    try:
        while connection is None:
            client = Client(identities, credentials, on_lost)
            attempt = Attempt(target, known, pin is not None, known_hosts.bad_lines, client, identities, credentials)
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
    return Connection(connection, host_key(key), _address(connection, target, via))


async def _log_in(
    target: Target, settings: SshSettings, attempt: Attempt, via: Connection | None
) -> asyncssh.SSHClientConnection:
    """Connect and log in; while the person is asked the time limit is the one for holding the line."""
    sock = None if via else await _tcp(target, settings.connect_timeout)
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
    known = attempt.known
    revoked = {key.public_data for key in known.revoked}
    trusted = [key for key in known.hosts if key.public_data not in revoked]
    return await asyncssh.connect(
        target.address,
        target.port,
        config=None,  # the operator's configuration is read by us, for address, user, keys and hops only
        sock=sock,
        tunnel=via.client if via else (),
        client_factory=lambda: attempt.client,
        known_hosts=(trusted, list(known.authorities), list(known.revoked)),
        host_key_alias=target.name,
        server_host_key_algs=_host_key_algorithms(known),
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


def _host_key_algorithms(known: KnownKeys) -> list[str]:
    """Prefer the types that are known, but take any: a key of another type must be seen to be reported."""
    preferred = [algorithm for key in known.hosts for algorithm in key.sig_algorithms]
    if known.authorities:
        preferred = [*get_default_certificate_algs(), *preferred]
    return [algorithm.decode("ascii") for algorithm in dict.fromkeys([*preferred, *get_default_public_key_algs()])]


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


def _address(connection: asyncssh.SSHClientConnection, target: Target, via: Connection | None) -> str:
    host, port = target.address, target.port
    if via is None:
        with contextlib.suppress(TypeError, ValueError):
            host, port = connection.get_extra_info("peername")[:2]
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{shown} through {via.address}" if via else shown
