"""Dynamic updates: the prerequisites and changes of RFC 2136, applied to a zone."""

from __future__ import annotations

import dns.name
import dns.node
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.transaction
import dns.update
import dns.zone

from runbook_tui.demo.dns.zonefile import apex, serial

KEPT_AT_THE_TOP = (dns.rdatatype.SOA, dns.rdatatype.NS)


def apply(zone: dns.zone.Zone, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Apply an update to a zone as a whole or not at all; the serial is raised when anything changed."""
    refused = _prerequisites(zone, update)
    if refused is not None:
        return refused
    if any(not rrset.name.is_subdomain(apex(zone)) for rrset in update.update):
        return dns.rcode.NOTZONE
    before = serial(zone)
    with zone.writer() as changes:
        for rrset in update.update:
            _change(zone, changes, rrset)
        soa = changes.get(apex(zone), dns.rdatatype.SOA)
        if changes.changed() and soa is not None and soa[0].serial == before:
            changes.update_serial(name=apex(zone))
    return dns.rcode.NOERROR


def _prerequisites(zone: dns.zone.Zone, update: dns.update.UpdateMessage) -> dns.rcode.Rcode | None:
    """Check section 3.2: the class of a record says what it asks for, which dnspython keeps as `deleting`."""
    wanted: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], set[dns.rdata.Rdata]] = {}
    for rrset in update.prerequisite:
        if not rrset.name.is_subdomain(apex(zone)):
            return dns.rcode.NOTZONE
        of_the_name = rrset.rdtype == dns.rdatatype.ANY
        there = bool(_node(zone, rrset.name)) if of_the_name else bool(_records(zone, rrset.name, rrset.rdtype))
        match rrset.deleting:
            case dns.rdataclass.ANY if not there:
                return dns.rcode.NXDOMAIN if of_the_name else dns.rcode.NXRRSET
            case dns.rdataclass.NONE if there:
                return dns.rcode.YXDOMAIN if of_the_name else dns.rcode.YXRRSET
            case None:
                wanted.setdefault((rrset.name, rrset.rdtype), set()).update(rrset)
    if any(_records(zone, name, rdtype) != records for (name, rdtype), records in wanted.items()):
        return dns.rcode.NXRRSET
    return None


def _change(zone: dns.zone.Zone, changes: dns.transaction.Transaction, rrset: dns.rrset.RRset) -> None:
    """Do one record of section 3.4.2; the SOA and the last NS of the top stay, whatever is asked."""
    at_the_top = rrset.name == apex(zone)
    match rrset.deleting:
        case None:
            _add(changes, rrset)
        case dns.rdataclass.ANY if rrset.rdtype == dns.rdatatype.ANY:
            for rdataset in list(_node(zone, rrset.name) or ()):
                if not (at_the_top and rdataset.rdtype in KEPT_AT_THE_TOP):
                    changes.delete(rrset.name, rdataset.rdtype)
        case dns.rdataclass.ANY:
            if not (at_the_top and rrset.rdtype in KEPT_AT_THE_TOP):
                changes.delete(rrset.name, rrset.rdtype)
        case _:
            there = changes.get(rrset.name, rrset.rdtype)
            last_server = at_the_top and rrset.rdtype == dns.rdatatype.NS and there is not None and len(there) == 1
            if not last_server and not (at_the_top and rrset.rdtype == dns.rdatatype.SOA):
                changes.delete(rrset.name, dns.rdataset.from_rdata_list(0, list(rrset)))


def _add(changes: dns.transaction.Transaction, rrset: dns.rrset.RRset) -> None:
    """Add a record; its TTL becomes that of the whole RRset (RFC 2181 section 5.2). A CNAME stands alone."""
    there = changes.get(rrset.name, rrset.rdtype)
    node = changes.get_node(rrset.name)
    others = {rdataset.rdtype for rdataset in node or ()} - {rrset.rdtype}
    if dns.rdatatype.CNAME in others or (rrset.rdtype == dns.rdatatype.CNAME and others):
        return
    if rrset.rdtype == dns.rdatatype.SOA and there is not None and rrset[0].serial <= there[0].serial:
        return
    single = rrset.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.SOA)
    records = list(dict.fromkeys([*(() if single or there is None else there), *rrset]))
    if there is None or there.ttl != rrset.ttl or set(there) != set(records):
        changes.replace(rrset.name, dns.rdataset.from_rdata_list(rrset.ttl, records))


def _node(zone: dns.zone.Zone, name: dns.name.Name) -> dns.node.Node | None:
    return zone.get_node(name)


def _records(zone: dns.zone.Zone, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> set[dns.rdata.Rdata]:
    return set(zone.get_rdataset(name, rdtype) or ())
