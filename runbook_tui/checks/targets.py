"""Whether a sender can use the names that an MX leads to: no alias, an address, reachable from outside."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runbook_tui.checks.held import TARGET, Holds, Seen
from runbook_tui.checks.propagation import Verdict
from runbook_tui.core.lookup import Question, absolute, negative_ttl, records
from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbook_tui.checks.servers import Place
    from runbook_tui.core.lookup import Reply
    from runbook_tui.ports import Sight


async def targets(sight: Sight, names: Sequence[str], asked: Sequence[Place], patience: float) -> list[Verdict]:
    """Look each name up at some resolvers, within `patience` seconds, and judge it; nobody to ask: no verdict."""
    pairs = [(name, rdtype) for name in names for rdtype in ("A", "AAAA")]
    questions = [Question(p.address, name, rdtype, p.port) for name, rdtype in pairs for p in asked]
    dns = sight.net.dns
    answers = await dns.sweep(questions, patience)
    public = any(not place.is_private for place in asked)
    found = []
    for place, name in enumerate(names if asked else ()):
        mine = answers[2 * place * len(asked) : 2 * (place + 1) * len(asked)]
        replies = [answer.reply for answer in mine if answer.reply is not None]
        found.append(judge(name, replies, sight.now, reachable=dns.is_public if public else lambda _: True))
    return found


def judge(name: str, replies: Sequence[Reply], now: datetime, *, reachable: Callable[[str], bool]) -> Verdict:
    """Judge a name by what was said of its A and AAAA; `reachable` says whether others can reach an address."""
    good = [reply for reply in replies if reply.rcode in {"NOERROR", "NXDOMAIN"}]
    values = sorted({r.value for reply in good for r in reply.answer if r.rdtype in {"A", "AAAA"}})
    text = ", ".join(values)
    if not good:
        seen = Seen(name, TARGET, Holds.SILENT)
        return Verdict(seen, CheckState.UNKNOWN, "its addresses could not be looked up")
    if any(records(reply.answer, "CNAME", name) for reply in good):
        # RFC 2181 10.3, RFC 5321 5.1
        return Verdict(Seen(name, TARGET, Holds.OTHER, text), CheckState.FAIL, "an alias (CNAME): no MX may lead there")
    if not values:
        ttl = max((negative_ttl(reply) or 0 for reply in good), default=0)
        seen = Seen(absolute(name), TARGET, Holds.NONE, ttl=ttl)
        if any(reply.authoritative for reply in good) or not ttl:
            return Verdict(seen, CheckState.FAIL, "it has no address")
        return Verdict(seen, CheckState.PENDING, "it has no address there yet", now + timedelta(seconds=ttl))
    inside = [value for value in values if not reachable(value)]
    seen = Seen(name, TARGET, Holds.NEW, text, min(r.ttl for reply in good for r in reply.answer))
    if inside:
        return Verdict(seen, CheckState.WARN, f"{inside[0]} cannot be reached from outside")
    return Verdict(seen, CheckState.PASS)
