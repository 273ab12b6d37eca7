"""The world: builds the machines and all around them, starts and stops them; what the control socket steers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runbook_tui.core.rehearsal import Fault, QueueView, ResolverView, WorldView
from runbook_tui.demo import furniture, passwords, trust
from runbook_tui.demo.cron import Cron
from runbook_tui.demo.database import Databases
from runbook_tui.demo.dns.authoritative import Authoritative
from runbook_tui.demo.dns.names import Names
from runbook_tui.demo.dns.resolver import Resolver
from runbook_tui.demo.facts import CA, Facts
from runbook_tui.demo.host import DEBIAN, FREEBSD, PLAIN_PORTS, Host, Tier
from runbook_tui.demo.imap.server import ImapServer
from runbook_tui.demo.isolation.confinement import STANDINS, Confinement
from runbook_tui.demo.ledger import Ledger, Report
from runbook_tui.demo.machine import Machine, Service
from runbook_tui.demo.network import HOSTS, NAME_SERVER, RESOLVERS, take_network
from runbook_tui.demo.outside import Outside
from runbook_tui.demo.postfix.daemon import Postfix
from runbook_tui.demo.provider import Provider
from runbook_tui.demo.quiet import Quiet
from runbook_tui.demo.ssh import SshServer
from runbook_tui.demo.standins import catalogue, services
from runbook_tui.demo.standins.door import Door
from runbook_tui.demo.standins.place import Tools, place
from runbook_tui.demo.web import WebServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import asyncssh

    from runbook_tui.demo.clock import WorldClock
    from runbook_tui.demo.host import User
    from runbook_tui.demo.postfix.queue import QueuedMail

DOMAIN = "example.test"
ZONE_FILE = f"/usr/local/etc/namedb/primary/{DOMAIN}"
LAYOUTS = {"old": FREEBSD, "new": DEBIAN, "desk": DEBIAN}
SETTLING_ROUNDS, SETTLING_STEP, SETTLING_PAUSE = 60, 600.0, 0.1
"""How reconciling helps mails along: so many jumps of so many world seconds, with a real moment for each."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a resolver differs from the plain one; the fields are those of `Resolver`."""

    words: str
    minimum_ttl: int = 0
    backends: int = 1
    servfail: float = 0.0
    delay: float = 0.0


MANNERS: Mapping[str, Manner] = {
    "resolver-a": Manner("keeps answers as long as their TTL says"),
    "resolver-b": Manner("three machines that do not share a cache", backends=3),
    "resolver-c": Manner("keeps every answer for two hours at least", minimum_ttl=7200),
    "resolver-d": Manner("fails now and then, and is slow", servfail=0.02, delay=0.02),
}


class World:
    """Implements `machine.Surroundings` for the stand-ins and `control.Steered` for the app."""

    def __init__(self, folder: Path, tier: Tier, clock: WorldClock, *, bare: bool = False) -> None:
        """Furnish the hosts' folders and confine this process; nothing is served yet. Takes no loop and no thread.

        Raises:
            RehearsalError: no addresses are free.
            OSError: the kernel forbids a mount, or the folder cannot be written.
        """
        self.domain = DOMAIN
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.folder = folder
        self.tier = tier
        self._network = take_network(tier)
        self.hosts = {
            name: Host(
                name, DOMAIN, address=self._network.address(HOSTS[name]), layout=layout, root=folder / name,
                tier=tier, clock=clock,
            )
            for name, layout in LAYOUTS.items()
        }  # fmt: skip
        self.tools = Tools.find(tier, bare=bare)
        self.confinement = Confinement(folder, tier)
        self._host_keys = {name: trust.ssh_key(f"root@{name}", "ecdsa-sha2-nistp256") for name in LAYOUTS}
        self._authority = trust.CertificateAuthority()
        self._passwords = {user: secrets.token_urlsafe(9) for user in furniture.USERS}
        self._faults: set[Fault] = set()
        self._furnish()
        self._make_servers()

    # ---- building

    def _furnish(self) -> None:
        operator = trust.ssh_key("operator@desk")
        papers = furniture.Papers(
            passwords=self._passwords,
            certificates={name: self._certificate(name) for name in ("old", "new")},
            host_keys={name: (trust.public_line(key),) for name, key in self._host_keys.items()},
            operator=trust.public_line(operator),
            authority=self._authority.pem,
            tsig=base64.b64encode(secrets.token_bytes(32)).decode("ascii"),
        )
        resolver = self._network.address(RESOLVERS[0])
        furniture.furnish(self.hosts, papers, name_server=self._network.address(NAME_SERVER), resolver=resolver)
        addresses = self.addresses()
        for host in self.hosts.values():
            names = catalogue.commands(host.layout.system)
            place(host, host.path(STANDINS), names, self.tools, addresses)
        self.confinement.prepare(self.hosts.values())
        self._write_operator(operator)

    def _certificate(self, name: str) -> trust.Certificate:
        host = self.hosts[name]
        services_of = [f"{service}.{DOMAIN}" for service in ("mail", "imap", "smtp", "webmail")]
        return self._authority.issue([host.fqdn, *services_of], [host.address])

    def addresses(self) -> dict[str, str]:
        """Give every name of the world its address as it is at the start."""
        found = {"ns1." + DOMAIN: self._network.address(NAME_SERVER)}
        for host in self.hosts.values():
            found |= {host.name: host.address, host.fqdn: host.address}
        return found | {f"{name}.{DOMAIN}": self.hosts["old"].address for name in ("mail", "webmail")}

    def _write_operator(self, key: asyncssh.SSHKey) -> None:
        """Give the operator a key, and every host's key, in a folder of their own: never in the real ~/.ssh."""
        folder = self.folder / "operator"
        folder.mkdir(mode=0o700)
        trust.write_key(folder / "id_ed25519", key.export_private_key())
        lines = []
        for name, host in self.hosts.items():
            public = trust.public_line(self._host_keys[name])
            port = host.port(22)
            shown = host.address if port == 22 else f"[{host.address}]:{port}"
            lines.append(f"{shown} {public}\n")
        (folder / "known_hosts").write_text("".join(lines), encoding="utf-8")
        (self.folder / CA).write_bytes(self._authority.pem)
        (folder / "config").write_text("Host *\n  IdentitiesOnly yes\n", encoding="utf-8")

    def _make_servers(self) -> None:
        port = self.hosts["old"].port(53)
        name_server = self._network.address(NAME_SERVER)
        self.authoritative = Authoritative(
            name_server, port, self.hosts["old"].path(ZONE_FILE), DOMAIN, {}
        )
        self.resolvers = tuple(
            Resolver(
                name, self._network.address(last), port, self.clock, (name_server, port), seed=last,
                minimum_ttl=manner.minimum_ttl, backends=manner.backends, servfail=manner.servfail, delay=manner.delay,
            )
            for (name, manner), last in zip(MANNERS.items(), RESOLVERS, strict=True)
        )  # fmt: skip
        self.ledger = Ledger(self.clock, self.hosts, self._queued_contents)
        self.provider = Provider(self.ledger)
        self._ssh = {name: self._ssh_server(name) for name in self.hosts}
        self.machines = {name: self._machine(host) for name, host in self.hosts.items()}
        self._doors = [
            Door(machine, catalogue.commands(machine.host.layout.system)) for machine in self.machines.values()
        ]
        self.outside = Outside(
            self._network.prefix, DOMAIN, clock=self.clock, resolvers=[(r.address, port) for r in self.resolvers],
            old=self.hosts["old"].address, smtp_port=self.hosts["old"].port(25), ledger=self.ledger,
            provider=self.provider, users=tuple(furniture.USERS),
        )  # fmt: skip

    def _ssh_server(self, name: str) -> SshServer:
        host = self.hosts[name]
        return SshServer(host, self.confinement, self._host_keys[name], partial(furniture.authorized_keys, host))

    def _machine(self, host: Host) -> Machine:
        tls = self._server_tls(host)
        names = Names(self.resolvers[0].address, self.resolvers[0].port)
        bounced, pipe = partial(self._bounced, host.name), partial(self._pipe, host)
        postfix = Postfix(host, names, tls, ports=host.port, bounced=bounced, pipe=pipe)
        imap = ImapServer(host, tls, partial(self._let_in, host))
        databases = Databases(host)
        daemons: dict[str, Service] = {
            "postfix": postfix, "dovecot": imap, "database": databases, "ssh": self._ssh[host.name],
            "web": self._web(host, databases, tls), "cron": Cron(host, partial(self.confinement.run, host)),
            "spamd": Quiet(running=host.name == "old"),
        }  # fmt: skip
        if host.name == "old":
            daemons["named"] = self.authoritative
        known = services.named(host.layout.system, daemons)
        return Machine(host, self, postfix, imap, databases, known)

    async def _pipe(self, host: Host, user: User, command: str, content: bytes) -> tuple[int, str]:
        """Hand a mail to a program on the host, as mailbox_command does; give its status and what it said."""
        process = self.confinement.popen(
            host, user.name, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = await asyncio.to_thread(process.communicate, content)
        return process.returncode, said.decode("utf-8", "replace")

    def _web(self, host: Host, databases: Databases, tls: ssl.SSLContext) -> WebServer:
        known = self.addresses()
        return WebServer(
            host, database=lambda: "roundcube" in databases.owners, server_tls=tls, client_tls=self._authority.client,
            address_of=lambda name: known.get(name, host.address if name == "localhost" else name),
        )  # fmt: skip

    def _server_tls(self, host: Host) -> ssl.SSLContext:
        certificate = self._certificate("old" if host.name == "desk" else host.name)
        folder = self.folder / "tls" / host.name
        folder.mkdir(parents=True)
        (folder / "chain.pem").write_bytes(certificate.chain)
        trust.write_key(folder / "key.pem", certificate.key)
        return trust.server_context(folder / "chain.pem", folder / "key.pem")

    def _let_in(self, host: Host, user: str, password: str) -> bool:
        return Fault.IMAP_PASSWORD not in self._faults and passwords.accepts(host, user, password)

    def _bounced(self, name: str, mail: QueuedMail, recipient: str, why: str) -> None:
        del recipient
        self.ledger.bounced_mail(mail.content, name, why)

    def _queued_contents(self) -> Mapping[str, Iterable[bytes]]:
        return {name: [mail.content for mail in machine.postfix.queue] for name, machine in self.machines.items()}

    # ---- life

    async def start(self, rate: float) -> None:
        """Start every server that runs at the beginning, and the stream of mails.

        Raises:
            ServiceError: a port is taken.
        """
        await asyncio.gather(self.authoritative.start(), *(resolver.start() for resolver in self.resolvers))
        for door in self._doors:
            door.open()
        await asyncio.gather(*(server.start() for server in self._ssh.values()))
        old, new = self.machines["old"], self.machines["new"]
        await furniture.fill_databases(old.databases, DOMAIN)
        for name in ("postfix", "dovecot", "apache24", "cron"):
            await old.services[name].start()
        for name in ("postfix", "cron"):
            await new.services[name].start()
        await self.outside.start(rate)

    async def stop(self) -> None:
        """Stop everything; what commands left behind is somebody else's to end."""
        await self.outside.stop()
        for door in self._doors:
            door.close()
        for server in self._ssh.values():
            server.cut()
            await server.stop()
        daemons = [daemon for machine in self.machines.values() for daemon in set(machine.services.values())]
        for daemon in (*daemons, self.authoritative, *self.resolvers):
            if daemon.running:
                await daemon.stop()
        self.confinement.close()
        self._network.release()

    def facts(self, about: str) -> Facts:
        """Give what the app must know."""
        old, new = self.hosts["old"], self.hosts["new"]
        ssh = {name: f"ssh://root@{host.address}:{host.port(22)}" for name, host in self.hosts.items()}
        return Facts(
            about=about,
            face=self.clock.face,
            hosts={"old": ssh["old"], "new": ssh["new"], "ns": ssh["old"], "local": ssh["desk"]},
            variables={
                "domain": DOMAIN, "old.server.tld": old.fqdn, "new.server.tld": new.fqdn,
                "ns.server.tld": f"ns1.{DOMAIN}", "old_address": old.address, "new_address": new.address,
                "zone_file": ZONE_FILE, "mailboxes": ",".join(furniture.USERS), "pg_admin": "pgsql",
            },
            choices={
                "spam": "spamassassin", "delivery": "postfix", "fetching": "fetchmail", "webmail": "roundcube",
                "switch": "names",
            },
            sh=self.confinement.shell,
            passwords=self._passwords,
            names=self.addresses(),
            resolvers=tuple(resolver.address for resolver in self.resolvers),
            ports={str(port): old.port(port) for port in PLAIN_PORTS},
        )  # fmt: skip

    # ---- what the control socket asks for

    def view(self) -> WorldView:
        """Give the world as it is now."""
        resolvers = tuple(
            ResolverView(
                r.name, MANNERS[r.name].words, r.running,
                tuple((_short(text), left) for text, left in r.cached(DOMAIN, "MX")),
            )
            for r in self.resolvers
        )
        left = [seconds for r in resolvers for text, seconds in r.caches if text]
        queues = tuple(self._queue_view(self.machines[name]) for name in ("old", "new"))
        return WorldView(
            self.clock.time(), self.clock.face.factor, self.outside.rate, resolvers, queues, self.ledger.view(),
            frozenset(self._faults), min(left, default=None),
        )  # fmt: skip

    def _queue_view(self, machine: Machine) -> QueueView:
        mails = list(machine.postfix.queue)
        counts = Counter(mail.queue.value for mail in mails)
        oldest = self.clock.time() - mails[0].arrival if mails else 0.0
        return QueueView(machine.host.name, machine.postfix.running, tuple(counts.items()), oldest)

    def calls_by_name(self) -> dict[str, int]:
        """Give how often each stand-in was called."""
        return dict(self.calls)

    def set_rate(self, rate: float) -> None:
        """Let that many numbered mails a real second set out."""
        self.outside.rate = rate

    async def advance(self, seconds: float) -> None:
        """Move world time on; a long jump goes in steps, so that senders and queues try as often as in life."""
        while seconds > 0:
            step = min(seconds, 6 * 3600.0)
            self.clock.advance(step)
            seconds -= step
            await asyncio.sleep(SETTLING_PAUSE / 5)

    async def toggle(self, fault: Fault) -> bool:
        """Break it, or mend it; give whether it is broken now."""
        broken = fault not in self._faults
        (self._faults.add if broken else self._faults.discard)(fault)
        match fault:
            case Fault.RESOLVER:
                await (self.resolvers[1].stop() if broken else self.resolvers[1].start())
            case Fault.DISK:
                self.hosts["new"].full = broken
            case Fault.HOST_KEY:
                key = trust.ssh_key("root@new", "ecdsa-sha2-nistp256") if broken else self._host_keys["new"]
                await self._ssh["new"].change_key(key)
                self._ssh["new"].cut()
            case Fault.OLD_SSH:
                await self._close_ssh("old", shut=broken)
            case Fault.LINK:
                for name in ("old", "new"):
                    await self._close_ssh(name, shut=broken)
            case Fault.IMAP_PASSWORD:
                pass  # _let_in looks at it
        return broken

    async def _close_ssh(self, name: str, *, shut: bool) -> None:
        server = self._ssh[name]
        if not shut:
            await server.start()
            return
        await server.stop()
        server.cut()

    async def reconcile(self) -> Report:
        """Stop the stream, let every mail that can arrive arrive, and count."""
        self.set_rate(0)
        for _ in range(SETTLING_ROUNDS):
            report = self.ledger.report()
            if report.settled:
                return report
            self.clock.advance(SETTLING_STEP)
            for machine in self.machines.values():
                if machine.postfix.running:
                    machine.postfix.flush()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLING_PAUSE * 2):
                    await self.outside.idle(SETTLING_PAUSE)
            await asyncio.sleep(SETTLING_PAUSE)
        return self.ledger.report()


def _short(records: str) -> str:
    """Give the mail hosts of an MX RRset by their short names, best first."""
    return " ".join(word.partition(".")[0] for word in records.split() if not word.isdecimal())
