"""Check `mx`: does the world already use the new server? The zone's own servers, and every resolver that is named."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runbook_tui.checks import propagation
from runbook_tui.checks.held import (
    HOST_RESOLVER,
    PARENT,
    RESOLVER,
    ZONE_SERVER,
    Holds,
    Seen,
    Wanted,
    seen,
    together,
    with_soa,
)
from runbook_tui.checks.name_servers import NameServers
from runbook_tui.checks.propagation import Change, Verdict
from runbook_tui.checks.reached import SHARE
from runbook_tui.checks.servers import read_at, words
from runbook_tui.checks.targets import targets
from runbook_tui.core.lookup import DNS_PORT
from runbook_tui.core.markdown.values import duration
from runbook_tui.ports import CheckState, Probe, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Self

    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight

ASKS = 3
"""Questions to one resolver: behind one address several may stand that share no cache."""


@dataclass(slots=True)
class MxProbe(Probe):
    """Follows a change of records from `wanted.old` to `wanted.new`; `changed_by` is the action that makes it.

    What an earlier look saw is kept: since when the zone's servers disagree, the TTL that the old records had, when
    the new ones were first seen, and when the last cache was to expire.
    """

    servers: NameServers
    wanted: Wanted
    changed_by: str = ""
    ttl_was: float | None = None
    every: float = 60.0
    _differ_since: datetime | None = field(default=None, init=False)
    _old_seen: bool = field(default=False, init=False)
    _new_since: datetime | None = field(default=None, init=False)
    _expired: datetime | None = field(default=None, init=False)

    columns = ("server", "kind", "has", "TTL", "serial", "says")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str], port: int = DNS_PORT) -> Self:
        """Make it from the front matter; without `at:` the zone's servers and this machine's resolvers are asked."""
        o = spec.options
        at = read_at(words(o.get("at"), resolve), words(o.get("nameservers"), resolve))
        at = replace(at, authoritative=True) if at.own else at
        new, old = words(o.get("expect"), resolve), words(o.get("was"), resolve)
        wanted = Wanted(str(o.get("record", "MX")).upper(), new, old)
        return cls(
            NameServers(resolve(str(o.get("name", ""))), wanted.rdtype, at, port, within=SHARE * spec.timeout), wanted,
            changed_by=str(o.get("changed-by") or ""), every=spec.every,
            ttl_was=duration(str(o["ttl-was"])) if "ttl-was" in o else None,
        )  # fmt: skip

    @property
    def asks(self) -> str:
        """What is sent, in one line."""
        return f"DNS: {self.wanted.rdtype} of {self.servers.name} at {self.servers.whom}"

    @property
    def asks_lines(self) -> tuple[str, ...]:
        """All that is sent."""
        lines = self.servers.lines(ASKS)
        names = ", ".join(self._targets)
        return (*lines, f"DNS: A and AAAA of {names} at the first three resolvers of these") if names else lines

    @property
    def _targets(self) -> tuple[str, ...]:
        return tuple(word.split()[-1] for word in self.wanted.new) if self.wanted.rdtype == "MX" else ()

    async def read(self, sight: Sight) -> Reading:
        """Look once at all."""
        if problem := self.servers.at.problem:
            return Reading(CheckState.UNKNOWN, problem, error=problem)
        resolvers = await self.servers.resolvers(sight)
        zone, asked, hosts, targeted = await asyncio.gather(
            self.servers.ask_zone(sight, resolvers), self.servers.ask_resolvers(sight, resolvers, ASKS),
            self.servers.ask_hosts(sight),
            targets(sight, self._targets, resolvers[:3], self.servers.each),
        )  # fmt: skip
        found = [with_soa(seen(z.place, ZONE_SERVER, z.answer, self.wanted), z.soa.reply) for z in zone]
        for place, answers in zip(resolvers, asked, strict=True):
            found.append(together([seen(str(place), RESOLVER, answer, self.wanted) for answer in answers]))
        for host, answer in zip(self.servers.at.hosts, hosts, strict=True):
            found.append(seen(f"{host}'s resolver", HOST_RESOLVER, answer, self.wanted))
        return self._judged(sight, found, [*targeted, *self._delegation()])

    def _judged(self, sight: Sight, servers: list[Seen], besides: list[Verdict]) -> Reading:
        now = sight.now
        change = self._remember(servers, sight)
        found = [*propagation.verdicts(servers, change, now), *besides]
        state, eta = propagation.overall(found), propagation.last_eta(found)
        self._expired = eta or self._expired
        value = propagation.headline(found, change, now, self._expired)
        troubles = [f"{v.seen.server}: {v.says}" for v in found if v.says]
        return Reading(
            state, value, "\n".join([self.asks, *troubles]), eta=eta, rows=tuple(_row(v) for v in found),
            level=propagation.share(found), error=value if state is CheckState.UNKNOWN else "",
            again=propagation.again(found, now, self.every),
        )  # fmt: skip

    def _remember(self, servers: Sequence[Seen], sight: Sight) -> Change:
        """Keep what later looks need, and say when the change was made."""
        zone = [one for one in servers if one.kind == ZONE_SERVER] or list(servers)
        old = [one.ttl for one in zone if one.holds is Holds.OLD and one.ttl is not None]
        self._old_seen = self._old_seen or bool(old)
        if self.ttl_was is None and old:
            self.ttl_was = float(max(old))
        if self._old_seen and self._new_since is None and any(one.holds is Holds.NEW for one in zone):
            self._new_since = sight.now
        if not propagation.disagree(servers):
            self._differ_since = None
        elif self._differ_since is None:
            self._differ_since = sight.now
        done = sight.done_at(self.changed_by) if self.changed_by else None
        return Change(done or self._new_since, self.ttl_was, self._differ_since)

    def _delegation(self) -> list[Verdict]:
        """Say whether the zone above names other servers than the zone itself does."""
        parent = self.servers.zone.parent if self.servers.zone else frozenset()
        if not parent or not self.servers.child or parent == self.servers.child:
            return []
        odd = ", ".join(sorted(parent ^ self.servers.child))
        one = Seen("the zone above", PARENT, Holds.OTHER, ", ".join(sorted(parent)))
        return [Verdict(one, CheckState.WARN, f"it and the zone name different servers: {odd}")]


def _row(verdict: Verdict) -> Row:
    one = verdict.seen
    says = " · ".join(dict.fromkeys(part for part in (one.share, verdict.says) if part))
    ttl = "" if one.ttl is None else f"{one.ttl}"
    serial = "" if one.serial is None else f"{one.serial}"
    has = f"{one.holds}: {one.text}" if one.text and one.holds is not Holds.NONE else str(one.holds)
    return Row((one.server, one.kind, has, ttl, serial, says), verdict.state)
