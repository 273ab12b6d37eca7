"""A zone file, its name server, and a way to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.asyncquery
import dns.flags
import dns.message
import pytest

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.dns.authoritative import Authoritative
from tests.demo.loopback import network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ZONE = """\
$TTL 3600
@       IN SOA ns1 hostmaster ( 2026112301 3600 900 1209600 300 )
        IN NS  ns1
        IN MX  10 old
        IN TXT "v=spf1 -all"
ns1     IN A   127.0.0.53
old     IN A   127.0.0.11
        IN AAAA ::1
new     60 IN A 127.0.0.12
mail    IN A   127.0.0.11
webmail IN CNAME mail
deep.a.b IN A  127.0.0.9
gone    IN CNAME nowhere
away    IN CNAME www.other.test.
many    IN TXT "{}"
"""
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
PORT = 10053


@pytest.fixture
def zone_file(tmp_path: Path) -> Path:
    """A zone file as the runbook finds it."""
    path = tmp_path / "example.test"
    filler = "\n".join(f'        IN TXT "{number:03d} {"x" * 200}"' for number in range(20))
    path.write_text(ZONE.format("first") + filler + "\n", encoding="utf-8")
    return path


@pytest.fixture
def log() -> list[str]:
    """What the name server writes to its log."""
    return []


@pytest.fixture
async def server(zone_file: Path, log: list[str]) -> AsyncIterator[Authoritative]:
    """The name server of the zone, running."""
    one = Authoritative(f"{network()}.53", PORT, zone_file, "example.test", {"rehearsal": SECRET}, tell=log.append)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def clock() -> WorldClock:
    """World time, sixty times as fast as real time."""
    return WorldClock.start(60)


async def ask(
    where: tuple[str, int], name: str, rdtype: str = "A", *, recursion: bool = True, tcp: bool = False
) -> dns.message.Message:
    """Ask a server once, over UDP or TCP."""
    query = dns.message.make_query(name, rdtype)
    if not recursion:
        query.flags &= ~dns.flags.RD
    over = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await over(query, where[0], port=where[1], timeout=30)


def records(message: dns.message.Message) -> set[str]:
    """Give an answer's records as text with their owner and TTL."""
    return {f"{rrset.name} {rrset.ttl} {record}" for rrset in message.answer for record in rrset}


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace words in a file."""
    text = path.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


def append(path: Path, line: str) -> int:
    """Add a line to a file and give its number."""
    text = path.read_text(encoding="utf-8") + line + "\n"
    path.write_text(text, encoding="utf-8")
    return text.count("\n")
