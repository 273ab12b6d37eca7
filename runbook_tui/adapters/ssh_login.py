"""Who we log in as: the keys of files and agent in the order ssh(1) offers them, and what the server asks for."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from runbook_tui.adapters.ssh_locked_key import LockedKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from runbook_tui.adapters.ssh_credentials import Credentials
    from runbook_tui.adapters.ssh_target import Target

AGENT_TIMEOUT = 5.0


@dataclass(slots=True)
class Identities:
    """Keys to offer, each once. `unusable` says why others are not offered, a sentence each."""

    pairs: list[asyncssh.SSHKeyPair | LockedKey] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    agent: asyncssh.SSHAgentClient | None = None

    def close(self) -> None:
        """Let go of the agent."""
        if self.agent:
            self.agent.close()


async def load_identities(target: Target, credentials: Credentials) -> Identities:
    """Gather the keys for a target: the named files' first (from the agent where it has them), then the agent's."""
    found = Identities()
    in_agent = {pair.public_data: pair for pair in await _agent_keys(target, found)}
    for path in target.key_files:
        public = _public_key(path)
        if public is not None and public.public_data in in_agent:
            found.pairs.append(in_agent.pop(public.public_data))
        elif not credentials.over and _is_locked(path):
            found.pairs.append(LockedKey(path, public, credentials))
        else:
            found.pairs.extend(_pairs_of_file(path, found, is_named=target.named_keys))
    if not target.identities_only:
        found.pairs.extend(in_agent.values())
    return found


async def _agent_keys(target: Target, found: Identities) -> list[asyncssh.SSHKeyPair]:
    if not target.agent_path:
        return []
    try:
        async with asyncio.timeout(AGENT_TIMEOUT):
            found.agent = await asyncssh.connect_agent(target.agent_path)
            return list(await found.agent.get_keys())
    except TimeoutError:
        found.unusable.append(f"The agent at {target.agent_path} does not answer.")
    except (OSError, ValueError) as error:
        found.unusable.append(f"The agent at {target.agent_path} cannot be used: {error}.")
    return []


def _public_key(path: Path) -> asyncssh.SSHKey | None:
    """The public half, from the file itself or from its neighbour `.pub`."""
    for candidate in (path.with_name(f"{path.name}.pub"), path):
        with contextlib.suppress(OSError, ValueError):
            return asyncssh.read_public_key(str(candidate))
    return None


def _is_locked(path: Path) -> bool:
    """Whether a passphrase opens it, in a form that can be opened here."""
    try:
        asyncssh.read_private_key(str(path))
    except asyncssh.KeyImportError as error:
        return "passphrase" in str(error).lower()
    except (OSError, ValueError):
        return False
    return False


def _pairs_of_file(path: Path, found: Identities, *, is_named: bool) -> list[asyncssh.SSHKeyPair]:
    try:
        return list(asyncssh.load_keypairs(str(path)))
    except FileNotFoundError:
        if is_named:
            found.unusable.append(f"The key file {path} does not exist.")
    except OSError as error:
        found.unusable.append(f"The key file {path} cannot be read: {error.strerror}.")
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        if "passphrase" in str(error).lower():
            found.unusable.append(f"The key file {path} needs a passphrase: add it to an agent with ssh-add.")
        else:
            found.unusable.append(f"The key file {path} holds no key that can be used.")
    return []


class Client(asyncssh.SSHClient):
    """Our side of one connection: offers each key once, answers what it is given, remembers what the server did."""

    def __init__(self, identities: Identities, credentials: Credentials, on_lost: Callable[[], None]) -> None:
        self._waiting = list(identities.pairs)
        self._credentials = credentials
        self._on_lost = on_lost
        self._let_in = False
        self.reached = False
        """Whether a connection was made, whatever came of it."""
        self.greeting = ""
        """What the server said before all else where it was not SSH; sshd tells in it why it lets nobody in."""
        self.offered: asyncssh.SSHKey | None = None
        """The host key, when it was not among the trusted ones."""
        self.methods: list[str] = []
        """The ways of logging in that the server offered, in the order they came up."""

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:  # noqa: ARG002
        """Remember that somebody is there."""
        self.reached = True

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Trust nothing that was not trusted before; keep the key for the question to the operator."""
        self.offered = key
        return False

    async def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """Give the next key."""
        self._note("publickey")
        while self._waiting:
            following = self._waiting.pop(0)
            pair = await following.pair() if isinstance(following, LockedKey) else following
            if pair is not None:
                return pair
        return None

    async def password_auth_requested(self) -> str | None:
        """Give the next password to try."""
        self._note("password")
        return await self._credentials.password()

    def kbdint_auth_requested(self) -> str | None:
        """Let the server ask, while there is somebody to answer."""
        self._note("keyboard-interactive")
        return "" if self._credentials.takes_questions() else None

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]],  # noqa: ARG002
    ) -> Sequence[str] | None:  # fmt: skip
        """Answer the server's questions."""
        return await self._credentials.answers((name, instructions), prompts)

    def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:  # noqa: ARG002
        """Change no password: that is the machine's own business, and a new one would be known to nobody else."""
        self._credentials.wants_change = True
        refused: tuple[str, str] = NotImplemented  # asyncssh's way of saying so
        return refused

    def auth_completed(self) -> None:
        """Remember that somebody keeps the connection from now on."""
        self._let_in = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Tell who keeps the connection, if it came to that."""
        if self._let_in:
            self._on_lost()

    def _note(self, method: str) -> None:
        if method not in self.methods:
            self.methods.append(method)
