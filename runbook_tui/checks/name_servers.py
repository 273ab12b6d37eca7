"""Asks all whom a check of names wants asked: the zone's own servers, resolvers, and the hosts' resolvers over SSH."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.checks import own_resolver
from runbook_tui.checks.servers import Place
from runbook_tui.checks.zone import Finder, Zone
from runbook_tui.core.lookup import DNS_PORT, Answer, Question, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.checks.servers import At
    from runbook_tui.ports import Sight

PATIENCE = 3.0
"""Seconds for an answer, two resends included."""
ZONE_KEPT = 300.0
"""Seconds for which the list of the zone's servers is believed."""
WITHIN = 9.0
"""Seconds for one look, finding the servers included: what is known by then is better than a timeout's UNKNOWN."""


@dataclass(frozen=True, slots=True)
class ZoneAnswer:
    """What one address of one of the zone's servers said."""

    place: str
    answer: Answer
    soa: Answer = field(default_factory=Answer)


@dataclass(slots=True)
class NameServers:
    """Asks for `rdtype` of `name`. `port` is that of servers which are found, not named.

    `patience` is seconds for one question, `within` for all of a look. `zone` is the zone as it was
    last found; `child` are the servers that it names itself.
    """

    name: str
    rdtype: str
    at: At
    port: int = DNS_PORT
    patience: float = PATIENCE
    within: float = WITHIN
    zone: Zone | None = None
    child: frozenset[str] = frozenset()
    _zone_until: float = 0.0

    @property
    def each(self) -> float:
        """Seconds for an answer: half of the whole at the most, so that finding the servers has the other half."""
        return min(self.patience, self.within / 2)

    @property
    def whom(self) -> str:
        """Say in a few words who is asked."""
        own = ("this machine's resolvers",) if self.at.own else ()
        zone = ("the zone's servers",) if self.at.authoritative else ()
        places = tuple(str(place) for place in self.at.resolvers)
        return ", ".join((*zone, *own, *places, *(f"the resolver of {host}" for host in self.at.hosts)))

    def lines(self, times: int = 1) -> tuple[str, ...]:
        """Give all that is sent, a line each."""
        what, often = f"DNS: {self.rdtype} of {self.name}", f", {times} times" if times > 1 else ""
        found = [f"{what}{often} at {place}" for place in self.at.resolvers]
        if self.at.own:
            found.append(f"{what}{often} at each resolver of this machine")
        if self.at.nameservers:
            found += [f"{what}, and SOA, at {place}" for place in self.at.nameservers]
        elif self.at.authoritative:
            way = ", ".join(str(place) for place in self.at.resolvers[:3]) or "this machine's resolvers"
            found.append(f"{what}, SOA and NS at its zone's servers; the way there: {way}, and the zone above")
        found += [f"on {host}: dig, drill or host: {self.rdtype} of {self.name}" for host in self.at.hosts]
        return tuple(found)

    async def resolvers(self, sight: Sight) -> tuple[Place, ...]:
        """Give the resolvers to ask."""
        return await self._own(sight) if self.at.own else self.at.resolvers

    @staticmethod
    async def _own(sight: Sight) -> tuple[Place, ...]:
        return tuple(Place(address) for address in await sight.net.dns.own_resolvers())

    async def ask_zone(self, sight: Sight, resolvers: Sequence[Place]) -> list[ZoneAnswer]:
        """Ask every address of the zone's servers, RD=0; one entry of trouble when they cannot be found."""
        if not self.at.authoritative:
            return []
        places = self.at.nameservers
        if not places:
            zone = await self._found(sight, resolvers)
            if zone.trouble:
                return [ZoneAnswer("the zone's servers", Answer(trouble=zone.trouble, unsent=True))]
            places = zone.places
        asked = ((self.name, self.rdtype), (self.name, "SOA"), (self.zone.name if self.zone else self.name, "NS"))
        questions = [Question(p.address, name, kind, p.port, recurse=False) for p in places for name, kind in asked]
        answers = await sight.net.dns.sweep(questions, self.each)
        said = [answer.reply for answer in answers[2::3]]
        self.child = frozenset(r.value for reply in said if reply for r in records(reply.answer, "NS"))
        return [ZoneAnswer(str(p), *answers[3 * n : 3 * n + 2]) for n, p in enumerate(places)]

    async def _found(self, sight: Sight, resolvers: Sequence[Place]) -> Zone:
        if self.zone is None or sight.monotonic > self._zone_until:
            until = sight.monotonic + self.within - self.each
            asked = resolvers or await self._own(sight)
            finder = Finder(sight.net.dns, asked, self.port, lambda: until - sight.monotonic)
            found = await finder.find(self.name)
            # A resolver that is silent now does not make known servers unknown.
            if found.trouble:
                return self.zone or found
            self.zone, self._zone_until = found, sight.monotonic + ZONE_KEPT
        return self.zone

    async def ask_resolvers(self, sight: Sight, resolvers: Sequence[Place], times: int = 1) -> list[list[Answer]]:
        """Ask every resolver so many times at once; give its answers together."""
        questions = [Question(p.address, self.name, self.rdtype, p.port) for p in resolvers for _ in range(times)]
        answers = await sight.net.dns.sweep(questions, self.each)
        return [list(answers[n * times : (n + 1) * times]) for n in range(len(resolvers))]

    async def ask_hosts(self, sight: Sight) -> list[Answer]:
        """Ask the resolver of every host that is named."""
        return list(await asyncio.gather(*(self._ask_host(sight, host) for host in self.at.hosts)))

    async def _ask_host(self, sight: Sight, host: str) -> Answer:
        try:
            async with asyncio.timeout(self.within):
                return await own_resolver.answer_of(sight, host, self.name, self.rdtype)
        except TimeoutError:
            return Answer(trouble=f"{host} did not answer within {self.within:g} s", unsent=True)
