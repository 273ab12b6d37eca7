"""Passwords that need nobody to type them: the keyring first, then what `--secrets-fd` brought."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runbook_tui.adapters.secret_index import config_dir, remember
from runbook_tui.core.errors import SecretError, StateDirError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.adapters.keyring import Keyring
    from runbook_tui.core.secret import Secret


class NotStoredError(SecretError):
    """No keyring has it and nobody handed it down."""


class StoredSecrets:
    """The port Secrets over a keyring and given secrets; nothing is kept beside them."""

    def __init__(self, keyring: Keyring, given: Mapping[str, Secret]) -> None:
        self._keyring = keyring
        self._given = given

    async def get(self, name: str) -> Secret:
        """Give the secret of this name.

        Raises:
            NotStoredError: the keyring answers, and has none.
            SecretError: the keyring cannot be asked, and nothing was given.
        """
        try:
            found = await self._keyring.get(name)
        except SecretError:
            if name in self._given:
                return self._given[name]
            raise
        found = found or self._given.get(name)
        if found is None:
            title = f"No password is stored as {name!r}"
            hint = f"Store it with: mailrunbook secret set {name!r}. Or type it when asked."
            raise NotStoredError(title, f"Looked in {self._keyring.source}.", hint)
        return found

    async def keep(self, secret: Secret) -> str:
        """Store it in the keyring, for good; give where.

        Raises:
            SecretError: the keyring cannot be asked, or does not keep it.
        """
        await self._keyring.set(secret)
        with contextlib.suppress(StateDirError):  # only `secret list` does without the name then
            remember(config_dir(), secret.name)
        return self._keyring.source

    def ask_again(self) -> None:
        """Ask a keyring again that was silent or locked."""
        self._keyring.ask_again()
