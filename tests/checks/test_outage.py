"""Check `outage`: doors that are knocked at for real, and the clock."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from runbook_tui.adapters.mail_door import SystemDoors
from runbook_tui.checks.exchangers import Exchanger, exchangers
from runbook_tui.checks.outage import Outage, OutageProbe
from runbook_tui.core.errors import HostError
from runbook_tui.core.knock import Door, Knock
from runbook_tui.core.model import CheckSpec
from runbook_tui.ports import CheckState
from tests.checks.books import Book, BookNet, Doors
from tests.demo.loopback import free_port
from tests.support.sight import TestSight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
OPEN, REFUSED, SILENT, AWAY = Knock(Door.OPEN), Knock(Door.REFUSED), Knock(Door.SILENT), Knock(Door.UNREACHABLE)
NAMES = {
    ("example.test", "MX"): ["20 old.example.test.", "10 new.example.test."],
    ("new.example.test", "A"): ["127.0.0.1"], ("old.example.test", "A"): ["192.0.2.11"],
    ("old.example.test", "AAAA"): ["2001:db8::11"],
}  # fmt: skip


@asynccontextmanager
async def saying(*lines: bytes, hang: bool = False) -> AsyncIterator[int]:
    """Run a server that says these and closes, or then says nothing more; give its port."""
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(line)
        if hang:
            await release.wait()
        else:
            writer.write_eof()
        await reader.read(100)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        release.set()
        server.close()
        await server.wait_closed()


async def test_a_real_mail_server_is_open() -> None:
    """Its greeting is read, and it is left in peace."""
    controller = Controller(Sink(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        knock = await SystemDoors().knock("127.0.0.1", controller.port)
    finally:
        controller.stop()
    assert knock.door is Door.OPEN
    assert knock.said.startswith("220 ")


@pytest.mark.parametrize(("lines", "door"), [
    ((b"220 a ESMTP\r\n",), Door.OPEN), ((b"220-a\r\n220 b\r\n",), Door.OPEN),
    ((b"421 4.3.2 too busy\r\n",), Door.LATER), ((b"554 5.3.2 go away\r\n",), Door.CLOSED), ((b"",), Door.CLOSED),
    ((b"\x1b]0;x\x07\xff\xfe\r\n",), Door.CLOSED), ((b"220 " + b"x" * 100_000,), Door.CLOSED),
    ((b"+OK POP3\r\n",), Door.CLOSED), ((b"220 half a gre",), Door.CLOSED),
])  # fmt: skip
async def test_greetings(lines: tuple[bytes, ...], door: Door) -> None:
    """220 lets in, 4xx comes later, all else is no mail server; a greeting that has no end is no greeting."""
    async with saying(*lines) as port:
        knock = await SystemDoors(2.0).knock("127.0.0.1", port)
    assert knock.door is door
    assert len(knock.said) <= 200


async def test_a_server_that_says_nothing() -> None:
    """It is silent, after its time."""
    async with saying(hang=True) as port:
        assert (await SystemDoors(0.2).knock("127.0.0.1", port)).door is Door.SILENT


async def test_nobody_listens() -> None:
    """A refused connection, and a network that is not there, are told apart."""
    assert (await SystemDoors().knock("127.0.0.1", free_port())).door is Door.REFUSED
    assert (await SystemDoors(1.0).knock("not an address", 25)).door is not Door.OPEN


class TestClock:
    """When it runs, and what it says."""

    def test_it_runs_while_nobody_takes_mail_and_only_then(self) -> None:
        """It warns and fails after the given times, stops when one door opens, and begins anew."""
        outage = Outage(warn=1800, fail=14_400)
        told = [
            (outage.judge(doors, START + timedelta(minutes=minutes)).state, minutes)
            for minutes, doors in (
                (0, (OPEN, REFUSED)), (1, (REFUSED, SILENT)), (30, (REFUSED, AWAY)), (31, (REFUSED, REFUSED)),
                (240, (REFUSED,)), (241, (REFUSED,)), (242, (OPEN, SILENT)), (300, (REFUSED,)),
            )
        ]  # fmt: skip
        assert told == [
            ("PASS", 0), ("PENDING", 1), ("PENDING", 30), ("WARN", 31), ("WARN", 240), ("FAIL", 241), ("PASS", 242),
            ("PENDING", 300),
        ]  # fmt: skip

    def test_it_says_since_when(self) -> None:
        """In words, and as minutes for the course."""
        outage = Outage()
        outage.judge([REFUSED], START)
        reading = outage.judge([REFUSED], START + timedelta(minutes=12))
        assert (reading.value, reading.level) == ("nobody takes mail since 18:00:00 UTC, 12 min", 12.0)

    @pytest.mark.parametrize("doors", [(SILENT, SILENT), (AWAY,), (SILENT, AWAY), ()])
    def test_a_network_that_lets_nobody_out_is_no_outage(self, doors: tuple[Knock, ...]) -> None:
        """As long as no door ever said anything, silence proves nothing."""
        outage = Outage()
        assert outage.judge(doors, START).state is CheckState.UNKNOWN
        assert outage.since is None

    def test_silence_counts_once_somebody_had_answered(self) -> None:
        """Then it is theirs; but not when nothing can be reached."""
        outage = Outage()
        outage.judge([OPEN], START)
        assert outage.judge([SILENT], START).state is CheckState.PENDING
        assert outage.judge([AWAY], START).state is CheckState.UNKNOWN
        assert outage.since == START


class TestProbe:
    """From names to doors."""

    async def test_one_open_door_is_enough(self) -> None:
        """Every address of every exchanger is knocked at, best first."""
        async with saying(b"220 new ESMTP\r\n") as port:
            doors = Doors({"127.0.0.1": port}, {"192.0.2.11": REFUSED, "2001:db8::11": AWAY})
            sight = TestSight(net=BookNet(Book(NAMES), doors))
            reading = await OutageProbe("example.test").read(sight)
        assert (reading.state, reading.value) == (CheckState.PASS, "mail is taken at 1 of 3 addresses")
        assert [(row.cells[0], row.state) for row in reading.rows] == [
            ("new.example.test", "PASS"), ("old.example.test", "FAIL"), ("old.example.test", "UNKNOWN"),
        ]  # fmt: skip

    async def test_names_that_cannot_be_looked_up(self) -> None:
        """It is UNKNOWN, whatever the clock says."""
        sight = TestSight(net=BookNet(Book({}, silent=frozenset({"192.0.2.53", "192.0.2.54"}))))
        reading = await OutageProbe("example.test").read(sight)
        assert (reading.state, reading.value) == (CheckState.UNKNOWN, "no answer for MX of example.test")

    async def test_exchangers(self) -> None:
        """Best first; a domain without MX is its own; one that takes no mail has nobody; a resolver may be silent."""
        assert await exchangers(Book(NAMES, silent=frozenset({"192.0.2.53"})), "Example.Test") == (
            Exchanger(10, "new.example.test", ("127.0.0.1",)),
            Exchanger(20, "old.example.test", ("192.0.2.11", "2001:db8::11")),
        )
        own = Book({("example.test", "A"): ["192.0.2.1"]})
        assert await exchangers(own, "example.test") == (Exchanger(0, "example.test", ("192.0.2.1",)),)
        assert await exchangers(Book({("example.test", "MX"): ["0 ."]}), "example.test") == ()
        with pytest.raises(HostError, match="no answer for MX of nowhere"):
            await exchangers(Book(NAMES), "nowhere.test")
        with pytest.raises(HostError, match="no resolver"):
            await exchangers(Book(NAMES, resolvers=()), "example.test")

    def test_durations_of_the_runbook(self) -> None:
        """`warn` and `fail` are durations."""
        spec = CheckSpec("outage", "outage", {"name": "example.test", "warn": "10m", "fail": "1h"})
        probe = OutageProbe.of(spec, str)
        assert (probe.name, probe.outage.warn, probe.outage.fail) == ("example.test", 600.0, 3600.0)
