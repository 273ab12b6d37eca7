"""Where a host is and how to log in there: `Host.ssh`, resolved with the operator's ssh configuration."""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.ssh_config import ConfigReader
from runbook_tui.core.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT = 22
MAX_HOPS = 8


@dataclass(frozen=True, slots=True)
class SshSettings:
    """What the SSH adapter takes from this machine. Times are seconds.

    `agent_path` is the agent's socket, "" for none; `identity_files` are tried when the configuration names none.
    `hold_timeout` is how long a connection is kept open while the person is asked: less than a server's own patience
    (OpenSSH: 120 s), which ends with a penalty.
    `sh` is what runs program and script on the far side; only a rehearsal has another than /bin/sh.
    """

    config_files: tuple[Path, ...] = ()
    known_hosts_files: tuple[Path, ...] = ()
    agent_path: str = ""
    identity_files: tuple[Path, ...] = ()
    home: Path = field(default_factory=Path.home)
    environment: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: float = 10.0
    login_timeout: float = 20.0
    hold_timeout: float = 60.0
    keepalive_interval: float = 5.0
    keepalive_count_max: int = 3
    answer_timeout: float = 30.0
    sh: str = "/bin/sh"

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> SshSettings:
        """Give the operator's own files, or those named by MAILRUNBOOK_SSH_CONFIG and MAILRUNBOOK_KNOWN_HOSTS.

        Both variables are lists separated like PATH; set and empty means none.
        """
        home = Path(env["HOME"]) if env.get("HOME") else Path.home()
        ssh = home / ".ssh"
        default_keys = ("id_ed25519", "id_ecdsa", "id_rsa")
        return cls(
            config_files=_paths(env, "MAILRUNBOOK_SSH_CONFIG", ssh / "config", Path("/etc/ssh/ssh_config")),
            known_hosts_files=_paths(
                env, "MAILRUNBOOK_KNOWN_HOSTS",
                ssh / "known_hosts", ssh / "known_hosts2",
                Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"),
            ),
            agent_path=env.get("SSH_AUTH_SOCK", ""),
            identity_files=tuple(ssh / name for name in default_keys),
            home=home,
            environment=dict(env),
        )  # fmt: skip


def _paths(env: Mapping[str, str], variable: str, *defaults: Path) -> tuple[Path, ...]:
    named = env.get(variable)
    return defaults if named is None else tuple(Path(p) for p in named.split(os.pathsep) if p)


@dataclass(frozen=True, slots=True)
class Target:
    """One machine to connect to. `name` is what known_hosts is searched for; `hops` come before it, first first.

    `key_files` are tried in order; `named_keys` says that the configuration names them, `identities_only` that
    the agent may offer no others. `alias_named` says that `name` came from HostKeyAlias and so has no port.
    """

    address: str
    port: int
    user: str
    name: str
    alias_named: bool = False
    key_files: tuple[Path, ...] = ()
    named_keys: bool = False
    identities_only: bool = False
    agent_path: str = ""
    hops: tuple[Target, ...] = ()

    def __str__(self) -> str:
        """Give `user@name:port`."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.user}@{host}" + ("" if self.port == DEFAULT_PORT else f":{self.port}")


@dataclass(frozen=True, slots=True)
class _Written:
    """`Host.ssh` or a hop as it was written."""

    host: str
    user: str = ""
    port: int | None = None


_FORM = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[^\]\s]+)\]|(?P<host>[^\s:@/\[\]]+))(?::(?P<port>\d+))?/?"
)


def _written(text: str) -> _Written:
    found = _FORM.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or text.startswith("-") or (port is not None and not 0 < port < 65536):
        raise HostError(
            f"{text or 'An empty text'} is no SSH address.",
            hint="Write user@name[:port], [address]:port, ssh://user@name:port or a name of your ssh configuration.",
        )
    host = found["v6"] or found["host"]
    if host.startswith("-"):
        raise HostError(f"{text} is no SSH address.", "A host name does not begin with a dash.")
    return _Written(host, found["user"] or "", port)


def resolve(ssh: str, settings: SshSettings) -> Target:
    """Resolve `user@name[:port]`, `[v6]:port`, `ssh://user@addr:port` or an alias of the configuration.

    Raises:
        HostError: the text is no address, or the configuration cannot be read or needs what is not built.
    """
    return _resolve(_written(ssh), settings, depth=0)


def _resolve(written: _Written, settings: SshSettings, depth: int) -> Target:
    if depth > MAX_HOPS:
        raise HostError(
            f"The jump hosts of {written.host} form a circle.", hint="Look at ProxyJump in your ssh configuration."
        )
    local_user = getpass.getuser()
    reader = ConfigReader(written.host, written.user, local_user, settings.home)
    for path in settings.config_files:
        reader.read(path)
    options = reader.options
    if options.get("proxycommand", "none") != "none" and "proxyjump" not in options:
        raise HostError(
            f"The ssh configuration reaches {written.host} through ProxyCommand, which is not built.",
            f"ProxyCommand {options['proxycommand']}",
            "Use ProxyJump for it.",
        )
    port = written.port if written.port is not None else _port(options.get("port"), written.host)
    user = written.user or options.get("user", local_user)
    address = _expand(options.get("hostname", written.host), {"h": written.host})
    tokens = {
        "h": address, "n": written.host, "p": str(port), "r": user, "u": local_user, "d": str(settings.home),
        "i": str(os.getuid()),
    }  # fmt: skip
    named = [_path(text, tokens, settings) for text in reader.identity_files]
    return Target(
        address=address,
        port=port,
        user=user,
        name=options.get("hostkeyalias", address),
        alias_named="hostkeyalias" in options,
        key_files=tuple(path for path in named if path) if named else settings.identity_files,
        named_keys=bool(named),
        identities_only=options.get("identitiesonly", "no").lower() in {"yes", "true"},
        agent_path=_agent(options.get("identityagent", "SSH_AUTH_SOCK"), tokens, settings),
        hops=_hops(options.get("proxyjump", "none"), settings, depth),
    )


def _hops(proxy_jump: str, settings: SshSettings, depth: int) -> tuple[Target, ...]:
    """The chain of jump hosts; the first one's own ProxyJump comes before it, as ssh(1) does."""
    if proxy_jump.lower() == "none":
        return ()
    first, *others = (_resolve(_written(hop.strip()), settings, depth + 1) for hop in proxy_jump.split(","))
    return (*first.hops, first, *others)


def _port(text: str | None, host: str) -> int:
    if text is None:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise HostError(f"The ssh configuration gives {host} a port that is none.", f"Port {text}")
    return int(text)


def _agent(text: str, tokens: Mapping[str, str], settings: SshSettings) -> str:
    if text == "SSH_AUTH_SOCK":
        return settings.agent_path
    if re.fullmatch(r"\$\w+", text):
        return settings.environment.get(text[1:], "")
    return str(_path(text, tokens, settings) or "")


def _path(text: str, tokens: Mapping[str, str], settings: SshSettings) -> Path | None:
    if text.lower() == "none":
        return None
    text = re.sub(r"\$\{(\w+)\}", lambda m: settings.environment.get(m[1], ""), _expand(text, tokens))
    return settings.home / text[2:] if text.startswith("~/") else Path(text)


def _expand(text: str, tokens: Mapping[str, str]) -> str:
    """Replace %h and its kind; one that is not known stays as it is."""
    return re.sub(r"%(.)", lambda m: "%" if m[1] == "%" else tokens.get(m[1], m[0]), text)
