"""Who we log in as: the keys of files and agent in the order ssh(1) offers them, and what the server asks for."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runbook_tui.adapters.ssh_target import Target

AGENT_TIMEOUT = 5.0


@dataclass(slots=True)
class Identities:
    """Keys to offer, each once. `unusable` says why others are not offered, a sentence each."""

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    agent: asyncssh.SSHAgentClient | None = None

    def close(self) -> None:
        """Let go of the agent."""
        if self.agent:
            self.agent.close()


async def load_identities(target: Target) -> Identities:
    """Gather the keys for a target: the named files' first (from the agent where it has them), then the agent's."""
    found = Identities()
    in_agent = {pair.public_data: pair for pair in await _agent_keys(target, found)}
    for path in target.key_files:
        public = _public_data(path)
        if public is not None and public in in_agent:
            found.pairs.append(in_agent.pop(public))
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


def _public_data(path: Path) -> bytes | None:
    """The public half, from the file itself or from its neighbour `.pub`."""
    for candidate in (path.with_name(f"{path.name}.pub"), path):
        with contextlib.suppress(OSError, ValueError):
            return asyncssh.read_public_key(str(candidate)).public_data
    return None


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
    """Our side of one connection: offers each key once, answers no question, remembers what the server did."""

    def __init__(self, identities: Identities, on_lost: Callable[[], None]) -> None:
        self._waiting = list(identities.pairs)
        self._on_lost = on_lost
        self.offered: asyncssh.SSHKey | None = None
        """The host key, when it was not among the trusted ones."""
        self.methods: list[str] = []
        """The ways of logging in that the server offered, in the order they came up."""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Trust nothing that was not trusted before; keep the key for the question to the operator."""
        self.offered = key
        return False

    def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """Give the next key."""
        self._note("publickey")
        return self._waiting.pop(0) if self._waiting else None

    def password_auth_requested(self) -> None:
        """Give no password: that is not built."""
        self._note("password")

    def kbdint_auth_requested(self) -> None:
        """Answer no questions: that is not built."""
        self._note("keyboard-interactive")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Tell who keeps the connection."""
        self._on_lost()

    def _note(self, method: str) -> None:
        if method not in self.methods:
            self.methods.append(method)
