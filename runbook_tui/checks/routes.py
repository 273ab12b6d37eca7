"""Check `routes`: where a domain's mail really goes, host by host, and that it never goes round. MIGRATION.md C5."""

from __future__ import annotations

import asyncio
import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from runbook_tui.checks.asking import ask, blind
from runbook_tui.checks.exchangers import Exchanger, exchangers
from runbook_tui.checks.journey import distinct, judge
from runbook_tui.checks.routing import (
    COMPILED,
    DOMAIN_LISTS,
    Goes,
    MailHost,
    decide,
    is_listed,
    networks,
    settings,
    tables,
    transport_keys,
    value,
    words,
)
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL, HostName
from runbook_tui.ports import CheckState, Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from runbook_tui.checks.asking import Part
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Reading, Sight

ELSEWHERE = "elsewhere.invalid"
"""Stands for all domains that are none of the run's (RFC 6761)."""

CONFIGURATION = {"config": "postconf 2>/dev/null", "addresses": "ip -o addr 2>/dev/null || ifconfig -a 2>/dev/null"}
_MAPS = ("transport_maps", "relay_recipient_maps", "virtual_alias_maps", "virtual_mailbox_maps")

# transport(5): every table is asked for one key before the next key's turn comes.
_TRANSPORT = """for k in {keys}; do for t in {tables}; do
v=$(postmap -q "$k" "$t" 2>&1); r=$?
[ $r = 1 ] && [ -z "$v" ] && continue
printf '%s\\n' "$v"
[ $r = 0 ] && exit 0
case $v in *fatal:*) exit 2;; esac
done; done
exit 1
"""
_IN_FILE = """awk -v d={domain} '{{ for (i = 1; i <= NF; i++) if (tolower($i) == d) found = 1 }}
END {{ exit !found }}' {file}"""


@dataclass(slots=True)
class RoutesProbe(Probe):
    """Reads Postfix's configuration on `hosts` and the MX of `name`, and follows the mail."""

    name: str
    on: tuple[str, ...]
    columns = ("host", "mail for the domain", "all other mail", "trusts", "soft_bounce")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        given = spec.options.get("hosts", ())
        hosts = cast("list[object]", given) if isinstance(given, list) else [given] if given else []
        return cls(resolve(str(spec.options.get("name", ""))).lower().rstrip("."), tuple(map(str, hosts)))

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"on {', '.join(self.on)}: postconf, postmap -q; MX of {self.name} at this machine's resolvers"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        looks = (look_at(sight, host, self.name) for host in self.on if host != LOCAL)
        looked = await asyncio.gather(*looks, return_exceptions=True)
        for one in looked:
            if isinstance(one, HostError):
                return blind(one)
            if isinstance(one, BaseException):
                raise one
        hosts = distinct([one for one in looked if isinstance(one, MailHost)])
        try:
            mx: tuple[Exchanger, ...] | None = await exchangers(sight.net.dns, self.name)
        except HostError as error:
            reading = judge(self.name, hosts, None)
            state = reading.state if reading.state is CheckState.FAIL else CheckState.UNKNOWN
            return replace(reading, state=state, value=f"{error.title}; {reading.value}", error=str(error))
        return judge(self.name, hosts, mx)


async def look_at(sight: Sight, host: str, domain: str) -> MailHost:
    """Ask a host how it routes mail.

    Raises:
        HostError: it cannot be asked, or has no Postfix.
    """
    identity = await sight.hosts.identify(HostName(host))
    parts = await ask(sight, host, CONFIGURATION)
    values = settings(parts["config"].lines)
    if parts["config"].exit != 0 or "mydestination" not in values:
        raise HostError(f"postconf of {host} was not understood", parts["config"].text[:200])
    asked = await ask(sight, host, lookups(values, domain))
    found = {name: _have(asked, name) for name in DOMAIN_LISTS}
    hops = [
        decide(values, one, _transport(asked[part]), found if one == domain else {})
        for one, part in ((domain, "transport"), (ELSEWHERE, "elsewhere"))
    ]
    shell = sight.hosts.find(host)
    known = (value(values, "myhostname"), *((shell.host.dns_name, _ssh_name(shell.host.ssh)) if shell else ()))
    own = re.findall(r"\binet6? (?:addr:)?([\da-fA-F.:]+)", parts["addresses"].text)
    peer = identity.address.rpartition(":")[0].strip("[]")
    stale = [f"{host}: {line} is newer than its table: postmap" for line in asked["stale"].lines if line]
    return MailHost(
        name=host,
        domain=hops[0],
        others=hops[1],
        names=frozenset(name.lower() for name in known if name),
        addresses=frozenset(address for address in (*own, peer) if address and not _is_loopback(address, peer)),
        trusts=networks(words(values, "mynetworks")),
        lookup=await _resolved(sight, host, [hop.next_hop for hop in hops if hop.goes is Goes.ON]),
        in_mydestination=is_listed(values, "mydestination", domain, found["mydestination"]),
        soft_bounce=value(values, "soft_bounce") == "yes",
        relayhost=value(values, "relayhost"),
        remarks=tuple(stale),
        broken=next((part.text[:200] for part in asked.values() if "fatal:" in part.text), ""),
    )


def lookups(values: Mapping[str, str], domain: str) -> dict[str, str]:
    """Give the questions to a host's tables: the domain's transport, who lists it, what is older than its source."""
    maps = " ".join(map(shlex.quote, tables(values, "transport_maps")))
    commands = {}
    for part, one in (("transport", domain), ("elsewhere", ELSEWHERE)):
        keys = " ".join(map(shlex.quote, transport_keys(one)))
        commands[part] = _TRANSPORT.format(keys=keys, tables=maps) if maps else "exit 1"
    for name in DOMAIN_LISTS:
        for number, word in enumerate(words(values, name)):
            pattern = word.removeprefix("!")
            if pattern.startswith("/"):
                text = _IN_FILE.format(domain=shlex.quote(domain), file=shlex.quote(pattern))
            elif re.match(r"[a-z_]+:", pattern):
                text = f"postmap -q {shlex.quote(domain)} {shlex.quote(pattern)}"
            else:
                continue
            commands[f"{name}.{number}"] = f"echo {shlex.quote(pattern)}\n{text}"
    compiled = (one.split(":", 1) for name in _MAPS for one in tables(values, name))
    pairs = {(path, COMPILED[kind]) for kind, path in compiled if kind in COMPILED}
    stale = [
        f"find {shlex.quote(path)} -newer {shlex.quote(f'{path}.{end}')} 2>/dev/null" for path, end in sorted(pairs)
    ]
    return {**commands, "stale": "\n".join([*stale, "true"])}


def _have(asked: Mapping[str, Part], name: str) -> frozenset[str]:
    """Give the tables of a list that have the domain."""
    parts = (part for key, part in asked.items() if key.startswith(f"{name}."))
    return frozenset(part.lines[0] for part in parts if part.exit == 0 and part.lines)


def _transport(part: Part) -> str:
    """Give what transport_maps said; warnings stand beside it."""
    said = [line.strip() for line in part.lines if line.strip() and not line.startswith("postmap: ")]
    return said[0] if part.exit == 0 and said else ""


async def _resolved(sight: Sight, host: str, names: list[str]) -> dict[str, frozenset[str]]:
    """Give the addresses of next hops as the host itself sees them."""
    wanted = {name for name in names if re.fullmatch(r"[\w.-]{1,253}", name)}
    if not wanted:
        return {}
    asked = await ask(sight, host, {name: f"getent hosts {shlex.quote(name)}" for name in sorted(wanted)})
    return {name: frozenset(line.split()[0] for line in part.lines if line.split()) for name, part in asked.items()}


def _ssh_name(target: str) -> str:
    return target.rpartition("@")[2].partition(":")[0]


def _is_loopback(address: str, peer: str) -> bool:
    """Tell whether an address says nothing of who the host is; the one it was reached at does."""
    return address != peer and (address.startswith(("127.", "fe80:")) or address == "::1")
