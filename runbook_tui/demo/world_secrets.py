"""The passwords of a rehearsal's mailboxes, in memory: the operator's own keyring is never asked (DEMO.md, 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.errors import SecretError
from runbook_tui.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "the rehearsal's world"


class WorldSecrets:
    """The port Secrets for a world: `imap USER@DOMAIN`, or whatever other words stand before `USER@DOMAIN`."""

    def __init__(self, passwords: Mapping[str, str], domain: str) -> None:
        self._passwords = {f"{user}@{domain}": password for user, password in passwords.items()}

    async def get(self, name: str) -> Secret:
        """Give the password of the mailbox that the name ends with.

        Raises:
            SecretError: the world has no such mailbox.
        """
        mailbox = name.rpartition(" ")[2]
        if mailbox not in self._passwords:
            raise SecretError(f"The rehearsal's world has no password for {name!r}")
        return Secret(name, self._passwords[mailbox], SOURCE)

    def ask_again(self) -> None:
        """Do nothing: the world always answers."""
