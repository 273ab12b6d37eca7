"""A caching resolver on world time, with the manners seen in the wild (DEMO.md section 4)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

from runbook_tui.demo.dns.endpoint import Endpoint, parsed, skeleton, to_wire

if TYPE_CHECKING:
    from dns.rdtypes.ANY.SOA import SOA

    from runbook_tui.demo.clock import WorldClock

UPSTREAM_PATIENCE = 2.0
"""Real seconds to wait for the authoritative server."""
LONGEST_TTL = 7 * 86400
"""World seconds: the most that BIND keeps an answer (max-cache-ttl)."""

Key = tuple[dns.name.Name, dns.rdatatype.RdataType]


@dataclass(frozen=True, slots=True)
class Cached:
    """What the zone's server said at world time `since`; kept until `until`."""

    rcode: dns.rcode.Rcode
    answer: tuple[dns.rrset.RRset, ...]
    authority: tuple[dns.rrset.RRset, ...]
    since: float
    until: float

    def text(self) -> str:
        """Give the records of the answer, or the code of a negative one."""
        records = [record.to_text() for rrset in self.answer for record in rrset]
        return ", ".join(sorted(records)) or (
            "no such record" if self.rcode == dns.rcode.NOERROR else dns.rcode.to_text(self.rcode)
        )


@dataclass(slots=True)
class _Backend:
    """One machine behind the address; those of an anycast service share no cache."""

    cache: dict[Key, Cached] = field(default_factory=dict)


class Resolver(Endpoint):
    """A `machine.Service`. TTLs are world seconds, `delay` is real seconds, `servfail` the share of failures.

    `minimum_ttl` raises every TTL below it, as some providers do; with several `backends` each query goes to one by
    chance.
    """

    def __init__(
        self, name: str, address: str, port: int, clock: WorldClock, upstream: tuple[str, int],
        *, minimum_ttl: int = 0, backends: int = 1, servfail: float = 0.0, delay: float = 0.0, seed: int = 0,
    ) -> None:
        super().__init__(address, port)
        self.name = name
        self._clock = clock
        self._upstream = upstream
        self._minimum_ttl = minimum_ttl
        self._servfail = servfail
        self._delay = delay
        self._backends = tuple(_Backend() for _ in range(backends))
        self._chance = random.Random(seed)  # noqa: S311 -- a rehearsal must be repeatable

    def flush(self) -> None:
        """Forget everything."""
        for backend in self._backends:
            backend.cache.clear()

    def cached(self, name: str, rdtype: str) -> list[tuple[str, float]]:
        """Give what each back-end has cached: the records and the world seconds left; `("", 0.0)` for nothing."""
        key = (dns.name.from_text(name), dns.rdatatype.from_text(rdtype))
        now = self._clock.time()
        found = [backend.cache.get(key) for backend in self._backends]
        return [("", 0.0) if hit is None or hit.until <= now else (hit.text(), hit.until - now) for hit in found]

    async def answer(self, wire: bytes, limit: int) -> bytes | None:
        """Answer from the cache, or ask the zone's server."""
        request = parsed(wire)
        if request is None:
            return None
        if self._delay:
            await asyncio.sleep(self._delay)
        response = skeleton(request)
        response.flags |= dns.flags.RA
        if request.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(request.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        elif self._chance.random() < self._servfail:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            await self._resolve(request, response)
        return to_wire(response, request, limit)

    async def _resolve(self, request: dns.message.Message, response: dns.message.Message) -> None:
        backend = self._chance.choice(self._backends)
        key = (request.question[0].name, request.question[0].rdtype)
        hit = backend.cache.get(key)
        if hit is None or hit.until <= self._clock.time():
            if not request.flags & dns.flags.RD:
                return  # a client that wants the cache alone gets nothing
            hit = await self._ask(key)
            if hit is None:
                response.set_rcode(dns.rcode.SERVFAIL)
                return
            backend.cache[key] = hit
        age = int(self._clock.time() - hit.since)
        response.set_rcode(hit.rcode)
        response.answer += [_aged(rrset, age) for rrset in hit.answer]
        response.authority += [_aged(rrset, age) for rrset in hit.authority]

    async def _ask(self, key: Key) -> Cached | None:
        """Ask the zone's server; None when it does not answer or has trouble."""
        query = dns.message.make_query(key[0], key[1], use_edns=0)
        query.flags &= ~dns.flags.RD
        address, port = self._upstream
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(query, address, UPSTREAM_PATIENCE, port=port)
        except (OSError, EOFError, dns.exception.DNSException):
            return None
        now = self._clock.time()
        match reply.rcode():
            case dns.rcode.NOERROR | dns.rcode.NXDOMAIN:
                return self._kept(reply, now)
            case dns.rcode.REFUSED:
                # It serves the only zone there is: the name does not exist in this world.
                return Cached(dns.rcode.NXDOMAIN, (), (), now, now)
            case _:
                return None

    def _kept(self, reply: dns.message.Message, now: float) -> Cached:
        """Make a cache entry; a negative one lives min(SOA TTL, SOA minimum) (RFC 2308 section 5)."""
        answer = tuple(self._raised(rrset, rrset.ttl) for rrset in reply.answer)
        soas = [rrset for rrset in reply.authority if rrset.rdtype == dns.rdatatype.SOA]
        authority = tuple(self._raised(soa, min(soa.ttl, cast("SOA", soa[0]).minimum)) for soa in soas)
        ttl = min((rrset.ttl for rrset in (*answer, *authority)), default=0)
        return Cached(reply.rcode(), answer, authority, now, now + ttl)

    def _raised(self, rrset: dns.rrset.RRset, ttl: int) -> dns.rrset.RRset:
        return _with_ttl(rrset, min(max(ttl, self._minimum_ttl), LONGEST_TTL))


def _aged(rrset: dns.rrset.RRset, age: int) -> dns.rrset.RRset:
    return _with_ttl(rrset, max(rrset.ttl - age, 0))


def _with_ttl(rrset: dns.rrset.RRset, ttl: int) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(rrset.name, ttl, list(rrset))
