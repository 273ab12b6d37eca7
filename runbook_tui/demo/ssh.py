"""The SSH server of a host: real SSH, a real shell in the host's place, in the manner of OpenSSH's sshd."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import asyncssh

from runbook_tui.demo.host import Tier
from runbook_tui.demo.isolation.confinement import exit_status, signal_group
from runbook_tui.demo.isolation.rewriting import brought_home
from runbook_tui.demo.machine import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.isolation.confinement import Confinement

LATE_OUTPUT = 1.0
"""Seconds without output that end a session whose command has ended; what it left behind may hold the output open."""

_CHUNK = 65536
_NO_LOGIN = frozenset({"nologin", "false"})
_TIOCSPTLCK, _TIOCGPTPEER = 0x40045431, 0x5441


class SshServer:
    """A `machine.Service`. Keys only, for users of the host's passwd(5) who have a shell, root among them."""

    def __init__(
        self,
        host: Host,
        confinement: Confinement,
        host_key: asyncssh.SSHKey,
        authorized: Callable[[str], list[str]],
    ) -> None:
        """Serve `host`; `authorized` gives the lines of a user's authorized_keys, asked at every login."""
        self._host = host
        self._confinement = confinement
        self._host_key = host_key
        self._authorized = authorized
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()

    @property
    def running(self) -> bool:
        """Whether it takes new connections."""
        return self._acceptor is not None

    async def start(self) -> None:
        """Listen; a second start is no error.

        Raises:
            ServiceError: the port is taken.
        """
        if self._acceptor is not None:
            return
        address, port = self._host.address, self._host.port(22)
        try:
            self._acceptor = await asyncssh.create_server(
                lambda: _Login(self._host, self._authorized, self._connections),
                address, port, server_host_keys=[self._host_key],
                process_factory=self._serve, encoding=None, line_editor=False,
                # With allow_scp asyncssh takes every command that begins with "scp " for its own SCP server.
                sftp_factory=lambda channel: _Sftp(self._host, channel), allow_scp=False,
                server_version="OpenSSH_9.9_rehearsal", compression_algs=["none"],
                keepalive_interval=0, login_timeout=30,
            )  # fmt: skip
        except OSError as error:
            raise ServiceError(f"sshd: bind to port {port} on {address} failed: {error.strerror}.") from error

    async def stop(self) -> None:
        """Take no more connections; those there are stay, as with the real one."""
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
            self._acceptor = None

    async def reload(self) -> None:
        """Do nothing: there is no configuration."""

    def cut(self) -> None:
        """Drop all connections at once, as a link does that breaks."""
        for connection in tuple(self._connections):
            connection.abort()

    async def change_key(self, host_key: asyncssh.SSHKey) -> None:
        """Show another host key from the next connection on."""
        self._host_key = host_key
        if self.running:
            await self.stop()
            await self.start()

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run what one session asks for, and report its end."""
        try:
            session = self._start(process)
        except (OSError, LookupError) as error:
            process.stderr.write(f"sshd: {error}\n".encode())
            process.exit(1)
            return
        status = await session.carry()
        with contextlib.suppress(OSError):  # nobody is there to hear it
            if status < 0:
                process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                process.exit(status)

    def _start(self, process: asyncssh.SSHServerProcess[bytes]) -> _Session:
        user = str(process.get_extra_info("username"))
        command: str | list[str] = _text(process.command) or ["/bin/sh", "-i"]
        terminal = process.get_terminal_type()
        if not terminal:
            pipe = subprocess.PIPE
            child = self._confinement.popen(self._host, user, command, stdin=pipe, stdout=pipe, stderr=pipe)
            return _Session(process, child, cast("BinaryIO", child.stdin), [
                (cast("BinaryIO", child.stdout), process.stdout), (cast("BinaryIO", child.stderr), process.stderr),
            ])  # fmt: skip
        master, slave = _open_terminal(self._host)
        _set_size(master, *process.get_terminal_size()[:2])
        try:
            child = self._confinement.popen(
                self._host, user, command, stdin=slave, stdout=slave, stderr=slave, terminal=terminal
            )
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        reading = os.fdopen(os.dup(master), "rb", 0)
        return _Session(process, child, os.fdopen(master, "wb", 0), [(reading, process.stdout)], has_terminal=True)


def _text(command: str | bytes | None) -> str:
    return command.decode("utf-8", "surrogateescape") if isinstance(command, bytes) else command or ""


@dataclass(frozen=True, slots=True)
class _Session:
    """A command and the pumps between its streams and the client's.

    asyncssh's own redirection does not tell when the last output is out, which must be before the exit status.
    """

    process: asyncssh.SSHServerProcess[bytes]
    child: subprocess.Popen[bytes]
    input: BinaryIO
    outputs: list[tuple[BinaryIO, asyncssh.SSHWriter[bytes]]]
    has_terminal: bool = False

    async def carry(self) -> int:
        """Carry bytes until the command has ended or the client has gone; give the exit status.

        When the client goes, a terminal hangs up; a command without one goes on, as it does under OpenSSH.
        """
        ended = exit_status(self.child)
        feeding = asyncio.create_task(self._feed())
        pumps = [_Pump(source, target) for source, target in self.outputs]
        gone = asyncio.create_task(self.process.channel.wait_closed())
        try:
            await asyncio.wait((ended, cast("asyncio.Future[int]", gone)), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done() and self.has_terminal:
                signal_group(self.child, signal.SIGHUP)
            elif ended.done():
                await _drained(pumps, gone)
            return ended.result() if ended.done() else 0
        finally:
            await _cancel(feeding, gone, *(pump.task for pump in pumps))

    async def _feed(self) -> None:
        """Give the command what the client sends; its end is the end of the command's input."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, self.input)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            while data := await self._read():
                writer.write(data)
                await writer.drain()
        except OSError:  # the command reads no more
            return
        finally:
            transport.close()

    async def _read(self) -> bytes:
        while True:
            try:
                return await self.process.stdin.read(_CHUNK)
            except asyncssh.TerminalSizeChanged as size:
                _set_size(self.input.fileno(), size.width, size.height)
            except (asyncssh.SignalReceived, asyncssh.BreakReceived):
                continue  # OpenSSH 9.2 sends none to a command of root either (ARCHITECTURE.md)


class _Pump:
    """Carries one stream of a command's output to the client."""

    def __init__(self, source: BinaryIO, target: asyncssh.SSHWriter[bytes]) -> None:
        self.carried = 0
        self.is_held_up = False
        """Whether the client reads too slowly, so that a silence is not the command's."""
        self.task = asyncio.create_task(self._carry(source, target))

    async def _carry(self, source: BinaryIO, target: asyncssh.SSHWriter[bytes]) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
        try:
            while data := await reader.read(_CHUNK):
                target.write(data)
                self.is_held_up = True
                await target.drain()
                self.is_held_up = False
                self.carried += len(data)
        except OSError:  # a terminal says EIO when its last user has gone; or the client has
            return
        finally:
            transport.close()


async def _drained(pumps: list[_Pump], gone: asyncio.Task[None]) -> None:
    """Wait until all output is carried, or it has been silent for LATE_OUTPUT, or the client has gone."""
    carried = -1
    while not gone.done() and (pending := [pump.task for pump in pumps if not pump.task.done()]):
        now = sum(pump.carried for pump in pumps)
        if now == carried and not any(pump.is_held_up for pump in pumps):
            return
        carried = now
        await asyncio.wait(pending, timeout=LATE_OUTPUT)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _open_terminal(host: Host) -> tuple[int, int]:
    """Open a terminal: in tier ns one of the host's own devpts, or tty(1) would not find its name there."""
    if host.tier is not Tier.NS:
        return pty.openpty()
    master = os.open(host.path("/dev/pts/ptmx"), os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        return master, fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        os.close(master)
        raise


def _set_size(terminal: int, width: int, height: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


class _Login(asyncssh.SSHServer):
    """One connection's login."""

    def __init__(
        self, host: Host, authorized: Callable[[str], list[str]], connections: set[asyncssh.SSHServerConnection]
    ) -> None:
        self._host = host
        self._authorized = authorized
        self._connections = connections
        self._connection: asyncssh.SSHServerConnection | None = None
        self._may_enter = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._connection:
            self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        account = self._host.users().get(username)
        self._may_enter = account is not None and Path(account.shell).name not in _NO_LOGIN
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._may_enter and any(_is_line_of(key, line) for line in self._authorized(username))


def _is_line_of(key: asyncssh.SSHKey, line: str) -> bool:
    """Whether a line of authorized_keys names this key; options before it are not looked at."""
    algorithm, encoded = key.export_public_key().decode().split()[:2]
    words = line.split()
    return any(pair == (algorithm, encoded) for pair in pairwise(words))


class _Sftp(asyncssh.SFTPServer):
    """SFTP with the host's folder as root, a relative path counting from the user's home."""

    def __init__(self, host: Host, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(channel, chroot=os.fsencode(host.root))
        user = str(channel.get_connection().get_extra_info("username"))
        self._host = host
        self._home = host.users()[user].home

    def map_path(self, path: bytes) -> bytes:
        """Give where the client's path is on this machine.

        Raises:
            SFTPPermissionDenied: a symbolic link on the way leads out of the host's folder.
        """
        own = brought_home(os.fsdecode(path), str(self._host.root))
        mapped = self._host.path(os.path.join(self._home, own))  # noqa: PTH118 -- own may be absolute: that is the point
        if not mapped.parent.resolve().is_relative_to(self._host.root.resolve()) and mapped != self._host.root:
            raise asyncssh.SFTPPermissionDenied("outside the rehearsal's hosts")
        return os.fsencode(mapped)

    def exit(self) -> None:
        """End with a status: without one OpenSSH 9's scp takes the copy for failed."""
        with contextlib.suppress(OSError):
            self.channel.exit(0)
