"""A keyring backend that writes passwords into a file anybody may read: what must never be used."""

from __future__ import annotations

from pathlib import Path

from keyring.backend import KeyringBackend

FILE = "plaintext-keyring"


class PlaintextKeyring(KeyringBackend):
    """Keeps `service/name/value` lines in the home folder, and outranks the secret service."""

    priority = 6

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def get_password(self, service: str, username: str) -> str | None:
        """Look it up."""
        kept = Path.home() / FILE
        lines = kept.read_text().splitlines() if kept.exists() else []
        return next((line.split("/")[2] for line in lines if line.startswith(f"{service}/{username}/")), None)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write it down."""
        with (Path.home() / FILE).open("a") as file:
            file.write(f"{service}/{username}/{password}\n")
