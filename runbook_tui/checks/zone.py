"""Finds the name servers of a zone as its parent and it itself name them, with every address they have."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runbook_tui.checks.servers import Place
from runbook_tui.core.lookup import DNS_PORT, Answer, Question, records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbook_tui.core.lookup import Reply
    from runbook_tui.ports import Dns

PATIENCE = 2.0
"""Seconds for one round of questions; there are up to six."""
TOO_LATE = 0.05
"""Seconds that are too few for a round."""
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
    """Asks resolvers for the way, and the parent's servers themselves with RD=0. `port` is theirs and the zone's.

    `left` gives the seconds that remain for all of it: what is not found by then is left out, the parent's view first.
    """

    dns: Dns
    resolvers: Sequence[Place]
    port: int = DNS_PORT
    left: Callable[[], float] = lambda: math.inf

    async def find(self, name: str) -> Zone:
        """Give the servers of the zone that holds the name."""
        answers = await self._round([(name, "SOA")])
        # One that is silent now would cost every further round its whole patience.
        awake = [place for place, answer in zip(self.resolvers, answers, strict=False) if answer.reply is not None]
        return await replace(self, resolvers=awake or self.resolvers).find_from(_good(answers))

    async def find_from(self, soa: Reply | None) -> Zone:
        """Give the servers of the zone that this answer to a question for its SOA names."""
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
        known, delegation = await asyncio.gather(
            self.addresses(children[:MOST_SERVERS]), self._delegation(zone, apex[0] if zone != "." and apex else "")
        )
        parents = _targets(delegation)
        glue = _glue(delegation)
        missing = [n for n in parents if n not in glue and n not in known]
        known |= await self.addresses(missing[:MOST_SERVERS])
        places = [
            Place(address, self.port, n)
            for n in dict.fromkeys((*children, *parents)) for address in known.get(n) or glue.get(n, ())
        ]  # fmt: skip
        late = ": there was no time left to look them up" if self.left() < TOO_LATE else ""
        trouble = "" if places else f"the name servers of {zone} have no addresses{late}"
        return Zone(zone, tuple(dict.fromkeys(places)), frozenset(parents), trouble)

    async def _delegation(self, zone: str, parent: str) -> Reply | None:
        """Ask the parent's servers themselves where the zone is; no parent, no answer."""
        if not parent:
            return None
        (servers,) = await self.replies([(parent, "NS")])
        known = await self.addresses(_targets(servers)[:MOST_PARENTS])
        addresses = [address for found in known.values() for address in found][: 2 * MOST_PARENTS]
        questions = [Question(address, zone, "NS", self.port, recurse=False) for address in addresses]
        for answer in await self._sweep(questions):
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
        answers = await self._round(pairs)
        width = len(answers) // len(pairs) if pairs else 0
        return [_good(answers[n * width : (n + 1) * width]) for n in range(len(pairs))]

    async def _round(self, pairs: Sequence[tuple[str, str]]) -> tuple[Answer, ...]:
        places = self.resolvers[:MOST_RESOLVERS]
        return await self._sweep([Question(p.address, n, t, p.port) for n, t in pairs for p in places])

    async def _sweep(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Ask all at once, no longer than there is time."""
        patience = min(PATIENCE, self.left())
        if patience < TOO_LATE:
            return tuple(Answer(trouble="there was no time left to ask", unsent=True) for _ in questions)
        return await self.dns.sweep(questions, patience)


def _good(answers: Sequence[Answer]) -> Reply | None:
    """Give the first that is an answer or a proof that there is none."""
    return next((a.reply for a in answers if a.reply and a.reply.rcode in {"NOERROR", "NXDOMAIN"}), None)


def _targets(reply: Reply | None) -> tuple[str, ...]:
    """Give the names of the NS records, wherever the reply has them."""
    return tuple(dict.fromkeys(r.value for r in records((*reply.answer, *reply.authority), "NS"))) if reply else ()


def _glue(reply: Reply | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for record in reply.additional if reply else ():
        if record.rdtype in {"A", "AAAA"}:
            found[record.name] = (*found.get(record.name, ()), record.value)
    return found


