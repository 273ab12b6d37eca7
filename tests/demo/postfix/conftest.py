"""Two mail hosts on loopback, `old` and `new`, with a Postfix each and names that a table answers."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.dns.names import NameNotFoundError
from runbook_tui.demo.host import DEBIAN, FREEBSD, Host, Layout, Tier
from runbook_tui.demo.postfix.daemon import Postfix
from runbook_tui.demo.standins.call import Call, Exit
from runbook_tui.demo.standins.postfix import COMMANDS
from runbook_tui.demo.trust import CertificateAuthority, server_context
from tests.demo.loopback import network

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from runbook_tui.demo.postfix.queue import QueuedMail

DOMAIN = "example.test"
MAIN_CF = """\
# what both hosts begin with
compatibility_level = 3.6
mydestination = $myhostname, localhost.$mydomain,
  localhost
home_mailbox = Maildir/
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
"""


@dataclass
class Book:
    """Names and mail hosts by hand, in the words of the real resolver."""

    hosts: dict[str, str] = field(default_factory=dict)
    mail: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """Give mail hosts; the domain itself when it has none."""
        return self.mail.get(domain, [(0, domain)])

    async def addresses(self, name: str) -> list[str]:
        """Give addresses."""
        if name in self.hosts:
            return [self.hosts[name]]
        if name.replace(".", "").isdigit():
            return [name]
        text = f"Host or domain name not found. Name service error for name={name} type=A: Host not found"
        raise NameNotFoundError(text)


@dataclass
class Place:
    """A host with its Postfix and what was given up there."""

    host: Host
    postfix: Postfix
    bounced: list[tuple[str, str]]

    def write(self, path: str, text: str) -> None:
        """Write a file of the host."""
        self.host.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.host.path(path).write_text(text, encoding="utf-8")

    def main_cf(self, **values: str) -> None:
        """Set parameters over what every host begins with."""
        text = MAIN_CF + "".join(f"{name} = {value}\n" for name, value in values.items())
        self.write(f"{self.host.layout.postfix}/main.cf", text)

    @property
    def log(self) -> str:
        """The mail log."""
        path = self.host.path(self.host.layout.maillog)
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def inbox(self, user: str) -> list[bytes]:
        """Give the new mails of a user."""
        folder = self.host.path(f"/home/{user}/Maildir/new")
        return [file.read_bytes() for file in sorted(folder.iterdir())] if folder.is_dir() else []

    async def run(self, *argv: str, stdin: bytes = b"", user: str = "root") -> tuple[int, str, str]:
        """Call a stand-in as the door does, in a thread; give status, output and error output."""
        machine = cast("Any", type("Bare", (), {"host": self.host, "postfix": self.postfix})())
        out, err = io.StringIO(), io.StringIO()
        call = Call(machine, asyncio.get_running_loop(), argv, "/", user, io.BytesIO(stdin), out, err)

        def called() -> int:
            try:
                return COMMANDS[argv[0]](call) or 0
            except Exit as end:
                return end.status

        return await asyncio.to_thread(called), out.getvalue(), err.getvalue()

    async def rcpt(self, recipient: str, client: str) -> str:
        """Give the answer to one RCPT."""
        return (await self.ask("MAIL FROM:<>", f"RCPT TO:<{recipient}>", client=client))[1]

    async def ok(self, *argv: str, stdin: bytes = b"") -> str:
        """Call a stand-in that must succeed without a word on standard error, and give its output."""
        status, out, err = await self.run(*argv, stdin=stdin)
        assert (status, err) == (0, ""), (argv, status, err)
        return out

    async def ask(self, *lines: str, client: str) -> list[str]:
        """Say lines to the SMTP server from an address; give the last line of each answer, the greeting left out."""
        reader, writer = await asyncio.open_connection(self.host.address, self.host.port(25), local_addr=(client, 0))
        answers = []
        for line in ("", *lines):
            if line:
                writer.write(f"{line}\r\n".encode())
            while (answer := (await asyncio.wait_for(reader.readline(), 5)).decode().rstrip())[3:4] == "-":
                pass
            answers.append(answer)
        writer.close()
        await writer.wait_closed()
        return answers[1:]


@dataclass
class Mail:
    """The two hosts, the clock and the names; `outside` is an address nobody trusts."""

    old: Place
    new: Place
    clock: WorldClock
    names: Book
    outside: str

    async def send(self, to: Place, recipient: str, text: str = "hello", sender: str = "a@sender.test") -> list[str]:
        """Send a mail from outside; give the answers to MAIL, RCPT and the content."""
        message = f"Subject: {text}\r\nMessage-ID: <{text}@sender.test>\r\n\r\n{text}\r\n."
        lines = ("EHLO sender.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>")
        answers = await to.ask(*lines, "DATA", message, "QUIT", client=self.outside)
        return [*answers[1:3], answers[4]]


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 -- files and logs tell nobody
            await asyncio.sleep(0.005)


def tls_of(file: Path, name: str) -> ssl.SSLContext:
    """Make a certificate for a host and what a server shows it with."""
    made = CertificateAuthority().issue([name])
    file.write_bytes(made.key + made.chain)
    return server_context(file, file)


def make_place(folder: Path, name: str, layout: Layout, *, address: str, clock: WorldClock, names: Book) -> Place:
    """Make a host whose Postfix is not started."""
    host = Host(name, DOMAIN, address=address, layout=layout, root=folder / name, tier=Tier.PLAIN, clock=clock)
    bounced: list[tuple[str, str]] = []

    def bounce(_mail: QueuedMail, recipient: str, why: str) -> None:
        bounced.append((recipient, why))

    postfix = Postfix(host, names, tls_of(folder / f"{name}.pem", host.fqdn), ports=host.port, bounced=bounce)
    place = Place(host, postfix, bounced)
    users = ("root:*:0:0::/root", "alice:*:1001:1001::/home/alice", "bob:*:1002:1002::/home/bob")
    place.write("/etc/passwd", "".join(f"{user}:/bin/sh\n" for user in users))
    place.write("/etc/aliases", "postmaster: root\nboth: alice, bob\n")
    place.write("/etc/aliases.db", '{"postmaster": "root", "both": "alice, bob", "root": "alice"}')
    place.main_cf()
    return place


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[Mail]:
    """Old takes mail for the domain as final destination, new does not know it yet; nothing runs."""
    clock = WorldClock.start(60)
    net = network()
    names = Book({f"{name}.{DOMAIN}": f"{net}.{number}" for name, number in (("old", 11), ("new", 12))})
    old = make_place(tmp_path, "old", FREEBSD, address=f"{net}.11", clock=clock, names=names)
    new = make_place(tmp_path, "new", DEBIAN, address=f"{net}.12", clock=clock, names=names)
    old.main_cf(mydestination=f"{DOMAIN}, $myhostname, localhost")
    yield Mail(old, new, clock, names, f"{net}.200")
    await old.postfix.stop()
    await new.postfix.stop()
