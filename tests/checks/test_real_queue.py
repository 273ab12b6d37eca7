"""Checks `queue` and `service` against a real Postfix of the test's own, over real SSH."""

from __future__ import annotations

import asyncio
import os
import smtplib
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.queue import HELD, QueueProbe
from runbook_tui.checks.service import ServiceProbe
from runbook_tui.ports import CheckState
from tests.adapters.conftest import ssh_shell
from tests.demo.conformance.test_postfix import Real, needs_postfix, real
from tests.demo.loopback import free_port
from tests.support.sight import ShellHosts, TestSight
from tests.support.sshd import operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runbook_tui.ports import Reading

__all__ = ["real"]
pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="needs root"), needs_postfix]


@pytest.fixture
async def sight(real: Real, tmp_path: Path) -> AsyncIterator[TestSight]:
    """A host behind a real SSH server, whose Postfix is the test's."""
    operator = operator_key(tmp_path)
    environment = {"MAIL_CONFIG": str(real.folder / "etc")}
    with running_sshd(tmp_path / "sshd", [operator.public], environment=environment) as server:
        shell = ssh_shell(write_ssh_files(tmp_path / "files", operator, {"old.test": server}))
        await shell.connect()
        yield TestSight(hosts=ShellHosts({"old": shell}))
        await shell.close()


def configured(real: Real, **values: str) -> None:
    """Configure a Postfix that relays example.test to a port where nobody listens."""
    nowhere = f"static:smtp:[127.0.0.1]:{free_port()}"
    more = {"myhostname": "old.example.test", "relay_domains": "example.test", "transport_maps": nowhere, **values}
    real.configure({"mynetworks": "127.0.0.0/8", "alias_maps": "", "local_recipient_maps": "", **more})


def send(real: Real, *recipients: str) -> None:
    """Hand over a mail by SMTP."""
    with smtplib.SMTP("127.0.0.1", real.port, timeout=20) as session:
        session.sendmail("a@b.test", recipients, "Subject: x\r\n\r\nx\r\n")


async def until(probe: QueueProbe, sight: TestSight, said: str) -> Reading:
    """Look until the value holds these words."""
    async with asyncio.timeout(30):
        while True:
            reading = await probe.read(sight)
            if said in reading.value:
                return reading
            await asyncio.sleep(0.1)


async def test_a_queue_from_empty_to_held(real: Real, sight: TestSight) -> None:
    """Empty; mail that cannot be delivered; held on purpose; on hold; Postfix down with mail and without."""
    configured(real)
    assert real.command("postfix", "start").returncode == 0
    probe, service = QueueProbe("old", phases={"freeze": HELD}), ServiceProbe("old", "postfix")
    assert (await probe.read(sight)).value == "empty"
    assert (await service.read(sight)).state is CheckState.PASS
    await asyncio.to_thread(send, real, "bob@example.test", "ann@example.test")
    reading = await until(probe, sight, "1 waiting (1 deferred)")
    assert reading.state is CheckState.PENDING
    assert "Connection refused" in reading.value
    assert reading.rows[1].cells[1] == "1"
    sight.phase = "freeze"
    assert (await probe.read(sight)).value.startswith("held on purpose: 1")
    sight.phase = ""
    real.command("postsuper", "-h", "ALL")
    assert (await probe.read(sight)).state is CheckState.WARN
    real.command("postfix", "stop")
    reading = await probe.read(sight)
    assert reading.value.startswith("1 waiting (1 hold)")
    assert "Mail system is down" in reading.detail
    assert (await service.read(sight)).state is CheckState.FAIL
    real.command("postsuper", "-d", "ALL")
    assert (await probe.read(sight)).value == "empty, Postfix is down"


async def test_what_soft_bounce_keeps(real: Real, sight: TestSight) -> None:
    """An unknown user would bounce; with soft_bounce he waits, and the check says so and fails."""
    configured(real, soft_bounce="yes", mydestination="example.test", relay_domains="", transport_maps="")
    assert real.command("postfix", "start").returncode == 0
    await asyncio.to_thread(send, real, "nosuch@example.test")
    reading = await until(QueueProbe("old"), sight, "unknown user")
    assert reading.state is CheckState.FAIL
    assert "SOFTBOUNCE: 1 would have bounced (soft_bounce=yes)" in reading.detail


async def test_the_plain_listing_agrees(real: Real, sight: TestSight) -> None:
    """What an old Postfix would be asked, -p, is read like -j."""
    configured(real)
    assert real.command("postfix", "start").returncode == 0
    plain = QueueProbe("old", _plain=True)
    assert (await plain.read(sight)).value == "empty"
    await asyncio.to_thread(send, real, "bob@example.test")
    in_objects = await until(QueueProbe("old"), sight, "1 waiting (1 deferred)")
    in_lines = await plain.read(sight)
    assert (in_lines.state, in_lines.value, in_lines.rows) == (in_objects.state, in_objects.value, in_objects.rows)
