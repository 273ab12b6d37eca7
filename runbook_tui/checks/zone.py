"""Finds the name servers of a zone as its parent and it itself name them, with every address they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.checks.servers import Place
from runbook_tui.core.lookup import DNS_PORT, Question, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.lookup import Reply
    from runbook_tui.ports import Dns

PATIENCE = 2.0
"""Seconds for one round of questions; there are up to six."""
MOST_RESOLVERS = 3
MOST_SERVERS = 13
MOST_PARENTS = 4
"""Servers of the parent that are asked; any of them knows."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone and its servers: `places` are all addresses of all names, `parent` the names that the parent gives.

    `trouble` says why they cannot be found.
    """

    name: str = ""
    places: tuple[Place, ...] = ()
    parent: frozenset[str] = frozenset()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Finder:
    """Asks resolvers for the way, and the parent's servers themselves with RD=0. `port` is theirs and the zone's."""

    dns: Dns
    resolvers: Sequence[Place]
    port: int = DNS_PORT

    async def find(self, name: str) -> Zone:
        """Give the servers of the zone that holds the name."""
        (soa,) = await self.replies([(name, "SOA")])
        if soa is None:
            asked = ", ".join(str(place) for place in self.resolvers[:MOST_RESOLVERS]) or "nobody"
            return Zone(trouble=f"its name servers cannot be found: no answer from {asked}")
        owners = [r.name for r in (*records(soa.answer, "SOA"), *records(soa.authority, "SOA"))]
        if not owners:
            return Zone(trouble=f"its name servers cannot be found: {soa.rcode} without the zone's SOA")
        zone = owners[0]
        child, above = await self.replies([(zone, "NS"), (zone.partition(".")[2] or ".", "SOA")])
        children = _targets(child)
        apex = [r.name for r in (*records(above.answer, "SOA"), *records(above.authority, "SOA"))] if above else []
        delegation = await self._delegation(zone, apex[0]) if apex and zone != "." else None
        parents = _targets(delegation)
        glue = _glue(delegation)
        missing = [n for n in dict.fromkeys((*children, *parents)) if n not in glue or n in children]
        known = await self.addresses(missing[:MOST_SERVERS])
        places = [
            Place(address, self.port, n)
            for n in dict.fromkeys((*children, *parents)) for address in known.get(n) or glue.get(n, ())
        ]  # fmt: skip
        trouble = "" if places else f"the name servers of {zone} have no addresses"
        return Zone(zone, tuple(dict.fromkeys(places)), frozenset(parents), trouble)

    async def _delegation(self, zone: str, parent: str) -> Reply | None:
        """Ask the parent's servers themselves where the zone is."""
        (servers,) = await self.replies([(parent, "NS")])
        known = await self.addresses(_targets(servers)[:MOST_PARENTS])
        addresses = [address for found in known.values() for address in found][: 2 * MOST_PARENTS]
        questions = [Question(address, zone, "NS", self.port, recurse=False) for address in addresses]
        for answer in await self.dns.sweep(questions, PATIENCE):
            if answer.reply is not None and _targets(answer.reply):
                return answer.reply
        return None

    async def addresses(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Give every IPv4 and IPv6 address of each name."""
        pairs = [(name, rdtype) for name in names for rdtype in ("A", "AAAA")]
        found: dict[str, tuple[str, ...]] = {}
        for (name, rdtype), reply in zip(pairs, await self.replies(pairs), strict=True):
            values = tuple(r.value for r in records(reply.answer, rdtype)) if reply else ()
            found[name] = found.get(name, ()) + values
        return found

    async def replies(self, pairs: Sequence[tuple[str, str]]) -> list[Reply | None]:
        """Ask resolvers for each name and type; give the first that is an answer or a proof that there is none."""
        places = self.resolvers[:MOST_RESOLVERS]
        questions = [Question(p.address, name, rdtype, p.port) for name, rdtype in pairs for p in places]
        answers = await self.dns.sweep(questions, PATIENCE)
        good = [a.reply if a.reply and a.reply.rcode in {"NOERROR", "NXDOMAIN"} else None for a in answers]
        width = len(places)
        return [next(filter(None, good[n * width : (n + 1) * width]), None) for n in range(len(pairs))]


def _targets(reply: Reply | None) -> tuple[str, ...]:
    """Give the names of the NS records, wherever the reply has them."""
    return tuple(dict.fromkeys(r.value for r in records((*reply.answer, *reply.authority), "NS"))) if reply else ()


def _glue(reply: Reply | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for record in reply.additional if reply else ():
        if record.rdtype in {"A", "AAAA"}:
            found[record.name] = (*found.get(record.name, ()), record.value)
    return found


