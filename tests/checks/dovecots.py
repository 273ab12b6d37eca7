"""Real Dovecots on loopback with TLS and a mailbox of plop's, each from a configuration of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.checks.certificates import issue
from tests.checks.talkers import NAME
from tests.demo.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.checks.certificates import Papers

PROGRAM = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
OLD = "old.example.test"
PASSWORD = "sesame & söhne"
NOBODY = 65534
CONF = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
mail_location = maildir:~/Maildir
auth_failure_delay = 0
ssl = required
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {starttls_port}
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
"""
NAMESPACE = """\
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
}}
"""


@dataclass(slots=True)
class Dovecot:
    """A running Dovecot; `port` speaks TLS at once, `starttls_port` when asked."""

    folder: Path
    port: int
    starttls_port: int
    uid: int

    @property
    def log(self) -> str:
        """What it wrote down."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def maildir(self) -> Path:
        """The mailbox."""
        return self.folder / "home" / "Maildir"

    def doveadm(self, *arguments: str, stdin: bytes = b"") -> str:
        """Give what a doveadm command prints."""
        run = subprocess.run(
            ["doveadm", "-c", self.folder / "dovecot.conf", *arguments], input=stdin, capture_output=True, check=True,
            **_identity(self.uid),
        )  # fmt: skip
        return str(run.stdout, "utf-8")

    def deliver(self, *folders: str) -> None:
        """Put a mail into each folder, making and subscribing it when it is not there."""
        for place, folder in enumerate(folders):
            if folder != "INBOX":
                with contextlib.suppress(subprocess.CalledProcessError):
                    self.doveadm("mailbox", "create", "-s", "-u", "plop", folder)
            mail = f"From: a@b.test\r\nSubject: {place}\r\nMessage-Id: <{place}@b.test>\r\n\r\nbody\r\n"
            self.doveadm("save", "-u", "plop", "-m", folder, stdin=mail.encode())


def _identity(uid: int) -> dict[str, Any]:
    return {"user": uid, "group": uid, "extra_groups": []} if os.getuid() == 0 else {}


@contextlib.contextmanager
def running(papers: Papers, namespace: tuple[str, str] | None = None, copy_of: Path | None = None) -> Iterator[Dovecot]:
    """Run a Dovecot in the shortest possible folder, where its sockets live; `copy_of` is a Maildir to begin with."""
    uid = NOBODY if os.getuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory(prefix="dv") as name:
        folder = Path(name)
        folder.chmod(0o755)
        daemon = Dovecot(folder, free_port(), free_port(), uid)
        for made in ("run", "state", "home"):
            (folder / made).mkdir()
        user, group = (
            subprocess.run(["id", flag, str(uid)], capture_output=True, text=True, check=True).stdout.strip()
            for flag in ("-nu", "-ng")
        )
        issue([NAME, OLD], papers.middle, send=(papers.middle.certificate,)).write(folder, "server")
        conf = CONF.format(
            folder=folder, port=daemon.port, starttls_port=daemon.starttls_port, user=user, group=group
        )
        more = NAMESPACE.format(prefix=namespace[0], separator=namespace[1]) if namespace else ""
        (folder / "dovecot.conf").write_text(conf + more)
        (folder / "users").write_text(f"plop:{{PLAIN}}{PASSWORD}:{uid}:{uid}::{folder}/home::\n")
        if copy_of is not None:
            # As the migration's rsync does, without Dovecot's own indexes (MIGRATION.md I9).
            shutil.copytree(copy_of, daemon.maildir, ignore=shutil.ignore_patterns("dovecot.index*", "*.lock"))
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{uid}:{uid}", folder], check=True)
        with subprocess.Popen([str(PROGRAM), "-F", "-c", folder / "dovecot.conf"], **_identity(uid)) as process:
            try:
                _wait(daemon, process)
                yield daemon
            finally:
                process.terminate()


def _wait(daemon: Dovecot, process: subprocess.Popen[bytes]) -> None:
    """Return when it takes connections."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", daemon.port), 1).close()
        except OSError:
            assert process.poll() is None, daemon.log
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
