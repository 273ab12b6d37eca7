"""The way of mail from host to host, drawn and judged: it must end at one of them and never come back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runbook_tui.checks.routing import Goes
from runbook_tui.ports import CheckState, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runbook_tui.checks.exchangers import Exchanger
    from runbook_tui.checks.routing import Hop, MailHost


@dataclass(frozen=True, slots=True)
class Way:
    """Stations of mail in order, and what is wrong with its end; empty when it ends in mailboxes."""

    drawn: str
    wrong: str = ""
    cycle: bool = False
    stations: tuple[str, ...] = ()


def judge(domain: str, hosts: Sequence[MailHost], mx: Sequence[Exchanger] | None) -> Reading:
    """Say where mail for the domain goes. `mx` None: that could not be looked up."""
    ways = list(_ways(hosts, mx))
    findings = [*_wrong(ways, by_world=mx is not None), *_others(hosts), *_warnings(domain, hosts)]
    states = {state for state, _ in findings}
    state = next((one for one in (CheckState.FAIL, CheckState.WARN) if one in states), CheckState.PASS)
    drawn = "; ".join(way.drawn for way in ways)
    told = [text for found, text in findings if found is state]
    rows = tuple(Row(_cells(host, hosts)) for host in hosts)
    return Reading(state, " · ".join([drawn, *told]), "\n".join(text for _, text in findings), rows=rows)


def distinct(hosts: Sequence[MailHost]) -> list[MailHost]:
    """Give the hosts without the addresses that several have, such as a container bridge's: they name nobody."""
    every = Counter(address for host in hosts for address in host.addresses)
    return [replace(host, addresses=frozenset(one for one in host.addresses if every[one] == 1)) for host in hosts]


def _ways(hosts: Sequence[MailHost], mx: Sequence[Exchanger] | None) -> Iterator[Way]:
    """Give the way of the world's mail, then that of hosts it does not come by: somebody still asks them."""
    passed: set[str] = set()
    if mx is not None:
        first = next((host for host in (_by_mx(one, hosts) for one in mx[:1]) if host is not None), None)
        if first is None:
            names = ", ".join(one.name for one in mx[:3]) or "nobody"
            yield Way(f"world → {names}", f"the MX is {names}, none of {', '.join(host.name for host in hosts)}")
        else:
            way = follow(first, hosts, mx, lambda host: host.domain, "world → ")
            passed |= {*way.stations}
            yield way
    for host in hosts:
        if host.name not in passed:
            way = follow(host, hosts, mx, lambda host: host.domain, "")
            passed |= {*way.stations}
            yield way


def follow(
    start: MailHost, hosts: Sequence[MailHost], mx: Sequence[Exchanger] | None, hop_of: Callable[[MailHost], Hop],
    drawn: str,
) -> Way:  # fmt: skip
    """Follow mail from a host on until it ends, leaves the hosts, or comes back."""
    stations: list[str] = []
    here, before = start, None
    while True:
        drawn += here.name
        if here.name in stations:
            return Way(drawn, f"mail goes round: {drawn}", cycle=True, stations=tuple(stations))
        stations.append(here.name)
        hop = hop_of(here)
        if not hop.accepted and not (before and here.trusts.trust(before.addresses)):
            return Way(f"{drawn}(refused)", f"{here.name} does not take mail for the domain", stations=tuple(stations))
        if hop.goes is Goes.LOCAL:
            return Way(f"{drawn}({hop.how.partition(':')[0]})", stations=tuple(stations))
        if hop.goes is Goes.NOWHERE:
            return Way(f"{drawn}({hop.how})", f"{here.name} answers {hop.how}", stations=tuple(stations))
        following, loops = _next(here, hop, hosts, mx)
        if loops:
            drawn = f"{drawn} → {here.name}"
            return Way(drawn, f"mail loops back to {here.name}", cycle=True, stations=tuple(stations))
        if following is None:
            target = hop.next_hop or (mx[0].name if mx else "the MX")
            why = f"{here.name} hands it to {target}, none of these hosts"
            return Way(f"{drawn} → {target}", why, stations=tuple(stations))
        here, before, drawn = following, here, f"{drawn} → "


def _next(
    here: MailHost, hop: Hop, hosts: Sequence[MailHost], mx: Sequence[Exchanger] | None
) -> tuple[MailHost | None, bool]:
    """Give the host a hop leads to, and whether Postfix would say "loops back to myself"."""
    by_mx = _by_mx(mx[0], hosts) if mx else None
    found = _by_name(hop.next_hop, here, hosts) if hop.next_hop else by_mx
    return found, found is here


def _by_name(name: str, here: MailHost, hosts: Sequence[MailHost]) -> MailHost | None:
    seen = {name, *here.lookup.get(name, ())}
    named = next((host for host in hosts if name in host.names), None)
    return named or next((host for host in hosts if seen & host.addresses), None)


def _by_mx(one: Exchanger, hosts: Sequence[MailHost]) -> MailHost | None:
    named = next((host for host in hosts if one.name.lower() in host.names), None)
    return named or next((host for host in hosts if host.addresses & {*one.addresses}), None)


def _wrong(ways: Sequence[Way], *, by_world: bool) -> Iterator[tuple[CheckState, str]]:
    """The world's mail must end well; on other ways only a circle fails, for they may not be open yet."""
    for way in ways:
        if way.wrong and (way.cycle or (by_world and way is ways[0])):
            yield CheckState.FAIL, way.wrong


def _others(hosts: Sequence[MailHost]) -> Iterator[tuple[CheckState, str]]:
    """Mail for other domains must not go round either, and who is handed it must take it."""
    for host in hosts:
        target = _by_name(host.others.next_hop, host, hosts) if host.others.goes is Goes.ON else None
        if target is None:
            continue
        back = _by_name(target.others.next_hop, target, hosts) if target.others.goes is Goes.ON else None
        if back is host or target is host:
            yield CheckState.FAIL, f"mail for others goes round: {host.name} → {target.name} → {host.name}"
        elif not target.trusts.trust(host.addresses):
            yield CheckState.WARN, f"{target.name} does not relay for {host.name}: mynetworks"


def _warnings(domain: str, hosts: Sequence[MailHost]) -> Iterator[tuple[CheckState, str]]:
    finals = [host.name for host in hosts if host.in_mydestination]
    if len(finals) > 1:
        yield CheckState.WARN, f"{domain} is in mydestination of {' and '.join(finals)}"
    for host in hosts:
        if host.broken:
            yield CheckState.FAIL, f"{host.name}: {host.broken}"
        if host.relayhost and host.domain.goes is Goes.LOCAL and _by_name(host.others.next_hop, host, hosts):
            yield CheckState.WARN, f"relayhost of {host.name} is still {host.relayhost}"
        for hop in (host.domain, host.others):
            if hop.goes is Goes.ON and hop.by_mx and hop.next_hop and _by_name(hop.next_hop, host, hosts):
                yield CheckState.WARN, f"{host.name}: {hop.how} means the MX of {hop.next_hop}: write [{hop.next_hop}]"
        for remark in host.remarks:
            yield CheckState.WARN, remark


def _cells(host: MailHost, hosts: Sequence[MailHost]) -> tuple[str, ...]:
    soft_bounce = "yes" if host.soft_bounce else "no"
    return host.name, _told(host.domain), _told(host.others), _trusted(host, hosts), soft_bounce


def _told(hop: Hop) -> str:
    return hop.how if hop.accepted else f"only from friends: {hop.how}"


def _trusted(host: MailHost, hosts: Sequence[MailHost]) -> str:
    return ", ".join(other.name for other in hosts if other is not host and host.trusts.trust(other.addresses))
