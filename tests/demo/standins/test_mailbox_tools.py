"""crontab and fetchmail as stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from runbook_tui.demo.ledger import HEADER, Ledger, Stage
from runbook_tui.demo.provider import Provider
from runbook_tui.demo.standins.mailbox_tools import COMMANDS

if TYPE_CHECKING:
    from runbook_tui.demo.machine import Machine
    from tests.demo.standins.conftest import BareWorld, Run, Said

PASSWD = "plop:x:1001:1001::/home/plop:/bin/sh\n"
RC = 'poll provider.test protocol pop3 user "plop" password "secret" is plop here {}\n'
PROCMAIL = ("-s", "-m", "procmail -d %T")


class Fetching:
    """Two machines with a user plop and mail at the provider."""

    def __init__(self, world: BareWorld, run: Run) -> None:
        self.world = world
        self._run = run
        hosts = {name: machine.host for name, machine in world.machines.items()}
        self.ledger = Ledger(world.clock, hosts, dict)
        self.provider = Provider(self.ledger)
        cast("Any", world).provider = self.provider
        for host in hosts.values():
            with host.path("/etc/passwd").open("a", encoding="ascii") as passwd:
                passwd.write(PASSWD)
            host.path("/home/plop").mkdir()
            self.configure(host.name)

    def configure(self, name: str, words: str = "") -> None:
        """Write plop's ~/.fetchmailrc."""
        rc = self.world.machines[name].host.path("/home/plop/.fetchmailrc")
        rc.write_text(RC.format(words), encoding="ascii")
        rc.chmod(0o600)

    def mail(self) -> int:
        """Put a numbered mail at the provider."""
        number = self.ledger.number(Stage.PROVIDER)
        self.provider.put("plop", f"{HEADER}: {number}\r\n\r\nbody\r\n".encode())
        return number

    async def __call__(self, name: str, *argv: str, stdin: str = "", user: str = "plop") -> Said:
        """Call a stand-in on a machine."""
        machine: Machine = self.world.machines[name]
        return await self._run(COMMANDS, machine, *argv, stdin=stdin.encode(), user=user)


@pytest.fixture
def fetching(world: BareWorld, run: Run) -> Fetching:
    """The machines, ready to fetch."""
    return Fetching(world, run)


async def test_fetchmail_moves_mail_into_the_maildir(fetching: Fetching) -> None:
    """With procmail as delivery the mails arrive once; then there is nothing to fetch, status 1."""
    numbers = [fetching.mail(), fetching.mail()]
    check = await fetching("old", "fetchmail", "-c")
    assert (check.status, check.out) == (0, "2 messages for plop at provider.test.\n")
    assert (await fetching("old", "fetchmail", "-a", *PROCMAIL)).status == 0
    assert fetching.provider.count("plop") == 0
    assert fetching.ledger.report(final=False).clean
    assert fetching.ledger.view().old == len(numbers)
    assert (await fetching("old", "fetchmail", *PROCMAIL)).status == 1


async def test_with_keep_mail_stays_and_is_fetched_once(fetching: Fetching) -> None:
    """~/.fetchids remembers; on a host without that file all of it comes again."""
    fetching.mail()
    for name in ("old", "new"):
        fetching.configure(name, "keep")
    assert (await fetching("old", "fetchmail", *PROCMAIL)).status == 0
    assert (await fetching("old", "fetchmail", *PROCMAIL)).status == 1
    assert fetching.provider.count("plop") == 1
    assert (await fetching("new", "fetchmail", *PROCMAIL)).status == 0
    assert (await fetching("new", "fetchmail", "-a", *PROCMAIL)).status == 0
    assert fetching.ledger.report().numbers("twice") == {1}


async def test_fetching_on_two_hosts_splits_the_mail(fetching: Fetching) -> None:
    """What old fetched is not there for new: it is only on old."""
    first = fetching.mail()
    await fetching("old", "fetchmail", *PROCMAIL)
    fetching.mail()
    await fetching("new", "fetchmail", *PROCMAIL)
    assert fetching.ledger.report().lines()[-1] == f"lost: {first} (only on old)"


async def test_trouble_keeps_the_mail_at_the_provider(fetching: Fetching) -> None:
    """A busy mailbox, a full disk, a Postfix that is down: nothing is deleted, each has its own status."""
    fetching.mail()
    with fetching.provider.session("plop"):
        assert (await fetching("old", "fetchmail", *PROCMAIL)).status == 9
    old = fetching.world.machines["old"]
    old.host.full = True
    assert (await fetching("old", "fetchmail", *PROCMAIL)).status == 10
    old.host.full = False
    cast("Any", old).postfix = type("Down", (), {"running": False})()
    assert (await fetching("old", "fetchmail")).status == 10
    assert fetching.provider.count("plop") == 1


async def test_fetchmail_wants_a_private_configuration(fetching: Fetching) -> None:
    """No file, one that others may read, another server, an unknown program or option."""
    rc = fetching.world.machines["new"].host.path("/home/plop/.fetchmailrc")
    assert (await fetching("new", "fetchmail", "-V")).status == 0
    assert (await fetching("new", "fetchmail", "-d", "300")).status == 64
    fetching.mail()
    assert (await fetching("new", "fetchmail", "-m", "cat")).status == 64
    rc.chmod(0o644)
    assert (await fetching("new", "fetchmail")).status == 6
    rc.unlink()
    said = await fetching("new", "fetchmail")
    assert (said.status, said.err) == (5, "fetchmail: no mailservers have been specified.\n")


async def test_a_crontab_is_installed_shown_and_removed(fetching: Fetching) -> None:
    """By its owner and by root for another, from stdin and from a file."""
    line = "*/3 * * * * $HOME/bin/getmymailnow > /dev/null\n"
    missing = await fetching("old", "crontab", "-l")
    assert (missing.status, missing.err) == (1, "no crontab for plop\n")
    assert (await fetching("old", "crontab", "-u", "plop", "-", stdin=line, user="root")).status == 0
    assert (await fetching("old", "crontab", "-l")).out == line
    assert fetching.world.machines["old"].host.path("/var/cron/tabs/plop").read_text() == line
    fetching.world.machines["new"].host.path("/root/tab").write_text(line)
    assert (await fetching("new", "crontab", "-u", "plop", "/root/tab", user="root")).status == 0
    assert (await fetching("new", "crontab", "-r")).status == 0
    assert (await fetching("new", "crontab", "-l")).status == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# x\n61 * * * * true\n", '"-":2: bad minute\nerrors in crontab file, can\'t install.\n'),
        ("* * * * * true", "new crontab file is missing newline before EOF, can't install.\n"),
    ],
)
async def test_a_broken_crontab_leaves_the_old_one(fetching: Fetching, text: str, words: str) -> None:
    """What cron would not take is refused, and the one installed before stays."""
    await fetching("old", "crontab", "-", stdin="0 0 * * * good\n")
    said = await fetching("old", "crontab", "-", stdin=text)
    assert (said.status, said.err) == (1, words)
    assert (await fetching("old", "crontab", "-l")).out == "0 0 * * * good\n"
    assert (await fetching("old", "crontab", "-u", "nobody-here", "-l")).status == 1
    assert (await fetching("old", "crontab")).status == 1
    assert (await fetching("old", "crontab", "-e")).status == 64
