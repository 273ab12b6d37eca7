"""DNS messages as octets: questions made to be hard to forge an answer for, replies understood once for all alike."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from runbook_tui.core.lookup import Record, Reply

if TYPE_CHECKING:
    from dns.rrset import RRset

EDNS_PAYLOAD = 1232
"""Octets: fits any path without fragments, which an attacker could replace."""
HEADER = 12
STOCK = 1 << 14
"""Octets of chance fetched at a time."""
MOST_REMEMBERED = 2048
"""Replies kept by a memo, so that a server that varies its replies cannot fill the memory."""
LONGEST_VALUE = 4096
MOST_RECORDS = 256
"""Records kept of a section, and characters of one: more is no mail domain's."""

_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_LOWER = bytes(c + 32 if 0x41 <= c <= 0x5A else c for c in range(256))
_QR_OPCODE = 0xF800
_QR = 0x8000
_TC = 0x0200
_TEXTS = ("TXT", "SPF")


class BadQuestionError(ValueError):
    """The name is no domain name or the type no record type; `str()` says which."""


@dataclass(frozen=True, slots=True)
class Template:
    """A question without id and with its name in lower case. Octets 12.. up to `end` are the question section.

    `free` has a bit for each one of `wire` that may be drawn: the id, and what makes a letter of the name a capital.
    """

    wire: bytes
    end: int
    free: int

    @property
    def bare(self) -> Template:
        """The same without EDNS, for a server that does not know it (RFC 6891 6.2.2)."""
        cut = len(self.wire) - self.end
        return Template(self.wire[:10] + b"\0\0" + self.wire[HEADER : self.end], self.end, self.free >> 8 * cut)

    def outgoing(self, chance: int) -> bytes:
        """Give the message with id and letter case drawn from `chance`, which has a bit for each one of the message.

        A forger must guess the case as well ("0x20 encoding"): one bit more for each letter of the name.
        """
        size = len(self.wire)
        return (int.from_bytes(self.wire, "big") ^ (chance & self.free)).to_bytes(size, "big")


class Chance:
    """Random bits that nobody can foretell, fetched for many questions at once: it is the fetching that costs."""

    def __init__(self) -> None:
        self._stock = b""
        self._used = 0

    def draw(self, octets: int) -> int:
        """Give a number of that many octets; none of them is ever given again."""
        start, self._used = self._used, self._used + octets
        if self._used > len(self._stock):
            self._stock = secrets.token_bytes(octets + STOCK)
            start, self._used = 0, octets
        return int.from_bytes(self._stock[start : self._used], "big")


def template(name: str, rdtype: str, *, recurse: bool) -> Template:
    """Make the question.

    Raises:
        BadQuestionError: no message can be made of it.
    """
    try:
        owner = dns.name.from_text(name)
        kind = dns.rdatatype.from_text(rdtype)
    except (dns.exception.DNSException, ValueError) as error:
        raise BadQuestionError(f"nobody can be asked for {rdtype} of {name!r}: {error}") from error
    query = dns.message.make_query(owner, kind, use_edns=0, payload=EDNS_PAYLOAD, id=0)
    query.flags = dns.flags.Flag(dns.flags.RD if recurse else 0)
    wire = query.to_wire().translate(_LOWER)
    name_end = HEADER + len(owner.to_wire() or b"")
    # Lengths of labels are below 64, where no letter is: what is a letter's octet is a letter.
    free = b"\xff\xff" + bytes(10) + bytes(0x20 if octet in _LETTERS else 0 for octet in wire[HEADER:name_end])
    return Template(wire, name_end + 4, int.from_bytes(free.ljust(len(wire), b"\0"), "big"))


def repeats(reply: bytes, sent: bytes, end: int) -> bool | None:
    """Whether the octets are a reply to just this question, id and letter case included; None: only the case differs.

    An answer to another question never counts, whoever sent it (RFC 5452 9.1).
    """
    if len(reply) < end or reply[0:2] != sent[0:2]:
        return False
    flags, questions = struct.unpack_from("!HH", reply, 2)
    if flags & _QR_OPCODE != _QR or questions != 1:
        return False
    if reply[HEADER:end] == sent[HEADER:end]:
        return True
    return None if reply[HEADER:end].translate(_LOWER) == sent[HEADER:end].translate(_LOWER) else False


def is_truncated(reply: bytes) -> bool:
    """Whether the TC bit is set: the whole answer is to be had over TCP."""
    return bool(struct.unpack_from("!H", reply, 2)[0] & _TC)


def wants_no_edns(reply: bytes, end: int) -> bool:
    """Whether the server answers FORMERR or NOTIMP to a question with EDNS, and nothing else."""
    return reply[3] & 0x0F in {1, 4} and len(reply) == end


class Memo:
    """Understands replies; those that are alike but for id and letter case are parsed once."""

    def __init__(self) -> None:
        self._known: dict[bytes, Reply | str] = {}

    def reply(self, octets: bytes, end: int) -> Reply | str:
        """Give what a reply says, or in words why it cannot be understood."""
        key = octets[2:HEADER] + octets[HEADER:end].translate(_LOWER) + octets[end:]
        known = self._known.get(key)
        if known is None:
            known = _understood(b"\0\0" + key)
            if len(self._known) < MOST_REMEMBERED:
                self._known[key] = known
        return known


def _understood(octets: bytes) -> Reply | str:
    try:
        message = dns.message.from_wire(octets)
        return Reply(
            rcode=dns.rcode.to_text(message.rcode()),
            authoritative=bool(message.flags & dns.flags.AA),
            answer=_records(message.answer),
            authority=_records(message.authority),
            additional=_records(message.additional),
        )
    except (dns.exception.DNSException, ValueError, struct.error, IndexError) as error:
        return f"its answer cannot be understood ({type(error).__name__})"


def _records(section: list[RRset]) -> tuple[Record, ...]:
    found: list[Record] = []
    for rrset in section:
        name, rdtype = str(rrset.name).lower(), dns.rdatatype.to_text(rrset.rdtype)
        for data in rrset:
            if len(found) == MOST_RECORDS:
                return tuple(found)
            if rdtype in _TEXTS:
                value = b"".join(data.strings).decode("utf-8", "replace")
            else:
                value = data.to_text()
                value = value.lower() if rdtype in {"MX", "NS", "CNAME", "SOA", "PTR", "SRV"} else value
            found.append(Record(name, rdtype, rrset.ttl, value[:LONGEST_VALUE]))
    return tuple(found)
