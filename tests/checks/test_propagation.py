"""What is made of the answers about a changed MX: a state a server, an ETA, and one sentence (MIGRATION.md C1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runbook_tui.adapters.dns_system import SystemDns
from runbook_tui.checks.held import PARENT, RESOLVER, ZONE_SERVER, Holds, Seen, Wanted, seen, together, with_soa
from runbook_tui.checks.propagation import (
    Change,
    Verdict,
    again,
    disagree,
    headline,
    last_eta,
    newest,
    overall,
    share,
    verdicts,
)
from runbook_tui.checks.targets import judge
from runbook_tui.core.lookup import Answer, Record, Reply
from runbook_tui.ports import CheckState

NOW = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
HOUR = 3600.0
WANTED = Wanted("MX", ("new.example.test",), ("old.example.test",))
CHANGED = Change(NOW - timedelta(minutes=10), HOUR)


def mx(*values: str, ttl: int = 300) -> tuple[Record, ...]:
    """Make an MX RRset."""
    return tuple(Record("example.test.", "MX", ttl, value) for value in values)


def resolver(holds: Holds, ttl: int | None = 300, name: str = "9.9.9.9") -> Seen:
    """Make a resolver that holds this."""
    return Seen(name, RESOLVER, holds, str(holds), ttl)


def server(name: str, holds: Holds = Holds.NEW, serial: int = 7) -> Seen:
    """Make one of the zone's servers."""
    return Seen(f"{name} 192.0.2.1", ZONE_SERVER, holds, str(holds), 300, serial, 1800, authoritative=True)


def state(one: Seen, change: Change = CHANGED, *others: Seen) -> CheckState:
    """Give the state of the first of some servers."""
    return verdicts([one, *others], change, NOW)[0].state


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        (["10 new.example.test."], Holds.NEW),
        (["10 new.example.test.", "20 old.example.test."], Holds.NEW),
        (["20 new.example.test.", "10 old.example.test."], Holds.OLD),
        (["10 old.example.test."], Holds.OLD),
        (["10 new.example.test.", "10 old.example.test."], Holds.OTHER),
        (["10 thief.example."], Holds.OTHER),
        (["10 new.example.test.evil."], Holds.OTHER),
        ([], Holds.NONE),
    ],
)
def test_where_mail_goes_decides(values: list[str], holds: Holds) -> None:
    """Only exchanges of the best preference count: old may stay as the second one (MIGRATION.md I4)."""
    assert WANTED.holds(mx(*values)) is holds


def test_a_preference_is_compared_where_it_is_given() -> None:
    """`10 new` is not met by 20; two exchanges are wanted both, whatever their order."""
    assert Wanted("MX", ("10 new.example.test",)).holds(mx("20 new.example.test.")) is Holds.OLD
    both = Wanted("MX", ("10 a.test", "20 b.test"), ("old.test",))
    assert both.holds(mx("20 b.test.", "10 a.test.")) is Holds.NEW
    assert both.holds(mx("10 a.test.")) is Holds.OTHER


def test_addresses_are_compared_as_addresses() -> None:
    """An IPv6 address may be spelled in any way; without `was` whatever is not new is old."""
    wanted = Wanted("AAAA", ("2001:DB8:0::1",))
    assert wanted.holds((Record("a.", "AAAA", 1, "2001:db8::1"),)) is Holds.NEW
    assert wanted.holds((Record("a.", "AAAA", 1, "2001:db8::2"),)) is Holds.OLD


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        (Holds.NEW, CheckState.PASS), (Holds.OLD, CheckState.PENDING), (Holds.OTHER, CheckState.FAIL),
        (Holds.BROKEN, CheckState.FAIL), (Holds.NONE, CheckState.PENDING), (Holds.SILENT, CheckState.UNKNOWN),
        (Holds.UNASKED, CheckState.UNKNOWN),
    ],
)  # fmt: skip
def test_a_resolver_is_judged_by_what_it_holds(holds: Holds, expected: CheckState) -> None:
    """New is green; old waits; a third value or SERVFAIL is wrong; silence is not known."""
    assert state(resolver(holds)) is expected


def test_an_old_answer_expires_with_its_ttl() -> None:
    """The ETA is now plus what is left, the latest of all; before the change there is none."""
    slow = resolver(Holds.OLD, 730)
    found = verdicts([resolver(Holds.OLD, 60), slow, resolver(Holds.NEW)], CHANGED, NOW)
    assert last_eta(found) == NOW + timedelta(seconds=730)
    assert last_eta(verdicts([slow], Change(), NOW)) is None
    assert last_eta(verdicts([slow, server("ns1", Holds.OLD)], CHANGED, NOW)) is None


def test_old_records_beyond_their_ttl_are_a_warning() -> None:
    """After the change plus the old TTL a resolver that still has the old ignores TTLs."""
    late = Change(NOW - timedelta(seconds=HOUR + 1), HOUR)
    assert state(resolver(Holds.OLD), late) is CheckState.WARN
    assert state(resolver(Holds.OLD), Change(NOW - timedelta(seconds=HOUR - 1), HOUR)) is CheckState.PENDING
    assert state(resolver(Holds.OLD), Change(NOW - timedelta(days=9))) is CheckState.PENDING


def test_a_negative_answer_waits_for_the_lesser_of_two_ttls() -> None:
    """NXDOMAIN is believed for min(SOA TTL, SOA minimum) seconds (RFC 2308 5)."""
    soa = Record("example.test.", "SOA", 900, "ns1.example.test. root.example.test. 7 1800 60 86400 120")
    one = seen("9.9.9.9", RESOLVER, Answer(Reply("NXDOMAIN", authority=(soa,))), WANTED)
    assert (one.holds, one.ttl, one.says) == (Holds.NONE, 120, "no such name")
    assert last_eta(verdicts([one], CHANGED, NOW)) == NOW + timedelta(seconds=120)
    assert seen("x", RESOLVER, Answer(Reply("NOERROR", authority=(replace(soa, ttl=30),))), WANTED).ttl == 30


def test_several_caches_behind_one_address_are_told() -> None:
    """Two of three new is pending with the longest old TTL; one SERVFAIL among good answers decides nothing."""
    split = together([resolver(Holds.NEW), resolver(Holds.OLD, 40), resolver(Holds.NEW)])
    assert (split.holds, split.ttl, split.share) == (Holds.OLD, 40, "2/3 new")
    broken = Seen("9.9.9.9", RESOLVER, Holds.BROKEN, says="SERVFAIL")
    assert together([broken, resolver(Holds.NEW), resolver(Holds.NEW)]).holds is Holds.NEW
    assert together([broken, Seen("9.9.9.9", RESOLVER, Holds.SILENT)] * 2).holds is Holds.BROKEN
    assert together([resolver(Holds.NEW), resolver(Holds.OTHER), resolver(Holds.OLD)]).holds is Holds.OTHER


def test_a_server_behind_may_lag_for_the_refresh_and_no_longer() -> None:
    """A secondary with an old serial is pending until the zone's refresh is over, then wrong, by name and serial."""
    lag, ahead = server("ns2", Holds.OLD, 6), server("ns1")
    early = Change(NOW, HOUR, NOW - timedelta(seconds=1799))
    late = Change(NOW, HOUR, NOW - timedelta(seconds=1800))
    assert state(lag, early, ahead) is CheckState.PENDING
    (verdict, _) = verdicts([lag, ahead], late, NOW)
    assert verdict.state is CheckState.FAIL
    assert verdict.says == "serial 6, while ns1 192.0.2.1 has 7"
    assert disagree([lag, ahead])
    assert not disagree([ahead, resolver(Holds.OLD)])


def test_serials_go_round() -> None:
    """4294967295 is older than 0 (RFC 1982)."""
    assert newest([4294967295, 0, 4294967290]) == 0
    assert newest([]) is None


def test_bad_servers_of_the_zone_are_wrong_at_once() -> None:
    """No AA, REFUSED, silent beside others, different records of one serial: each is FAIL however green the rest is."""
    good = server("ns1")
    lame = replace(server("ns2"), authoritative=False)
    refused = Seen("ns2 192.0.2.2", ZONE_SERVER, Holds.BROKEN, says="REFUSED")
    silent = Seen("ns2 192.0.2.2", ZONE_SERVER, Holds.SILENT, says="no answer")
    for bad in (lame, refused, silent, server("ns2", Holds.OTHER), server("ns2", Holds.OLD)):
        found = verdicts([bad, good, *[resolver(Holds.NEW)] * 15], CHANGED, NOW)
        assert (found[0].state, overall(found)) == (CheckState.FAIL, CheckState.FAIL), bad
    assert state(silent) is CheckState.UNKNOWN
    assert state(server("ns1", Holds.NONE)) is CheckState.FAIL
    assert state(server("ns1", Holds.NONE), Change()) is CheckState.PENDING


def test_an_address_that_cannot_be_reached_from_here_says_nothing_of_its_server() -> None:
    """Without IPv6 here a server is judged by its IPv4 address; without any answer nothing is known."""
    six = Seen("ns1 2001:db8::1", ZONE_SERVER, Holds.UNASKED, says="cannot be reached from here")
    assert overall(verdicts([six, server("ns1")], CHANGED, NOW)) is CheckState.PASS
    assert overall(verdicts([six, server("ns2")], CHANGED, NOW)) is CheckState.UNKNOWN
    assert share(verdicts([six, server("ns1")], CHANGED, NOW)) == 1.0


@pytest.mark.parametrize("blind", [Holds.SILENT, Holds.UNASKED])
def test_what_could_not_look_is_never_green(blind: Holds) -> None:
    """One silent resolver among green ones keeps the whole from being green, and so does nobody at all."""
    found = verdicts([resolver(blind), *[resolver(Holds.NEW)] * 9, server("ns1")], CHANGED, NOW)
    assert overall(found) is CheckState.UNKNOWN
    assert overall([]) is CheckState.UNKNOWN


def test_the_headline_says_how_many_and_until_when() -> None:
    """It is the sentence of MIGRATION.md C1, with the trouble first where there is one."""
    many = [server("ns1"), *[resolver(Holds.NEW)] * 13, resolver(Holds.OLD, 730), resolver(Holds.OLD, 5)]
    said = headline(verdicts(many, CHANGED, NOW), CHANGED, NOW, None)
    assert said == "14/16 new · last cache expires ≤ 13:42:10 · worst unseen resolver ≤ 14:20:00 UTC"
    all_new = verdicts([server("ns1")], CHANGED, NOW)
    over = Change(NOW - timedelta(days=1), HOUR)
    assert headline(all_new, over, NOW, NOW) == "1/1 new · last cache expired 13:30:00 UTC"
    assert headline(all_new, over, NOW, None) == "1/1 new"
    before = verdicts([server("ns1", Holds.OLD), resolver(Holds.OLD)], Change(), NOW)
    assert headline(before, Change(), NOW, None) == "0/2 new · not changed yet (2)"
    third = verdicts([server("ns1"), resolver(Holds.OTHER)], over, NOW)
    assert headline(third, over, NOW, None) == "9.9.9.9: neither the new nor the old · 1/2 new"


def test_what_is_no_server_is_not_counted() -> None:
    """The parent's opinion weighs, but is no resolver that has the new."""
    odd = Verdict(Seen("the zone above", PARENT, Holds.OTHER), CheckState.WARN, "different servers")
    found = [*verdicts([server("ns1")], CHANGED, NOW), odd]
    assert (share(found), overall(found)) == (1.0, CheckState.WARN)


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(3, 15.0), (100, 15.0), (300, 30.0), (599, 59.9), (3600, 360.0), (86400, 8640.0)]
)
def test_it_looks_more_often_near_the_end(ttl: int, seconds: float) -> None:
    """Every 15 s when an end is near, never sooner than a tenth of what is left, else as usual."""
    assert again(verdicts([resolver(Holds.OLD, ttl)], CHANGED, NOW), NOW, 60.0) == pytest.approx(seconds)
    assert again(verdicts([resolver(Holds.NEW)], CHANGED, NOW), NOW, 60.0) is None


def test_the_serial_of_a_name_below_the_apex_is_in_the_authority_section() -> None:
    """An SOA question for a host gets the zone's SOA as the proof that the host has none."""
    soa = Record("example.test.", "SOA", 900, "ns1.example.test. root.example.test. 7 1800 60 86400 120")
    one = with_soa(server("ns1"), Reply("NOERROR", authoritative=True, authority=(soa,)))
    assert (one.serial, one.refresh) == (7, 1800)
    assert with_soa(server("ns1", serial=3), Reply("NOERROR", answer=(replace(soa, value="odd"),))).serial == 3


def address(value: str, rdtype: str = "A") -> Reply:
    """Make an answer with one record of the new server."""
    return Reply("NOERROR", answer=(Record("new.example.test.", rdtype, 60, value),))


@pytest.mark.parametrize(
    ("replies", "public", "expected"),
    [
        ([address("192.88.99.1"), Reply("NOERROR")], True, CheckState.PASS),
        ([address("10.0.0.1")], True, CheckState.WARN),
        ([address("10.0.0.1")], False, CheckState.PASS),
        ([address("other.example.test.", "CNAME")], True, CheckState.FAIL),
        ([Reply("NXDOMAIN", authoritative=True)], True, CheckState.FAIL),
        ([Reply("SERVFAIL")], True, CheckState.UNKNOWN),
        ([], True, CheckState.UNKNOWN),
    ],
)
def test_an_mx_must_lead_to_a_name_with_an_address(
    replies: list[Reply], public: bool, expected: CheckState
) -> None:
    """An alias or a name without address is wrong (RFC 2181 10.3); a private address is seen by nobody outside."""
    reachable = SystemDns().is_public if public else lambda _: True
    assert judge("new.example.test", replies, NOW, reachable=reachable).state is expected


def test_a_new_name_may_be_unknown_to_a_cache_for_a_while() -> None:
    """A resolver that still believes that the name is not there is waited for."""
    soa = Record("example.test.", "SOA", 900, "ns1.example.test. root.example.test. 7 1800 60 86400 120")
    verdict = judge("new.example.test", [Reply("NXDOMAIN", authority=(soa,))], NOW, reachable=bool)
    assert (verdict.state, verdict.eta) == (CheckState.PENDING, NOW + timedelta(seconds=120))
