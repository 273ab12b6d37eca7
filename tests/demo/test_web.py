"""The webmail page over HTTP, with a real IMAP server behind it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.host import DEBIAN, Host, Tier
from runbook_tui.demo.imap.delivery import deliver
from runbook_tui.demo.imap.server import ImapServer
from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.trust import CertificateAuthority, server_context
from runbook_tui.demo.web import WebServer
from tests.demo.loopback import network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FORM = "_user=plop&_pass={}"


@dataclass
class Webmail:
    """A host with a mailbox, its web server, and what the web server depends on."""

    host: Host
    imap: ImapServer
    web: WebServer
    authority: CertificateAuthority
    database: bool = True

    def enable(self, site: str = "webmail", *, enabled: bool = True) -> None:
        """Put a site where Apache looks, or take it away."""
        path = self.host.path(f"/etc/apache2/sites-enabled/{site}.conf")
        path.parent.mkdir(parents=True, exist_ok=True)
        if enabled:
            path.touch()
        else:
            path.unlink()

    def configure(self, imap_host: str) -> None:
        """Write webmail's configuration."""
        path = self.host.path("/etc/roundcube/config.inc.php")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<?php\n$config['imap_host'] = '{imap_host}';\n", encoding="ascii")

    async def ask(self, form: str = "", *, tls: bool = False) -> tuple[int, str]:
        """Get the page, or send the form; give status and page."""
        reader, writer = await asyncio.open_connection(
            self.host.address, self.host.port(443 if tls else 80),
            ssl=self.authority.client() if tls else None, server_hostname="new.example.test" if tls else None,
        )  # fmt: skip
        verb = "POST" if form else "GET"
        writer.write(f"{verb} / HTTP/1.1\r\nHost: webmail\r\nContent-Length: {len(form)}\r\n\r\n{form}".encode())
        head, _, page = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), page


@pytest.fixture
async def webmail(tmp_path: Path) -> AsyncIterator[Webmail]:
    """Webmail as it runs on new: database, IMAP with STARTTLS, a mailbox with one mail."""
    host = Host(
        "new", "example.test", address=f"{network()}.12", layout=DEBIAN, root=tmp_path / "new", tier=Tier.PLAIN,
        clock=WorldClock.start(60),
    )  # fmt: skip
    host.path("/etc/dovecot").mkdir(parents=True)
    host.path("/etc/passwd").write_text("plop:x:1000:1000::/home/plop:/bin/sh\n", encoding="ascii")
    host.path("/etc/dovecot/dovecot.conf").write_text(
        "protocols = imap\nlisten = *\nmail_location = maildir:~/Maildir\nssl = yes\n"
        "ssl_cert = </etc/dovecot/chain\nssl_key = </etc/dovecot/key\n", encoding="ascii"
    )
    deliver(host.path("/home/plop/Maildir"), b"Subject: x\r\n\r\nx\r\n", hostname="new")
    authority = CertificateAuthority()
    certificate = authority.issue(["new.example.test"], [host.address])
    host.path("/etc/dovecot/chain").write_bytes(certificate.chain)
    host.path("/etc/dovecot/key").write_bytes(certificate.key)
    context = server_context(host.path("/etc/dovecot/chain"), host.path("/etc/dovecot/key"))
    imap = ImapServer(host, context, lambda user, password: (user, password) == ("plop", "right"))
    made: list[Webmail] = []
    web = WebServer(
        host, database=lambda: made[0].database, address_of=lambda _: host.address, client_tls=authority.client,
        server_tls=context,
    )  # fmt: skip
    made.append(Webmail(host, imap, web, authority))
    made[0].enable()
    made[0].configure("tls://new.example.test")
    await imap.start()
    await web.start()
    yield made[0]
    await web.stop()
    await imap.stop()


async def test_the_page_is_there_on_both_ports(webmail: Webmail) -> None:
    """HTTP and HTTPS show the login form."""
    for tls in (False, True):
        status, page = await webmail.ask(tls=tls)
        assert status == 200
        assert 'name="_user"' in page


@pytest.mark.parametrize("server", ["tls://new.example.test", "localhost", "tls://new.example.test:143"])
async def test_a_login_counts_the_mails(webmail: Webmail, server: str) -> None:
    """The right password shows the inbox, and the mail stays new."""
    webmail.configure(server)
    status, page = await webmail.ask(FORM.format("right"))
    assert "Inbox: 1 messages" in page
    assert status == 200
    assert len(list(webmail.host.path("/home/plop/Maildir/new").iterdir())) == 1


async def test_what_is_wrong_behind_it_shows(webmail: Webmail) -> None:
    """A wrong password, a name that is not in the certificate, no IMAP, no database: each has its page."""
    assert (await webmail.ask(FORM.format("wrong")))[0] == 401
    webmail.configure("tls://old.example.test")
    status, page = await webmail.ask(FORM.format("right"))
    assert (status, "Connection to storage server failed" in page) == (500, True)
    webmail.configure("tls://new.example.test")
    await webmail.imap.stop()
    assert (await webmail.ask(FORM.format("right")))[0] == 500
    webmail.database = False
    assert "DATABASE ERROR" in (await webmail.ask())[1]


async def test_a_site_is_enabled_or_not_from_the_next_reload_on(webmail: Webmail) -> None:
    """Taking the site away alone changes nothing; after a reload there is 503, whatever else is enabled by default."""
    webmail.enable(enabled=False)
    webmail.enable("000-default")
    assert (await webmail.ask())[0] == 200
    await webmail.web.reload()
    assert (await webmail.ask())[0] == 503


async def test_stop_and_a_taken_port(webmail: Webmail) -> None:
    """A stopped one refuses connections; a second one on the same ports says what it could not bind."""
    rival = WebServer(
        webmail.host, database=lambda: True, address_of=str, client_tls=webmail.authority.client
    )
    with pytest.raises(ServiceError, match="could not bind to address"):
        await rival.start()
    assert not rival.running
    await webmail.web.stop()
    with pytest.raises(ConnectionRefusedError):
        await webmail.ask()


async def test_a_visitor_who_says_nothing_sensible_is_left(webmail: Webmail) -> None:
    """Half a request and a hang-up do not disturb the next visitor."""
    _, writer = await asyncio.open_connection(webmail.host.address, webmail.host.port(80))
    writer.write(b"GET")
    writer.close()
    assert (await webmail.ask())[0] == 200
