"""Two real SSH servers that the tests of host keys share, and the files by which an operator's names lead to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.core.builders import NEW, OLD, a_runbook
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench
from tests.support.sshd import KeyPair, Sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runbook_tui.core.model import Action, Host, HostName
    from runbook_tui.engine import Engine, HostView

NAMES = {OLD: "old.test", NEW: "new.test"}
ROLES = (OLD, NEW)


@dataclass(frozen=True, slots=True)
class Machines:
    """Two servers that many tests share; each test has its own files of the operator."""

    old: Sshd
    new: Sshd
    operator: KeyPair

    def of(self, role: HostName) -> Sshd:
        """Give the server that a role should be."""
        return self.old if role == OLD else self.new

    def known(self, *roles: HostName) -> str:
        """Give the roles' own lines of known_hosts."""
        return "".join(self.of(role).known_hosts_line(NAMES[role]) for role in roles)

    def hosts(self, folder: Path, known: str, *, leads: Mapping[HostName, Sshd] | None = None) -> TwoHosts:
        """Write the operator's files: `known` is known_hosts, `leads` says where a name leads to if not to its own."""
        servers = {NAMES[role]: (leads or {}).get(role, self.of(role)) for role in ROLES}
        files = write_ssh_files(folder / "files", self.operator, servers, known=False)
        files.known_hosts.write_text(known, encoding="ascii")
        return TwoHosts(self.old, self.new, files)

    def logins(self) -> int:
        """Count how often anybody logged in."""
        return sum(server.log_text().count("Accepted publickey") for server in (self.old, self.new))


def bench_of(folder: Path, two: TwoHosts, *actions: Action, hosts: Mapping[HostName, Host] | None = None) -> Bench:
    """Make a bench whose hosts are the two servers, without live checks."""
    # The title is the test's own: a run that is left open keeps its lock on the servers, which other tests share.
    book = replace(a_runbook(*actions), title=folder.name, hosts=hosts or two.hosts)
    return Bench(book, folder / "state", shells=two.shells, make_probes=lambda _: {})


def view_of(engine: Engine, role: HostName) -> HostView:
    """Give what is known of a host."""
    return next(view for view in engine.hosts() if view.name == role)
