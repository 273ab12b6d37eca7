"""Decisions without effects: which class an address is of, what aliases make of it, and where its mail goes next.

They follow trivial-rewrite(8), cleanup(8) and local(8).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_tui.demo.host import User
    from runbook_tui.demo.postfix.settings import Settings

Lookup = Callable[[str, str], str | None]
"""Looks up a key (second) in a table such as `hash:/etc/postfix/transport` (first); raises TableError."""

class Domain(Enum):
    """Which class of domains an address belongs to (ADDRESS_CLASS_README)."""

    LOCAL = auto()
    VIRTUAL_ALIAS = auto()
    RELAY = auto()
    OTHER = auto()


_TRANSPORTS: Mapping[Domain, str] = {
    Domain.LOCAL: "local_transport",
    Domain.RELAY: "relay_transport",
    Domain.OTHER: "default_transport",
}


@dataclass(frozen=True, slots=True)
class Route:
    """The next stop of a mail: a delivery agent, and what it is told (a host, or words for error(8))."""

    transport: str
    nexthop: str


class Router:
    """Answers for one configuration. It reads tables and users anew for every question, as they are then."""

    def __init__(
        self, settings: Settings, lookup: Lookup, users: Callable[[], Mapping[str, User]], address: str
    ) -> None:
        """Take main.cf, how to look keys up, who is in passwd(5), and the host's own address."""
        self._settings = settings
        self._lookup = lookup
        self._users = users
        self._delimiter = settings.get("recipient_delimiter")
        self._origin = settings.get("myorigin")
        own = {f"[{address}]", "[127.0.0.1]"}
        self._local_domains = own | {word.lower() for word in settings.words("mydestination")}
        self._relay_domains = [word.lower() for word in settings.words("relay_domains")]
        self._transport_maps = settings.words("transport_maps")
        self._networks = _networks(settings.words("mynetworks"), address)

    def complete(self, address: str) -> str:
        """Give an address its domain, `$myorigin` where it has none."""
        return address if "@" in address else f"{address}@{self._origin}"

    def domain(self, address: str) -> Domain:
        """Give the class of an address's domain.

        Raises:
            TableError: a table of domains cannot be read.
        """
        name = _domain_of(address)
        if name in self._local_domains:
            return Domain.LOCAL
        if any(self._names(word, name) for word in self._settings.words("virtual_alias_domains")):
            return Domain.VIRTUAL_ALIAS
        for word in self._relay_domains:
            if name == word or name.endswith(f".{word}") or (":" in word and self._names(word, name)):
                return Domain.RELAY
        return Domain.OTHER

    def _names(self, word: str, domain: str) -> bool:
        return self._lookup(word, domain) is not None if ":" in word else word.lower() == domain

    def trusted(self, client: str) -> bool:
        """Whether a client's address is in mynetworks."""
        return any(ipaddress.ip_address(client) in network for network in self._networks)

    def find(self, specs: list[str], address: str) -> str | None:
        """Look an address up as mail_addr_find(3) does: whole, without extension, the local part, the domain.

        Raises:
            TableError: a table cannot be read.
        """
        local, _, domain = address.rpartition("@")
        base = self.base(local)
        keys = [address, f"{base}@{domain}"]
        if domain.lower() in self._local_domains or domain == self._origin:
            keys += [local, base]
        return self._first(specs, [*dict.fromkeys(keys), f"@{domain}"])

    def base(self, local: str) -> str:
        """Give a local part without its extension."""
        found = re.search(rf"[{re.escape(self._delimiter)}]", local[1:]) if self._delimiter else None
        return local[: found.start() + 1] if found else local

    def _first(self, specs: list[str], keys: list[str]) -> str | None:
        for spec in specs:
            for key in keys:
                if (found := self._one(spec, key)) is not None:
                    return found
        return None

    def _one(self, spec: str, key: str) -> str | None:
        if spec.removeprefix("proxy:") != "unix:passwd.byname":
            return self._lookup(spec, key)
        return key if key.lower() in self._users() else None

    def virtual(self, address: str) -> list[str]:
        """Give the addresses that virtual_alias_maps puts in place of this one; empty when it has none.

        Raises:
            TableError: a table cannot be read.
        """
        specs = self._settings.words("virtual_alias_maps")
        found = self.find(specs, address) if specs else None
        return [self.complete(word) for word in re.split(r"[,\s]+", found) if word] if found else []

    def route(self, address: str) -> Route:
        """Give where a mail for this address goes next.

        Raises:
            TableError: a table cannot be read.
        """
        name = _domain_of(address)
        domain = self.domain(address)
        if domain is Domain.VIRTUAL_ALIAS:
            return Route("error", "5.1.1 User unknown in virtual alias table")
        transport, _, nexthop = self._settings.get(_TRANSPORTS[domain]).partition(":")
        relayhost = self._settings.get("relayhost") if domain is not Domain.LOCAL else ""
        route = Route(transport, nexthop or relayhost or name)
        found = self.transport(address)
        if not found or found == ":":
            return route
        transport, _, nexthop = found.partition(":")
        return Route(transport or route.transport, nexthop or (name if transport else route.nexthop))

    def transport(self, address: str) -> str | None:
        """Give what transport_maps has for an address (transport(5)).

        Raises:
            TableError: a table cannot be read.
        """
        if not self._transport_maps:
            return None
        local, _, name = address.rpartition("@")
        labels = name.split(".")
        parents = [f".{'.'.join(labels[n:])}" for n in range(1, len(labels))]
        keys = [address, f"{self.base(local)}@{name}", name, *parents, "*"]
        return self._first(self._transport_maps, list(dict.fromkeys(keys)))

    def local(self, address: str) -> list[str]:
        """Follow a local address through the aliases to the end: addresses, files (`/…`) and commands (`|…`).

        A user with an entry of their own name stays that user. The address alone comes back when it has no alias.

        Raises:
            TableError: the aliases cannot be read.
        """
        specs = self._settings.words("alias_maps")
        ends: dict[str, None] = {}
        waiting = [address]
        seen: set[str] = set()
        while waiting:
            target = waiting.pop(0)
            if target.startswith(("/", "|", ":")):
                ends[target] = None
                continue
            target = self.complete(target.removeprefix("\\"))
            name = target.rpartition("@")[0].lower()
            found = None
            if self.domain(target) is Domain.LOCAL and name not in seen:
                found = self._first(specs, list(dict.fromkeys([name, self.base(name)])))
            if found is None:
                ends[target] = None
            else:
                seen.add(name)
                waiting += [word.strip(' "') for word in re.split(r",\s*", found)]
        return list(ends)

    def user(self, address: str) -> User | None:
        """Give the account a local address delivers to."""
        name = address.rpartition("@")[0].lower()
        users = self._users()
        return users.get(name) or users.get(self.base(name))


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _networks(words: list[str], own: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Read mynetworks. What covers 127.0.0.1 means this machine alone: in the world all others are on 127/8 too.

    This machine's own clients come from its own address; from 127.0.0.1 itself comes whoever is outside the hosts.
    """
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for word in words:
        try:
            network = ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue
        if network.version == 4 and ipaddress.ip_address("127.0.0.1") in network:
            found.append(ipaddress.ip_network(own))
        else:
            found.append(network)
    return found

