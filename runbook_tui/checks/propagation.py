"""Judges how far a change of records has come: a state a server and one sentence of all (MIGRATION.md C1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runbook_tui.checks.held import PARENT, TARGET, ZONE_SERVER, Holds, Seen
from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WORST_FIRST = (CheckState.FAIL, CheckState.PENDING, CheckState.WARN, CheckState.UNKNOWN, CheckState.PASS)
NEAR_ETA = 15.0
"""Seconds between two looks when an end is near."""
_SERIALS = 1 << 32


@dataclass(frozen=True, slots=True)
class Change:
    """When the records were changed, as far as that is known.

    `at` is when; None while nothing was changed. `ttl_was` is the TTL of the old records in seconds. `differ_since`
    is since when the zone's servers are seen to disagree.
    """

    at: datetime | None = None
    ttl_was: float | None = None
    differ_since: datetime | None = None

    @property
    def unseen_until(self) -> datetime | None:
        """Until when a resolver that nobody asked may hold the old records (MIGRATION.md I19)."""
        return None if self.at is None or self.ttl_was is None else self.at + timedelta(seconds=self.ttl_was)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one server."""

    seen: Seen
    state: CheckState
    says: str = ""
    eta: datetime | None = None
    counts: bool = True


def newest(serials: Iterable[int]) -> int | None:
    """Give the newest of some serials (RFC 1982: they go round)."""
    found: int | None = None
    for serial in serials:
        if found is None or 0 < (serial - found) % _SERIALS < _SERIALS // 2:
            found = serial
    return found


def disagree(servers: Sequence[Seen]) -> bool:
    """Whether the zone's own servers differ in serial or in what they have."""
    good = [one for one in servers if one.kind == ZONE_SERVER and one.text]
    return len({one.serial for one in good}) > 1 or len({one.text for one in good}) > 1


def verdicts(servers: Sequence[Seen], change: Change, now: datetime) -> list[Verdict]:
    """Judge every server in the light of the others."""
    zone = _Zone(tuple(one for one in servers if one.kind == ZONE_SERVER))
    moved = change.at is not None or any(one.holds is Holds.NEW or one.share for one in servers)
    zone_is_old = bool(zone.servers) and not any(one.holds is Holds.NEW for one in zone.servers)
    found = []
    for one in servers:
        if one.kind == ZONE_SERVER:
            found.append(_zone_server(one, zone, change, now))
        else:
            found.append(_resolver(one, change, now, moved=moved and not zone_is_old))
    return found


@dataclass(frozen=True, slots=True)
class _Zone:
    """The zone's own servers, one entry an address."""

    servers: tuple[Seen, ...]

    @property
    def newest(self) -> int | None:
        """The newest serial of all."""
        return newest(one.serial for one in self.servers if one.serial is not None)

    @property
    def answered(self) -> set[str]:
        """The names of the servers that answered at one address at least."""
        return {_name(one) for one in self.servers if one.holds not in {Holds.SILENT, Holds.UNASKED}}


def _name(one: Seen) -> str:
    return one.server.partition(" ")[0]


def _zone_server(one: Seen, zone: _Zone, change: Change, now: datetime) -> Verdict:
    match one.holds:
        case Holds.UNASKED:
            return Verdict(one, CheckState.UNKNOWN, one.says, counts=_name(one) not in zone.answered)
        case Holds.SILENT if zone.answered:
            return Verdict(one, CheckState.FAIL, one.says)
        case Holds.SILENT:
            return Verdict(one, CheckState.UNKNOWN, one.says)
        case Holds.BROKEN:
            return Verdict(one, CheckState.FAIL, f"lame: {one.says}")
    if not one.authoritative:
        return Verdict(one, CheckState.FAIL, "lame: it answers without authority (no AA)")
    if one.serial is not None and one.serial != zone.newest:
        return _behind(one, zone, change, now)
    if any(_contradicts(one, other) for other in zone.servers):
        return Verdict(one, CheckState.FAIL, f"it differs from another server of serial {one.serial}")
    match one.holds:
        case Holds.OTHER:
            return Verdict(one, CheckState.FAIL, "neither the new nor the old")
        case Holds.NONE:
            state = CheckState.FAIL if change.at is not None else CheckState.PENDING
            return Verdict(one, state, one.says)
        case Holds.OLD:
            says = "not changed here yet" if change.at else "not changed yet"
            return Verdict(one, CheckState.PENDING, says)
        case _:
            return Verdict(one, CheckState.PASS)


def _contradicts(one: Seen, other: Seen) -> bool:
    return other.authoritative and other.serial == one.serial and bool(other.text) and other.text != one.text


def _behind(one: Seen, zone: _Zone, change: Change, now: datetime) -> Verdict:
    """Judge a server with an old serial: it may lag for the zone's refresh, and no longer."""
    ahead = next(other for other in zone.servers if other.serial == zone.newest)
    says = f"serial {one.serial}, while {ahead.server} has {ahead.serial}"
    until = (change.differ_since or now) + timedelta(seconds=one.refresh or 0)
    if now >= until:
        return Verdict(one, CheckState.FAIL, says)
    return Verdict(one, CheckState.PENDING, f"{says}; it should ask by {clock(until, now)} UTC")


def _resolver(one: Seen, change: Change, now: datetime, *, moved: bool) -> Verdict:
    gone = now + timedelta(seconds=one.ttl) if one.ttl is not None else None
    match one.holds:
        case Holds.UNASKED | Holds.SILENT:
            return Verdict(one, CheckState.UNKNOWN, one.says)
        case Holds.BROKEN:
            return Verdict(one, CheckState.FAIL, one.says)
        case Holds.OTHER:
            return Verdict(one, CheckState.FAIL, "neither the new nor the old")
        case Holds.NONE:
            return Verdict(one, CheckState.PENDING, one.says, gone)
        case Holds.OLD if not moved:
            return Verdict(one, CheckState.PENDING, "not changed yet")
        case Holds.OLD if change.unseen_until is not None and now > change.unseen_until:
            return Verdict(one, CheckState.WARN, "ignores TTLs: the old should be gone", gone)
        case Holds.OLD:
            return Verdict(one, CheckState.PENDING, one.share or "still the old", gone)
        case _:
            return Verdict(one, CheckState.PASS, one.says and f"besides: {one.says}")


def overall(found: Sequence[Verdict]) -> CheckState:
    """Give the state of all: the worst that counts. What could not be asked keeps it from being green."""
    states = {verdict.state for verdict in found if verdict.counts}
    return next((state for state in WORST_FIRST if state in states), CheckState.UNKNOWN)


def last_eta(found: Sequence[Verdict]) -> datetime | None:
    """Give when the last of those that wait should be over; None when nobody can say so of one of them."""
    waiting = [verdict.eta for verdict in found if verdict.state is CheckState.PENDING and verdict.counts]
    known = [eta for eta in waiting if eta is not None]
    return max(known) if known and len(known) == len(waiting) else None


def again(found: Sequence[Verdict], now: datetime, every: float) -> float | None:
    """Seconds until another look is worth it: 15 near an ETA, and never sooner than a tenth of what is left.

    `every` is how often the check looks otherwise. None: as often as that.
    """
    left = [
        (verdict.eta - now).total_seconds()
        for verdict in found if verdict.state is CheckState.PENDING and verdict.eta is not None
    ]  # fmt: skip
    if not left:
        return None
    tenth = max(0.0, min(left)) / 10
    return max(min(NEAR_ETA, every), tenth) if min(left) < 10 * every else max(every, tenth)


def share(found: Sequence[Verdict]) -> float | None:
    """Give the share of the servers that have the new, 0..1; None when there is none."""
    new, all_servers = _tally(found)
    return new / all_servers if all_servers else None


def _tally(found: Sequence[Verdict]) -> tuple[int, int]:
    servers = [v.seen for v in found if v.counts and v.seen.kind not in {TARGET, PARENT}]
    return sum(one.holds is Holds.NEW for one in servers), len(servers)


def headline(found: Sequence[Verdict], change: Change, now: datetime, expired: datetime | None) -> str:
    """Give one sentence: what is wrong first, how many have the new, and until when the old may live."""
    new, all_servers = _tally(found)
    state, eta = overall(found), last_eta(found)
    parts = [] if state in {CheckState.PASS, CheckState.PENDING} else [_worst(found, state)]
    parts.append(f"{new}/{all_servers} new")
    if state is CheckState.PENDING and eta is None:
        parts.append(_worst(found, state))
    times = []
    if eta is not None:
        times.append(f"last cache expires ≤ {clock(eta, now)}")
    elif expired is not None and state is CheckState.PASS:
        times.append(f"last cache expired {clock(expired, now)}")
    unseen = change.unseen_until
    if unseen is not None and unseen > now:
        times.append(f"worst unseen resolver ≤ {clock(unseen, now)}")
    return " · ".join([*parts, *times]) + (" UTC" if times else "")


def _worst(found: Sequence[Verdict], state: CheckState) -> str:
    alike = [verdict for verdict in found if verdict.state is state and verdict.counts]
    if not alike:
        return "nobody was asked"
    first, more = alike[0], len(alike) - 1
    if more and len({verdict.says for verdict in alike}) == 1:
        return f"{first.says} ({len(alike)})"
    return f"{first.seen.server}: {first.says}" + (f" (and {more} more)" if more else "")


def clock(at: datetime, now: datetime) -> str:
    """Give a time of day, with its date when that is not today."""
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}"
