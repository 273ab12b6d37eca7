"""A secret's value in a wrapper that shows nothing but its name, wherever it is printed, formatted or dumped."""

from __future__ import annotations

from typing import NoReturn, final


@final
class Secret:
    """The value is handed out by `reveal()` alone, at the call that sends it and nowhere earlier.

    Text, format and representation are the word `secret` and the name in angle marks, so a log line, a crash report
    with local variables or an f-string shows the name only; pickling, copying and JSON are refused (PROMISES.md 3.5,
    P7).
    """

    __slots__ = ("_name", "_source", "_value")

    def __init__(self, name: str, value: str, source: str = "") -> None:
        self._name = name
        self._value = value
        self._source = source

    @property
    def name(self) -> str:
        """What the secret is called in the keyring; no secret itself."""
        return self._name

    @property
    def source(self) -> str:
        """Where the value came from, in words such as `the keyring (Secret Service)`; empty when nobody said."""
        return self._source

    def reveal(self) -> str:
        """Give the value."""
        return self._value

    def __repr__(self) -> str:
        return f"‹secret:{self._name}›"  # noqa: RUF001 -- marks that no password or shell text has by accident

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        # Any width or precision would cut or pad the placeholder: it stands as it is.
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickle and copy: both would carry the value out of sight.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"{self!r} is neither pickled nor copied")
