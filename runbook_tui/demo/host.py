"""A host of the world as a place: its folder, address, system and users; no server."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.clock import WorldClock


class Tier(StrEnum):
    """How a host's commands are kept inside the world."""

    NS = "ns"  # chroots in namespaces of the world's own: paths and ports are the real ones
    PLAIN = "plain"  # high ports, paths in a command's text rewritten, Landlock where the kernel has it


PLAIN_PORTS: Mapping[int, int] = {22: 10022, 25: 10025, 53: 10053, 80: 10080, 143: 10143, 443: 10443, 993: 10993}
"""Where a well-known port is found in tier plain: the same numbers on each host's own loopback address."""

FULL = "/run/rehearsal/full"
"""While this file is there, a host's disk is full."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a system keeps what a mail server needs, and the words it uses (MIGRATION.md, section 1, first table)."""

    system: str
    postfix: str
    dovecot: str
    aliases: str
    maillog: str
    crontabs: str
    roundcube: str
    spamassassin: str
    procmailrc: str
    first_uid: int


FREEBSD = Layout(
    "freebsd", "/usr/local/etc/postfix", "/usr/local/etc/dovecot", "/etc/mail/aliases", "/var/log/maillog",
    "/var/cron/tabs", "/usr/local/www/roundcube/config", "/usr/local/etc/mail/spamassassin",
    "/usr/local/etc/procmailrc", 1001,
)  # fmt: skip
DEBIAN = Layout(
    "debian", "/etc/postfix", "/etc/dovecot", "/etc/aliases", "/var/log/mail.log", "/var/spool/cron/crontabs",
    "/etc/roundcube", "/etc/spamassassin", "/etc/procmailrc", 1000,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class User:
    """A line of passwd(5)."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


class Host:
    """One machine of the world. All paths given to it are the host's own, absolute POSIX paths."""

    def __init__(
        self, name: str, domain: str, *, address: str, layout: Layout, root: Path, tier: Tier, clock: WorldClock
    ) -> None:
        self.name = name
        self.domain = domain
        self.address = address
        self.layout = layout
        self.root = root
        self.tier = tier
        self.clock = clock

    @property
    def fqdn(self) -> str:
        """The host's full name, such as `old.example.test`."""
        return f"{self.name}.{self.domain}"

    @property
    def full(self) -> bool:
        """Whether its disk is full: then nothing is delivered (452 4.3.1), and rsync ends with 11.

        A file says so, for the shell scripts around the machine's own commands look too.
        """
        return self.path(FULL).exists()

    @full.setter
    def full(self, full: bool) -> None:
        mark = self.path(FULL)
        mark.parent.mkdir(parents=True, exist_ok=True)
        if full:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    def port(self, well_known: int) -> int:
        """Give the port that stands for a well-known one here."""
        return PLAIN_PORTS.get(well_known, well_known) if self.tier is Tier.PLAIN else well_known

    def path(self, path: str | PurePosixPath) -> Path:
        """Give where a path of the host is on this machine; never outside the host's folder.

        A path that already points into the folder (a rewritten one) is taken as it is.
        """
        text = os.path.normpath("/" + str(path).lstrip("/"))
        root = str(self.root)
        return Path(text) if text == root or text.startswith(root + "/") else Path(root + text)

    def users(self) -> dict[str, User]:
        """Read the host's passwd file."""
        found = {}
        for line in self.path("/etc/passwd").read_text(encoding="utf-8").splitlines():
            parts = line.split(":")
            if len(parts) == 7:
                found[parts[0]] = User(parts[0], int(parts[2]), int(parts[3]), parts[5], parts[6])
        return found

    def maildir(self, user: str) -> Path | None:
        """Give the user's Maildir, which may not exist yet; None when there is no such user."""
        account = self.users().get(user)
        return self.path(account.home) / "Maildir" if account else None

    def log(self, program: str, text: str) -> None:
        """Append a line to the host's mail log, in world time, as syslog writes it."""
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(self.clock.time()))
        path = self.path(self.layout.maillog)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{stamp} {self.name} {program}[{os.getpid()}]: {text}\n")
