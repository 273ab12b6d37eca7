"""The zone file as named(8) reads it: what keeps a zone from being loaded, and what only earns a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import dns.exception
import dns.name
import dns.rdatatype
import dns.zone

from runbook_tui.demo.machine import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dns.rdtypes.ANY.MX import MX
    from dns.rdtypes.ANY.NS import NS

ADDRESS_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)


class ZoneError(ServiceError):
    """A zone file cannot be loaded; the text names the file and, where it is known, the line."""


def load(path: Path, origin: str) -> dns.zone.Zone:
    """Read a zone file in BIND's syntax (RFC 1035 section 5, $TTL of RFC 2308 section 4); names come out absolute.

    Raises:
        ZoneError: no such file, a line that is none, no SOA or NS at the top, an in-zone name server without address,
            or a wildcard or a delegation, which this server would answer wrongly.
    """
    try:
        zone = dns.zone.from_file(str(path), origin=origin, relativize=False)
    except OSError as error:
        raise ZoneError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    except (dns.exception.DNSException, UnicodeDecodeError, ValueError) as error:
        place = "" if str(error).startswith(str(path)) else f"{path}: "
        raise ZoneError(f"{place}{error}") from error
    top = apex(zone)
    for server in cast("list[NS]", list(zone.get_rdataset(top, dns.rdatatype.NS) or ())):
        if server.target.is_subdomain(top) and not _has_address(zone, server.target):
            raise ZoneError(f"{path}: NS '{_bare(server.target)}' has no address records (A or AAAA)")
    for name, _ in zone.iterate_rdatasets(dns.rdatatype.NS):
        if name != top:
            raise ZoneError(f"{path}: {_bare(name)}: a delegation is not in the rehearsal")
    for name in zone:
        if name.is_wild():
            raise ZoneError(f"{path}: {_bare(name)}: a wildcard is not in the rehearsal")
    return zone


def apex(zone: dns.zone.Zone) -> dns.name.Name:
    """Give the zone's own name."""
    if zone.origin is None:
        raise ZoneError("a zone without a name")
    return zone.origin


def serial(zone: dns.zone.Zone) -> int:
    """Give the serial number of the SOA."""
    return int(zone.get_soa().serial)


def warnings(zone: dns.zone.Zone) -> Iterator[str]:
    """Give what named-checkzone warns of: an MX whose host has no address, or is a CNAME (RFC 2181 section 10.3)."""
    for name, rdataset in zone.iterate_rdatasets(dns.rdatatype.MX):
        for mail_host in cast("list[MX]", list(rdataset)):
            exchange = mail_host.exchange
            if exchange == dns.name.root or not exchange.is_subdomain(apex(zone)):
                continue
            if zone.get_rdataset(exchange, dns.rdatatype.CNAME) is not None:
                yield f"{_bare(name)}/MX '{_bare(exchange)}' is a CNAME (illegal)"
            elif not _has_address(zone, exchange):
                yield f"{_bare(name)}/MX '{_bare(exchange)}' has no address records (A or AAAA)"


def _has_address(zone: dns.zone.Zone, name: dns.name.Name) -> bool:
    return any(zone.get_rdataset(name, rdtype) is not None for rdtype in ADDRESS_TYPES)


def _bare(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)
