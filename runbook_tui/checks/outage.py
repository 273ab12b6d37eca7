"""Check `outage`: for how long has nobody taken the domain's mail, as the world sees it? See MIGRATION.md C12."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.checks.asking import blind
from runbook_tui.checks.exchangers import exchangers
from runbook_tui.checks.view import age
from runbook_tui.core.errors import HostError
from runbook_tui.core.knock import Door
from runbook_tui.core.markdown.values import duration
from runbook_tui.ports import CheckState, Probe, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Self

    from runbook_tui.core.knock import Knock
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight

WARN_AFTER = 30 * 60.0
"""Seconds: the usual end of a short downtime."""
FAIL_AFTER = 4 * 3600.0
"""Seconds: then senders are told of the delay; after one or two days the first give up (MIGRATION.md C12)."""
MOST_DOORS = 16
"""Addresses that are knocked at in one look."""


@dataclass(slots=True)
class Outage:
    """The clock: it runs from the first look at which nobody took mail to the first at which somebody does.

    A look from which nothing can be told neither starts nor stops it. `answered`: some door said something once, so
    that silence is theirs and not that of a network which lets nobody out on port 25.
    """

    warn: float = WARN_AFTER
    fail: float = FAIL_AFTER
    since: datetime | None = None
    answered: bool = False

    def judge(self, doors: Sequence[Knock], now: datetime) -> Reading:
        """Take in what all doors did at `now`."""
        kinds = {knock.door for knock in doors}
        self.answered = self.answered or bool(kinds - {Door.SILENT, Door.UNREACHABLE})
        if Door.OPEN in kinds:
            self.since = None
            number = sum(knock.door is Door.OPEN for knock in doors)
            return Reading(CheckState.PASS, f"mail is taken at {number} of {len(doors)} addresses", level=0.0)
        if not kinds - {Door.UNREACHABLE} or not self.answered:
            why = "no mail server can be reached from here; many networks let nobody out on port 25"
            return Reading(CheckState.UNKNOWN, why if doors else "nobody has an address to knock at", error=why)
        self.since = self.since or now
        seconds = (now - self.since).total_seconds()
        over = CheckState.WARN if seconds >= self.warn else CheckState.PENDING
        state = CheckState.FAIL if seconds >= self.fail else over
        told = f"nobody takes mail since {self.since:%H:%M:%S} UTC, {age(seconds)}"
        return Reading(state, told, level=round(seconds / 60, 1))


@dataclass(slots=True)
class OutageProbe(Probe):
    """Knocks at port 25 of every address of every mail exchanger of `name`."""

    name: str
    outage: Outage = field(default_factory=Outage)
    columns = ("mail exchanger", "address", "port 25", "said")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        warn, fail = (duration(str(spec.options.get(key, ""))) for key in ("warn", "fail"))
        return cls(resolve(str(spec.options.get("name", ""))), Outage(warn or WARN_AFTER, fail or FAIL_AFTER))

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"MX of {self.name} at this machine's resolvers, then a connection to port 25 of each address"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        try:
            found = await exchangers(sight.net.dns, self.name)
        except HostError as error:
            return blind(error)
        places = [(one.name, address) for one in found for address in one.addresses][:MOST_DOORS]
        knocks = await asyncio.gather(*(sight.net.doors.knock(address) for _, address in places))
        reading = self.outage.judge(knocks, sight.now)
        rows = tuple(
            Row((name, address, knock.door, knock.said), _state(knock.door))
            for (name, address), knock in zip(places, knocks, strict=True)
        )
        return Reading(reading.state, reading.value, rows=rows, level=reading.level, error=reading.error)


def _state(door: Door) -> CheckState:
    match door:
        case Door.OPEN:
            return CheckState.PASS
        case Door.UNREACHABLE:
            return CheckState.UNKNOWN
        case Door.SILENT | Door.REFUSED | Door.CLOSED | Door.LATER:
            return CheckState.FAIL
