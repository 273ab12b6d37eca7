"""The program behind `places`: makes two hosts in the given tier, runs a scenario there, prints what it saw."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.folder import WorldFolder, make_folder
from runbook_tui.demo.host import DEBIAN, FREEBSD, Host, Layout, Tier
from runbook_tui.demo.isolation import namespaces
from runbook_tui.demo.isolation.confinement import STANDINS, Confinement
from runbook_tui.demo.network import HOSTS, Network, take_network
from runbook_tui.demo.ssh import SshServer
from tests.demo.isolation import scenarios

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWD = "root:x:0:0:root:/root:/bin/sh\nplop:x:1001:1001::/home/plop:/bin/sh\nmailnull:x:26:26::/:/usr/sbin/nologin\n"


@dataclass(slots=True)
class Inside:
    """What a scenario works with."""

    folder: Path
    confinement: Confinement
    hosts: dict[str, Host]
    servers: dict[str, SshServer]
    host_keys: dict[str, asyncssh.SSHKey]
    key: Path

    async def connect(self, host: str = "old", user: str = "root") -> asyncssh.SSHClientConnection:
        """Log in with the operator's key."""
        at = self.hosts[host]
        known = asyncssh.import_known_hosts(f"* {self.host_keys[host].export_public_key().decode()}")
        return await asyncssh.connect(
            at.address, at.port(22), username=user, client_keys=[str(self.key)], known_hosts=known, config=[]
        )


def make_host(name: str, layout: Layout, network: Network, folder: Path, tier: Tier) -> Host:
    """Make a host with two users, and one stand-in that says its name."""
    host = Host(
        name, "example.test", address=network.address(HOSTS[name]), layout=layout, root=folder / name, tier=tier,
        clock=WorldClock.start(1),
    )  # fmt: skip
    for path in ("/etc", "/root", "/home/plop", "/tmp", layout.postfix, STANDINS):
        host.path(path).mkdir(parents=True, exist_ok=True)
    host.path("/etc/passwd").write_text(PASSWD, encoding="utf-8")
    host.path("/etc/motd").write_text(f"this is {name}\n", encoding="utf-8")
    standin = host.path(STANDINS) / "postconf"
    standin.write_text('#!/bin/sh\necho "stand-in $*"\n', encoding="utf-8")
    standin.chmod(0o755)
    return host


async def live(folder: Path, tier: Tier, scenario: str, arguments: list[str]) -> object:
    """Start the servers, run the scenario, stop them."""
    network = take_network(tier)
    layouts = {"old": FREEBSD, "new": DEBIAN}
    hosts = {name: make_host(name, layout, network, folder, tier) for name, layout in layouts.items()}
    confinement = Confinement(folder, tier)
    confinement.prepare(hosts.values())
    confinement.enclose()
    key = asyncssh.generate_private_key("ssh-ed25519")
    key_file = folder / "key"
    key.write_private_key(key_file)
    key_file.chmod(0o600)
    line = key.export_public_key().decode()
    host_keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in hosts}
    servers = {
        name: SshServer(host, confinement, host_keys[name], lambda _: ["# a comment", line])
        for name, host in hosts.items()
    }
    for server in servers.values():
        await server.start()
    try:
        return await getattr(scenarios, scenario)(
            Inside(folder, confinement, hosts, servers, host_keys, key_file), *arguments
        )
    finally:
        for server in servers.values():
            server.cut()
            await server.stop()
        confinement.close()
        network.release()


def enter(body: Callable[[], None]) -> int:
    """Run `body` as pid 1 of new namespaces; give its status."""
    namespaces.leave()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            namespaces.settle()
            body()
            status = 0
        finally:
            if status:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def outside(folder: WorldFolder, tier: Tier, scenario: str, arguments: list[str]) -> int:
    """Run the scenario in a child, so that this process stays outside and can remove the folder."""

    def body() -> None:
        print(json.dumps(asyncio.run(live(folder.path, tier, scenario, arguments))))  # noqa: T201

    child = os.fork()
    if child == 0:
        status = 1
        try:
            if tier is Tier.NS:
                status = enter(body)
            else:
                body()
                status = 0
        finally:
            if sys.exc_info()[1]:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> int:
    """Read tier, scenario and its arguments from the command line."""
    folder = make_folder([Path("/tmp")])
    try:
        return partial(outside, folder)(Tier(sys.argv[1]), sys.argv[2], sys.argv[3:])
    finally:
        folder.remove()


if __name__ == "__main__":
    sys.exit(main())
