"""The caching resolvers and the stub that asks them, on world time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.rcode
import pytest

from runbook_tui.demo.dns.names import NameNotFoundError, Names, NameServerError
from runbook_tui.demo.dns.resolver import Resolver
from tests.demo.dns.conftest import PORT, append, ask, edit, records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runbook_tui.demo.clock import WorldClock
    from runbook_tui.demo.dns.authoritative import Authoritative


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not answer on loopback within a fifth of a second is down."""
    monkeypatch.setattr("runbook_tui.demo.dns.names.PATIENCE", 0.4)
    monkeypatch.setattr("runbook_tui.demo.dns.resolver.UPSTREAM_PATIENCE", 0.2)


@asynccontextmanager
async def resolving(server: Authoritative, clock: WorldClock, **manners: Any) -> AsyncIterator[Resolver]:  # noqa: ANN401
    """Run a resolver with these manners beside the server."""
    address = server.address.rpartition(".")[0] + ".1"
    one = Resolver("a", address, PORT, clock, (server.address, server.port), **manners)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


def change_mx(server: Authoritative, zone_file: Path) -> None:
    """Let the zone's MX be `new` from now on."""
    edit(zone_file, ("2026112301", "2026112302"), ("10 old", "10 new"))
    server.reload_zone()


async def mx(resolver: Resolver) -> set[str]:
    """Ask for the MX and give it without TTL."""
    reply = await ask((resolver.address, resolver.port), "example.test", "MX")
    return {str(record) for rrset in reply.answer for record in rrset}


async def test_an_answer_is_kept_until_its_ttl_ends_in_world_time(
    server: Authoritative, clock: WorldClock, zone_file: Path
) -> None:
    """The old MX stays until the hour is over, its TTL sinks, and then the new one comes."""
    async with resolving(server, clock) as resolver:
        assert await mx(resolver) == {"10 old.example.test."}
        change_mx(server, zone_file)
        clock.advance(3000)
        reply = await ask((resolver.address, resolver.port), "example.test", "MX")
        assert 0 < reply.answer[0].ttl <= 600
        assert reply.flags & dns.flags.RA
        assert not reply.flags & dns.flags.AA
        [(text, left)] = resolver.cached("example.test", "MX")
        assert text == "10 old.example.test."
        assert 0 < left <= 600
        clock.advance(600)
        assert resolver.cached("example.test", "MX") == [("", 0.0)]
        assert await mx(resolver) == {"10 new.example.test."}


async def test_no_is_remembered_for_the_soa_minimum(
    server: Authoritative, clock: WorldClock, zone_file: Path
) -> None:
    """A name asked for too early does not exist for another 300 seconds."""
    async with resolving(server, clock) as resolver:
        place = (resolver.address, resolver.port)
        assert (await ask(place, "mx2.example.test")).rcode() == dns.rcode.NXDOMAIN
        append(zone_file, "mx2 IN A 127.0.0.12")
        server.reload_zone()
        assert (await ask(place, "mx2.example.test")).rcode() == dns.rcode.NXDOMAIN
        assert resolver.cached("mx2.example.test", "A")[0][0] == "NXDOMAIN"
        clock.advance(300)
        assert records(await ask(place, "mx2.example.test"))


async def test_one_that_raises_ttls_keeps_the_old_mx_longer(
    server: Authoritative, clock: WorldClock, zone_file: Path
) -> None:
    """With a minimum of two hours an hour is not enough."""
    async with resolving(server, clock, minimum_ttl=7200) as resolver:
        await mx(resolver)
        change_mx(server, zone_file)
        clock.advance(3700)
        assert await mx(resolver) == {"10 old.example.test."}
        clock.advance(3600)
        assert await mx(resolver) == {"10 new.example.test."}


async def test_back_ends_share_no_cache(server: Authoritative, clock: WorldClock, zone_file: Path) -> None:
    """Asked often enough, three back-ends give old and new in turn, and each tells its own seconds."""
    async with resolving(server, clock, backends=3, seed=2) as resolver:
        await mx(resolver)
        change_mx(server, zone_file)
        seen = [frozenset(await mx(resolver)) for _ in range(30)]
        assert set(seen) == {frozenset({"10 old.example.test."}), frozenset({"10 new.example.test."})}
        assert sorted(text for text, _ in resolver.cached("example.test", "MX")) == [
            "10 new.example.test.", "10 new.example.test.", "10 old.example.test.",
        ]  # fmt: skip
        resolver.flush()
        assert resolver.cached("example.test", "MX") == [("", 0.0)] * 3


async def test_a_share_of_the_questions_fails(server: Authoritative, clock: WorldClock) -> None:
    """The share is near the one wanted, and a failure is not remembered."""
    async with resolving(server, clock, servfail=0.2, delay=0.001, seed=4) as resolver:
        codes = [(await ask((resolver.address, resolver.port), "old.example.test")).rcode() for _ in range(200)]
        assert 20 < codes.count(dns.rcode.SERVFAIL) < 60
        assert set(codes) == {dns.rcode.SERVFAIL, dns.rcode.NOERROR}


async def test_without_its_server_it_has_only_the_cache(server: Authoritative, clock: WorldClock) -> None:
    """What is cached is answered, the rest is SERVFAIL; a client without RD gets the cache alone."""
    async with resolving(server, clock) as resolver:
        place = (resolver.address, resolver.port)
        assert not records(await ask(place, "example.test", "MX", recursion=False))
        await mx(resolver)
        assert records(await ask(place, "example.test", "MX", recursion=False))
        await server.stop()
        assert await mx(resolver)
        assert (await ask(place, "new.example.test")).rcode() == dns.rcode.SERVFAIL


async def test_names_outside_the_world_do_not_exist(server: Authoritative, clock: WorldClock) -> None:
    """There is no other zone, and it is asked anew each time."""
    async with resolving(server, clock) as resolver:
        assert (await ask((resolver.address, resolver.port), "other.test")).rcode() == dns.rcode.NXDOMAIN


async def test_long_answers_come_whole(server: Authoritative, clock: WorldClock) -> None:
    """The resolver asks over TCP when the datagram was cut, and cuts its own in turn."""
    async with resolving(server, clock) as resolver:
        place = (resolver.address, resolver.port)
        assert (await ask(place, "many.example.test", "TXT")).flags & dns.flags.TC
        assert len(records(await ask(place, "many.example.test", "TXT", tcp=True))) == 21


async def test_names_give_mail_hosts_and_addresses(server: Authoritative, clock: WorldClock) -> None:
    """The best mail host comes first, a host without MX stands for itself, and an alias has an address."""
    async with resolving(server, clock) as resolver:
        names = Names(resolver.address, resolver.port)
        assert await names.mx("example.test") == [(10, "old.example.test")]
        assert await names.mx("new.example.test") == [(0, "new.example.test")]
        assert await names.addresses("webmail.example.test") == ["127.0.0.11"]
        assert await names.addresses("127.0.0.5") == ["127.0.0.5"]


async def test_names_tell_what_is_not_there_from_trouble(server: Authoritative, clock: WorldClock) -> None:
    """A missing name bounces mail and a mute resolver lets it wait; the words are Postfix's."""
    async with resolving(server, clock) as resolver:
        names = Names(resolver.address, resolver.port)
        with pytest.raises(NameNotFoundError, match=r"for name=nope\.test type=MX: Host not found$"):
            await names.mx("nope.test")
        with pytest.raises(NameNotFoundError, match=r"Host found but no data record of requested type$"):
            await names.addresses("a.b.example.test")
        await server.stop()
        with pytest.raises(NameServerError, match=r"name=new\.example\.test type=A: Host not found, try again$"):
            await names.addresses("new.example.test")


async def test_a_resolver_that_is_down_is_trouble(
    server: Authoritative, clock: WorldClock
) -> None:
    """Nobody at the address is no proof that the name does not exist."""
    async with resolving(server, clock) as resolver:
        names = Names(resolver.address, resolver.port)
        await resolver.stop()
        with pytest.raises(NameServerError):
            await names.mx("example.test")
