"""The secrets that a sitting has come to know, and the redactor for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.redact.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbook_tui.core.secret import Secret


class KnownSecrets:
    """Grows as secrets become known; none is ever forgotten, for an old password is one too."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets: dict[tuple[str, str], Secret] = {}
        self.redactor = Redactor()
        self.add(*secrets)

    def add(self, *secrets: Secret) -> None:
        """Take secrets out of everything from now on."""
        known = len(self._secrets)
        for secret in secrets:
            self._secrets.setdefault((secret.name, secret.reveal()), secret)
        if len(self._secrets) > known:
            self.redactor = Redactor(self._secrets.values())

    def redact(self, text: str) -> str:
        """Give a text without them; one that is too short to be found stays in it."""
        return self.redactor.redact(text)

    def output(self, text: str) -> str:
        """Give what a host said without them; withheld whole while one of them is too short to be found."""
        short = self.redactor.too_short
        if short and text:
            return f"(withheld: the secret {short[0]} is too short to be found in it)"
        return self.redact(text)
