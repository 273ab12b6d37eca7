"""The server that stands in for OpenSSH where no sshd is installed; run as a program by `sshd.py`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import signal
import sys
from pathlib import Path

import asyncssh


class Server(asyncssh.SSHServer):
    """Accepts the keys of authorized_keys and logs in sshd's words what tests look for."""

    def __init__(self, log: Path, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._log = log
        self._connections = connections
        self._connection: asyncssh.SSHServerConnection | None = None
        self._user = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection, so that it can be killed."""
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget it."""
        if self._connection:
            self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        """Ask everybody for a key."""
        self._user = username
        return True

    def auth_completed(self) -> None:
        """Log as sshd does."""
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"Accepted publickey for {self._user}\n")

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:  # noqa: ARG002
        """Be a jump host to loopback only."""
        return dest_host in {"127.0.0.1", "localhost", "::1"}


async def feed(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    """Give the client's input to the command."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


async def copy(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    """Give the command's output to the client."""
    with contextlib.suppress(BrokenPipeError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()


async def run_command(process: asyncssh.SSHServerProcess[bytes], environment: dict[str, str]) -> None:
    """Run the command under the user's login shell in a session of its own."""
    shell = pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    child = await asyncio.create_subprocess_exec(
        shell, "-c", process.command or "true", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, cwd=environment["HOME"],
        env={"PATH": "/usr/bin:/bin", "USER": process.get_extra_info("username"), **environment},
    )  # fmt: skip
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise RuntimeError("pipes")
    # asyncssh's redirect() closes the output as soon as the client ends its input, hence our own copying.
    feeding = asyncio.create_task(feed(process.stdin, child.stdin))
    copying = asyncio.gather(copy(child.stdout, process.stdout), copy(child.stderr, process.stderr))
    while child.returncode is None:  # noqa: ASYNC110 -- wait() would wait for the pipes to close, too
        await asyncio.sleep(0.01)
    code = child.returncode
    await asyncio.wait([copying], timeout=0.5)
    feeding.cancel()
    copying.cancel()
    if code < 0:
        process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
    else:
        process.exit(code)


async def serve(settings: dict[str, object]) -> None:
    """Serve until SIGTERM; SIGUSR1 aborts every connection."""
    folder, environment = Path(str(settings["folder"])), settings["environment"]
    if not isinstance(environment, dict):
        raise TypeError("environment")
    connections: set[asyncssh.SSHServerConnection] = set()
    log = folder / "sshd.log"

    async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await run_command(process, environment)

    await asyncssh.listen(
        "127.0.0.1", int(str(settings["port"])), server_factory=lambda: Server(log, connections),
        server_host_keys=[str(folder / "host_key")], authorized_client_keys=str(folder / "authorized_keys"),
        process_factory=handle, encoding=None,
    )  # fmt: skip
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)

    def abort_all() -> None:
        for connection in list(connections):
            connection.abort()

    loop.add_signal_handler(signal.SIGUSR1, abort_all)
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
