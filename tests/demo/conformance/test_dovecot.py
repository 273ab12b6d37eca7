"""Our IMAP server and a real Dovecot on the same Maildir: what one wrote, the other shows, in both directions."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.demo.imap.conftest import Site, command, site, up
from tests.demo.loopback import free_port
from tests.demo.mail_client import PASSWORD, connected, fill, view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imapclient import IMAPClient

__all__ = ["command", "site", "up"]

DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(DOVECOT is None, reason="Dovecot is not installed")
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
disable_plaintext_auth = no
ssl = no
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
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


@dataclass(slots=True)
class Dovecot:
    """A running Dovecot of an unprivileged user with one mail user, plop."""

    folder: Path
    port: int
    uid: int

    @property
    def maildir(self) -> Path:
        """The Maildir of plop."""
        return self.folder / "home" / "Maildir"

    def own(self) -> None:
        """Give all files to the user that Dovecot runs as."""
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{self.uid}:{self.uid}", self.folder], check=True)

    def use(self, work: Callable[[IMAPClient], Any]) -> Any:  # noqa: ANN401 -- whatever the work gives
        """Do something as a logged-in client."""
        with connected("127.0.0.1", self.port) as client:
            return work(client)

    def doveadm(self, *arguments: str) -> str:
        """Give what a doveadm command prints."""
        run = subprocess.run(
            ["doveadm", "-c", self.folder / "dovecot.conf", *arguments], user=self.uid, group=self.uid, extra_groups=[],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return run.stdout


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """Run a Dovecot from a configuration of its own, in the shortest possible folder: its sockets live there."""
    uid = NOBODY if os.getuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory(prefix="dv") as name:
        folder = Path(name)
        folder.chmod(0o755)
        daemon = Dovecot(folder, free_port(), uid)
        for made in ("run", "state", "home"):
            (folder / made).mkdir()
        user = subprocess.run(["id", "-nu", str(uid)], capture_output=True, text=True, check=True).stdout.strip()
        group = subprocess.run(["id", "-ng", str(uid)], capture_output=True, text=True, check=True).stdout.strip()
        (folder / "dovecot.conf").write_text(CONF.format(folder=folder, port=daemon.port, user=user, group=group))
        (folder / "users").write_text(f"plop:{{PLAIN}}{PASSWORD}:{uid}:{uid}::{folder}/home::\n")
        daemon.own()
        identity: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if os.getuid() == 0 else {}
        with subprocess.Popen([str(DOVECOT), "-F", "-c", folder / "dovecot.conf"], **identity) as process:
            try:
                wait_for(daemon, process)
                yield daemon
            finally:
                process.terminate()


def wait_for(daemon: Dovecot, process: subprocess.Popen[bytes]) -> None:
    """Return when a client can log in."""
    deadline = time.monotonic() + 60
    while True:
        try:
            daemon.use(lambda _: None)
        except OSError:
            log = daemon.folder / "log"
            assert process.poll() is None, log.read_text() if log.exists() else "no log"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def carry(source: Path, target: Path) -> None:
    """Copy a Maildir as the migration's rsync does: without Dovecot's own indexes (MIGRATION.md, I9)."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("dovecot.index*", "dovecot.list.index*", "*.lock"))


async def ours(site: Site, work: Callable[[IMAPClient], Any]) -> Any:  # noqa: ANN401 -- whatever the work gives
    """Do something as a client of our server."""

    def run() -> Any:  # noqa: ANN401 -- same
        with site.client() as client:
            return work(client)

    return await asyncio.to_thread(run)


async def test_what_dovecot_wrote_is_read_the_same(dovecot: Dovecot, up: Site) -> None:
    """UIDVALIDITY, UIDs, flags, keywords, sizes, dates and texts are Dovecot's own; nothing is changed by looking."""
    dovecot.use(fill)
    expected = dovecot.use(view)
    carry(dovecot.maildir, up.host.path("/home/plop/Maildir"))
    assert await ours(up, view) == expected
    assert await ours(up, view) == expected


async def test_what_we_wrote_is_read_the_same_by_dovecot(dovecot: Dovecot, up: Site) -> None:
    """The other way round, with UIDs that were used and given up."""
    await ours(up, fill)
    expected = await ours(up, view)
    carry(up.host.path("/home/plop/Maildir"), dovecot.maildir)
    dovecot.own()
    assert dovecot.use(view) == expected


async def test_a_maildir_that_went_there_and_back_goes_on_as_it_was(dovecot: Dovecot, up: Site) -> None:
    """A mail that arrives after the move gets the UID that Dovecot promised."""
    dovecot.use(fill)
    carry(dovecot.maildir, up.host.path("/home/plop/Maildir"))
    promised = dovecot.use(lambda client: client.folder_status("Archive", ["UIDNEXT"])[b"UIDNEXT"])
    up.store.file("Archive", b"Subject: after\n\n", hostname="new")
    assert (await ours(up, view))["Archive"]["mails"].keys() >= {promised}
    shutil.rmtree(dovecot.maildir)
    carry(up.host.path("/home/plop/Maildir"), dovecot.maildir)
    dovecot.own()
    assert dovecot.use(view) == await ours(up, view)


async def test_two_folders_made_in_one_second_differ_in_uidvalidity_in_both(dovecot: Dovecot, up: Site) -> None:
    """A folder that is deleted and made again is another one for every client."""

    def again(client: IMAPClient) -> int:
        seen = set()
        for _ in range(3):
            client.create_folder("Again")
            seen.add(client.folder_status("Again", ["UIDVALIDITY"])[b"UIDVALIDITY"])
            client.delete_folder("Again")
        return len(seen)

    assert dovecot.use(again) == await ours(up, again) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("-f", "tab", "mailbox", "status", "-u", "plop", "messages uidvalidity uidnext unseen vsize guid", "*"),
        ("mailbox", "status", "-u", "plop", "uidvalidity", "*"),
        ("-f", "tab", "mailbox", "status", "-t", "-u", "plop", "messages", "*"),
        ("mailbox", "status", "-t", "-u", "plop", "messages vsize", "*"),
        ("-f", "json", "mailbox", "status", "-u", "plop", "messages unseen", "Entwürfe"),
        ("mailbox", "list", "-u", "plop"),
        ("mailbox", "list", "-s", "-u", "plop"),
        ("search", "-u", "plop", "mailbox", "INBOX", "all"),
        ("search", "-u", "plop", "unseen"),
        ("fetch", "-u", "plop", "mailbox uid guid flags size.virtual hdr.message-id date.received", "mailbox", "A & B"),
        ("-f", "tab", "fetch", "-u", "plop", "uid size.physical hdr.subject", "mailbox", "INBOX"),
        ("fetch", "-u", "plop", "date.received.unixtime", "mailbox", "INBOX"),
        ("-f", "json", "fetch", "-u", "plop", "uid flags mailbox-guid", "mailbox", "Archive*"),
        ("auth", "test", "plop", PASSWORD),
        ("who",),
    ],
)  # fmt: skip
async def test_doveadm_prints_what_the_real_one_prints(
    dovecot: Dovecot, up: Site, command: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    r"""Line by line, but for \Recent, the order of mailboxes and trailing blanks, on a Maildir that both have."""
    dovecot.use(fill)
    dovecot.use(view)
    carry(dovecot.maildir, up.host.path("/home/plop/Maildir"))
    expected = without_recent(dovecot.doveadm(*arguments))
    said = await command("doveadm", *arguments)
    assert said.err == ""
    lines = without_recent(said.out)
    if arguments == ("who",):
        assert lines[0].split()[:3] == expected[0].split()[:3]
    else:
        assert sorted(lines) == sorted(expected)


def without_recent(text: str) -> list[str]:
    r"""Give lines without what Dovecot keeps in its indexes alone, which nobody copies: \Recent."""
    return [re.sub(r' \\+Recent(?="|$)|\\+Recent ?', "", line).rstrip() for line in text.splitlines()]


def doveconf(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the real one."""
    return subprocess.run(["doveconf", "-n", "-c", path], capture_output=True, text=True, check=False)


BROKEN = (
    "protocols = imap\nfoo = bar\n",
    "service imap-login {\n  inet_listener imap {\n    port = 143\n}\n",
    "protocols = imap\n}\n",
    "protocols imap\n",
    "ssl = banana\n",
    "mail_max_userip_connections = x\n",
    "!include nothing.conf\n",
    "passdb {\n  driver = pam\n  colour = red\n}\n",
    "colours {\n}\n",
    "service imap-login {\n  inet_listener imap {\n    foo = 1\n  }\n}\n",
    "protocol imap {\n  foo = 1\n}\n",
)


@pytest.mark.parametrize("text", BROKEN)
async def test_doveconf_names_an_error_in_the_same_words(
    site: Site, command: Callable[..., Any], text: str, tmp_path: Path
) -> None:
    """What keeps the real Dovecot from starting is refused with its sentence and its exit status."""
    site.configure(text)
    real = tmp_path / "dovecot.conf"
    real.write_text(text)
    expected = doveconf(real)
    said = await command("doveconf", "-n")
    words = expected.stderr.replace(str(real), "/etc/dovecot/dovecot.conf")
    assert (said.status, said.err) == (expected.returncode, words)


async def test_doveconf_shows_the_same_settings(site: Site, command: Callable[..., Any], tmp_path: Path) -> None:
    """Settings and sections that are not as by default, by name, less the lines about the machine."""
    text = (
        "# a comment\nprotocols = imap\nmail_location=maildir:~/Maildir\ndisable_plaintext_auth = yes\nssl = required\n"
        "protocol imap {\n  mail_max_userip_connections = 20\n}\npassdb {\n  driver = pam\n}\n"
        "userdb {\n driver = passwd\n}\nnamespace inbox {\n inbox = yes\n mailbox Drafts {\n  auto = subscribe\n }\n}\n"
    )
    site.configure(text)
    real = tmp_path / "dovecot.conf"
    real.write_text(text)
    expected = doveconf(real).stdout
    said = await command("doveconf", "-n")
    settings = [line for line in expected.splitlines() if not line.startswith("#")]
    assert [line for line in said.out.splitlines() if not line.startswith("#")] == settings
