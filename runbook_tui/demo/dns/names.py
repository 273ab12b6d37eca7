"""The stub resolver of a host or a sender: mail hosts and addresses, asked of one resolver."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, cast

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype

if TYPE_CHECKING:
    from dns.rdtypes.ANY.MX import MX
    from dns.rdtypes.IN.A import A

PATIENCE = 2.0
"""Real seconds for one attempt."""
ATTEMPTS = 2
"""How often a resolver that does not answer is asked (resolv.conf(5), attempts)."""



class NameNotFoundError(LookupError):
    """There is no such name or record, and asking again will not help: mail bounces."""


class NameServerError(LookupError):
    """The resolver does not answer or has trouble: mail waits."""


class Names:
    """Asks the resolver at `address`; the sentences of its errors are those of Postfix's smtp(8)."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """Give a domain's mail hosts as (preference, name), best first; the domain itself when it has no MX.

        Raises:
            NameNotFoundError: no such domain, or it takes no mail (RFC 7505).
            NameServerError: the resolver has trouble.
        """
        found = [(record.preference, record.exchange) for record in cast("list[MX]", await self._ask(domain, "MX"))]
        if not found:
            return [(0, domain)]  # RFC 5321 section 5.1
        if found[0][1] == dns.name.root:
            raise NameNotFoundError(f"Domain {domain} does not accept mail (nullMX)")
        return sorted((preference, host.to_text(omit_final_dot=True)) for preference, host in found)

    async def addresses(self, name: str) -> list[str]:
        """Give the addresses of a host; an address is its own.

        Raises:
            NameNotFoundError: no such host.
            NameServerError: the resolver has trouble.
        """
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            pass
        found = [record.address for record in cast("list[A]", await self._ask(name, "A"))]
        if not found:
            raise _not_found(name, "A", "Host found but no data record of requested type")
        return found

    async def _ask(self, name: str, rdtype: str) -> list[dns.rdata.Rdata]:
        query = dns.message.make_query(name, rdtype)
        for _ in range(ATTEMPTS):
            try:
                reply, _tcp = await dns.asyncquery.udp_with_fallback(query, self.address, PATIENCE, port=self.port)
                break
            except (OSError, EOFError, dns.exception.DNSException):
                continue
        else:
            raise _trouble(name, rdtype)
        match reply.rcode():
            case dns.rcode.NOERROR:
                wanted = dns.rdatatype.from_text(rdtype)
                return [record for rrset in reply.answer if rrset.rdtype == wanted for record in rrset]
            case dns.rcode.NXDOMAIN:
                raise _not_found(name, rdtype, "Host not found")
            case _:
                raise _trouble(name, rdtype)


def _not_found(name: str, rdtype: str, why: str) -> NameNotFoundError:
    return NameNotFoundError(
        f"Host or domain name not found. Name service error for name={name} type={rdtype}: {why}"
    )


def _trouble(name: str, rdtype: str) -> NameServerError:
    return NameServerError(
        f"Host or domain name not found. Name service error for name={name} type={rdtype}: Host not found, try again"
    )
