"""Services: each system's own words, statuses and idea of what is enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.quiet import Quiet
from runbook_tui.demo.standins import packages, services

if TYPE_CHECKING:
    from runbook_tui.demo.machine import Machine
    from tests.demo.standins.conftest import BareWorld, Run

OLD, NEW = services.COMMANDS["freebsd"], services.COMMANDS["debian"]


class Broken(Quiet):
    """A daemon that cannot start."""

    async def start(self) -> None:
        """Refuse."""
        raise ServiceError("fatal: bad string length 0 < 1: mydestination")


@pytest.fixture
def old(world: BareWorld) -> Machine:
    """FreeBSD with two services enabled."""
    machine = world.machines["old"]
    machine.host.path("/etc/rc.conf").write_text(
        '# what runs\nhostname="old"\npostfix_enable="YES"\ndovecot_enable="YES"\n'
    )
    return machine


@pytest.fixture
def new(world: BareWorld) -> Machine:
    """Debian with postfix and apache2 installed."""
    machine = world.machines["new"]
    status = machine.host.path(packages.STATUS)
    status.parent.mkdir(parents=True)
    status.write_text(packages.stanzas(["postfix", "apache2"]))
    return machine


async def test_freebsd_starts_stops_and_tells(old: Machine, run: Run) -> None:
    """service(8) uses rc.subr's sentences, and 1 for whatever is not as wanted."""
    assert (await run(OLD, old, "service", "postfix", "status")).out == "postfix is not running.\n"
    started = await run(OLD, old, "service", "postfix", "start")
    assert (started.status, started.out) == (0, "Starting postfix.\n")
    assert old.services["postfix"].running
    assert (await run(OLD, old, "service", "postfix", "onestatus")).out.startswith("postfix is running as pid ")
    assert (await run(OLD, old, "service", "postfix", "start")).status == 1
    assert (await run(OLD, old, "service", "postfix", "stop")).out == "Stopping postfix.\n"
    assert (await run(OLD, old, "service", "postfix", "status")).status == 1


async def test_freebsd_asks_rc_conf(old: Machine, run: Run) -> None:
    """What is not enabled wants `onestart`; sysrc changes that, and keeps every other line."""
    assert (await run(OLD, old, "service", "apache24", "start")).err.startswith(
        "Cannot 'start' apache24. Set apache24_enable"
    )
    assert (await run(OLD, old, "service", "apache24", "onestart")).status == 0
    assert (await run(OLD, old, "sysrc", "postfix_enable=NO", "apache24_enable=YES")).out == (
        "postfix_enable: YES -> NO\napache24_enable:  -> YES\n"
    )
    assert (await run(OLD, old, "sysrc", "-n", "postfix_enable")).out == "NO\n"
    assert (await run(OLD, old, "service", "postfix", "start")).status == 1
    assert (await run(OLD, old, "service", "-e")).out == "/usr/local/etc/rc.d/dovecot\n/usr/local/etc/rc.d/apache24\n"
    assert old.host.path("/etc/rc.conf").read_text() == (
        '# what runs\nhostname="old"\npostfix_enable="NO"\ndovecot_enable="YES"\napache24_enable="YES"\n'
    )
    unknown = await run(OLD, old, "sysrc", "nothing_enable")
    assert (unknown.status, unknown.err) == (1, "sysrc: unknown variable 'nothing_enable'\n")
    assert (await run(OLD, old, "service", "exim", "start")).status == 1


async def test_debian_knows_what_is_installed(new: Machine, run: Run) -> None:
    """A daemon whose package is missing is no unit: 4 for a look, 5 for an act."""
    assert (await run(NEW, new, "systemctl", "is-active", "postfix")).out == "inactive\n"
    assert (await run(NEW, new, "systemctl", "start", "postfix.service")).status == 0
    assert (await run(NEW, new, "systemctl", "is-active", "--quiet", "postfix")).status == 0
    assert (await run(NEW, new, "systemctl", "status", "dovecot")).status == 4
    missing = await run(NEW, new, "systemctl", "start", "dovecot")
    assert (missing.status, missing.err) == (5, "Failed to start dovecot.service: Unit dovecot.service not found.\n")
    assert (await run(NEW, new, "service", "dovecot", "start")).err == "dovecot: unrecognized service\n"
    assert (await run(NEW, new, "systemctl", "status", "apache2")).status == 3


async def test_debian_enables_and_disables(new: Machine, run: Run) -> None:
    """Disable --now stops; is-enabled remembers; sockets of a daemon that has none here are no error."""
    await run(NEW, new, "systemctl", "start", "postfix")
    assert (await run(NEW, new, "systemctl", "is-enabled", "postfix")).out == "enabled\n"
    assert (await run(NEW, new, "systemctl", "disable", "--now", "postfix")).status == 0
    assert not new.services["postfix"].running
    disabled = await run(NEW, new, "systemctl", "is-enabled", "postfix")
    assert (disabled.status, disabled.out) == (1, "disabled\n")
    assert (await run(NEW, new, "systemctl", "enable", "--now", "postfix")).status == 0
    assert new.services["postfix"].running
    assert (await run(NEW, new, "systemctl", "stop", "postfix.socket", "postfix")).status == 0
    assert not new.services["postfix"].running


async def test_a_daemon_that_cannot_start_is_a_failed_job(new: Machine, old: Machine, run: Run) -> None:
    """Both systems fail aloud, and the daemon's own words are there."""
    new.services["postfix"] = old.services["postfix"] = Broken()
    for done in (
        await run(NEW, new, "systemctl", "restart", "postfix"),
        await run(OLD, old, "service", "postfix", "start"),
    ):
        assert done.status == 1
        assert "fatal: bad string length" in done.err


async def test_what_is_not_known_is_refused(new: Machine, old: Machine, run: Run) -> None:
    """No verb is passed over in silence."""
    assert (await run(NEW, new, "systemctl", "isolate", "postfix")).status == 64
    assert (await run(NEW, new, "systemctl", "--user", "start", "postfix")).status == 64
    assert (await run(OLD, old, "service", "postfix", "frobnicate")).status == 1


def test_a_daemon_has_all_its_names() -> None:
    """Names of one daemon lead to one service."""
    web = Quiet()
    found = services.named("freebsd", {"web": web, "postfix": Quiet()})
    assert found["apache24"] is found["apache22"] is web
    assert "apache2" not in found
