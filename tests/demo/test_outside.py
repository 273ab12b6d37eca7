"""The senders outside against real name servers and a real SMTP server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.dns.authoritative import Authoritative
from runbook_tui.demo.dns.resolver import Resolver
from runbook_tui.demo.ledger import Ledger, Report, Stage, number_in
from runbook_tui.demo.outside import Outside, Way
from runbook_tui.demo.provider import MailboxBusyError, Provider
from tests.demo.loopback import network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SMTP_PORT = 10025
DNS_PORT = 10053
ZONE = """\
$TTL 600
@   IN SOA ns1 hostmaster 1 3600 900 1209600 300
    IN NS ns1
    IN MX 10 new
    IN MX 20 old
ns1 IN A 127.0.0.53
new IN A {net}.12
old IN A {net}.11
"""


@dataclass
class Inbox:
    """A mail server that takes what it is sent, or says what it is told to say."""

    says: list[str] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    server: asyncio.Server | None = None

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT with the next thing to say."""
        del server, session, options
        if self.says:
            return self.says.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- same
        """Take a mail."""
        del server
        number = number_in(envelope.content if isinstance(envelope.content, bytes) else b"")
        assert number is not None
        assert session.peer is not None
        self.taken.append(number)
        self.peers.append(session.peer[0])
        self.recipients += envelope.rcpt_tos
        return "250 2.0.0 Ok: queued"

    async def open(self, address: str) -> None:
        """Listen."""
        self.server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(self, hostname="mail.example.test"), address, SMTP_PORT
        )

    async def close(self) -> None:
        """Listen no more."""
        if self.server is not None:
            self.server.close()
            await self.server.wait_closed()
            self.server = None


@dataclass
class World:
    """The senders with all that is around them."""

    net: str
    clock: WorldClock
    old: Inbox
    new: Inbox
    resolver: Resolver
    ledger: Ledger
    provider: Provider
    outside: Outside
    authoritative: Authoritative

    def report(self) -> Report:
        """Ask the ledger."""
        return self.ledger.report()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 -- what is waited for is in another server's hands
                await asyncio.sleep(0.005)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A zone with new before old, one resolver, both mail servers up."""
    net = network()
    zone = tmp_path / "zone"
    zone.write_text(ZONE.format(net=net), encoding="ascii")
    clock = WorldClock.start(60)
    authoritative = Authoritative(f"{net}.53", DNS_PORT, zone, "example.test", {})
    resolver = Resolver("a", f"{net}.1", DNS_PORT, clock, (f"{net}.53", DNS_PORT))
    old, new = Inbox(), Inbox()
    ledger = Ledger(clock, {}, dict)
    provider = Provider(ledger)
    outside = Outside(
        net, "example.test", clock=clock, resolvers=[(resolver.address, resolver.port)], old=f"{net}.11",
        smtp_port=SMTP_PORT, ledger=ledger, provider=provider,
    )  # fmt: skip
    await asyncio.gather(
        authoritative.start(), resolver.start(), old.open(f"{net}.11"), new.open(f"{net}.12")
    )
    yield World(net, clock, old, new, resolver, ledger, provider, outside, authoritative)
    await outside.stop()
    await asyncio.gather(authoritative.stop(), resolver.stop(), old.close(), new.close())


async def test_mail_goes_to_the_best_mail_host(world: World) -> None:
    """The MX with the lowest number gets it, from the sender's own address, for the users in turn."""
    numbers = [world.outside.send(way=Way.MX) for _ in range(6)]
    assert await world.outside.idle(10)
    assert sorted(world.new.taken) == numbers
    assert not world.old.taken
    assert set(world.new.peers) <= {f"{world.net}.{last}" for last in range(200, 207)}
    assert len(set(world.new.peers)) > 1
    assert set(world.new.recipients) == {"plop@example.test", "alice@example.test", "bob@example.test"}
    assert [one.text for one in world.ledger.story(numbers[0])] == ["", "new"]


async def test_stragglers_go_straight_to_old(world: World) -> None:
    """A sender with the old address in its configuration uses it, also while no name server answers."""
    await world.resolver.stop()
    number = world.outside.send(way=Way.STRAIGHT)
    assert await world.outside.idle(10)
    assert world.old.taken == [number]


async def test_stragglers_learn_when_the_mx_names_old_no_more(world: World) -> None:
    """Once old has left the MX, who had its address in a configuration goes where everybody goes."""
    zone = world.authoritative.zone_file
    zone.write_text(zone.read_text(encoding="ascii").replace("    IN MX 20 old\n", ""), encoding="ascii")
    world.authoritative.reload_zone()
    number = world.outside.send(way=Way.STRAIGHT)
    assert await world.outside.idle(10)
    assert world.new.taken == [number]


async def test_the_second_mail_host_is_used_when_the_first_does_not_answer(world: World) -> None:
    """A refused connection leads to the next MX at once."""
    await world.new.close()
    number = world.outside.send(way=Way.MX)
    assert await world.outside.idle(10)
    assert world.old.taken == [number]


async def test_a_sender_waits_and_tries_again_on_world_time(world: World) -> None:
    """While nobody answers the mail is queued at its sender, with the reason; a jump of six minutes delivers it."""
    await world.new.close()
    await world.old.close()
    number = world.outside.send(way=Way.MX)
    await world.until(lambda: len(world.ledger.story(number)) > 1)
    assert not await world.outside.idle(0)
    assert world.report().lines()[-1] == f"queued: {number} (at the sender: connection refused)"
    await world.new.open(f"{world.net}.12")
    world.clock.advance(360)
    assert await world.outside.idle(10)
    assert world.new.taken == [number]


async def test_a_temporary_refusal_is_retried_and_its_words_are_kept(world: World) -> None:
    """After 450 at both hosts the mail waits with the server's words, then arrives."""
    for server in (world.new, world.old):
        server.says.append("450 4.2.0 Greylisted")
    number = world.outside.send(way=Way.MX)
    await world.until(lambda: len(world.ledger.story(number)) > 1)
    assert world.report().lines()[-1] == f"queued: {number} (at the sender: 450 4.2.0 Greylisted)"
    world.clock.advance(360)
    assert await world.outside.idle(10)
    assert world.new.taken == [number]


async def test_a_permanent_refusal_bounces_at_once(world: World) -> None:
    """554 is final: the other host is not asked, and the report has number, host and words."""
    world.new.says.append("554 5.7.1 <plop@example.test>: Relay access denied")
    number = world.outside.send("plop", Way.MX)
    assert await world.outside.idle(10)
    assert not world.old.taken
    assert world.report().lines()[-1] == f"bounced: {number} (new: 554 5.7.1 Relay access denied)"


async def test_after_five_days_a_sender_gives_up(world: World) -> None:
    """What cannot be delivered for five days comes back, with the last reason."""
    await world.new.close()
    await world.old.close()
    number = world.outside.send(way=Way.MX)
    await world.until(lambda: len(world.ledger.story(number)) > 1)
    world.clock.advance(5 * 86400)
    assert await world.outside.idle(10)
    assert world.report().lines()[-1] == f"bounced: {number} (sender: gave up after 5 days: connection refused)"


async def test_trouble_with_names_waits_and_a_missing_domain_bounces(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mute resolver is no reason to give up; a domain that does not exist is."""
    monkeypatch.setattr("runbook_tui.demo.dns.names.PATIENCE", 0.2)
    gone = Outside(
        world.net, "gone.test", clock=world.clock, resolvers=[(world.resolver.address, DNS_PORT)], old="",
        smtp_port=SMTP_PORT, ledger=world.ledger, provider=world.provider,
    )  # fmt: skip
    lost = gone.send(way=Way.MX)
    assert await gone.idle(10)
    assert world.ledger.story(lost)[-1].stage == Stage.BOUNCED
    await world.resolver.stop()
    number = world.outside.send(way=Way.MX)
    await world.until(lambda: len(world.ledger.story(number)) > 1)
    assert world.ledger.story(number)[-1].text.endswith("Host not found, try again")


async def test_the_stream_keeps_its_rate_and_its_shares(world: World) -> None:
    """Some 200 mails a second all arrive; about one in twenty goes straight, as many to the provider."""
    await world.outside.start(200)
    await world.until(lambda: world.ledger.view().numbered >= 300)
    world.outside.rate = 0
    assert await world.outside.idle(20)
    numbered = world.ledger.view().numbered
    at_provider = world.provider.count("plop")
    assert 5 <= len(world.old.taken) <= 35
    assert 5 <= at_provider <= 35
    assert sorted([*world.old.taken, *world.new.taken]) == sorted(set(world.old.taken) | set(world.new.taken))
    assert len(world.old.taken) + len(world.new.taken) + at_provider == numbered
    world.outside.rate = 200
    await world.until(lambda: world.ledger.view().numbered > numbered)


async def test_the_provider_lets_one_session_in_and_forgets_what_was_fetched(world: World) -> None:
    """A kept mail stays the provider's, a fetched one is the host's to answer for."""
    kept, fetched = (world.outside.send(way=Way.PROVIDER) for _ in range(2))
    with world.provider.session("plop") as session:
        with pytest.raises(MailboxBusyError), world.provider.session("plop"):
            pass
        first, second = session.mails
        assert (number_in(first.content), number_in(second.content)) == (kept, fetched)
        session.fetched(first, "old", keep=True)
        session.fetched(second, "old", keep=False)
    assert world.provider.count("plop") == 1
    assert world.report().lines()[-2:] == (
        f"lost: {fetched} (fetched by old, then nowhere)", f"queued: {kept} (at the provider)",
    )  # fmt: skip


async def test_stop_leaves_no_sender_at_work(world: World) -> None:
    """After stop nothing waits any more and nothing sets out."""
    await world.new.close()
    await world.old.close()
    await world.outside.start(100)
    await world.until(lambda: world.outside.waiting > 3)
    await world.outside.stop()
    assert world.outside.waiting == 0
    numbered = world.ledger.view().numbered
    await asyncio.sleep(0.05)
    assert world.ledger.view().numbered == numbered
