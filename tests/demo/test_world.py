"""A whole world in tier plain, as its control socket steers it: time, mails, and everything that can be broken."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aiosmtplib
import asyncssh
import pytest

from runbook_tui.core.errors import HostError
from runbook_tui.core.rehearsal import Fault
from runbook_tui.demo import control
from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.control import WorldClient
from runbook_tui.demo.facts import CONTROL, Facts
from runbook_tui.demo.host import Tier
from runbook_tui.demo.outside import Way
from runbook_tui.demo.world import DOMAIN, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give a world in which no mail sets out by itself."""
    folder = Path(tempfile.mkdtemp(prefix="wt-", dir="/tmp"))
    world = World(folder, Tier.PLAIN, WorldClock.start(60))
    await world.start(rate=0)
    server = await control.serve(world, folder / CONTROL)
    yield world
    server.close()
    await world.stop()
    shutil.rmtree(folder)


@pytest.fixture
def client(world: World) -> WorldClient:
    """Give the app's end of the control socket."""
    return WorldClient(world.folder / CONTROL, WorldClock(world.clock.face), rate=3.0)


async def login(world: World, name: str) -> str:
    """Log in on a host as the operator, and ask its name."""
    folder, host = world.folder / "operator", world.hosts[name]
    async with asyncssh.connect(
        host.address, host.port(22), username="root", client_keys=[str(folder / "id_ed25519")],
        known_hosts=str(folder / "known_hosts"), config=None, connect_timeout=60,
    ) as connection:  # fmt: skip
        return str((await connection.run("uname -n", check=True)).stdout).strip()


async def test_the_app_learns_what_it_needs(world: World) -> None:
    """The facts survive the way through the folder, and name every host, variable and alternative."""
    facts = world.facts("a test")
    facts.save(world.folder)
    again = Facts.load(world.folder)
    assert (again.hosts, again.variables, again.face) == (facts.hosts, facts.variables, facts.face)
    assert set(again.hosts) == {"old", "new", "ns", "local"}
    assert again.variables["domain"] == DOMAIN


async def test_mail_flows_and_is_accounted_for(world: World, client: WorldClient) -> None:
    """Before anything is moved every mail lies on old; `reconcile` counts that as lost, for new should have it."""
    for way in Way:
        world.outside.send("plop", way)
    report = await client.reconcile()
    assert report.settled
    assert report.numbered == 3
    assert {group.reason for group in report.lost} == {"only on old"}
    view = await client.look()
    assert (view.mails.numbered, view.mails.old) == (3, 3)


async def test_fast_forward_ends_at_the_next_ttl(world: World, client: WorldClient) -> None:
    """It jumps to the end of the cached MX that runs out first; with nothing cached it says so."""
    assert "nothing" not in await client.stream()
    await client.stream()
    assert "no TTL to wait for" in await client.fast_forward()
    world.outside.send("plop", Way.MX)
    assert await world.outside.idle(10)
    before = await client.look()
    assert before.next_expiry is not None
    await client.fast_forward()
    after = await client.look()
    assert after.now - before.now >= before.next_expiry
    assert after.next_expiry is None or after.next_expiry > 0


async def test_the_stream_stops_and_goes_on(client: WorldClient) -> None:
    """The key of the stream starts it at the wished rate, and stops it."""
    assert (await client.look()).rate == 0
    await client.stream()
    assert (await client.look()).rate == 3.0
    await client.stream()
    assert (await client.look()).rate == 0


async def test_a_resolver_can_be_down(client: WorldClient) -> None:
    """It answers nobody until it is mended."""
    await client.toggle(Fault.RESOLVER)
    view = await client.look()
    assert [r.running for r in view.resolvers] == [True, False, True, True]
    assert view.faults == {Fault.RESOLVER}
    await client.toggle(Fault.RESOLVER)
    assert all(r.running for r in (await client.look()).resolvers)


@pytest.mark.parametrize(
    ("fault", "cut"), [(Fault.OLD_SSH, {"old"}), (Fault.LINK, {"old", "new"}), (Fault.HOST_KEY, {"new"})]
)
async def test_hosts_can_be_out_of_reach(world: World, client: WorldClient, fault: Fault, cut: set[str]) -> None:
    """SSH is refused, or shows another key, on exactly these hosts, and comes back when it is mended."""
    await client.toggle(fault)
    for name in ("old", "new", "desk"):
        if name in cut:
            with pytest.raises((OSError, asyncssh.Error)):
                await login(world, name)
        else:
            assert await login(world, name)
    await client.toggle(fault)
    for name in cut:
        assert await login(world, name)


async def test_a_full_disk_keeps_mail_waiting(world: World, client: WorldClient) -> None:
    """While new's disk is full its Postfix puts every sender off (452 4.3.1); mended, it takes mail again."""
    new = world.hosts["new"]
    await client.toggle(Fault.DISK)
    async with aiosmtplib.SMTP(hostname=new.address, port=new.port(25), start_tls=False) as sender:
        with pytest.raises(aiosmtplib.SMTPResponseException) as told:
            await sender.mail("somebody@outside.test")
        assert told.value.code == 452
        await client.toggle(Fault.DISK)
        assert (await sender.mail("somebody@outside.test")).code == 250


async def test_a_wrong_password_is_refused_until_mended(world: World, client: WorldClient) -> None:
    """The right password of a mailbox is refused while the fault is on."""
    imap, password = world.machines["old"].imap, world.facts("").passwords["plop"]
    assert imap.open_store("plop", password) is not None
    await client.toggle(Fault.IMAP_PASSWORD)
    assert imap.open_store("plop", password) is None
    await client.toggle(Fault.IMAP_PASSWORD)
    assert imap.open_store("plop", password) is not None


async def test_a_world_that_is_gone_is_an_error_with_a_sentence(world: World) -> None:
    """Who asks a socket that nobody serves is told in words."""
    gone = WorldClient(world.folder / "nobody", WorldClock(world.clock.face), rate=1)
    with pytest.raises(HostError, match="does not answer"):
        await gone.look()


async def test_two_worlds_live_side_by_side() -> None:
    """A second world takes other addresses, and neither hears the other's mail."""
    folders = [Path(tempfile.mkdtemp(prefix="wt-", dir="/tmp")) for _ in range(2)]
    worlds = [World(folder, Tier.PLAIN, WorldClock.start(60)) for folder in folders]
    try:
        await asyncio.gather(*(world.start(rate=0) for world in worlds))
        worlds[0].outside.send("plop", Way.STRAIGHT)
        assert await worlds[0].outside.idle(10)
        assert [world.view().mails.numbered for world in worlds] == [1, 0]
        assert worlds[0].hosts["old"].address != worlds[1].hosts["old"].address
    finally:
        for world, folder in zip(worlds, folders, strict=True):
            await world.stop()
            shutil.rmtree(folder)
