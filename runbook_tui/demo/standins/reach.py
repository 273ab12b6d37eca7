"""How stand-ins for ssh and its kin reach another host: the caller's own keys, settings and known_hosts, real SSH."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.demo.machine import Machine
    from runbook_tui.demo.standins.call import Call


class UnreachableError(Exception):
    """There is no connection; the text is what ssh(1) says."""


def find(call: Call, name: str) -> Machine:
    """Give the machine that a name or address stands for, through the caller's ~/.ssh/config.

    Raises:
        UnreachableError: nobody has it.
    """
    wanted = _settings(call, name).get("hostname", name)
    for machine in call.machine.world.machines.values():
        if wanted in {machine.host.name, machine.host.fqdn, machine.host.address}:
            return machine
    raise UnreachableError(f"ssh: Could not resolve hostname {name}: Name or service not known")


async def connect(call: Call, name: str, user: str = "") -> asyncssh.SSHClientConnection:
    """Log in on another host from the caller's, as OpenSSH in batch mode would.

    Raises:
        UnreachableError: no such host, nobody listens, an unknown or changed host key, or no key fits.
    """
    host = find(call, name).host
    settings = _settings(call, name)
    user = user or settings.get("user", call.user)
    folder = _folder(call)
    keys = [path for path in sorted(folder.glob("*")) if path.with_name(f"{path.name}.pub").exists()]
    trusted = _trusted(folder / "known_hosts", {name, host.name, host.fqdn, host.address})
    if not trusted:
        raise UnreachableError(f"No host key is known for {name} and you have requested strict checking.\n"
                               "Host key verification failed.")  # fmt: skip
    try:
        return await asyncssh.connect(
            host.address, host.port(22), username=user, client_keys=[str(path) for path in keys] or None,
            known_hosts=(trusted, [], []), local_addr=(call.machine.host.address, 0), config=None, agent_path=None,
            preferred_auth="publickey", server_host_key_algs=sorted({key.algorithm.decode() for key in trusted}),
        )  # fmt: skip
    except asyncssh.HostKeyNotVerifiable as error:
        raise UnreachableError("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
                               "Host key verification failed.") from error  # fmt: skip
    except asyncssh.KeyExchangeFailed as error:
        raise UnreachableError("Host key verification failed.") from error
    except asyncssh.PermissionDenied as error:
        raise UnreachableError(f"{user}@{name}: Permission denied (publickey).") from error
    except (OSError, asyncssh.Error) as error:
        why = "Connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
        raise UnreachableError(f"ssh: connect to host {name} port 22: {why}") from error


def _folder(call: Call) -> Path:
    account = call.machine.host.users().get(call.user)
    return call.machine.host.path(f"{account.home if account else '/root'}/.ssh")


def _settings(call: Call, name: str) -> dict[str, str]:
    """Read what ~/.ssh/config says of a host, first value first: HostName and User; patterns are not known."""
    path = _folder(call) / "config"
    found: dict[str, str] = {}
    applies = True
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        word, _, value = re.sub(r"\s*=\s*|\s+", " ", line.strip(), count=1).partition(" ")
        if word.lower() == "host":
            applies = name in value.split() or "*" in value.split()
        elif applies and word and not word.startswith("#"):
            found.setdefault(word.lower(), value.strip())
    return found


def _trusted(path: Path, names: set[str]) -> list[asyncssh.SSHKey]:
    if not path.exists():
        return []
    known = asyncssh.import_known_hosts(path.read_text("utf-8"))
    keys: dict[bytes, asyncssh.SSHKey] = {}
    for name in names:
        for key in known.match(name, "", None)[0]:
            keys[key.public_data] = key
    return list(keys.values())
