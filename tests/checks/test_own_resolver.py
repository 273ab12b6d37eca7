"""What dig, drill, host and getent print on a host is understood, or said not to be; and whom `at:` names."""

from __future__ import annotations

import pytest

from runbook_tui.checks.own_resolver import command, understood
from runbook_tui.checks.servers import At, Place, read_at, read_place, words
from runbook_tui.core.lookup import Record, Reply, negative_ttl

DIG = """\
; <<>> DiG 9.18.49 <<>> +tries=1 +time=3 -t MX -q example.test.
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4631
;; flags: qr rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;example.test.			IN	MX

;; ANSWER SECTION:
Example.test.		41	IN	MX	10 New.example.test.
example.test.		41	IN	MX	20 old.example.test.

;; Query time: 0 msec
"""
DRILL = """\
;; ->>HEADER<<- opcode: QUERY, rcode: NXDOMAIN, id: 33445
;; flags: qr rd ra ; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 0
;; QUESTION SECTION:
;; nope.example.test.	IN	MX

;; ANSWER SECTION:

;; AUTHORITY SECTION:
example.test.	900	IN	SOA	ns1.example.test. root.example.test. 7 1800 60 86400 120

;; Query time: 3 msec
"""
HOST = """\
Trying "example.test"
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 5
;; flags: qr rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0

;; QUESTION SECTION:
;example.test.			IN	TXT

;; ANSWER SECTION:
example.test.		300	IN	TXT	"v=spf1 mx" " -all"

Received 84 bytes from 127.0.0.1#53 in 0 ms
"""


def reply(text: str, rdtype: str = "MX") -> Reply:
    """Give the reply that a tool printed."""
    answer = understood(tuple(text.splitlines()), "example.test", rdtype)
    assert answer.reply is not None, answer.trouble
    return answer.reply


def test_what_dig_prints_is_a_reply() -> None:
    """Status, records and their TTLs come out, names in lower case."""
    assert reply(DIG) == Reply("NOERROR", answer=(
        Record("example.test.", "MX", 41, "10 new.example.test."),
        Record("example.test.", "MX", 41, "20 old.example.test."),
    ))  # fmt: skip


def test_what_drill_prints_is_a_reply() -> None:
    """A name that is not there comes with the SOA that tells how long that is believed."""
    found = reply(DRILL)
    assert (found.rcode, found.answer, negative_ttl(found)) == ("NXDOMAIN", (), 120)


def test_what_host_prints_is_a_reply() -> None:
    """The strings of a TXT are joined."""
    assert [r.value for r in reply(HOST, "TXT").answer] == ["v=spf1 mx -all"]


def test_addresses_of_getent_are_a_reply_without_ttl() -> None:
    """Only addresses of the wanted family count, each once."""
    text = "getent\n192.0.2.7      STREAM new.example.test\n192.0.2.7      DGRAM\n2001:db8::7 STREAM\n"
    assert [(r.value, r.ttl) for r in reply(text, "A").answer] == [("192.0.2.7", 0)]
    assert understood(("getent",), "example.test", "A").reply is None


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("", "not understood: nothing"),
        ("sh: 1: dig: not found", "not understood: sh: 1: dig: not found"),
        ("no tool", "it has no tool that asks for this: dig, drill or host"),
        (";; communications error to 127.0.0.1#53: timed out\n;; no servers could be reached", "its resolver does not"),
    ],
)
def test_what_is_not_understood_is_no_reply(text: str, trouble: str) -> None:
    """No tool, no answer and other words are trouble that says what was seen."""
    answer = understood(tuple(text.splitlines()), "example.test", "MX")
    assert answer.reply is None
    assert answer.trouble.startswith(trouble)


def test_a_reply_cut_anywhere_is_never_more_than_it_was() -> None:
    """Cut after any character, what dig printed gives no record that the whole does not have, but for the last."""
    whole = set(reply(DIG).answer)
    for length in range(len(DIG)):
        answer = understood(tuple(DIG[:length].splitlines()), "example.test", "MX")
        found = answer.reply.answer if answer.reply else ()
        assert set(found[:-1]) <= whole


def test_a_name_cannot_become_a_command() -> None:
    """A name or type with shell text in it is one quoted word."""
    text = command("x; rm -rf /", "$(id)")
    assert "'x; rm -rf /.'" in text
    assert "'$(id)'" in text
    assert "getent" not in text
    assert "getent ahostsv4" in command("example.test", "A")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("9.9.9.9", Place("9.9.9.9")), ("127.0.0.1:5301", Place("127.0.0.1", 5301)),
        ("2620:fe::fe", Place("2620:fe::fe")),
        ("[2620:fe::fe]:5301", Place("2620:fe::fe", 5301)), ("[2620:fe::fe]", Place("2620:fe::fe")),
        ("dns.example.test", None), ("9.9.9.9:0", None), ("9.9.9.9:99999", None), ("9.9.9.9:x", None), ("", None),
    ],
)  # fmt: skip
def test_an_address_may_have_a_port(text: str, place: Place | None) -> None:
    """IPv4 and IPv6 are read with and without a port, and nothing else is."""
    assert read_place(text) == place
    assert place is None or read_place(str(place)) == place


def test_the_words_of_at_are_sorted() -> None:
    """The zone's servers, resolvers and hosts' resolvers are told apart; what is none of them is said."""
    found = read_at(("authoritative", "9.9.9.9", "host:old", "nine"), ("127.0.0.1:53",))
    nine, local = Place("9.9.9.9"), Place("127.0.0.1")
    assert found == At(True, (nine,), ("old",), (local,), wrong=("nine",))
    assert found.problem.startswith("nine: no address")
    assert read_at(()).own
    assert words("a, ${b}", lambda text: text.replace("${b}", "c")) == ("a", "c")
    assert words(None, str) == ()
