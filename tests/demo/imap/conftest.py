"""A host with an IMAP server, certificates and a user, and a stand-in called on it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.host import DEBIAN, Host, Tier
from runbook_tui.demo.imap.server import ImapServer
from runbook_tui.demo.standins.call import Call, Exit
from runbook_tui.demo.standins.dovecot import COMMANDS
from runbook_tui.demo.trust import CertificateAuthority, server_context, write_key
from tests.demo.loopback import network
from tests.demo.mail_client import PASSWORD, connected

if TYPE_CHECKING:
    import ssl
    from contextlib import AbstractContextManager
    from pathlib import Path

    from imapclient import IMAPClient

    from runbook_tui.demo.imap.maildir import Store
    from runbook_tui.demo.machine import Machine

CONF = """\
protocols = imap
listen = *
mail_location = maildir:~/Maildir
ssl = required
ssl_cert = </etc/dovecot/mail.pem
ssl_key = </etc/dovecot/mail.key
passdb {
  driver = pam
}
"""


@dataclass(slots=True)
class Site:
    """A host and its server; `trusted` is a client's idea of TLS."""

    host: Host
    server: ImapServer
    trusted: ssl.SSLContext

    @property
    def store(self) -> Store:
        """The mail of plop."""
        store = self.server.store("plop")
        assert store
        return store

    def configure(self, text: str) -> None:
        """Write dovecot.conf."""
        self.host.path("/etc/dovecot/dovecot.conf").write_text(text)

    def client(self, *, implicit: bool = False) -> AbstractContextManager[IMAPClient]:
        """Log in as plop over TLS."""
        port = self.host.port(993 if implicit else 143)
        return connected(self.host.address, port, tls=self.trusted, implicit=implicit)


Talk = Callable[..., Awaitable[bytes]]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Give a Debian host whose server is not running yet; afterwards it is stopped."""
    address = f"{network()}.12"
    host = Host(
        "new", "example.test", address=address, layout=DEBIAN, root=tmp_path / "new", tier=Tier.PLAIN,
        clock=WorldClock.start(1),
    )  # fmt: skip
    host.path("/etc/dovecot").mkdir(parents=True)
    host.path("/etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nplop:x:1000:1000:Plop:/home/plop:/bin/sh\n")
    authority = CertificateAuthority()
    issued = authority.issue(["mail.example.test"], [address])
    chain, key = host.path("/etc/dovecot/mail.pem"), host.path("/etc/dovecot/mail.key")
    chain.write_bytes(issued.chain)
    write_key(key, issued.key)
    server = ImapServer(host, server_context(chain, key), lambda *login: login == ("plop", PASSWORD))
    made = Site(host, server, authority.client())
    made.configure(CONF)
    yield made
    await server.stop()


@pytest.fixture
async def up(site: Site) -> Site:
    """Give the host with its server running."""
    await site.server.start()
    return site


@pytest.fixture
def talk(site: Site) -> Talk:
    """Speak IMAP by hand: send lines after a login over TLS and give everything that came back."""

    async def spoken(*lines: str, login: bool = True, tls: bool = True) -> bytes:
        port = site.host.port(993 if tls else 143)
        reader, writer = await asyncio.open_connection(site.host.address, port, ssl=site.trusted if tls else None)
        heard = await reader.readline()
        for line in (f'l LOGIN plop "{PASSWORD}"', *lines) if login else lines:
            writer.write(line.encode() + b"\r\n")
        writer.write(b"z LOGOUT\r\n")
        heard += await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await writer.wait_closed()
        return heard

    return spoken


@dataclass(slots=True)
class Said:
    """What a stand-in left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Awaitable[Said]]


@pytest.fixture
def command(site: Site) -> Command:
    """Call one of Dovecot's commands on the host."""

    async def called(*argv: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        machine = cast("Machine", SimpleNamespace(host=site.host, imap=site.server))
        loop = asyncio.get_running_loop()
        call = Call(machine, loop, argv, "/root", "root", io.BytesIO(), out, err)

        def run() -> int:
            try:
                return COMMANDS[argv[0]](call) or 0
            except Exit as end:
                return end.status

        return Said(await asyncio.to_thread(run), out.getvalue(), err.getvalue())

    return called


async def in_thread(work: Callable[[], Any]) -> Any:  # noqa: ANN401 -- whatever the work gives
    """Do blocking client's work beside the server's loop."""
    return await asyncio.to_thread(work)
