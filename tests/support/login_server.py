"""An SSH server on loopback that logs in with passwords and questions, run in the loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from tests.support.asyncssh_server import run_command
from tests.support.sshd import SshFiles, make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from asyncssh.auth import KbdIntChallenge

    Step = tuple[str, list[tuple[str, bool]], Callable[[list[str]], bool]]


@dataclass(slots=True)
class Door:
    """How the server lets in. `steps` are the questions of keyboard-interactive: what is said, the prompts, the proof.

    `tried` is every password that came, `answered` every answer; `connections` counts who came.
    """

    password: str = ""
    expired: bool = False
    steps: list[Step] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    answered: list[list[str]] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    open: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    def cut(self) -> None:
        """Close every connection."""
        for connection in self.open:
            connection.abort()
        self.open.clear()


class _Server(asyncssh.SSHServer):
    def __init__(self, door: Door) -> None:
        self._door = door
        self._step = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._door.connections += 1
        self._door.open.append(conn)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        return True

    def password_auth_supported(self) -> bool:
        return bool(self._door.password)

    def validate_password(self, username: str, password: str) -> bool:  # noqa: ARG002
        self._door.tried.append(password)
        if password == self._door.password and self._door.expired:
            raise asyncssh.PasswordChangeRequired("Your password has expired. New password:")
        return password == self._door.password

    def kbdint_auth_supported(self) -> bool:
        return bool(self._door.steps)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> KbdIntChallenge:  # noqa: ARG002
        self._step = 0
        return self._challenge()

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> KbdIntChallenge:  # noqa: ARG002
        if self._step > len(self._door.steps):
            return True
        self._door.answered.append(list(responses))
        _, _, right = self._door.steps[self._step - 1]
        if not right(list(responses)):
            return False
        return True if self._step == len(self._door.steps) else self._challenge()

    def _challenge(self) -> KbdIntChallenge:
        said, prompts, _ = self._door.steps[self._step]
        self._step += 1
        return "", said, "en", prompts


@contextlib.asynccontextmanager
async def open_door(folder: Path, door: Door) -> AsyncIterator[SshFiles]:
    """Serve; gives an operator's files that name the server `old.test` and no key that it takes."""
    key = make_key(folder, "host_key")
    home = folder / "home"
    home.mkdir()

    async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await run_command(process, {"HOME": str(home)})

    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: _Server(door), server_host_keys=[str(key.private)],
        process_factory=handle, encoding=None,
    )  # fmt: skip
    door.port = server.get_port()
    files = SshFiles(folder / "ssh_config", folder / "known_hosts", key)
    files.config.write_text(
        f"Host old.test\n  HostName 127.0.0.1\n  Port {door.port}\n  User {getpass.getuser()}\n"
        "  HostKeyAlias old.test\n  IdentityFile none\n", encoding="utf-8",
    )  # fmt: skip
    files.known_hosts.write_text(f"old.test {key.public}\n", encoding="utf-8")
    try:
        yield files
    finally:
        door.cut()
        server.close()
        async with asyncio.timeout(60):
            await server.wait_closed()
