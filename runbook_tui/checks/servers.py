"""Which name servers a check asks: the words of `at:` and `nameservers:` in a runbook's front matter."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core.lookup import DNS_PORT
from runbook_tui.core.markdown.values import server

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHORITATIVE = "authoritative"
HOST = "host:"


@dataclass(frozen=True, slots=True)
class Place:
    """An address and port. `name` is how the server is called, where it has a name."""

    address: str
    port: int = DNS_PORT
    name: str = ""

    def __str__(self) -> str:
        """Give `name address`, with the port where it is not 53."""
        bracketed = f"[{self.address}]" if ":" in self.address else self.address
        where = self.address if self.port == DNS_PORT else f"{bracketed}:{self.port}"
        return f"{self.name.rstrip('.')} {where}" if self.name else where

    @property
    def is_private(self) -> bool:
        """Whether the world outside cannot reach it."""
        return ipaddress.ip_address(self.address.partition("%")[0]).is_private


@dataclass(frozen=True, slots=True)
class At:
    """Whom a check asks: the zone's own servers, resolvers, and the resolvers that hosts of the run use.

    `own` means the resolvers of this machine, where nobody else is named; `wrong` are words that name no server.
    """

    authoritative: bool = False
    resolvers: tuple[Place, ...] = ()
    hosts: tuple[str, ...] = ()
    nameservers: tuple[Place, ...] = ()
    own: bool = False
    wrong: tuple[str, ...] = field(default=())

    @property
    def problem(self) -> str:
        """Say what of the list cannot be used; empty when all can."""
        return f"{', '.join(self.wrong)}: no address such as 9.9.9.9, 127.0.0.1:5301 or [2620:fe::fe]:53" if (
            self.wrong
        ) else ""  # fmt: skip


def words(option: object, resolve: Callable[[str], str]) -> tuple[str, ...]:
    """Give the values of an option that is one word, several between commas, or a list; literals resolved."""
    many = option if isinstance(option, list | tuple) else str(option or "").split(",")
    return tuple(word for one in many if (word := resolve(str(one)).strip()))


def read_at(at: tuple[str, ...], nameservers: tuple[str, ...] = ()) -> At:
    """Sort the words; no word at all means the resolvers of this machine."""
    resolvers: list[Place] = []
    wrong: list[str] = []
    servers: list[Place] = []
    for texts, found in ((at, resolvers), (nameservers, servers)):
        for text in texts:
            if text == AUTHORITATIVE or text.startswith(HOST):
                continue
            place = read_place(text)
            if place is None:
                wrong.append(text)
            else:
                found.append(place)
    hosts = tuple(text.removeprefix(HOST) for text in at if text.startswith(HOST))
    return At(
        AUTHORITATIVE in at or bool(servers), tuple(resolvers), hosts, tuple(servers), own=not at, wrong=tuple(wrong)
    )


def read_place(text: str) -> Place | None:
    """Read `9.9.9.9`, `127.0.0.1:5301`, `2620:fe::fe` or `[2620:fe::fe]:5301`; None when it is none of them."""
    found = server(text)
    return Place(found[0], int(found[1] or DNS_PORT)) if found is not None else None
