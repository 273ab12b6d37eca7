"""Dovecot's commands where they refuse; what they print is compared with the real ones in the conformance tests."""

from __future__ import annotations

import asyncio

import pytest

from tests.demo.imap.conftest import CONF, Command, Site
from tests.demo.mail_client import PASSWORD


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("doveadm auth test plop wrong", 77, "passdb: plop auth failed"),
        ("doveadm user nobody", 67, "userdb lookup: user nobody doesn't exist"),
        ("doveadm user -f home plop", 0, "/home/plop\n"),
        ("doveadm user plop", 0, "mail\tmaildir:~/Maildir"),
        ("doveadm user *", 0, "plop\n"),
        ("doveadm mailbox status -u nobody messages INBOX", 67, "doveadm(nobody): Error: User doesn't exist"),
        ("doveadm mailbox status -u plop messages Nix", 68, "lookup mailbox status: Mailbox doesn't exist: Nix"),
        ("doveadm -f tab mailbox status -A messages *", 0, "username\tmailbox\tmessages\nplop\tINBOX\t0\n"),
        ("doveadm mailbox status -u plop highestmodseq INBOX", 64, "not in the rehearsal"),
        ("doveadm mailbox status messages INBOX", 64, "not in the rehearsal"),
        ("doveadm kick plop", 68, "no users kicked"),
        ("doveadm quota get -u plop", 64, "not in the rehearsal"),
        ("doveadm backup -u plop ssh", 64, "not in the rehearsal"),
        ("doveadm search -u plop colour red", 64, "not in the rehearsal"),
        ("doveadm fetch -u plop text all", 64, "not in the rehearsal"),
        ("doveadm -x who", 64, "not in the rehearsal"),
        ("doveadm", 64, "not in the rehearsal"),
        ("doveadm mailbox list -t -u plop", 64, "not in the rehearsal"),
        ("doveadm reload", 0, ""),
        ("dovecot", 89, "Fatal: Dovecot is already running"),
        ("dovecot reload", 0, ""),
        ("dovecot --version", 0, "2.3.19.1"),
        ("dovecot --colour", 64, "not in the rehearsal"),
        ("dovecot frobnicate", 64, "not in the rehearsal"),
        ("doveconf -h listen", 0, "*\n"),
        ("doveconf ssl mail_location", 0, "ssl = required\nmail_location = maildir:~/Maildir\n"),
        ("doveconf -d ssl", 0, "ssl = yes\n"),
        ("doveconf -n -c /none.conf", 89, "doveconf: Fatal: open(/none.conf) failed: No such file or directory"),
    ],
)
async def test_a_command_ends_as_dovecots_does(up: Site, command: Command, line: str, status: int, words: str) -> None:
    """The status and the sentence are those of Dovecot 2.3, or the stand-in refuses aloud."""
    assert up.server.running
    said = await command(*line.split())
    assert (said.status, words in said.out + said.err) == (status, True), said


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("doveadm who", 75), ("doveadm kick plop", 75), ("doveadm reload", 75), ("dovecot stop", 75),
        ("doveadm auth test plop secret", 77), ("doveadm user plop", 75),
        ("doveadm mailbox status -u plop messages INBOX", 75),
    ],
)  # fmt: skip
async def test_nothing_is_to_be_had_from_a_dovecot_that_is_stopped(command: Command, line: str, status: int) -> None:
    """Each command says that nobody is there, with the status of the real one."""
    said = await command(*line.split())
    assert said.status == status
    assert "Connection refused" in said.err or "not running" in said.err


async def test_start_and_stop_by_command(site: Site, command: Command) -> None:
    """`dovecot` starts the server, `doveadm stop` stops it; a broken configuration is refused with status 89."""
    assert (await command("dovecot")).status == 0
    assert site.server.running
    assert (await command("doveadm", "stop")).status == 0
    assert not site.server.running
    site.configure(CONF + "}\n")
    assert (await command("dovecot")).status == 89


async def test_who_is_there_and_is_thrown_out(up: Site, command: Command) -> None:
    """A logged-in client is listed by name, and hears BYE when it is kicked."""
    reader, writer = await asyncio.open_connection(up.host.address, up.host.port(993), ssl=up.trusted)
    writer.write(f'a LOGIN plop "{PASSWORD}"\r\n'.encode())
    assert (await reader.readline()).startswith(b"* OK")
    assert (await reader.readline()).startswith(b"a OK")
    assert (await command("doveadm", "who")).out.splitlines()[1].split()[:3] == ["plop", "1", "imap"]
    assert (await command("doveadm", "kick", "*")).out.startswith("plop kicked connections")
    assert b"BYE" in await reader.read()
    writer.close()
    assert len((await command("doveadm", "who")).out.splitlines()) == 1


async def test_settings_may_be_in_included_files(site: Site, command: Command) -> None:
    """`!include conf.d/*.conf` reads them by name; what is said later counts; a missing `!include_try` is no error."""
    folder = site.host.path("/etc/dovecot/conf.d")
    folder.mkdir()
    (folder / "10-mail.conf").write_text("mail_location = mbox:~/mail\n")
    (folder / "20-mail.conf").write_text("mail_location = maildir:~/Maildir\n")
    site.configure("!include conf.d/*.conf\n!include_try local.conf\n")
    assert (await command("doveconf", "-h", "mail_location")).out == "maildir:~/Maildir\n"
