"""Key files that are locked with a passphrase: offered by their public half, opened when the server takes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncssh

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.adapters.ssh_credentials import Credentials


class LockedKey:
    """A private key that is opened once; `public` is None where no file tells its public half."""

    def __init__(self, path: Path, public: asyncssh.SSHKey | None, credentials: Credentials) -> None:
        self.path = path
        self.public = public
        self._credentials = credentials
        self._key: asyncssh.SSHKey | None = None

    async def open(self) -> asyncssh.SSHKey | None:
        """Give the key; None when nobody gave its passphrase."""
        if self._key is None:
            await self._credentials.opened(self.path, self._opens)
        return self._key

    async def pair(self) -> asyncssh.SSHKeyPair | None:
        """Give what is offered to the server: its passphrase is asked for when the server takes it, or now."""
        if self.public is not None:
            return _LockedPair(self, self.public)
        key = await self.open()
        return None if key is None else asyncssh.load_keypairs(key)[0]

    async def _opens(self, passphrase: str) -> bool:
        def read() -> asyncssh.SSHKey | None:
            try:
                return asyncssh.read_private_key(str(self.path), passphrase)
            except (OSError, ValueError):  # KeyImportError and KeyEncryptionError are ValueErrors
                return None

        self._key = await asyncio.to_thread(read)  # the key derivation takes as long as it was made to
        return self._key is not None


class _LockedPair(asyncssh.SSHKeyPair):
    """The public half now, the private one when there is something to sign."""

    _key_type = "local"

    def __init__(self, locked: LockedKey, public: asyncssh.SSHKey) -> None:
        algorithms: tuple[Any, ...] = tuple(public.sig_algorithms)
        super().__init__(public.algorithm, public.algorithm, algorithms, algorithms, public.public_data, None)
        self._locked = locked

    async def sign_async(self, data: bytes) -> bytes:
        """Sign.

        Raises:
            ValueError: nobody gave the passphrase; asyncssh goes on to the next key then.
        """
        key = await self._locked.open()
        if key is None:
            raise ValueError("the key is locked")
        return key.sign(data, self.sig_algorithm)
