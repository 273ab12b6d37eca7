"""Who takes a domain's mail, as the operator's own resolvers say: mail exchangers with their addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.core.lookup import Question, absolute, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.lookup import Record
    from runbook_tui.ports import Dns

MOST = 20
"""Mail exchangers that are looked at."""


@dataclass(frozen=True, slots=True)
class Exchanger:
    """A mail exchanger: its preference (lower is asked first), name without the dot at its end, and addresses."""

    preference: int
    name: str
    addresses: tuple[str, ...] = ()


async def exchangers(dns: Dns, domain: str) -> tuple[Exchanger, ...]:
    """Give who takes mail for a domain, best first; nobody where it says that it takes none (RFC 7505).

    A domain without MX takes its mail itself (RFC 5321 5.1).

    Raises:
        HostError: no resolver gave an answer.
    """
    resolvers = await dns.own_resolvers()
    if not resolvers:
        raise HostError("this machine has no resolver")
    (found,) = await _ask(dns, resolvers, [(domain, "MX")])
    ranked = sorted((int(one.value.split()[0]), one.value.split()[1].rstrip(".")) for one in records(found, "MX"))
    hosts = [host for host in (ranked or [(0, absolute(domain).rstrip("."))])[:MOST] if host[1]]
    wanted = [(name, rdtype) for _, name in hosts for rdtype in ("A", "AAAA")]
    answers = iter(await _ask(dns, resolvers, wanted))
    told = []
    for preference, name in hosts:
        both = (*records(next(answers), "A"), *records(next(answers), "AAAA"))
        told.append(Exchanger(preference, name, tuple(one.value for one in both)))
    return tuple(told)


async def _ask(dns: Dns, resolvers: Sequence[str], wanted: Sequence[tuple[str, str]]) -> list[tuple[Record, ...]]:
    """Ask all resolvers; give each question's records as the first of them that knew has it."""
    questions = [Question(server, name, rdtype) for name, rdtype in wanted for server in resolvers]
    answers = await dns.sweep(questions)
    found = []
    for place, (name, rdtype) in enumerate(wanted):
        here = answers[place * len(resolvers) : (place + 1) * len(resolvers)]
        good = [one.reply for one in here if one.reply is not None and one.reply.rcode == "NOERROR"]
        if not good:
            why = next((one.reply.rcode for one in here if one.reply is not None), "") or here[0].trouble
            raise HostError(f"no answer for {rdtype} of {name}", why)
        found.append(good[0].answer)
    return found
