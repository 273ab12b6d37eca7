"""The passwords of one run: what is stored, what the operator typed for this sitting, and what the journal says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused, SecretError, WantedSecretError
from runbook_tui.core.secret import Secret
from runbook_tui.core.secret_names import secret_name, wanted_names

if TYPE_CHECKING:
    from runbook_tui.core.model import Action
    from runbook_tui.core.redact import KnownSecrets
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Secrets


class RunSecrets:
    """The port Secrets as a run's checks and steps see it: names have the run's values; what is missing may be typed.

    What was typed is in memory until the sitting ends. The journal says once a sitting for each name that a secret
    was supplied and by whom, never what.
    """

    def __init__(self, recorder: Recorder, stored: Secrets, operator: str) -> None:
        self.known: KnownSecrets = recorder.known
        self._recorder = recorder
        self._stored = stored
        self._operator = operator
        self._typed: dict[str, Secret] = {}
        self._told: dict[str, str] = {}

    async def get(self, name: str) -> Secret:
        """Give the secret for a literal of kind secret, or for a name.

        Raises:
            SecretError: it is neither typed nor stored, or the keyring cannot be asked; the sentence says why.
        """
        return await self._find(secret_name(self._recorder.state, name))

    async def want(self, name: str, action: Action) -> Secret:
        """Give the secret that an action cannot go without.

        Raises:
            WantedSecretError: it is not to be had, but may be typed.
            SecretError: its name is not known yet.
        """
        name = secret_name(self._recorder.state, name, action)
        try:
            return await self._find(name)
        except SecretError as error:
            raise WantedSecretError(name, error) from None

    async def _find(self, name: str) -> Secret:
        secret = self._typed.get(name) or await self._stored.get(name)
        self._tell(secret)
        return secret

    async def missing(self) -> dict[str, SecretError]:
        """Give the names this run's checks want and do not get, with why."""
        found = {}
        for name in wanted_names(self._recorder.state):
            try:
                await self.get(name)
            except SecretError as error:
                found[name] = error
        return found

    def supplied(self) -> dict[str, str]:
        """Give the names that were supplied in this sitting, with from where."""
        return dict(self._told)

    def give(self, name: str, value: str) -> None:
        """Take what the operator typed, for this sitting.

        Raises:
            Refused: nothing was typed.
        """
        if not value:
            raise Refused("nothing was typed", hint="The password is still missing.")
        self._typed[name] = Secret(name, value, f"typed by {self._operator}")
        self._tell(self._typed[name])

    async def stored(self, name: str) -> Secret | None:
        """Give what is stored under exactly this name; None when nothing is, or the keyring cannot be asked."""
        try:
            secret = await self._stored.get(name)
        except SecretError:
            return None
        self._tell(secret)
        return secret

    def told(self, secret: Secret) -> None:
        """Take note that a secret was supplied elsewhere, before it is used."""
        self._tell(secret)

    def _tell(self, secret: Secret) -> None:
        self.known.add(secret)
        if self._told.get(secret.name) != secret.source:
            self._told[secret.name] = secret.source
            self._recorder.happened(ev.SecretSupplied(name=secret.name, source=secret.source), durable=False)

    def ask_again(self) -> None:
        """Ask a keyring again that was silent or locked, and forget what was typed: it may have been wrong."""
        self._typed.clear()
        self._stored.ask_again()
