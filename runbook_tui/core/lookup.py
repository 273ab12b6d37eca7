"""Questions to name servers and what came back, as plain data that no DNS library is needed to read."""

from __future__ import annotations

from dataclasses import dataclass

DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one server.

    `server` is a numeric IPv4 or IPv6 address. `recurse` is the RD bit: set for a resolver, clear for a server that
    should know by itself (RFC 1035 4.1.1).
    """

    server: str
    name: str
    rdtype: str
    port: int = DNS_PORT
    recurse: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record. `name` is absolute and in lower case, `ttl` seconds.

    `value` is the data as in a zone file, names in lower case; the strings of a TXT or SPF record joined without
    quotes (RFC 7208 3.3), and so raw text of a stranger.
    """

    name: str
    rdtype: str
    ttl: int
    value: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that was understood. `rcode` is its mnemonic such as `NOERROR`, `authoritative` the AA bit."""

    rcode: str
    authoritative: bool = False
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a question: a reply, or the trouble that kept it away.

    `seconds` from the first sending to the end. `unsent`: the server cannot be reached from here at all, as with IPv6
    where there is none; that says nothing about the server.
    """

    reply: Reply | None = None
    trouble: str = ""
    seconds: float = 0.0
    unsent: bool = False


def records(found: tuple[Record, ...], rdtype: str, name: str = "") -> tuple[Record, ...]:
    """Give the records of one type, and of one owner where it is given."""
    owner = absolute(name) if name else ""
    return tuple(r for r in found if r.rdtype == rdtype and (not owner or r.name == owner))


def absolute(name: str) -> str:
    """Give the name in lower case with its dot at the end."""
    return name.strip().lower().rstrip(".") + "."


def negative_ttl(reply: Reply) -> int | None:
    """Seconds for which "there is none" may be believed: min(SOA TTL, SOA minimum) (RFC 2308 5); None without SOA."""
    for soa in records(reply.authority, "SOA"):
        minimum = soa.value.rpartition(" ")[2]
        return min(soa.ttl, int(minimum)) if minimum.isdecimal() else soa.ttl
    return None
