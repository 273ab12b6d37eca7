"""The primary name server of the world's one zone, with named's answers: a real zone file, UPDATE with TSIG."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.zone

from runbook_tui.demo.dns import update as dynamic
from runbook_tui.demo.dns import zonefile
from runbook_tui.demo.dns.endpoint import Endpoint, parsed, skeleton, to_wire
from runbook_tui.demo.dns.zonefile import ADDRESS_TYPES, ZoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dns.rdtypes.ANY.CNAME import CNAME
    from dns.rdtypes.ANY.TSIG import TSIG

LONGEST_CHAIN = 16
"""How many CNAMEs are followed, as in named."""


class Authoritative(Endpoint):
    """A `machine.Service`; `keys` are the TSIG keys that may update the zone: name -> secret in base64.

    `tell` gets what named would write to its log.
    """

    def __init__(
        self, address: str, port: int, zone_file: Path, origin: str, keys: Mapping[str, str],
        *, tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(address, port)
        self.zone_file = zone_file
        self.origin = dns.name.from_text(origin)
        self.frozen = False
        self._keyring = dns.tsigkeyring.from_text(dict(keys))
        self._tell = tell
        self._zone: dns.zone.Zone | None = None

    @property
    def dynamic(self) -> bool:
        """Whether updates can change the zone: then `rndc reload` is refused until `rndc freeze`, as in life."""
        return bool(self._keyring)

    @property
    def label(self) -> str:
        """The zone as named writes it: `example.test/IN`."""
        return f"{self.origin.to_text(omit_final_dot=True)}/IN"

    @property
    def serial(self) -> int | None:
        """The serial number that is served; None when no zone could be loaded yet."""
        return None if self._zone is None else zonefile.serial(self._zone)

    async def start(self) -> None:
        """Load the zone and listen; as in life a broken zone file only means SERVFAIL for the zone."""
        if self.running:
            return
        self._zone = None
        await super().start()
        await self.reload()

    async def reload(self) -> None:
        """Load the zone file again. A broken one is only logged: `rndc reload` succeeds in life too."""
        try:
            self.reload_zone()
        except ZoneError as error:
            self._tell(f"zone {self.label}: loading from master file failed: {error}")
            self._tell(f"zone {self.label}: not loaded due to errors.")

    def reload_zone(self) -> int:
        """Load the zone file and give its serial number; tell when that was not raised.

        Raises:
            ZoneError: the file is broken; the zone served before stays in use.
        """
        zone = zonefile.load(self.zone_file, self.origin.to_text())
        before, after = self.serial, zonefile.serial(zone)
        for warning in zonefile.warnings(zone):
            self._tell(f"zone {self.label}: {warning}")
        if before == after and self._zone is not None and _contents(zone) != _contents(self._zone):
            self._tell(
                f"zone {self.label}: zone serial ({after}) unchanged. zone may fail to transfer to secondaries."
            )
        elif before is not None and after < before:
            self._tell(f"zone {self.label}: zone serial ({after}/{before}) has gone backwards")
        self._zone = zone
        self._tell(f"zone {self.label}: loaded serial {after}")
        return after

    async def answer(self, wire: bytes, limit: int) -> bytes | None:
        """Answer a query or an update."""
        try:
            request = dns.message.from_wire(wire, keyring=self._keyring)
        except (dns.message.UnknownTSIGKey, dns.tsig.BadKey, dns.tsig.BadAlgorithm):
            return self._untrusted(wire, dns.rcode.BADKEY)
        except dns.tsig.BadSignature:
            return self._untrusted(wire, dns.rcode.BADSIG)
        except dns.tsig.BadTime:
            return self._untrusted(wire, dns.rcode.BADTIME)
        except (dns.exception.DNSException, ValueError):
            return _malformed(wire)
        if request.flags & dns.flags.QR:
            return None
        response = skeleton(request)
        if isinstance(request, dns.update.UpdateMessage):
            response.set_rcode(self._update(request))
        elif request.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(request.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        else:
            self._query(request, response)
        return to_wire(response, request, limit)

    def _untrusted(self, wire: bytes, error: dns.rcode.Rcode) -> bytes | None:
        """Say NOTAUTH with the reason in an unsigned TSIG record (RFC 8945 section 5.2)."""
        request = parsed(wire)
        if request is None or request.tsig is None:
            return None
        signature = cast("TSIG", request.tsig[0])
        response = skeleton(request)
        response.set_rcode(dns.rcode.NOTAUTH)
        unsigned = signature.replace(time_signed=int(time.time()), mac=b"", error=error, other=b"")
        response.tsig = dns.rrset.from_rdata(request.tsig.name, 0, unsigned)
        self._tell(f"request has invalid signature: tsig verify failure ({dns.rcode.to_text(error, tsig=True)})")
        return bytes(response.to_wire())

    def _query(self, request: dns.message.Message, response: dns.message.Message) -> None:
        """Answer from the zone alone; names outside are refused, recursion is not to be had."""
        question = request.question[0]
        if not question.name.is_subdomain(self.origin) or question.rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.REFUSED)
            return
        if question.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR):
            response.set_rcode(dns.rcode.REFUSED)
            return
        if self._zone is None:
            response.set_rcode(dns.rcode.SERVFAIL)
            return
        response.flags |= dns.flags.AA
        found = _fill(self._zone, question.name, question.rdtype, response)
        if found and not request.flags & dns.flags.RD:
            _add_servers(self._zone, response)
        _add_addresses(self._zone, response)

    def _update(self, request: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        """Apply an update that a known key has signed, and write the zone file anew."""
        if not request.zone or request.zone[0].name != self.origin or self._zone is None:
            return dns.rcode.NOTAUTH
        if not request.had_tsig or self.frozen:
            self._tell(f"update '{self.label}' denied")
            return dns.rcode.REFUSED
        before = self.serial
        outcome = dynamic.apply(self._zone, request)
        if outcome == dns.rcode.NOERROR and self.serial != before:
            self._zone.to_file(str(self.zone_file), relativize=True, want_origin=True)
        return outcome


def _malformed(wire: bytes) -> bytes | None:
    """Say FORMERR to what has at least a header (RFC 1035 section 4.1.1); nothing to the rest, nor to a response."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)


def _contents(zone: dns.zone.Zone) -> set[tuple[dns.name.Name, int, dns.rdata.Rdata]]:
    return set(zone.iterate_rdatas())


def _fill(zone: dns.zone.Zone, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, to: dns.message.Message) -> bool:
    """Put the answer in, following CNAMEs inside the zone; else the SOA that lets a "no" be cached (RFC 2308)."""
    for _ in range(LONGEST_CHAIN):
        node = zone.get_node(name)
        found = [one for one in node or () if rdtype in (one.rdtype, dns.rdatatype.ANY)]
        if found:
            to.answer += [_rrset(name, one) for one in found]
            return True
        alias = zone.get_rdataset(name, dns.rdatatype.CNAME)
        if alias is None:
            if node is None and not any(other.is_subdomain(name) for other in zone):
                to.set_rcode(dns.rcode.NXDOMAIN)
            break
        to.answer.append(_rrset(name, alias))
        name = cast("CNAME", alias[0]).target
        if not name.is_subdomain(zonefile.apex(zone)):
            return False
    soa = zone.find_rdataset(zonefile.apex(zone), dns.rdatatype.SOA)
    negative = _rrset(zonefile.apex(zone), soa)
    # "No such name" to a question for the SOA itself is not to be cached: named's zero-no-soa-ttl.
    zero = rdtype == dns.rdatatype.SOA and to.rcode() == dns.rcode.NXDOMAIN
    negative.ttl = 0 if zero else min(soa.ttl, zone.get_soa().minimum)
    to.authority.append(negative)
    return False


def _add_servers(zone: dns.zone.Zone, to: dns.message.Message) -> None:
    """Name the zone's servers too, as named does for a client that does not want recursion."""
    servers = _rrset(zonefile.apex(zone), zone.find_rdataset(zonefile.apex(zone), dns.rdatatype.NS))
    if servers not in to.answer:
        to.authority.append(servers)


def _add_addresses(zone: dns.zone.Zone, to: dns.message.Message) -> None:
    """Spare the client a question: the addresses of the mail hosts and name servers that are in the answer."""
    for rrset in (*to.answer, *to.authority):
        if rrset.rdtype not in (dns.rdatatype.MX, dns.rdatatype.NS, dns.rdatatype.SRV):
            continue
        for record in rrset:
            name = getattr(record, "exchange", None) or record.target
            for rdtype in ADDRESS_TYPES:
                found = zone.get_rdataset(name, rdtype)
                extra = None if found is None else _rrset(name, found)
                if extra is not None and extra not in to.additional and extra not in to.answer:
                    to.additional.append(extra)


def _rrset(name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
