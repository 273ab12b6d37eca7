"""The commands that come with Postfix, as the runbook and an operator call them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.demo.postfix.conftest import DOMAIN, MAIN_CF, until

if TYPE_CHECKING:
    from tests.demo.postfix.conftest import Mail


async def test_postconf_edits_and_keeps_comments(mail: Mail) -> None:
    """`postconf -e` sets several values, keeps comments and `$` as they are; -X takes one out again."""
    place = mail.new
    assert await place.ok("postconf", "-e", "mydestination = $myhostname, localhost", "soft_bounce=yes") == ""
    text = place.host.path("/etc/postfix/main.cf").read_text()
    assert text == MAIN_CF.replace(
        "mydestination = $myhostname, localhost.$mydomain,\n  localhost\n", "mydestination = $myhostname, localhost\n"
    ) + "soft_bounce = yes\n"
    assert await place.ok("postconf", "-h", "soft_bounce") == "yes\n"
    assert await place.ok("postconf", "-x", "mydestination") == f"mydestination = new.{DOMAIN}, localhost\n"
    assert await place.ok("postconf", "-X", "soft_bounce", "maximal_queue_lifetime") == ""
    assert await place.ok("postconf", "soft_bounce") == "soft_bounce = no\n"


async def test_postconf_keeps_the_worlds_folders_out_of_main_cf(mail: Mail) -> None:
    """A path that was rewritten on its way to the command is stored as the host knows it, and -h gives it back so."""
    table = f"transport_maps=hash:{mail.new.host.root}/etc/postfix/transport"
    await mail.new.ok("postconf", "-e", table)
    assert await mail.new.ok("postconf", "transport_maps") == "transport_maps = hash:/etc/postfix/transport\n"
    bare = await mail.new.ok("postconf", "-h", "transport_maps")
    assert bare == f"hash:{mail.new.host.root}/etc/postfix/transport\n"


async def test_postconf_warns_of_names_nobody_reads(mail: Mail) -> None:
    """A misspelt parameter in main.cf is a warning, an unknown one asked for as well; the status stays 0."""
    mail.new.main_cf(relay_hoost="x")
    status, out, err = await mail.new.run("postconf", "-h", "relayhost", "nosuch")
    assert (status, out) == (0, "\n")
    assert err.splitlines() == [
        "postconf: warning: nosuch: unknown parameter",
        "postconf: warning: /etc/postfix/main.cf: unused parameter: relay_hoost=x",
    ]


async def test_freebsd_keeps_its_files_elsewhere(mail: Mail) -> None:
    """On old the port's paths are the defaults."""
    out = await mail.old.ok("postconf", "setgid_group", "config_directory")
    assert out == "setgid_group = maildrop\nconfig_directory = /usr/local/etc/postfix\n"


@pytest.mark.parametrize(
    "argv",
    [
        ("postconf", "-t"), ("postconf", "-c", "/etc/x"), ("postmap", "-i", "/etc/aliases"), ("postqueue", "-x"),
        ("postfix", "set-permissions"), ("sendmail", "-bs"), ("postmap", "cidr:/etc/postfix/networks"),
    ],
    ids=" ".join,
)  # fmt: skip
async def test_what_it_does_not_know_it_refuses(mail: Mail, argv: tuple[str, ...]) -> None:
    """An option outside the rehearsal ends with 64 and says so."""
    status, _, err = await mail.new.run(*argv)
    assert status == 64
    assert "not in the rehearsal" in err


async def test_tables_and_aliases(mail: Mail) -> None:
    """Postmap compiles, -q asks; newaliases compiles every alias_database; a key that is not there is status 1."""
    mail.new.write("/etc/postfix/transport", f"# to old\n{DOMAIN}\tsmtp:[old.{DOMAIN}]\n{DOMAIN} again\nlonely\n")
    status, _, err = await mail.new.run("postmap", "hash:/etc/postfix/transport")
    assert status == 0
    assert err.splitlines() == [
        f'postmap: warning: /etc/postfix/transport.db: duplicate entry: "{DOMAIN}"',
        "postmap: warning: /etc/postfix/transport, line 4: expected format: key whitespace value",
    ]
    assert await mail.new.ok("postmap", "-q", "Example.Test", "hash:/etc/postfix/transport") == f"smtp:[old.{DOMAIN}]\n"
    assert await mail.new.run("postmap", "-q", "other.test", "hash:/etc/postfix/transport") == (1, "", "")
    assert await mail.new.run("postmap", "-q", "x", "hash:/etc/nope") == (
        1, "", "postmap: fatal: open database /etc/nope.db: No such file or directory\n",
    )  # fmt: skip
    mail.new.write("/etc/aliases", 'root: alice,\n  bob\n"odd name": alice\n')
    assert await mail.new.ok("newaliases") == ""
    assert await mail.new.ok("postalias", "-q", "ROOT", "hash:/etc/aliases") == "alice, bob\n"


async def test_an_edit_without_postmap_changes_nothing(mail: Mail) -> None:
    """The compiled table stays in use, with a warning, until postmap is run; then the new one is, without a reload."""
    mail.new.write("/etc/postfix/t", "a one\n")
    await mail.new.ok("postmap", "/etc/postfix/t")
    mail.new.write("/etc/postfix/t", "a two\n")
    compiled = mail.new.host.path("/etc/postfix/t.db")

    now = compiled.stat().st_mtime
    os.utime(compiled, (now - 300, now - 300))
    os.utime(mail.new.host.path("/etc/postfix/t"), (now - 200, now - 200))
    stale = "warning: database /etc/postfix/t.db is older than source file /etc/postfix/t"
    assert await mail.new.run("postmap", "-q", "a", "hash:/etc/postfix/t") == (0, "one\n", f"postmap: {stale}\n")
    assert mail.new.postfix.lookup("hash:/etc/postfix/t", "a") == "one"
    assert stale in mail.new.log
    await mail.new.ok("postmap", "/etc/postfix/t")
    assert mail.new.postfix.lookup("hash:/etc/postfix/t", "a") == "two"


async def test_the_queue_when_postfix_is_down(mail: Mail) -> None:
    """Down, root sees the queue and a warning, others nothing and status 69; a flush fails (MIGRATION.md 0.9)."""
    status, out, err = await mail.new.run("postqueue", "-j")
    assert (status, out) == (0, "")
    assert err.startswith("postqueue: warning: Mail system is down -- accessing queue directly")
    assert await mail.new.run("postqueue", "-j", user="alice") == (
        69, "", "postqueue: fatal: Queue report unavailable - mail system is down\n",
    )  # fmt: skip
    assert (await mail.new.run("postqueue", "-f"))[0] == 69
    assert await mail.new.ok("sendmail", f"alice@new.{DOMAIN}", stdin=b"Subject: early\n\nhello\n") == ""
    dropped = json.loads((await mail.new.run("postqueue", "-j"))[1])
    assert dropped["queue_name"] == "maildrop"
    assert await mail.new.ok("postfix", "start") == ""
    await until(lambda: mail.new.inbox("alice"))
    assert b"\nMessage-Id: <" in mail.new.inbox("alice")[0]


async def test_the_mail_system_is_steered(mail: Mail) -> None:
    """start, status, reload, stop say what they do in the log and by their status, not on a pipe."""
    steps = "status=1 reload=1 start=0 start=1 status=0 check=0 reload=0 stop=0 stop=1"
    for verb, wanted in ((step[:-2], int(step[-1])) for step in steps.split()):
        assert await mail.new.run("postfix", verb) == (wanted, "", ""), verb
    assert mail.new.log.count("fatal: the Postfix mail system is already running") == 1
    assert "reload -- version 3.7.11, configuration /etc/postfix" in mail.new.log
    mail.new.write("/etc/postfix/main.cf", "broken\n")
    status, _, err = await mail.new.run("postfix", "check")
    assert (status, err) == (
        1, "postfix: fatal: /etc/postfix/main.cf, line 1: missing '=' after attribute name: \"broken\"\n",
    )  # fmt: skip


async def test_where_would_it_go(mail: Mail) -> None:
    """`sendmail -bv` delivers nothing and leaves the answer in the log, on this host and through the next."""
    mail.new.main_cf(relay_domains=DOMAIN, transport_maps=f"inline:{{{DOMAIN}=smtp:[old.{DOMAIN}]}}")
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    for address in (f"alice@{DOMAIN}", f"nosuch@{DOMAIN}", "bob", f"nosuch@new.{DOMAIN}"):
        out = await mail.new.ok("sendmail", "-bv", address)
        assert out == "Mail Delivery Status Report will be mailed to <root>.\n"
    relay = f"relay=old.{DOMAIN}[{mail.old.host.address}]:25, "
    assert relay in mail.new.log
    for words in (
        "dsn=2.0.0, status=deliverable (250 2.1.5 Ok)",
        f"dsn=5.1.1, status=undeliverable (host old.{DOMAIN}[{mail.old.host.address}] said: 550 5.1.1 ",
        "dsn=2.0.0, status=deliverable (delivers to maildir)",
        'dsn=5.1.1, status=undeliverable (unknown user: "nosuch")',
    ):
        assert words in mail.new.log
    assert mail.old.inbox("alice") == mail.new.inbox("bob") == []
    assert "Mail queue is empty" in await mail.new.ok("postqueue", "-p")


async def test_sendmail_reads_recipients_from_the_headers(mail: Mail) -> None:
    """`sendmail -t` sends to To, Cc and Bcc; without any recipient it fails with 75."""
    mail.new.main_cf(mydestination=f"{DOMAIN}, $myhostname")
    await mail.new.postfix.start()
    text = f"To: Alice <alice@{DOMAIN}>\nCc: bob\nSubject: two\n\nhello\n".encode()
    await mail.new.ok("sendmail", "-t", "-oi", "-f", "me@sender.test", stdin=text)
    await until(lambda: mail.new.inbox("alice") and mail.new.inbox("bob"))
    assert mail.new.inbox("bob")[0].startswith(b"Return-Path: <me@sender.test>\n")
    assert (await mail.new.run("sendmail", "-oi", stdin=b"x\n"))[0] == 75
