"""Check `dns`: does a record exist at every server asked, and is it as expected?"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from runbook_tui.checks.held import Holds, Seen
from runbook_tui.checks.name_servers import NameServers
from runbook_tui.checks.propagation import Verdict, clock, last_eta, overall
from runbook_tui.checks.reached import SHARE
from runbook_tui.checks.servers import read_at, words
from runbook_tui.core.lookup import DNS_PORT, negative_ttl, records
from runbook_tui.ports import CheckState, Probe, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Self

    from runbook_tui.core.lookup import Answer
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight


@dataclass(slots=True)
class DnsProbe(Probe):
    """Looks for one record; `expect` is a regular expression that its value must match, or text it must contain.

    Where a cache says that there is none, the check waits for that to expire, once: `_absent_until` is until when.
    """

    servers: NameServers
    expect: str = ""
    _absent_until: dict[str, datetime] = field(default_factory=dict, init=False)

    columns = ("server", "value", "TTL", "says")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str], port: int = DNS_PORT) -> Self:
        """Make it from the front matter; without `at:` this machine's resolvers are asked."""
        o = spec.options
        at = read_at(words(o.get("at"), resolve), words(o.get("nameservers"), resolve))
        name, rdtype = resolve(str(o.get("name", ""))), str(o.get("record", "")).upper()
        servers = NameServers(name, rdtype, at, port, within=SHARE * spec.timeout)
        return cls(servers, resolve(str(o.get("expect") or "")))

    @property
    def asks(self) -> str:
        """What is sent, in one line."""
        return f"DNS: {self.servers.rdtype} of {self.servers.name} at {self.servers.whom}"

    @property
    def asks_lines(self) -> tuple[str, ...]:
        """All that is sent."""
        return self.servers.lines()

    async def read(self, sight: Sight) -> Reading:
        """Look once at all."""
        if problem := self.servers.at.problem:
            return Reading(CheckState.UNKNOWN, problem, error=problem)
        resolvers = await self.servers.resolvers(sight)
        zone, asked, hosts = await asyncio.gather(
            self.servers.ask_zone(sight, resolvers), self.servers.ask_resolvers(sight, resolvers),
            self.servers.ask_hosts(sight),
        )  # fmt: skip
        answers = [(z.place, z.answer) for z in zone]
        answers += [(str(place), one) for place, (one,) in zip(resolvers, asked, strict=True)]
        answers += [(f"{host}'s resolver", one) for host, one in zip(self.servers.at.hosts, hosts, strict=True)]
        found = [self._judge(server, answer, sight.now) for server, answer in answers]
        return reading(found, self.asks, sight.now)

    def _judge(self, server: str, answer: Answer, now: datetime) -> Verdict:
        found = judge(server, answer, self.servers.rdtype, self.expect, now)
        if found.eta is None:
            self._absent_until.pop(server, None)
            return found
        if now > self._absent_until.setdefault(server, found.eta):
            return Verdict(found.seen, CheckState.FAIL, found.says)
        return found


def judge(server: str, answer: Answer, rdtype: str, expect: str, now: datetime) -> Verdict:
    """Judge what one server said."""
    reply = answer.reply
    if reply is None:
        return Verdict(Seen(server, "", Holds.SILENT), CheckState.UNKNOWN, answer.trouble)
    if reply.rcode not in {"NOERROR", "NXDOMAIN"}:
        return Verdict(Seen(server, "", Holds.BROKEN), CheckState.FAIL, reply.rcode)
    found = records(reply.answer, rdtype)
    if not found:
        ttl = negative_ttl(reply)
        says = "no such name" if reply.rcode == "NXDOMAIN" else f"no {rdtype}"
        one = Seen(server, "", Holds.NONE, ttl=ttl)
        if reply.authoritative or not ttl:
            return Verdict(one, CheckState.FAIL, says)
        return Verdict(one, CheckState.PENDING, f"{says} in its cache", now + timedelta(seconds=ttl))
    values = sorted(record.value for record in found)
    one = Seen(server, "", Holds.NEW, ", ".join(values), min(record.ttl for record in reply.answer))
    if expect and not any(matches(value, expect) for value in values):
        return Verdict(one, CheckState.FAIL, f"does not match {expect}")
    return Verdict(one, CheckState.PASS)


def matches(value: str, expect: str) -> bool:
    """Whether the value contains the text, or matches it as a regular expression."""
    if expect in value:
        return True
    try:
        return re.search(expect, value) is not None
    except re.error:
        return False


def reading(found: Sequence[Verdict], asks: str, now: datetime) -> Reading:
    """Make one reading of what was said of each server."""
    state, eta = overall(found), last_eta(found)
    alike = [verdict for verdict in found if verdict.state is state]
    if not alike:
        return Reading(CheckState.UNKNOWN, "no server to ask is known", asks, error="no server to ask is known")
    first = alike[0]
    said = first.seen.text if state is CheckState.PASS else " · ".join(
        part for part in (f"{first.seen.server}: {first.says}", first.seen.text) if part
    )  # fmt: skip
    until = f" · until {clock(eta, now)} UTC" if eta is not None else ""
    rows = tuple(Row((v.seen.server, v.seen.text, "" if v.seen.ttl is None else f"{v.seen.ttl}", v.says), v.state)
                 for v in found)  # fmt: skip
    good = sum(verdict.state is CheckState.PASS for verdict in found)
    return Reading(
        state, f"{said}{until}", asks, eta=eta, rows=rows, level=good / len(found),
        error=said if state is CheckState.UNKNOWN else "",
    )  # fmt: skip
