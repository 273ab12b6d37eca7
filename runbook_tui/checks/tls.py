"""Check `tls`: is the certificate good, for the name that clients use, and for long enough? See MIGRATION.md C16."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.checks.expected import up_in_phase
from runbook_tui.checks.reached import (
    REFUSED,
    Judged,
    Target,
    certificate_trouble,
    nowhere,
    together,
    trouble,
)
from runbook_tui.core.contact import TlsAsk
from runbook_tui.ports import CheckState, Probe, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Self

    from runbook_tui.core.contact import TlsSeen
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight

DAYS = 14
"""Days a certificate must still be good for."""

STARTTLS = {25: "smtp", 587: "smtp", 143: "imap"}
"""How TLS begins on a port; on all others with the first byte."""


@dataclass(slots=True)
class TlsProbe(Probe):
    """Looks at the certificate of every address, with the authorities of `ca` instead of the system's where given."""

    target: Target
    name: str = ""
    days: float = DAYS
    ca: str = ""
    starttls: str = ""
    phases: Mapping[str, object] = field(default_factory=dict)
    columns = ("address", "TLS", "key", "good until", "for", "says")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        o, target = spec.options, Target.of(spec, resolve)
        begins = str(o.get("starttls", STARTTLS.get(target.port, "")))
        return cls(
            target, resolve(str(o.get("name") or "")), float(str(o.get("days", DAYS))), resolve(str(o.get("ca") or "")),
            begins if begins in STARTTLS.values() else "", spec.phases,
        )  # fmt: skip

    @property
    def asks(self) -> str:
        """What is sent."""
        how = f"STARTTLS over {self.starttls.upper()}" if self.starttls else "TLS"
        return f"{how} to {self.target}" + (f", for the name {self.name}" if self.name else "")

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        found = await self.target.find(sight)
        if not found.endpoints:
            return nowhere(found)
        expected = up_in_phase("", self.phases, sight.phase)
        if expected == REFUSED:
            return await self.target.refusing(sight, found.endpoints)
        if expected:
            why = f"the phase {sight.phase} expects neither up nor refused: {expected}"
            return Reading(CheckState.UNKNOWN, why, error=why)
        # The second handshake of a certificate that is not good has the other half of the time.
        ask = TlsAsk(self.name or self.target.name(sight), self.ca, self.starttls, self.target.patience / 2)
        all_seen = await asyncio.gather(*(sight.net.services.tls(one, ask) for one in found.endpoints))
        judged = [
            (one.address, judge(seen, ask.name, self.days, sight.now))
            for one, seen in zip(found.endpoints, all_seen, strict=True)
        ]
        left = [(seen.certificate.not_after - sight.now).days for seen in all_seen if seen.certificate]
        return together(judged, judged[0][1].says, min(left) if left else None)


def judge(seen: TlsSeen, name: str, days: float, now: datetime) -> Judged:
    """Judge one address: a certificate that is not good FAILs, one that will soon not be WARNs."""
    found = seen.certificate
    cells = (
        (seen.version, found.key, f"{found.not_after:%Y-%m-%d %H:%M} UTC", ", ".join(found.names)) if found else
        (seen.version, "", "", "")
    )  # fmt: skip
    if seen.code:
        return Judged(CheckState.FAIL, certificate_trouble(seen, name), cells)
    if seen.trouble is not None:
        why = trouble(seen.trouble, seen.said, seen.stage)
        return Judged(why.state, why.says, cells, why.away)
    if found is None:
        return Judged(CheckState.UNKNOWN, seen.said or "its certificate cannot be read", cells)
    left = (found.not_after - now).total_seconds() / 86_400
    if left <= 0:
        return Judged(CheckState.FAIL, f"its certificate expired on {found.not_after:%Y-%m-%d}", cells)
    if left < days:
        return Judged(CheckState.WARN, f"good for {name} for {left:.0f} more days only; {days:g} are wanted", cells)
    return Judged(CheckState.PASS, f"good for {name} for {left:.0f} more days", cells)
