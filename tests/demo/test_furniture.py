"""The furniture: what a migration starts from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo import old_mail, passwords, trust
from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.database import Databases
from runbook_tui.demo.furniture import USERS, Papers, authorized_keys, fill_databases, furnish
from runbook_tui.demo.host import DEBIAN, FREEBSD, Host, Tier
from runbook_tui.demo.imap.maildir import Store
from runbook_tui.demo.postfix import maps
from runbook_tui.demo.sql import Statement

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def papers() -> Papers:
    """Certificates and secrets, made once."""
    authority = trust.CertificateAuthority()
    return Papers(
        passwords=dict.fromkeys(USERS, "open sesame"),
        certificates={name: authority.issue([f"{name}.example.test"]) for name in ("old", "new")},
        host_keys={"new": ("ssh-ed25519 AAAA new", "ecdsa-sha2-nistp256 AAAB new")},
        operator="ssh-ed25519 AAAC operator",
        authority=authority.pem,
        tsig="c2VjcmV0",
    )


@pytest.fixture
def hosts(tmp_path: Path, papers: Papers) -> dict[str, Host]:
    """The three hosts, furnished."""
    clock = WorldClock.start(60)
    made = {
        name: Host(name, "example.test", address=f"127.93.2.{last}", layout=layout, root=tmp_path / name,
                   tier=Tier.PLAIN, clock=clock)
        for name, layout, last in (("old", FREEBSD, 11), ("new", DEBIAN, 12), ("desk", DEBIAN, 13))
    }  # fmt: skip
    furnish(made, papers, name_server="127.93.2.53", resolver="127.93.2.1")
    return made


def test_no_placeholder_is_left_and_no_path_is_named_by_one(hosts: dict[str, Host]) -> None:
    """Every template is filled, file names too."""
    for host in hosts.values():
        for path in host.root.rglob("*"):
            if path.is_file():
                assert "@domain@" not in str(path)
                assert b"@domain@" not in path.read_bytes()
    zone = hosts["old"].path("/usr/local/etc/namedb/primary/example.test").read_text("utf-8")
    assert "v=spf1 ip4:127.93.2.11 -all" in zone


def test_furnishing_is_quick(tmp_path: Path, papers: Papers) -> None:
    """The world starts within a second; on a slow disk its furniture takes less than half of one."""
    clock = WorldClock.start(60)
    spent = []
    for attempt in range(3):
        made = {
            name: Host(name, "example.test", address="127.93.2.11", layout=FREEBSD, root=tmp_path / f"{name}{attempt}",
                       tier=Tier.PLAIN, clock=clock)
            for name in ("old", "new", "desk")
        }  # fmt: skip
        made["new"].layout = made["desk"].layout = DEBIAN
        begun = time.process_time()
        furnish(made, papers, name_server="127.93.2.53", resolver="127.93.2.1")
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.5


def test_the_old_server_has_years_of_mail(hosts: dict[str, Host]) -> None:
    """Every mailbox reads as it was written: counts, gaps in the UIDs, flags, keywords, dates."""
    total = 0
    for user, folders in old_mail.FOLDERS.items():
        maildir = hosts["old"].maildir(user)
        assert maildir
        store = Store(maildir)
        assert set(store.names()) == set(folders)
        assert set(store.subscriptions()) == set(folders) - {"INBOX", "Archive"}
        for name, folder in folders.items():
            mailbox = store.mailbox(name)
            total += len(mailbox)
            assert len(mailbox.messages) == folder.count
            assert sum(message.recent for message in mailbox.messages) == folder.fresh
    assert 190 <= total <= 230
    plop = hosts["old"].maildir("plop")
    assert plop
    inbox = Store(plop).mailbox("INBOX")
    assert inbox.uidnext > len(inbox) + 3
    assert {keyword for message in inbox.messages for keyword in message.keywords} == {"$Forwarded"}
    assert inbox.messages[0].internal_date.year == 2012
    assert inbox.uidvalidity != Store(plop).mailbox("Sent").uidvalidity
    assert all(message.size == len(inbox.content(message)) for message in inbox.messages)


def test_the_old_server_knows_its_users_and_their_passwords(hosts: dict[str, Host]) -> None:
    """Users have real hashes; the new machine has none of them yet."""
    assert passwords.accepts(hosts["old"], "plop", "open sesame")
    assert not passwords.accepts(hosts["old"], "plop", "open barley")
    assert not passwords.accepts(hosts["old"], "root", "")
    assert hosts["old"].users()["alice"].uid == 1002
    assert "plop" not in hosts["new"].users()
    assert not passwords.accepts(hosts["new"], "plop", "open sesame")


def test_aliases_are_compiled(hosts: dict[str, Host]) -> None:
    """Postfix finds a table where aliases are looked up."""
    source = hosts["old"].path("/etc/mail/aliases")
    assert maps.read_compiled(source, "/etc/mail/aliases")["root"] == "plop"


def test_keys_are_files_that_can_change(hosts: dict[str, Host]) -> None:
    """The operator gets in; nobody else does until a line is added on the host itself."""
    assert authorized_keys(hosts["new"], "root") == ["ssh-ed25519 AAAC operator"]
    assert authorized_keys(hosts["new"], "plop") == []
    with hosts["new"].path("/root/.ssh/authorized_keys").open("a") as keys:
        keys.write("ssh-ed25519 AAAD root@old\n")
    assert authorized_keys(hosts["new"], "root")[1:] == ["ssh-ed25519 AAAD root@old"]
    assert hosts["new"].path("/etc/ssh/ssh_host_ecdsa_key.pub").read_text().startswith("ecdsa-sha2-nistp256 ")


async def test_the_webmail_database_is_full(hosts: dict[str, Host]) -> None:
    """Every table has rows, and the superuser owns one of them: what a dump moved as it is stumbles over."""
    databases = Databases(hosts["old"])
    await fill_databases(databases, "example.test")
    assert databases.running
    assert databases.owners == {"roundcube": "roundcube"}
    with databases.connect("roundcube") as session:
        assert session.execute(Statement("SELECT count(*) FROM users WHERE mail_host <> 'localhost'")).rows == ((3,),)
        assert "ALTER TABLE public.contacts OWNER TO pgsql" in [one.text for one in session.dump()]
