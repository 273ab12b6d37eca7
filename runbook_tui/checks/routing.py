"""What a Postfix does with mail for a domain, worked out from its configuration (trivial-rewrite(8), transport(5))."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

DOMAIN_LISTS = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
"""The address classes in the order in which they are looked for (ADDRESS_CLASS_README)."""

COMPILED = {"hash": "db", "btree": "db", "lmdb": "lmdb", "cdb": "cdb", "dbm": "pag"}
"""Tables that postmap(1) makes out of a text file, and what it adds to the file's name."""

_LOCAL = {"local", "virtual", "lmtp", "dovecot", "maildrop", "procmail", "cyrus"}
_NOWHERE = {"error", "retry", "discard"}
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")
_CONDITION = re.compile(r"\$\{(\w+)([?:])([^${}]*)\}")
_WORD = re.compile(r"(?:\{[^{}]*\}|[^\s,{}])+")


class Goes(StrEnum):
    """Where mail for a domain goes from a host."""

    LOCAL = "local"
    ON = "on"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Hop:
    """What a host does with mail for a domain.

    `accepted` is whether it takes it from strangers. `how` is the transport as Postfix writes it, `next_hop` a host
    or address without brackets and port, empty for the recipient's own domain; with `by_mx` its mail exchangers are
    looked up, not its address.
    """

    goes: Goes
    accepted: bool
    how: str
    next_hop: str = ""
    by_mx: bool = False


def settings(lines: Iterable[str]) -> dict[str, str]:
    """Read what `postconf` prints."""
    return {name: value.strip() for name, equals, value in (line.partition(" =") for line in lines) if equals}


def value(values: Mapping[str, str], name: str) -> str:
    """Give a parameter with what it refers to put in, as far as eight rounds bring it (postconf(5))."""
    text = values.get(name, "")
    for _ in range(8):
        text = _CONDITION.sub(lambda m: m[3] if bool(values.get(m[1])) == (m[2] == "?") else "", text[:20_000])
        replaced = _REFERENCE.sub(lambda m: values.get(m[1] or m[2] or m[3], ""), text)
        if replaced == text:
            break
        text = replaced
    return text


def words(values: Mapping[str, str], name: str) -> list[str]:
    """Give a parameter's list; what stands in braces is one word."""
    return _WORD.findall(value(values, name))


def tables(values: Mapping[str, str], name: str) -> list[str]:
    """Give the lookup tables of a list, `type:name`."""
    return [word for word in words(values, name) if re.match(r"[a-z_]+:", word)]


def transport_keys(domain: str) -> list[str]:
    """Give the keys under which a domain's transport is looked for, in order (transport(5)).

    Tables of patterns see a whole address first, which stands for everybody's here.
    """
    labels = domain.split(".")
    parents = ["." + ".".join(labels[place:]) for place in range(1, len(labels))]
    return [f"anybody@{domain}", domain, *parents, "*"]


def is_listed(values: Mapping[str, str], name: str, domain: str, found_in: Collection[str]) -> bool:
    """Tell whether a domain is in one of the lists; `found_in` are the tables and files that were asked and have it."""
    below = name in words(values, "parent_domain_matches_subdomains")
    for word in words(values, name):
        pattern, listed = word.lower().removeprefix("!"), not word.startswith("!")
        if pattern == domain or word.removeprefix("!") in found_in or (below and domain.endswith(f".{pattern}")):
            return listed
    return False


def decide(values: Mapping[str, str], domain: str, transport: str, found_in: Mapping[str, Collection[str]]) -> Hop:
    """Say what becomes of mail for `domain`.

    `transport` is what transport_maps say, empty where they say nothing; `found_in` gives for each of DOMAIN_LISTS the
    tables that have the domain.
    """
    listed = next((one for one in DOMAIN_LISTS if is_listed(values, one, domain, found_in.get(one, ()))), "")
    usual = {
        "mydestination": "local_transport", "virtual_mailbox_domains": "virtual_transport",
        "relay_domains": "relay_transport",
    }.get(listed, "default_transport")  # fmt: skip
    if listed == "virtual_alias_domains" and not transport:
        return Hop(Goes.LOCAL, accepted=True, how="virtual alias")
    method, _, next_hop = value(values, usual).partition(":")
    if not next_hop and usual in {"relay_transport", "default_transport"}:
        next_hop = value(values, "relayhost")
    if transport:
        named, _, next_hop = transport.partition(":")
        method = named or method
    return _hop(method.strip(), next_hop.strip(), accepted=bool(listed))


def _hop(method: str, next_hop: str, *, accepted: bool) -> Hop:
    how = f"{method}:{next_hop}" if next_hop else method
    if method in _NOWHERE:
        return Hop(Goes.NOWHERE, accepted, how)
    if method in _LOCAL or (method not in {"smtp", "relay"} and not next_hop.startswith("[")):
        return Hop(Goes.LOCAL, accepted, how)
    host, by_mx = host_of(next_hop)
    return Hop(Goes.ON, accepted, how, host, by_mx)


def host_of(next_hop: str) -> tuple[str, bool]:
    """Give the host of `[host]:port` or `host`, and whether its mail exchangers are meant: without brackets."""
    first = next_hop.partition(",")[0].strip()
    if found := re.match(r"\[(?:IPv6:|ipv6:)?([^\]]+)\]", first):
        return found[1].lower(), False
    return re.sub(r":\w+$", "", first).lower(), True


@dataclass(frozen=True, slots=True)
class Networks:
    """A host's mynetworks, as far as they are plain networks; `others` when there is more."""

    plain: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    others: bool = False

    def trust(self, addresses: Iterable[str]) -> bool:
        """Tell whether one of the addresses may relay; True where that cannot be told."""
        known = [address for text in addresses if (address := _address(text)) is not None]
        return self.others or not known or any(address in network for address in known for network in self.plain)


def networks(found: Iterable[str]) -> Networks:
    """Read mynetworks' words."""
    plain, others = [], False
    for word in found:
        try:
            plain.append(ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False))
        except ValueError:
            others = True
    return Networks(tuple(plain), others)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class MailHost:
    """A host of the run as a station of mail: what it does with the domain's mail and with everybody else's.

    `names` are in lower case. `lookup` maps next hops to addresses as the host itself resolves them. `remarks` are
    warnings of its tables, `broken` why its tables cannot be asked.
    """

    name: str
    domain: Hop
    others: Hop
    names: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    trusts: Networks = field(default_factory=Networks)
    lookup: Mapping[str, frozenset[str]] = field(default_factory=dict)
    in_mydestination: bool = False
    soft_bounce: bool = False
    relayhost: str = ""
    remarks: tuple[str, ...] = ()
    broken: str = ""
