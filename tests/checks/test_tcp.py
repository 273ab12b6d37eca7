"""Check `tcp`, against servers that greet, hang, flood and refuse."""

from __future__ import annotations

import asyncio
import time

import pytest

from runbook_tui.adapters.services import system_addresses
from runbook_tui.checks.reached import Target, name_of
from runbook_tui.checks.tcp import TcpProbe
from runbook_tui.core.contact import Endpoint, Trouble
from runbook_tui.core.model import CheckSpec, Host, HostName
from runbook_tui.ports import CheckState
from tests.checks.talkers import HOSTILE, NAME, drip, flood, script, serving, sight, silent
from tests.demo.loopback import free_port


def probe(expect: str = "", phases: dict[str, object] | None = None, patience: float = 8.0) -> TcpProbe:
    """Give a probe of the test's name."""
    return TcpProbe(Target("new", 25, NAME, patience=patience), expect, phases or {})


async def test_a_banner_that_matches() -> None:
    """It is PASS, with what was said."""
    async with serving(script(b"220 mail ESMTP\r\n", hang=True)) as port:
        reading = await probe("^220 ").read(sight(port))
    assert (reading.state, reading.value) == (CheckState.PASS, "220 mail ESMTP")
    assert reading.rows[0].cells[:2] == ("127.0.0.1", "220 mail ESMTP")


@pytest.mark.parametrize("said", [b"554 go away\r\n", HOSTILE + b"\r\n", b""])
async def test_a_banner_that_does_not(said: bytes) -> None:
    """It is FAIL, whatever came, once the connection ends."""
    async with serving(script(said)) as port:
        reading = await probe("^220 ").read(sight(port))
    assert reading.state is CheckState.FAIL
    assert reading.value.startswith("does not match ^220 :")


async def test_without_a_banner_a_connection_is_enough() -> None:
    """A server that waits for its client is PASS; nothing is waited for."""
    began = time.monotonic()
    async with serving(silent) as port:
        reading = await probe(patience=20.0).read(sight(port))
    assert reading.state is CheckState.PASS
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("server", [flood(b"x" * 10_000), flood(b"220"), drip(b"x")])
async def test_a_banner_without_end(server: object) -> None:
    """It is cut, in size and in time."""
    began = time.monotonic()
    async with serving(server) as port:  # type: ignore[arg-type]
        reading = await probe("^250 ", patience=0.4).read(sight(port))
    assert reading.state is CheckState.FAIL
    assert len(reading.rows[0].cells[1]) <= 200
    assert time.monotonic() - began < 5


async def test_silence_refusal_and_names_are_told_apart() -> None:
    """Each has its own words; only what was seen of the server is FAIL."""
    async with serving(silent) as port:
        hung = await probe("^220", patience=0.2).read(sight(port))
    refused = await probe("^220").read(sight(free_port()))
    nameless = await TcpProbe(Target("new", 25, "nowhere.test")).read(sight(1))
    assert hung.value == "it stopped answering at the banner"
    assert nameless.value == "its name has no address: no such name"
    assert {hung.state, refused.state, nameless.state} == {CheckState.FAIL}
    assert refused.value.startswith("it refuses connections")


async def test_refusing_is_right_in_its_phase() -> None:
    """What answers then is FAIL."""
    refusing = probe("^220", {"downtime": "refused"})
    reading = await refusing.read(sight(free_port(), phase="downtime"))
    assert (reading.state, reading.value) == (CheckState.PASS, "it refuses connections, as it should")
    async with serving(script(b"220 x\r\n")) as port:
        assert (await refusing.read(sight(port, phase="downtime"))).state is CheckState.FAIL
        assert (await refusing.read(sight(port))).state is CheckState.PASS
        again = probe("^220", {"after": "up"})
        assert (await again.read(sight(port, phase="after"))).value == "220 x"


async def test_every_address_counts() -> None:
    """One that refuses makes it FAIL, and is named."""
    async with serving(script(b"220 x\r\n")) as port:
        reading = await probe().read(sight(port, "", "", "127.0.0.1", "127.0.0.2"))
    assert (reading.state, [row.state for row in reading.rows]) == ("FAIL", ["PASS", "FAIL"])
    assert reading.value.startswith("127.0.0.2: it refuses")


async def test_what_cannot_be_reached_from_here_is_never_green() -> None:
    """Alone it is UNKNOWN; beside an address that is good, a warning."""
    away = "255.255.255.255"  # no system lets a stream out to all
    alone = await probe(patience=0.5).read(sight(25, "", "", away))
    async with serving(silent) as port:
        beside = await probe(patience=0.5).read(sight(port, "", "", "127.0.0.1", away))
    assert alone.state is CheckState.UNKNOWN
    assert (beside.state, beside.rows[1].state) == (CheckState.WARN, CheckState.UNKNOWN)


async def test_names_of_hosts() -> None:
    """A host is where its `name:` says, else where its `ssh:` leads."""
    def name(ssh: str, dns: str = "") -> str:
        return name_of(Host(HostName("new"), ssh, dns))

    assert name("root@new.test:2222", "mx.new.test") == "mx.new.test"
    assert name("root@new.test:2222") == name("ssh://new.test") == name("new.test") == "new.test"
    assert name("root@[2001:db8::1]:22") == name("root@2001:db8::1") == "2001:db8::1"
    assert name_of(Host(HostName("local"))) == "localhost"


async def test_this_machines_resolver() -> None:
    """An address is itself; a name that cannot be is a name without address."""
    assert (await system_addresses("127.0.0.1", 25)).endpoints == (Endpoint("127.0.0.1", 25),)
    assert (await system_addresses("x" * 80 + ".test", 25)).trouble is Trouble.NO_NAME


async def test_a_look_that_is_given_up_leaves_nothing_open() -> None:
    """Cancelling closes the connection."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            ended.set()

    async with serving(serve) as port:
        task = asyncio.create_task(probe("never", patience=60).read(sight(port)))
        async with asyncio.timeout(0.3):
            await asyncio.wait({task}, timeout=0.2)
        task.cancel()
        async with asyncio.timeout(60):
            await ended.wait()
    assert task.cancelled() or task.cancelling()


def test_from_front_matter() -> None:
    """Literals are put in, and the client gets less time than the check."""
    spec = CheckSpec("b", "tcp", {"host": "new", "port": 25, "expect": "^220 X", "address": "X"}, timeout=10)
    found = TcpProbe.of(spec, lambda text: text.replace("X", "name.test"))
    assert (found.expect, found.target.address, found.target.port) == ("^220 name.test", "name.test", 25)
    assert found.target.patience == 9.0
