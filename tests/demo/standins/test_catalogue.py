"""The catalogue: what a migration calls is there, and nothing says yes to what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from runbook_tui.demo.host import Tier
from runbook_tui.demo.standins import catalogue, place
from runbook_tui.demo.standins.place import OWN, REAL, Tools, wrappers

if TYPE_CHECKING:
    from tests.demo.standins.conftest import BareWorld, Run

WANTED = {
    "freebsd": "postconf postmap newaliases postqueue postfix sendmail doveadm doveconf crontab fetchmail rndc dig pw"
    " service sysrc pkg named-checkzone ssh ssh-keygen rsync openssl sa-learn pg_dump id chown getent sockstat logger"
    " hostname uname",
    "debian": "postconf postmap newaliases postqueue postfix doveadm doveconf apt-get debconf-set-selections dpkg"
    " useradd userdel chpasswd getent id chown systemctl service spamassassin sa-learn psql createuser dropuser dropdb"
    " createdb pg_restore php a2enmod a2enconf a2ensite a2dissite apache2ctl curl hostnamectl crontab fetchmail ss"
    " rsync openssl",
}
"""The commands of runbooks/mail-migration.md that no machine can be counted on for."""


@pytest.mark.parametrize("name", ["freebsd", "debian"])
def test_what_the_migration_calls_is_there(name: str) -> None:
    """Each system has a stand-in for every command of the runbook that needs one."""
    assert set(WANTED[name].split()) <= catalogue.commands(name).keys()


@pytest.mark.parametrize("name", ["freebsd", "debian"])
def test_a_system_has_nothing_of_the_other(name: str) -> None:
    """What a system lacks is no stand-in of it either."""
    assert not set(place.ABSENT[name].split()) & catalogue.commands(name).keys()
    assert not set(place.REFUSED.split()) & catalogue.commands(name).keys()


async def test_nobody_says_yes_to_what_is_not_known(world: BareWorld, run: Run) -> None:
    """An option that does not exist never ends with 0, whatever the command."""
    for name, machine in (("freebsd", world.machines["old"]), ("debian", world.machines["new"])):
        known = catalogue.commands(name)
        for command in known.keys() - {"postconf", "postfix", "sendmail", "mailq", "doveadm", "dovecot", "doveconf"}:
            done = await run(known, machine, command, "--no-such-option")
            assert done.status != 0, command


def test_wrappers_of_a_chroot_call_copies(world: BareWorld) -> None:
    """In tier ns stand-ins may lie over the machine's programs: called by its path, a program would be its wrapper."""
    host = world.machines["new"].host
    host.tier = cast("Any", Tier.NS)
    tools = Tools({name: f"/usr/bin/{name}" for name in OWN})
    texts = wrappers(host, host.path("/run/rehearsal/bin"), ["ssh", "useradd"], tools, {})
    for name in OWN.keys() - {"sed"}:
        assert f"{REAL}/{name} " in texts[name]
        assert "/usr/bin/" not in texts[name]
    assert str(host.root) not in "".join(texts.values())
    assert "useradd" in texts
