"""The name server beside the real named on the same zone file: the same answers."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from runbook_tui.demo.dns.authoritative import Authoritative
from tests.demo.dns.conftest import PORT, SECRET, ask, zone_file
from tests.demo.loopback import free_port, network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

__all__ = ["zone_file"]

NAMED = shutil.which("named") or shutil.which("named", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NAMED is None, reason="named is not installed")

CONFIGURATION = """\
key "rehearsal" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
    directory "{folder}"; managed-keys-directory "{folder}"; session-keyfile "{folder}/session.key"; pid-file none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; allow-transfer {{ none; }};
}};
controls {{ }};
zone "example.test" {{ type primary; file "{folder}/zone"; allow-update {{ key "rehearsal"; }}; }};
"""

QUESTIONS = (
    ("example.test", "MX"), ("example.test", "SOA"), ("example.test", "NS"), ("example.test", "TXT"),
    ("EXAMPLE.test", "mx"), ("old.example.test", "A"), ("old.example.test", "AAAA"), ("old.example.test", "MX"),
    ("new.example.test", "A"), ("webmail.example.test", "A"), ("webmail.example.test", "CNAME"),
    ("webmail.example.test", "MX"), ("gone.example.test", "A"), ("away.example.test", "A"),
    ("nope.example.test", "A"), ("nope.example.test", "MX"), ("b.example.test", "A"), ("a.b.example.test", "TXT"),
    ("x.old.example.test", "A"), ("other.test", "A"), ("test", "NS"), ("example.test", "AXFR"),
)  # fmt: skip


@pytest.fixture
def named(zone_file: Path, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The real one, on a port of its own; gives where it listens."""
    shutil.copy(zone_file, tmp_path / "zone")
    port = free_port()
    conf = tmp_path / "named.conf"
    conf.write_text(CONFIGURATION.format(folder=tmp_path, port=port, secret=SECRET), encoding="ascii")
    assert NAMED is not None
    with (tmp_path / "named.log").open("wb") as log:
        process = subprocess.Popen([NAMED, "-g", "-n", "1", "-c", conf], stderr=log, stdin=subprocess.DEVNULL)
    try:
        asyncio.run(_answers(("127.0.0.1", port)))
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
async def ours(zone_file: Path) -> AsyncIterator[tuple[str, int]]:
    """Our own on the same zone."""
    server = Authoritative(f"{network()}.53", PORT, zone_file, "example.test", {"rehearsal": SECRET})
    await server.start()
    yield server.address, server.port
    await server.stop()


async def _answers(place: tuple[str, int]) -> None:
    """Wait until the server answers for its zone."""
    async with asyncio.timeout(20):
        while True:
            try:
                if (await ask(place, "example.test", "SOA", tcp=True)).answer:
                    return
            except OSError:
                await asyncio.sleep(0.02)


def essence(reply: dns.message.Message) -> dict[str, object]:
    """Give what must be equal: code, flags, size of UDP and every record of every section with its TTL."""
    found: dict[str, object] = {
        name: sorted(
            (str(rrset.name).lower(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), str(record).lower())
            for rrset in section
            for record in rrset
        )
        for name, section in (
            ("answer", reply.answer), ("authority", reply.authority), ("additional", reply.additional),
        )
    }  # fmt: skip
    return found | {
        "rcode": dns.rcode.to_text(reply.rcode()),
        "flags": dns.flags.to_text(reply.flags),
        "size": (reply.edns, reply.payload),
    }


@pytest.mark.parametrize("recursion", [True, False], ids=["RD", "norec"])
async def test_the_answers_are_those_of_named(
    named: tuple[str, int], ours: tuple[str, int], recursion: bool
) -> None:
    """Code, AA, answer, authority and additional records are equal for every question, over UDP and TCP."""
    for name, rdtype in QUESTIONS:
        for tcp in (True,) if rdtype == "AXFR" else (False, True):
            theirs = await ask(named, name, rdtype, recursion=recursion, tcp=tcp)
            own = await ask(ours, name, rdtype, recursion=recursion, tcp=tcp)
            assert essence(own) == essence(theirs), (name, rdtype, tcp)


@pytest.mark.parametrize("payload", [None, 512, 1000, 4096])
async def test_too_much_is_cut_as_named_cuts_it(
    named: tuple[str, int], ours: tuple[str, int], payload: int | None
) -> None:
    """The same questions are answered with TC, whatever size the client takes."""
    query = dns.message.make_query("many.example.test", "TXT", payload=payload, use_edns=None if payload else False)
    replies = [await dns.asyncquery.udp(query, place[0], port=place[1], timeout=30) for place in (ours, named)]
    assert [bool(reply.flags & dns.flags.TC) for reply in replies] == [True, True]


UPDATES: dict[str, list[tuple[str, ...]]] = {
    "replace": [("delete", "@", "MX"), ("add", "@", "300", "MX", "10 new"), ("add", "@", "300", "MX", "20 old")],
    "another ttl": [("add", "@", "60", "MX", "10 old")],
    "nothing new": [("add", "@", "3600", "MX", "10 old")],
    "cname beside others": [("add", "mail", "60", "CNAME", "old")],
    "others beside a cname": [("add", "webmail", "60", "A", "127.0.0.1")],
    "another cname": [("add", "webmail", "60", "CNAME", "old")],
    "the top": [("delete", "@"), ("delete", "@", "SOA"), ("delete", "@", "NS", "ns1")],
    "one record": [("delete", "old", "A", "127.0.0.11")],
    "outside": [("add", "fresh", "60", "A", "127.0.0.1"), ("add", "www.other.test.", "60", "A", "127.0.0.1")],
    "unmet": [("present", "old", "MX"), ("delete", "@", "MX")],
    "unmet set": [("present", "old", "A", "127.0.0.99"), ("delete", "@", "MX")],
    "must not be": [("absent", "old"), ("delete", "@", "MX")],
    "met": [("present", "old", "A", "127.0.0.11"), ("absent", "fresh"), ("add", "fresh", "60", "A", "127.0.0.1")],
}


@pytest.mark.parametrize("changes", UPDATES.values(), ids=UPDATES)
async def test_updates_do_what_they_do_to_named(
    named: tuple[str, int], ours: tuple[str, int], changes: list[tuple[str, ...]]
) -> None:
    """The same code comes back, and afterwards zone and serial number are the same."""
    codes, zones = [], []
    for place in (ours, named):
        message = dns.update.UpdateMessage("example.test", keyring=dns.tsigkeyring.from_text({"rehearsal": SECRET}))
        for word, *rest in changes:
            getattr(message, word)(*(int(one) if one.isdigit() else one for one in rest))
        codes.append((await dns.asyncquery.tcp(message, place[0], port=place[1], timeout=30)).rcode())
        names = ("example.test", "old.example.test", "mail.example.test", "webmail.example.test", "fresh.example.test")
        zones.append([
            essence(await ask(place, name, rdtype)) for name in names for rdtype in ("MX", "SOA", "NS", "A", "CNAME")
        ])
    assert codes[0] == codes[1]
    assert zones[0] == zones[1]


async def test_unsigned_updates_are_refused_alike(named: tuple[str, int], ours: tuple[str, int]) -> None:
    """No signature: REFUSED; of another zone: NOTAUTH."""
    for zone in ("example.test", "other.test"):
        message = dns.update.UpdateMessage(zone)
        message.add("fresh", 60, "A", "127.0.0.1")
        codes = [
            (await dns.asyncquery.tcp(message, place[0], port=place[1], timeout=30)).rcode() for place in (ours, named)
        ]
        assert codes[0] == codes[1]
