"""Postfix's commands and replies beside ours: the same main.cf to both, and the answers compared."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import smtplib
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.demo.loopback import free_port, network
from tests.demo.postfix.conftest import Mail, mail, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["mail"]

POSTCONF = shutil.which("postconf", path="/usr/sbin:/usr/local/sbin:/usr/bin")
VERSION = (
    subprocess.run([POSTCONF, "-dh", "mail_version"], capture_output=True, text=True, check=False).stdout
    if POSTCONF else ""
)  # fmt: skip
needs_postfix = pytest.mark.skipif(not VERSION.startswith("3.7."), reason="Postfix 3.7 is not installed")
ROOT_ONLY = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="needs root"), needs_postfix]

TEXT = """\
# first
compatibility_level = 3.6
myhostname = new.example.test
mydestination = $myhostname, localhost.$mydomain,
  localhost
relay_domains =
# relayhost is set below
relayhost = [old.example.test]
  # within
mynetworks = 127.0.0.50/32
alias_maps = hash:/etc/aliases
"""
CALLS = [
    "-n", "-h mydestination", "mydestination relayhost", "-n relayhost relay_domains", "-H mydestination", "-hn",
    "-x mydestination", "-hx mydomain smtpd_relay_restrictions relay_domains", "-d relay_domains soft_bounce",
    "-dh mail_version", "mydomain", "nosuch", "-n nosuch relayhost", "-e soft_bounce=yes", "-e relayhost=",
    "-e mydestination=$myhostname,example.test", "relayhost=x", "-# relayhost", "-X relayhost", "-X nosuch",
    "-e foo", "-e =x", "-X relayhost=y", "-e relayhost=a relayhost=b", "-o soft_bounce=maybe soft_bounce",
    "-h smtp_destination_concurrency_limit", "-x smtp_helo_name local_transport", "-e a=b",
]  # fmt: skip


async def our_postconf(mail: Mail, text: str, argv: list[str]) -> tuple[object, ...]:
    """Call ours; give status, both outputs and the main.cf it leaves; the world's folder is told as the root."""
    mail.new.write("/etc/postfix/main.cf", text)
    status, out, err = await mail.new.run("postconf", *argv)
    left = mail.new.host.path("/etc/postfix/main.cf").read_text()
    return status, out.replace(str(mail.new.host.root), ""), err, left


def real_postconf(folder: Path, text: str, argv: list[str]) -> tuple[object, ...]:
    """Call the real one on a folder of its own; its place is told as /etc/postfix."""
    (folder / "main.cf").write_text(text)
    shutil.copy("/etc/postfix/master.cf", folder)
    done = subprocess.run(
        ["postconf", *argv], executable=POSTCONF, env={"MAIL_CONFIG": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    out, err = (said.replace(str(folder), "/etc/postfix") for said in (done.stdout, done.stderr))
    out = re.sub(r"^(config_directory = )?/etc/postfix\n|^config_directory\n", "", out, flags=re.MULTILINE)
    return done.returncode, out, err, (folder / "main.cf").read_text()


@needs_postfix
@pytest.mark.parametrize("call", CALLS)
async def test_postconf_says_and_writes_the_same(mail: Mail, tmp_path: Path, call: str) -> None:
    """Status, both outputs and main.cf afterwards are those of the real postconf, to the byte."""
    argv = call.split()
    assert await our_postconf(mail, TEXT, argv) == real_postconf(tmp_path, TEXT, argv)


@needs_postfix
@pytest.mark.parametrize("call", ["-n", "-h relayhost", "-e relayhost=x"])
async def test_postconf_on_a_main_cf_with_slips(mail: Mail, tmp_path: Path, call: str) -> None:
    """A misspelt name and a broken line are told alike."""
    for text in (f"{TEXT}relay_hoost = x\n", f"{TEXT}no equals sign\n"):
        argv = call.split()
        assert await our_postconf(mail, text, argv) == real_postconf(tmp_path, text, argv)


@dataclass(frozen=True)
class Real:
    """A real Postfix of the test's own: folder, SMTP port on 127.0.0.1."""

    folder: Path
    port: int

    def command(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Call one of its commands."""
        path = f"/usr/sbin:/usr/bin:{os.environ['PATH']}"
        return subprocess.run(
            [shutil.which(argv[0], path=path) or argv[0], *argv[1:]], capture_output=True, text=True, check=False,
            env={"MAIL_CONFIG": str(self.folder / "etc"), "PATH": path}, timeout=60,
        )  # fmt: skip

    def configure(self, values: Mapping[str, str]) -> None:
        """Write main.cf."""
        base = {
            "compatibility_level": "3.6", "queue_directory": f"{self.folder}/spool", "inet_protocols": "ipv4",
            "data_directory": f"{self.folder}/data", "maillog_file": f"{self.folder}/log/mail.log",
            "maillog_file_prefixes": str(self.folder), "inet_interfaces": "127.0.0.1",
            "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "999", **values,
        }  # fmt: skip
        (self.folder / "etc/main.cf").write_text("".join(f"{name} = {value}\n" for name, value in base.items()))


@pytest.fixture
def real() -> Iterator[Real]:
    """A Postfix that is not started; stopped by its own command at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mailrunbook-postfix-"))
    folder.chmod(0o755)
    for name in ("etc", "spool", "data", "log"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    port = free_port()
    master = Path("/etc/postfix/master.cf").read_text()
    master = re.sub(r"^smtp +inet", f"127.0.0.1:{port} inet", master, flags=re.MULTILINE)
    master = re.sub(r"^(\S+\s+(?:unix|inet)\s+\S+\s+\S+\s+)y", r"\1n", master, flags=re.MULTILINE)
    (folder / "etc/master.cf").write_text(master)
    made = Real(folder, port)
    yield made
    made.command("postfix", "stop")
    shutil.rmtree(folder)


RELAY = {"relay_domains": "example.test", "relay_recipient_maps": "inline:{alice@example.test=x}"}
REJECT = {"smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination"}
CONFIGURATIONS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "final": {
        "mydestination": "example.test, $myhostname, localhost",
        "local_recipient_maps": "inline:{alice=x,root=x} $alias_maps",
    },
    "relaying": RELAY,
    "rejecting": {**RELAY, **REJECT},
    "soft": {**RELAY, **REJECT, "soft_bounce": "yes"},
    "trusting": {**RELAY, "mynetworks": "127.64.0.0/10, 127.128.0.0/9"},
    "no list": {"relay_domains": "example.test"},
    "virtual": {"virtual_alias_domains": "virt.test", "virtual_alias_maps": "inline:{info@virt.test=root}"},
    "recipient first": {**RELAY, "smtpd_recipient_restrictions": "reject"},
    "nonsense": {**RELAY, "smtpd_recipient_restrictions": "nonsense"},
    "missing table": {**RELAY, "transport_maps": "hash:/nonexistent/transport"},
    "missing list": {**RELAY, "relay_recipient_maps": "hash:/nonexistent/list"},
    "extensions": {**RELAY, "recipient_delimiter": "+"},
    "unlisted allowed": {**RELAY, "smtpd_reject_unlisted_recipient": "no"},
}
RECIPIENTS = [
    "alice@example.test", "ALICE@Example.Test", "nosuch@example.test", "alice+list@example.test", "a@sub.example.test",
    "x@foreign.test", "root@new.example.test", "nosuch@new.example.test", "nosuch@localhost", "root", "nosuch",
    "info@virt.test", "nosuch@virt.test", "root@[127.0.0.1]", "broken@", "a b@example.test", "root+x@new.example.test",
]  # fmt: skip


def heard(port: int, address: str, client: str) -> list[object]:
    """Ask for every recipient and say a few wrong things; give all answers."""
    with smtplib.SMTP(address, port, source_address=(client, 0), timeout=20) as session:
        answers: list[object] = [session.docmd("RCPT TO:<x@y.test>"), session.docmd("EHLO me.test")[0]]
        answers += [session.docmd(line) for line in ("DATA", "NONSENSE", "MAIL FROM", "NOOP", "MAIL FROM:<a@b.test>")]
        answers += [session.docmd(line) for line in ("MAIL FROM:<a@b.test>", "DATA")]
        answers += [(recipient, *session.docmd(f"RCPT TO:<{recipient}>")) for recipient in RECIPIENTS]
        last = ("RSET", "VRFY a@example.test", "MAIL FROM:<a@b.test> SIZE=99999999")
        answers += [session.docmd(line) for line in last]
    return answers


class TestReplies:
    """What a client hears, configuration by configuration."""

    pytestmark = ROOT_ONLY

    @pytest.mark.parametrize("name", CONFIGURATIONS)
    async def test_every_recipient_is_answered_alike(self, mail: Mail, real: Real, name: str) -> None:
        """Codes and words are the same for all recipients."""
        values = {"myhostname": "new.example.test", "alias_maps": "inline:{postmaster=root}", **CONFIGURATIONS[name]}
        real.configure({"mynetworks": "127.0.0.50/32", **values})
        assert real.command("postfix", "start").returncode == 0
        mail.new.main_cf(mynetworks="127.0.0.50/32")
        await mail.new.ok("postconf", "-e", *(f"{key}={value}" for key, value in values.items()))
        mail.new.host.address = "127.0.0.1"
        port = free_port()
        mail.new.host.port = lambda well_known: port  # type: ignore[method-assign]  # noqa: ARG005
        await mail.new.postfix.start()
        client = f"{network()}.77"
        ours = await asyncio.to_thread(heard, mail.new.host.port(25), "127.0.0.1", client)
        theirs = await asyncio.to_thread(heard, real.port, "127.0.0.1", client)
        assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []


class TestQueue:
    """How a mail that waits is shown."""

    pytestmark = ROOT_ONLY

    async def test_the_queue_is_listed_alike(self, mail: Mail, real: Real) -> None:
        """`postqueue -j` has the same members, `-p` the same shape, for a mail that is put off."""
        dead = f"{network()}.9"
        values = {"myhostname": "new.example.test", "relay_domains": "example.test"}
        values["transport_maps"] = f"static:smtp:[{dead}]"
        real.configure(values)
        real.command("postfix", "start")
        mail.new.main_cf(**values)
        await mail.new.postfix.start()

        def send(address: str, port: int) -> None:
            with smtplib.SMTP(address, port, timeout=20) as session:
                recipients = ["alice@example.test", "bob@example.test"]
                session.sendmail("a@b.test", recipients, "Subject: x\r\n\r\nx\r\n")

        await asyncio.to_thread(send, "127.0.0.1", real.port)
        await asyncio.to_thread(send, mail.new.host.address, mail.new.host.port(25))
        await until(lambda: mail.new.log.count("status=deferred") == 2)
        await until(lambda: '"deferred"' in real.command("postqueue", "-j").stdout)
        theirs = json.loads(real.command("postqueue", "-j").stdout)
        ours = json.loads(await mail.new.ok("postqueue", "-j"))
        assert list(ours) == list(theirs)
        for volatile in ("queue_id", "arrival_time", "message_size"):
            assert type(ours.pop(volatile)) is type(theirs.pop(volatile))
        for one in (ours, theirs):
            one["recipients"].sort(key=lambda to: to["address"])
        assert ours == theirs
        assert shape(await mail.new.ok("postqueue", "-p")) == shape(real.command("postqueue", "-p").stdout)


def shape(listing: str) -> list[str]:
    """Give a listing with letters, numbers and dates made alike; recipients in order."""
    dated = re.sub(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d", "DATE", listing)
    return sorted(re.sub(r"^[0-9A-F]{11} {1,5}\d+ ", "ID SIZE ", dated, flags=re.MULTILINE).splitlines())
