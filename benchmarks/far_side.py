"""What the benchmarks of the live checks look at: a real OpenSSH server and resolvers, and a runbook for them."""

from __future__ import annotations

import signal
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.markdown.reader import read
from tests.support.dns_crowd import address, crowd
from tests.support.sshd import operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.core.model import Host, Runbook
    from runbook_tui.ports import HostKey, Shell

NAME = "old.test"
RESOLVERS = 16
KINDS = (
    ("command", 15.0, "host: old, run: 'echo 0', expect: '^0$'"),
    ("disk", 60.0, "host: old, path: /, free: 0%"),
    ("command", 30.0, "host: old, run: 'uptime; ps -A | wc -l'"),
    ("tcp", 30.0, "host: old, address: 127.0.0.1, port: {port}, expect: '^SSH-'"),
    ("dns", 60.0, "record: MX, name: example.test, expect: '10 new.example.test.', at: [{resolvers}]"),
)
"""Types with the seconds between two looks that lie between two looks in the shipped runbook, and their keys."""

STEP = """### Step {number} <!-- step: #s{number} host=old -->

``` sh {{.run}}
true
```
"""


@dataclass(frozen=True, slots=True)
class FarSide:
    """Where the checks look, and how it is reached."""

    folder: Path
    settings: SshSettings
    ssh_port: int
    dns_port: int

    def shell(self, host: Host, pin: HostKey | None) -> Shell:
        """Reach the host over SSH."""
        return SshShell(host, pin, self.settings)

    def runbook(self, checks: int, every: float | None = None, hangs: int = 0) -> Runbook:
        """Give a runbook with that many checks at their own rates or at one; the first `hangs` of them never answer.

        One of them is the check of the connection, which the program adds by itself.
        """
        resolvers = ", ".join(f"'{address(number)}:{self.dns_port}'" for number in range(RESOLVERS))
        lines = []
        for place in range(checks - 1):
            kind, usual, keys = KINDS[place % len(KINDS)]
            if place < hangs:
                kind, keys = "command", "host: old, run: 'sleep 100'"
            keys = keys.format(port=self.ssh_port, resolvers=resolvers)
            lines.append(f"    c{place}: {{type: {kind}, every: {every or usual:g}s, {keys}}}")
        steps = "\n".join(STEP.format(number=number) for number in range(12))
        head = f"---\nrunbook:\n  version: 1\n  hosts:\n    old: {{ssh: {NAME}}}\n  checks:\n"
        made = read("\n".join([head + lines[0], *lines[1:], "---", "# Measure", "", "## Steps", "", steps]).encode())
        if made.errors:
            raise RuntimeError(f"the benchmark's runbook is wrong: {made.errors}")
        return made


@contextmanager
def far_side() -> Iterator[FarSide]:
    """Start the servers; they end with the block, also when the program is told to end."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bf-", dir="/tmp")))
        key = operator_key(folder)
        server = stack.enter_context(running_sshd(folder / "sshd", [key.public]))
        files = write_ssh_files(folder / "files", key, {NAME: server})
        port = stack.enter_context(crowd(RESOLVERS, slowest=0.02))
        settings = SshSettings(config_files=(files.config,), known_hosts_files=(files.known_hosts,), home=folder)
        yield FarSide(folder, settings, server.port, port)
