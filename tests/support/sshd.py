"""Real OpenSSH servers on loopback for tests: own folder, own keys, stopped by their own pid."""

from __future__ import annotations

import atexit
import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

START_SECONDS = 60.0
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


class SshdError(Exception):
    """The server did not start; the text is what it said."""


def find_sshd() -> str | None:
    """Path of the sshd program, which is not in every user's PATH; MAILRUNBOOK_TEST_ASYNCSSH=1 hides it."""
    if os.environ.get("MAILRUNBOOK_TEST_ASYNCSSH"):
        return None
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def server_notice() -> str:
    """Say which server the tests talk to; for the pytest header."""
    if path := find_sshd():
        return f"SSH servers: OpenSSH ({path})"
    return "SSH servers: asyncssh, as no sshd is installed here; tests of OpenSSH's own behaviour are skipped"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair on disk: the private file, and the public line without a comment."""

    private: Path
    public: str


def make_key(folder: Path, name: str = "id_ed25519", *, kind: str = "ed25519", passphrase: str = "") -> KeyPair:
    """Make a key pair `folder/name` and `folder/name.pub`."""
    import asyncssh  # noqa: PLC0415 -- collecting tests must not pay for it

    folder.mkdir(parents=True, exist_ok=True)
    key = asyncssh.generate_private_key(f"ssh-{kind}", comment=None)
    private = folder / name
    key.write_private_key(str(private), "pkcs8-pem" if passphrase else "openssh", passphrase=passphrase or None)
    private.chmod(0o600)
    public = key.export_public_key().decode("ascii").strip()
    private.with_name(f"{name}.pub").write_text(f"{public}\n", encoding="ascii")
    return KeyPair(private, public)


def operator_key(folder: Path) -> KeyPair:
    """The operator's ed25519 key pair."""
    return make_key(folder, "operator")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _descendants(root: int) -> dict[int, str]:
    """The processes below `root` and their commands."""
    shown = subprocess.run(
        ["ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "comm="], capture_output=True, text=True, check=True
    )
    lines = [line.split(maxsplit=2) for line in shown.stdout.splitlines()]
    known = [(int(pid), int(parent), command) for pid, parent, command in lines]
    below = {root}
    found: dict[int, str] = {}
    while new := {
        int(pid): command for pid, parent, command in known if int(parent) in below and int(pid) not in below
    }:
        below |= new.keys()
        found |= new
    return found


def _with_home(home: Path) -> list[int]:
    """The processes whose HOME is this folder, which only a server's sessions have, also when it let go of them."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"HOME={home}".encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return [pid for pid in found if pid != os.getpid()]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Poll `condition` until it holds.

    Raises:
        SshdError: it did not hold within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SshdError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


@dataclass(slots=True)
class Sshd:
    """A running server. `host_key` is its public key's line; `home` is the HOME that sessions get."""

    port: int
    host_key: str
    folder: Path
    home: Path
    user: str
    is_openssh: bool
    _daemon: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return self._daemon.pid

    @property
    def log_file(self) -> Path:
        """Where the server logs."""
        return self.folder / "sshd.log"

    def log_text(self) -> str:
        """What the server logged so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def known_hosts_line(self, name: str, *, port: int = 22) -> str:
        """A known_hosts line for this server's key under `name`, with `port` only when it is not 22."""
        return f"{name if port == 22 else f'[{name}]:{port}'} {self.host_key}\n"

    def sessions(self) -> list[int]:
        """The pids of the server's own processes for its sessions."""
        if not self.is_openssh:
            return [self.pid]
        return [pid for pid, command in _descendants(self.pid).items() if command.startswith("sshd")]

    def kill_sessions(self) -> int:
        """SIGKILL the sessions, return how many; what they started lives on and no client is told."""
        if not self.is_openssh:
            os.kill(self.pid, signal.SIGUSR1)
            return 1
        sessions = self.sessions()
        _kill(sessions)
        return len(sessions)

    def stop(self) -> None:
        """Stop the daemon, its sessions and all that they started; idempotent."""
        atexit.unregister(self.stop)
        below = _descendants(self.pid) if self._daemon.poll() is None else {}
        self._daemon.terminate()
        try:
            self._daemon.wait(5)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        _kill([*below, *_with_home(self.home)])


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


@cache
def _accepts(option: str, folder: str) -> bool:
    """Whether this sshd knows the option (they differ by version)."""
    probe = Path(folder, "probe.conf")
    key = make_key(Path(folder), "probe_key")
    probe.write_text(f"HostKey {key.private}\n{option}\n", encoding="utf-8")
    command = [find_sshd() or "sshd", "-t", "-f", str(probe)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _configuration(folder: Path, port: int, environment: Mapping[str, str], options: Sequence[str]) -> str:
    own = {option.split()[0].lower() for option in options}
    defaults = [
        "UsePAM no", "StrictModes no", "LogLevel VERBOSE", "PasswordAuthentication no", "UseDNS no",
        "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "PrintMotd no",
        "MaxStartups 100", "AllowTcpForwarding yes", "AllowAgentForwarding no",
    ]  # fmt: skip
    if _accepts("PerSourcePenalties no", str(folder)):
        defaults.append("PerSourcePenalties no")
    set_env = " ".join(f'"{name}={value}"' for name, value in environment.items())
    return "\n".join([
        *options,
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host_key'}", f"SetEnv {set_env}",
        f"PidFile {folder / 'sshd.pid'}", f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        *(d for d in defaults if d.split()[0].lower() not in own), "",
    ])  # fmt: skip


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5) as peer:
        return peer.recv(4) == b"SSH-"
    return False


def start_sshd(
    folder: Path,
    authorized: Sequence[str],
    *,
    host_key: KeyPair | None = None,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    within: Sequence[str] = (),
) -> Sshd:
    """Start a server on 127.0.0.1 whose sessions run as the current user with a HOME of their own.

    `authorized` are public key lines; `environment` is set for every session beside HOME; `options` are lines
    of sshd_config that come first, so that they win; `within` is a command that executes the server's command
    line in a place of its own, such as another mount namespace. Without an OpenSSH the server is asyncssh's (see
    `server_notice()`), which ignores `options`.

    Raises:
        SshdError: it does not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    key = host_key or make_key(folder, "host_key")
    if key.private != folder / "host_key":
        shutil.copyfile(key.private, folder / "host_key")
        (folder / "host_key").chmod(0o600)
    (folder / "authorized_keys").write_text("".join(f"{line}\n" for line in authorized), encoding="ascii")
    session = {"HOME": str(home), **(environment or {})}
    for _ in range(3 if port is None else 1):
        chosen = port or free_port()
        daemon = _launch(folder, chosen, session, options, within)
        with contextlib.suppress(SshdError):
            wait_until(partial(_answered_or_ended, daemon, chosen), "the SSH server")
            if daemon.poll() is None:
                real = find_sshd() is not None
                server = Sshd(chosen, key.public, folder, home, getpass.getuser(), real, daemon)
                atexit.register(server.stop)
                return server
        daemon.kill()
        daemon.wait()
    log = folder / "sshd.log"
    raise SshdError(f"the SSH server did not start: {log.read_text(errors='replace') if log.exists() else ''}")


def _answered_or_ended(daemon: subprocess.Popen[bytes], port: int) -> bool:
    return daemon.poll() is not None or _listens(port)


def _launch(
    folder: Path, port: int, environment: Mapping[str, str], options: Sequence[str], within: Sequence[str]
) -> subprocess.Popen[bytes]:
    sshd = find_sshd()
    if sshd is None:
        settings = {"folder": str(folder), "port": port, "environment": dict(environment)}
        server = Path(__file__).with_name("asyncssh_server.py")
        command = [sys.executable, str(server), json.dumps(settings)]
    else:
        if os.geteuid() == 0:
            # sshd's privilege separation refuses to start without this folder.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = _configuration(folder, port, environment, options)
        (folder / "sshd_config").write_text(configuration, encoding="utf-8")
        command = [sshd, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
    with (folder / "sshd.log").open("ab") as log:
        return subprocess.Popen(
            [*within, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


@contextlib.contextmanager
def running_sshd(
    folder: Path,
    authorized: Sequence[str],
    *,
    host_key: KeyPair | None = None,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> Iterator[Sshd]:
    """`start_sshd` for a `with` block."""
    server = start_sshd(folder, authorized, host_key=host_key, environment=environment, options=options)
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class SshFiles:
    """The operator's side: an ssh configuration and a known_hosts file that a test points mailrunbook to."""

    config: Path
    known_hosts: Path
    key: KeyPair

    def environment(self) -> dict[str, str]:
        """The variables that make mailrunbook use these files; no agent."""
        return {
            "MAILRUNBOOK_SSH_CONFIG": str(self.config),
            "MAILRUNBOOK_KNOWN_HOSTS": str(self.known_hosts),
            "SSH_AUTH_SOCK": "",
        }


def write_ssh_files(
    folder: Path, key: KeyPair, servers: Mapping[str, Sshd], *, known: bool = True, extra: str = ""
) -> SshFiles:
    """Write configuration and known_hosts for names like `old.test` that stand for servers on loopback.

    Every name gets HostName, Port, User, HostKeyAlias and IdentityFile; with `known` its key is in
    known_hosts. `extra` is put before everything else in the configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        f"Host {name}\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
        f"  HostKeyAlias {name}\n  IdentityFile {key.private}\n"
        for name, server in servers.items()
    ]
    files = SshFiles(folder / "ssh_config", folder / "known_hosts", key)
    files.config.write_text("\n".join([extra, *blocks]), encoding="utf-8")
    lines = [server.known_hosts_line(name) for name, server in servers.items()] if known else []
    files.known_hosts.write_text("".join(lines), encoding="utf-8")
    return files
