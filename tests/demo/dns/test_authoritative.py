"""The authoritative name server over real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import dns.flags
import dns.rcode
import pytest

from runbook_tui.demo.dns.authoritative import Authoritative
from runbook_tui.demo.dns.zonefile import ZoneError
from runbook_tui.demo.machine import ServiceError
from tests.demo.dns.conftest import PORT, append, ask, edit, records

if TYPE_CHECKING:
    from pathlib import Path


def where(server: Authoritative) -> tuple[str, int]:
    """Give the server's address and port."""
    return server.address, server.port


async def test_it_answers_with_authority_and_the_file_s_ttl(server: Authoritative) -> None:
    """An MX comes with AA, its TTL and its host's addresses, and never offers recursion."""
    reply = await ask(where(server), "example.test", "MX")
    assert records(reply) == {"example.test. 3600 10 old.example.test."}
    assert reply.flags & dns.flags.AA
    assert not reply.flags & dns.flags.RA
    assert {str(rrset.name) for rrset in reply.additional} == {"old.example.test."}


async def test_no_is_said_with_the_soa_that_bounds_it(server: Authoritative) -> None:
    """NXDOMAIN and an empty answer carry the SOA with min(TTL, minimum)."""
    for name, rcode in (("nope.example.test", dns.rcode.NXDOMAIN), ("a.b.example.test", dns.rcode.NOERROR)):
        reply = await ask(where(server), name)
        assert reply.rcode() == rcode
        assert not reply.answer
        assert [rrset.ttl for rrset in reply.authority] == [300]


async def test_what_is_not_its_own_is_refused(server: Authoritative) -> None:
    """Names outside the zone and zone transfers are refused."""
    assert (await ask(where(server), "other.test")).rcode() == dns.rcode.REFUSED
    assert (await ask(where(server), "example.test", "AXFR")).rcode() == dns.rcode.REFUSED


async def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(server: Authoritative) -> None:
    """What does not fit a datagram has TC set; the same question over TCP gets all of it."""
    assert (await ask(where(server), "many.example.test", "TXT")).flags & dns.flags.TC
    whole = await ask(where(server), "many.example.test", "TXT", tcp=True)
    assert not whole.flags & dns.flags.TC
    assert len(records(whole)) == 21


async def test_an_alias_is_followed_inside_the_zone(server: Authoritative) -> None:
    """A CNAME brings its target's address along; a target outside is left to the client."""
    reply = await ask(where(server), "webmail.example.test")
    assert len(records(reply)) == 2
    away = await ask(where(server), "away.example.test")
    assert records(away) == {"away.example.test. 3600 www.other.test."}


@pytest.mark.parametrize("junk", [b"", b"abc", bytes(12), b"\0" * 11 + b"\x01", b"\xff" * 40])
async def test_junk_does_not_end_it(server: Authoritative, junk: bytes) -> None:
    """After a datagram that is no question it answers the next one."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        await loop.sock_sendto(sender, junk, where(server))
    assert (await ask(where(server), "old.example.test")).rcode() == dns.rcode.NOERROR


async def test_a_raised_serial_brings_the_new_file_into_service(
    server: Authoritative, zone_file: Path, log: list[str]
) -> None:
    """After a reload the new MX is answered and nobody complains."""
    edit(zone_file, ("2026112301", "2026112302"), ("10 old", "10 new"))
    assert server.reload_zone() == 2026112302
    assert records(await ask(where(server), "example.test", "MX")) == {"example.test. 3600 10 new.example.test."}
    assert not [line for line in log if "serial" in line and "loaded" not in line]


async def test_a_serial_that_was_not_raised_is_told(server: Authoritative, zone_file: Path, log: list[str]) -> None:
    """The changed zone is served, and the log says that secondaries will not see it."""
    edit(zone_file, ("10 old", "10 new"))
    server.reload_zone()
    assert "zone serial (2026112301) unchanged. zone may fail to transfer to secondaries." in " ".join(log)
    edit(zone_file, ("2026112301", "2026112300"))
    server.reload_zone()
    assert "zone serial (2026112300/2026112301) has gone backwards" in " ".join(log)


async def test_a_broken_file_leaves_the_old_zone_in_service(
    server: Authoritative, zone_file: Path, log: list[str]
) -> None:
    """The error names file and line; `service named reload` itself only logs it."""
    line = append(zone_file, "foo IN BOGUS 1")
    with pytest.raises(ZoneError, match=f"{zone_file}:{line}: .*BOGUS"):
        server.reload_zone()
    await server.reload()
    assert "not loaded due to errors" in log[-1]
    assert records(await ask(where(server), "example.test", "MX"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("*.w IN A 127.0.0.1", "a wildcard is not in the rehearsal"),
        ("sub IN NS old", "a delegation is not in the rehearsal"),
        ("@ IN NS ns2", "NS 'ns2.example.test' has no address records"),
        ("old IN CNAME mail", "CNAME"),
        ("x IN A 1.2.3", "malformed"),
    ],
)
def test_what_would_be_answered_wrongly_is_not_loaded(zone_file: Path, line: str, words: str) -> None:
    """A zone with a record that this server cannot serve as named would is an error, not a silent difference."""
    append(zone_file, line)
    server = Authoritative("127.0.0.1", PORT, zone_file, "example.test", {})
    with pytest.raises(ZoneError, match=words):
        server.reload_zone()


async def test_an_mx_without_address_is_loaded_with_a_warning(
    server: Authoritative, zone_file: Path, log: list[str]
) -> None:
    """The forgotten dot at the end of a name is served as it stands, as named does."""
    edit(zone_file, ("10 old", "10 new.example.test"))
    server.reload_zone()
    assert "example.test/MX 'new.example.test.example.test' has no address records (A or AAAA)" in " ".join(log)
    assert "new.example.test.example.test." in " ".join(records(await ask(where(server), "example.test", "MX")))


async def test_a_server_started_on_a_broken_file_has_no_zone(server: Authoritative, zone_file: Path) -> None:
    """It runs and says SERVFAIL for the zone."""
    await server.stop()
    append(zone_file, "nonsense")
    await server.start()
    assert (await ask(where(server), "example.test", "MX")).rcode() == dns.rcode.SERVFAIL


async def test_start_and_stop_can_be_repeated_and_a_taken_port_is_said(server: Authoritative, zone_file: Path) -> None:
    """Two starts make one server, a stopped one answers nobody, and the second on a port names it."""
    await server.start()
    rival = Authoritative(server.address, server.port, zone_file, "example.test", {})
    with pytest.raises(ServiceError, match=f"{server.address}#{server.port}"):
        await rival.start()
    assert not rival.running
    await server.stop()
    await server.stop()
    assert not server.running
    with pytest.raises(ConnectionRefusedError):
        await ask(where(server), "example.test", "MX", tcp=True)
