"""Dynamic updates, sent signed over the wire."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from tests.demo.dns.conftest import SECRET, ask, records

if TYPE_CHECKING:
    from runbook_tui.demo.dns.authoritative import Authoritative


def update(secret: str | None = SECRET, *, key: str = "rehearsal") -> dns.update.UpdateMessage:
    """Begin an update of the zone, signed unless there is no secret."""
    keyring = None if secret is None else dns.tsigkeyring.from_text({key: secret})
    return dns.update.UpdateMessage("example.test", keyring=keyring)


async def send(server: Authoritative, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Send an update and give the code of the reply, whose signature is checked."""
    return (await dns.asyncquery.tcp(message, server.address, port=server.port, timeout=30)).rcode()


async def mx(server: Authoritative) -> set[str]:
    """Ask for the zone's MX."""
    return records(await ask((server.address, server.port), "example.test", "MX"))


async def test_a_signed_update_is_served_and_written_with_a_higher_serial(server: Authoritative) -> None:
    """The MX is exchanged in one message, and a reload of the file that was written changes nothing."""
    message = update()
    message.delete("@", "MX")
    message.add("@", 300, "MX", "10 new")
    message.add("@", 300, "MX", "20 old")
    assert await send(server, message) == dns.rcode.NOERROR
    now = {"example.test. 300 10 new.example.test.", "example.test. 300 20 old.example.test."}
    assert await mx(server) == now
    assert server.serial == 2026112302
    assert server.reload_zone() == 2026112302
    assert await mx(server) == now


async def test_a_ttl_is_that_of_the_whole_set(server: Authoritative) -> None:
    """Adding a record that is there with another TTL lowers or raises it."""
    for ttl in (60, 7200):
        message = update()
        message.add("@", ttl, "MX", "10 old")
        assert await send(server, message) == dns.rcode.NOERROR
        assert await mx(server) == {f"example.test. {ttl} 10 old.example.test."}


async def test_nothing_changed_raises_no_serial(server: Authoritative) -> None:
    """Adding what is there as it is leaves the serial number."""
    message = update()
    message.add("@", 3600, "MX", "10 old")
    assert await send(server, message) == dns.rcode.NOERROR
    assert server.serial == 2026112301


async def test_soa_and_the_last_name_server_stay(server: Authoritative) -> None:
    """Whatever is deleted at the top, the zone keeps its SOA and an NS."""
    message = update()
    message.delete("@")
    message.delete("@", "NS", "ns1")
    message.delete("@", "SOA")
    assert await send(server, message) == dns.rcode.NOERROR
    assert await mx(server) == set()
    assert records(await ask((server.address, server.port), "example.test", "NS"))
    assert server.serial == 2026112302


async def test_single_records_and_whole_names_are_deleted(server: Authoritative) -> None:
    """One record of a set goes alone; a name goes with all it has; a CNAME beside other records is ignored."""
    message = update()
    message.delete("old", "A", "127.0.0.11")
    message.delete("webmail")
    message.add("mail", 60, "CNAME", "old")
    assert await send(server, message) == dns.rcode.NOERROR
    place = (server.address, server.port)
    assert records(await ask(place, "old.example.test", "AAAA"))
    assert not records(await ask(place, "old.example.test"))
    assert (await ask(place, "webmail.example.test")).rcode() == dns.rcode.NXDOMAIN
    assert not records(await ask(place, "mail.example.test", "CNAME"))


@pytest.mark.parametrize(
    ("demand", "rcode"),
    [
        (("present", "nope"), dns.rcode.NXDOMAIN),
        (("present", "old", "MX"), dns.rcode.NXRRSET),
        (("present", "old", "A", "127.0.0.99"), dns.rcode.NXRRSET),
        (("absent", "old"), dns.rcode.YXDOMAIN),
        (("absent", "old", "A"), dns.rcode.YXRRSET),
        (("present", "old", "A", "127.0.0.11"), dns.rcode.NOERROR),
        (("absent", "nope"), dns.rcode.NOERROR),
        (("present", "other.test."), dns.rcode.NOTZONE),
    ],
)
async def test_prerequisites_decide(server: Authoritative, demand: tuple[str, ...], rcode: dns.rcode.Rcode) -> None:
    """An unmet prerequisite has its own code and nothing is changed; a met one lets the update through."""
    message = update()
    getattr(message, demand[0])(*demand[1:])
    message.add("fresh", 60, "A", "127.0.0.77")
    assert await send(server, message) == rcode
    there = bool(records(await ask((server.address, server.port), "fresh.example.test")))
    assert there == (rcode == dns.rcode.NOERROR)


async def test_a_name_outside_undoes_the_whole_update(server: Authoritative) -> None:
    """One name of another zone and none of the records is added."""
    message = update()
    message.add("fresh", 60, "A", "127.0.0.77")
    message.add("www.other.test.", 60, "A", "127.0.0.78")
    assert await send(server, message) == dns.rcode.NOTZONE
    assert not records(await ask((server.address, server.port), "fresh.example.test"))


async def test_an_unsigned_update_and_a_frozen_zone_are_refused(server: Authoritative) -> None:
    """Without a signature, or while the zone is frozen, nothing is changed."""
    for secret, server.frozen in ((None, False), (SECRET, True)):
        message = update(secret)
        message.delete("@", "MX")
        assert await send(server, message) == dns.rcode.REFUSED
    assert await mx(server)


@pytest.mark.parametrize(
    ("secret", "key", "error"),
    [
        (base64.b64encode(b"another secret, as long as it takes").decode(), "rehearsal", dns.tsig.PeerBadSignature),
        (SECRET, "stranger", dns.tsig.PeerBadKey),
    ],
)
async def test_a_wrong_signature_is_not_authorised(
    server: Authoritative, secret: str, key: str, error: type[Exception]
) -> None:
    """The reply says NOTAUTH and, in its own TSIG record, whether key or signature is wrong."""
    message = update(secret, key=key)
    message.delete("@", "MX")
    with pytest.raises(error):
        await send(server, message)
    assert await mx(server)


async def test_an_update_of_another_zone_is_not_its_business(server: Authoritative) -> None:
    """NOTAUTH for a zone it does not serve."""
    message = dns.update.UpdateMessage("other.test", keyring=dns.tsigkeyring.from_text({"rehearsal": SECRET}))
    message.add("x", 60, "A", "127.0.0.1")
    assert await send(server, message) == dns.rcode.NOTAUTH
