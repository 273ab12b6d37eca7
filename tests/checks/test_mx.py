"""The checks `mx` and `dns` against BIND 9: a changed MX, caches that run out, servers that lag, stop or lie."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dns.message
import dns.rdatatype
import pytest

from runbook_tui.adapters.dns_system import SystemDns
from runbook_tui.checks.dns import DnsProbe
from runbook_tui.checks.mx import MxProbe
from runbook_tui.checks.servers import Place
from runbook_tui.checks.zone import Finder
from runbook_tui.core.model import CheckSpec
from runbook_tui.ports import CheckState
from tests.checks.onhosts import commands, sight_of
from tests.support.bind import NAMED, PRIMARY, RESOLVER_A, RESOLVER_B, SECONDARY, bind
from tests.support.dns_liar import mx, response, server
from tests.support.sight import TestSight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runbook_tui.ports import Reading
    from tests.support.bind import Bind
    from tests.support.dns_liar import Server

needs_bind = pytest.mark.skipif(NAMED is None, reason="named is not installed (Debian: bind9)")
DIG = shutil.which("dig")
AUTHORITATIVE = "authoritative"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Bind]:
    """Five name servers with the old MX, of a TTL of two seconds."""
    async with bind(tmp_path, ttl=2) as made:
        yield made


def probe(at: list[str], port: int = 53, **options: object) -> MxProbe:
    """Make the check of the move from old to new."""
    given = {"name": "example.test", "expect": "new.example.test", "was": "old.example.test", "at": at} | options
    made = MxProbe.of(CheckSpec("mx", "mx", given), lambda text: text, port)
    made.servers.patience = 0.6
    return made


async def until(state: CheckState, probe: MxProbe, sight: TestSight) -> Reading:
    """Look until the check has this state."""
    async with asyncio.timeout(20):
        while (reading := await probe.read(sight)).state is not state:  # noqa: ASYNC110 -- servers have no event
            await asyncio.sleep(0.1)
    return reading


def states(reading: Reading) -> dict[str, CheckState | None]:
    """Give the state of each row by its server's name or address."""
    return {row.cells[0].split(":")[0].split(" ")[0]: row.state for row in reading.rows}


@needs_bind
async def test_a_changed_mx_is_followed_until_the_last_cache_has_it(world: Bind) -> None:
    """All old; then the zone's servers are new and two caches count down; when their TTL is over all is green."""
    check, sight = probe([AUTHORITATIVE, world.at(RESOLVER_A), world.at(RESOLVER_B)], world.port), TestSight()
    before = await check.read(sight)
    assert (before.state, before.value, before.level) == (CheckState.PENDING, "0/4 new · not changed yet (4)", 0.0)
    assert before.eta is None
    await asyncio.to_thread(world.change, "10 new", "@ MX 20 old")
    on_the_way = await check.read(sight)
    assert (on_the_way.state, on_the_way.level) == (CheckState.PENDING, 0.5)
    assert "2/4 new · last cache expires ≤ " in on_the_way.value
    assert on_the_way.eta is not None
    assert on_the_way.eta <= datetime.now(UTC) + timedelta(seconds=2)
    after = await until(CheckState.PASS, check, sight)
    assert datetime.now(UTC) >= on_the_way.eta - timedelta(seconds=1)
    assert after.value.startswith("4/4 new · last cache expired ")
    assert after.level == 1.0
    assert [row.cells[1] for row in after.rows] == ["zone", "zone", "resolver", "resolver", "target"]
    assert {row.cells[4] for row in after.rows[:2]} == {str(world.serial)}


@needs_bind
async def test_a_secondary_that_lags_is_named(tmp_path: Path) -> None:
    """Without NOTIFY the secondary keeps the old serial: pending within the refresh of an hour, then wrong."""
    async with bind(tmp_path, ttl=1, notify=False) as made:
        check, sight = probe([AUTHORITATIVE], nameservers=[made.at(PRIMARY), made.at(SECONDARY)]), TestSight()
        await check.read(sight)
        await asyncio.to_thread(made.change, "10 new")
        early = await check.read(sight)
        sight.at = datetime.now(UTC) + timedelta(seconds=made.refresh + 1)
        late = await check.read(sight)
    assert early.state is CheckState.PENDING
    assert late.state is CheckState.FAIL
    assert late.value.startswith(f"{made.at(SECONDARY)}: serial 2, while {made.at(PRIMARY)} has 3 · 1/2 new")


@needs_bind
async def test_a_dead_server_of_the_zone_is_wrong_although_caches_are_new(world: Bind) -> None:
    """Of two servers named by parent and zone one stops: FAIL with its name, found by way of the resolvers."""
    check, sight = probe([AUTHORITATIVE, world.at(RESOLVER_A)], world.port), TestSight()
    await asyncio.to_thread(world.change, "10 new")
    await until(CheckState.PASS, check, sight)
    world.running[SECONDARY].terminate()
    reading = await until(CheckState.FAIL, check, sight)
    assert reading.value.startswith(f"ns2.example.test {world.address(SECONDARY)}:{world.port}: no answer within 0.6 s")
    assert states(reading)["ns2.example.test"] is CheckState.FAIL


@needs_bind
async def test_parent_and_zone_should_name_the_same_servers(world: Bind) -> None:
    """A server that only the zone names is a warning."""
    await asyncio.to_thread(world.change, "10 new", f"@ NS ns3\nns3 A {world.address(PRIMARY)}")
    check = probe([AUTHORITATIVE, world.at(RESOLVER_A)], world.port)
    reading = await until(CheckState.WARN, check, TestSight())
    assert "the zone above: it and the zone name different servers: ns3.example.test." in reading.value


@needs_bind
async def test_an_alias_is_no_target(world: Bind) -> None:
    """An MX to a CNAME is wrong (RFC 2181 10.3)."""
    await asyncio.to_thread(world.change, "10 alias")
    reading = await probe([world.at(RESOLVER_A)], expect="alias.example.test").read(TestSight())
    assert reading.state is CheckState.FAIL
    assert reading.value.startswith("alias.example.test: an alias (CNAME)")


@needs_bind
@pytest.mark.skipif(DIG is None, reason="dig is not installed (Debian: bind9-dnsutils)")
async def test_the_resolver_of_a_host_is_asked_over_its_shell(
    world: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the host's own dig prints is judged like any resolver's answer; another host's silence is not known."""
    host_resolver = f"@{world.address(RESOLVER_B)} -p {world.port}"
    commands(monkeypatch, tmp_path / "bin", dig=f'exec {DIG} {host_resolver} "$@"')
    reading = await probe(["host:old"]).read(sight_of("old"))
    assert reading.rows[0].cells[:3] == ("old's resolver", "host", "old: 10 old.example.test.")
    assert (reading.state, reading.rows[0].cells[3]) == (CheckState.PENDING, "2")
    world.running[RESOLVER_B].terminate()
    world.running[RESOLVER_B].wait(10)
    assert (await probe(["host:old"]).read(sight_of("old"))).state is CheckState.UNKNOWN
    assert (await probe(["host:new"]).read(sight_of("old"))).state is CheckState.UNKNOWN


@needs_bind
async def test_any_record_is_looked_for_anywhere(world: Bind) -> None:
    """`dns` passes where text or pattern fits at every server, fails where it does not or where the zone has none."""
    await asyncio.to_thread(world.change, "10 new", '@ TXT "v=spf1 mx" " -all"')

    async def read(record: str, name: str, expect: str, *at: str) -> Reading:
        options = {"record": record, "name": name, "expect": expect, "at": list(at)}
        check = DnsProbe.of(CheckSpec("x", "dns", options), lambda text: text, world.port)
        check.servers.patience = 0.6
        return await check.read(TestSight())

    everywhere = (AUTHORITATIVE, world.at(RESOLVER_A), world.at(RESOLVER_B))
    found = await read("TXT", "example.test", "^v=spf1 mx -all$", *everywhere)
    assert (found.state, found.value, found.level) == (CheckState.PASS, "v=spf1 mx -all", 1.0)
    assert (await read("a", "new.example.test", "127.0.0.12", world.at(PRIMARY))).state is CheckState.PASS
    assert (await read("A", "new.example.test", "(127", world.at(PRIMARY))).state is CheckState.FAIL
    wrong = await read("A", "new.example.test", "192.0.2.1", *everywhere)
    assert wrong.state is CheckState.FAIL
    assert wrong.value.endswith("does not match 192.0.2.1 · 127.0.0.12")
    assert (await read("A", "nope.example.test", "", world.at(PRIMARY))).state is CheckState.FAIL
    assert (await read("A", "nope.example.test", "", "127.0.0.1:9")).state is CheckState.UNKNOWN


@needs_bind
async def test_a_cached_no_is_waited_for_once(world: Bind) -> None:
    """A cache's "no such name" is pending with its TTL; when it comes again after that, it is wrong."""
    options = {"record": "A", "name": "nope.example.test", "at": [world.at(RESOLVER_A)]}
    check, sight = DnsProbe.of(CheckSpec("x", "dns", options), lambda text: text), TestSight()
    first = await check.read(sight)
    assert (first.state, first.value.split(" · ")[0]) == (
        CheckState.PENDING, f"{world.at(RESOLVER_A)}: no such name in its cache",
    )  # fmt: skip
    sight.at = datetime.now(UTC) + timedelta(seconds=world.negative + 1)
    assert (await check.read(sight)).state is CheckState.FAIL


async def read_liar(*answers: bytes | None, rcode: str = "") -> Reading:
    """Ask a resolver that gives these answers in turn."""
    turns = iter(answers * 20)

    def handle(query: bytes) -> list[bytes]:
        if rcode:
            return [response(query, rcode=rcode).to_wire()]
        if query[12:].lower().startswith(b"\3new"):
            return [response(query, "new.example.test. 60 A 127.0.0.12").to_wire()]
        answer = next(turns)
        return [] if answer is None else [query[:2] + answer[2:12] + query[12:30] + answer[30:]]

    async with server(handle) as made:
        return await probe([f"127.0.0.1:{made.port}"]).read(TestSight())


QUERY = b"\0\0\1\0\0\1\0\0\0\0\0\0\7example\4test\0\0\x0f\0\1"


async def test_an_anycast_address_with_split_caches_is_pending() -> None:
    """Two back-ends have the new, one the old: `2/3 new`, with the old one's TTL as the ETA."""
    new, old = mx(QUERY), mx(QUERY, "old.example.test.", 500)
    reading = await read_liar(new, old, new)
    assert (reading.state, reading.rows[0].cells[3:]) == (CheckState.PENDING, ("500", "", "2/3 new"))
    assert reading.level == 0.0


@pytest.mark.parametrize(
    ("answers", "rcode", "state", "value"),
    [
        ([mx(QUERY, "thief.example.")], "", CheckState.FAIL, "neither the new nor the old · 0/1 new"),
        ([None], "", CheckState.UNKNOWN, "no answer within 0.6 s · 0/1 new"),
        ([b"\0" * 31 + b"junk"], "", CheckState.UNKNOWN, "no answer within 0.6 s"),
        ([], "SERVFAIL", CheckState.FAIL, "SERVFAIL · 0/1 new"),
        ([], "REFUSED", CheckState.FAIL, "REFUSED · 0/1 new"),
    ],
)  # fmt: skip
async def test_a_bad_resolver_is_never_green(
    answers: list[bytes | None], rcode: str, state: CheckState, value: str
) -> None:
    """A third value and failures are wrong, silence and noise are unknown, each with a sentence."""
    reading = await read_liar(*answers, rcode=rcode)
    assert reading.state is state
    assert value in reading.value


async def test_nothing_found_is_not_known() -> None:
    """Where nobody tells the zone's servers, or a word of `at:` is no server, the check says that it could not look."""
    async with server(lambda q: [response(q, rcode="SERVFAIL").to_wire()]) as made:
        reading = await probe([AUTHORITATIVE, f"127.0.0.1:{made.port}"], made.port).read(TestSight())
    assert "the zone's servers: its name servers cannot be found" in reading.detail
    wrong = await probe(["nine.nine"]).read(TestSight())
    assert (wrong.state, wrong.value[:10]) == (CheckState.UNKNOWN, "nine.nine:")


def slowly(query: bytes) -> list[bytes]:
    """Answer who the zone is, and nothing further."""
    asked = dns.message.from_wire(query).question[0]
    if asked.rdtype != dns.rdatatype.SOA:
        return []
    soa = "example.test. 60 SOA ns.example.test. root.example.test. 1 60 60 60 60"
    return [response(query, soa).to_wire()]


def types_heard(server: Server) -> set[str]:
    """Give the types that were asked for."""
    found = (dns.message.from_wire(octets).question[0].rdtype for _, octets in server.heard)
    return {dns.rdatatype.to_text(rdtype) for rdtype in found}


async def test_finding_the_servers_keeps_its_own_deadline() -> None:
    """What resolvers said is told though the zone's servers were not found in time, and so is that."""
    async with server(slowly) as made:
        check = probe([AUTHORITATIVE, f"127.0.0.1:{made.port}"], made.port)
        check.servers.within = 1.0
        reading = await check.read(TestSight())
    rows = {row.cells[1]: row.cells[5] for row in reading.rows}
    assert rows["zone"].endswith(" have no addresses: there was no time left to look them up")
    assert rows["resolver"].startswith("no answer within 0.5 s")


async def test_without_time_nobody_is_asked_for_the_servers() -> None:
    """Not one datagram leaves, and nothing is made up."""
    async with server(slowly) as made:
        zone = await Finder(SystemDns(), [Place("127.0.0.1", made.port)], left=lambda: 0.0).find("example.test")
        assert made.heard == []
    assert "cannot be found" in zone.trouble


async def test_a_silent_resolver_is_asked_for_the_way_once() -> None:
    """Another one knows the way, so the rounds after the first do not wait for it."""
    async with server(slowly) as made, server(lambda _: []) as silent:
        places = [Place("127.0.0.1", one.port) for one in (silent, made)]
        await Finder(SystemDns(), places).find("example.test")
    assert types_heard(silent) == {"SOA"}
    assert "NS" in types_heard(made)


def test_its_deadline_comes_from_the_front_matter() -> None:
    """A part of `timeout:` is left, so that what was found is said before the look is given up."""
    spec = CheckSpec("mx", "mx", {"name": "example.test"}, timeout=4.0)
    for made in (MxProbe.of(spec, str), DnsProbe.of(spec, str)):
        assert made.servers.within < 4.0
        assert made.servers.each <= made.servers.within / 2


def test_all_that_is_asked_is_told_beforehand() -> None:
    """The lines for consent name every server, how the zone's are found, the hosts, and the names looked up besides."""
    check = probe([AUTHORITATIVE, "9.9.9.9", "[2620:fe::fe]:5353", "host:old"])
    assert check.asks == (
        "DNS: MX of example.test at the zone's servers, 9.9.9.9, [2620:fe::fe]:5353, the resolver of old"
    )
    zone = "DNS: MX of example.test, SOA and NS at its zone's servers"
    assert check.asks_lines == (
        "DNS: MX of example.test, 3 times at 9.9.9.9",
        "DNS: MX of example.test, 3 times at [2620:fe::fe]:5353",
        f"{zone}; the way there: 9.9.9.9, [2620:fe::fe]:5353, and the zone above",
        "on old: dig, drill or host: MX of example.test",
        "DNS: A and AAAA of new.example.test at the first three resolvers of these",
    )
