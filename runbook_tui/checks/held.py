"""What a name server has for a name, told from its answer: the new records, the old, something else, or none."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from runbook_tui.core.lookup import absolute, negative_ttl, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.lookup import Answer, Record, Reply

ZONE_SERVER, RESOLVER, HOST_RESOLVER = "zone", "resolver", "host"
"""Kinds of servers."""
TARGET, PARENT = "target", "parent"
"""What is no server that is counted: a name that the records lead to, and what the zone above says."""
_NAMES = frozenset({"MX", "NS", "CNAME", "PTR"})


class Holds(StrEnum):
    """What a server has for the name."""

    NEW = "new"
    OLD = "old"
    OTHER = "something else"
    NONE = "none"
    BROKEN = "broken"
    SILENT = "silent"
    UNASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The records that should be there and those that were. For MX a word is an exchange or `10 exchange`.

    Of MX only the best preference counts, where mail goes: the old server may stay as a second one. No `new`: any
    record will do; no `old`: whatever is not new is taken for old.
    """

    rdtype: str
    new: tuple[str, ...] = ()
    old: tuple[str, ...] = ()

    def holds(self, found: Sequence[Record]) -> Holds:
        """Say what these records are."""
        if not found:
            return Holds.NONE
        values = [_plain(self.rdtype, r.value) for r in found]
        if not self.new:
            return Holds.NEW
        if _meets(self.rdtype, values, self.new) and self._all_there(values):
            return Holds.NEW
        if not self.old:
            return Holds.OLD
        return Holds.OLD if _meets(self.rdtype, values, self.old) else Holds.OTHER

    def _all_there(self, values: Sequence[str]) -> bool:
        return all(any(_same(self.rdtype, v, _plain(self.rdtype, w)) for v in values) for w in self.new)


def _meets(rdtype: str, values: Sequence[str], wanted: Sequence[str]) -> bool:
    words = [_plain(rdtype, word) for word in wanted]
    if rdtype == "MX":
        best = min((_preference(v) for v in values), default=0)
        values = [v for v in values if _preference(v) == best]
    return all(any(_same(rdtype, value, word) for word in words) for value in values)


def _same(rdtype: str, value: str, word: str) -> bool:
    return value == word or (rdtype == "MX" and " " not in word and value.rpartition(" ")[2] == word)


def _preference(value: str) -> int:
    number = value.partition(" ")[0]
    return int(number) if number.isdecimal() else 0


def _plain(rdtype: str, value: str) -> str:
    if rdtype in _NAMES:
        before, blank, name = value.strip().rpartition(" ")
        return f"{before}{blank}{absolute(name)}"
    if rdtype in {"A", "AAAA"}:
        try:
            return str(ipaddress.ip_address(value.strip()))
        except ValueError:
            return value
    return value


@dataclass(frozen=True, slots=True)
class Seen:
    """One server as it was seen. `ttl` is what is left of the answer in seconds, of "there is none" as well.

    `says` is the trouble in words. `serial`, `refresh` and `authoritative` are of the zone's own servers. `share`
    tells split answers of one address, such as `2/3 new`.
    """

    server: str
    kind: str
    holds: Holds
    text: str = ""
    ttl: int | None = None
    serial: int | None = None
    refresh: int | None = None
    authoritative: bool = False
    says: str = ""
    share: str = ""


def seen(server: str, kind: str, answer: Answer, wanted: Wanted) -> Seen:
    """Say what an answer is."""
    reply = answer.reply
    if reply is None:
        return Seen(server, kind, Holds.UNASKED if answer.unsent else Holds.SILENT, says=answer.trouble)
    if reply.rcode not in {"NOERROR", "NXDOMAIN"}:
        return Seen(server, kind, Holds.BROKEN, says=reply.rcode)
    found = records(reply.answer, wanted.rdtype)
    holds = wanted.holds(found)
    if holds is Holds.NONE:
        says = "no such name" if reply.rcode == "NXDOMAIN" else f"no {wanted.rdtype}"
        return Seen(server, kind, holds, says, negative_ttl(reply), authoritative=reply.authoritative, says=says)
    text = ", ".join(sorted(r.value for r in found))
    ttl = min(r.ttl for r in reply.answer)
    return Seen(server, kind, holds, text, ttl, authoritative=reply.authoritative)


def with_soa(one: Seen, reply: Reply | None) -> Seen:
    """Add the serial and the refresh of an answer to SOA, which names the zone's below its apex (RFC 1035 3.3.13)."""
    for soa in records((*reply.answer, *reply.authority), "SOA") if reply else ():
        words = soa.value.split()
        if len(words) == 7 and words[2].isdecimal() and words[3].isdecimal():
            return replace(one, serial=int(words[2]), refresh=int(words[3]))
    return one


def together(several: Sequence[Seen]) -> Seen:
    """Make one of the answers of one address, behind which several caches may stand (anycast).

    What answered decides: something else, then old with the longest TTL, then none, then new.
    """
    for holds in (Holds.OTHER, Holds.OLD, Holds.NONE, Holds.NEW):
        alike = [one for one in several if one.holds is holds]
        if alike:
            worst = max(alike, key=lambda one: one.ttl or 0)
            new = sum(one.holds is Holds.NEW for one in several)
            troubles = ", ".join(sorted({one.says for one in several if one.says and one is not worst}))
            share = f"{new}/{len(several)} new" if 0 < new < len(several) else ""
            return replace(worst, share=share, says=worst.says or troubles)
    return next((one for one in several if one.holds is Holds.BROKEN), several[0])
