"""Between hosts: the machine's own ssh, scp, rsync and openssl in their wrappers, and the stand-ins without them."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh
import pytest

from runbook_tui.demo import trust
from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.furniture import USERS, Papers, authorized_keys, furnish
from runbook_tui.demo.host import DEBIAN, FREEBSD, Host, Tier
from runbook_tui.demo.isolation.confinement import Confinement
from runbook_tui.demo.ssh import SshServer
from runbook_tui.demo.standins import identity, remote, rsync
from runbook_tui.demo.standins.door import Door
from runbook_tui.demo.standins.place import Tools, place
from tests.demo.loopback import network
from tests.demo.standins.conftest import BareWorld, make_machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runbook_tui.demo.machine import Machine

COMMANDS = {**remote.COMMANDS, **rsync.COMMANDS, **identity.COMMANDS}


@dataclass
class Pair:
    """Two furnished hosts that listen for SSH, and how to run a line on `old`."""

    old: Machine
    new: Machine
    address: str
    peers: set[str] = field(default_factory=set)
    """Where logins on new came from."""

    async def shell(self, text: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run a line of shell on the old host, without confinement."""
        home = self.old.host.path("/root" if user == "root" else f"/home/{user}")
        env = {
            "PATH": f"{self.old.host.path('/run/rehearsal/bin')}:/usr/bin:/bin", "LOGNAME": user,
            "HOME": str(home), "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        return await asyncio.to_thread(
            subprocess.run, ["/bin/sh", "-c", text], env=env, cwd=home, capture_output=True, text=True, timeout=60,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    async def log_in(self) -> None:
        """Do the runbook's key step: a key on old, its public half on new, new's host key known to old."""
        made = await self.shell("ssh-keygen -q -t ecdsa -N '' -C mailrunbook -f $HOME/.ssh/mailrunbook && echo made")
        assert made.stdout == "made\n", made.stderr
        public = self.old.host.path("/root/.ssh/mailrunbook.pub").read_text()
        with self.new.host.path("/root/.ssh/authorized_keys").open("a") as keys:
            keys.write(f'from="{self.old.host.address}" {public}')
        name = self.new.host.fqdn
        settings = f"Host {name}\n HostName {self.new.host.address}\n User root\n BatchMode yes\n"
        settings += " IdentityFile /root/.ssh/mailrunbook\n"
        self.old.host.path("/root/.ssh/config").write_text(settings)
        line = self.new.host.path("/etc/ssh/ssh_host_ecdsa_key.pub").read_text()
        self.old.host.path("/root/.ssh/known_hosts").write_text(f"{name},{self.new.host.address} {line}")


@pytest.fixture(scope="module")
def authority() -> trust.CertificateAuthority:
    """Made once."""
    return trust.CertificateAuthority()


@pytest.fixture(params=["own", "bare"])
async def pair(
    request: pytest.FixtureRequest, tmp_path: Path, authority: trust.CertificateAuthority
) -> AsyncIterator[Pair]:
    """Two hosts: with the machine's own tools, and as if it had none."""
    if request.param == "own" and not all(map(shutil.which, ("ssh", "scp", "rsync", "openssl", "ssh-keygen"))):
        pytest.skip("ssh, scp, rsync and openssl are not all installed")
    prefix = network()
    world = BareWorld(WorldClock.start(60))
    made = {
        name: make_machine(world, tmp_path, name, layout, f"{prefix}.{last}")
        for name, layout, last in (("old", FREEBSD, 11), ("new", DEBIAN, 12))
    }
    hosts = {name: machine.host for name, machine in made.items()}
    desk = Host("desk", "example.test", address=f"{prefix}.13", layout=DEBIAN, root=tmp_path / "desk", tier=Tier.PLAIN,
                clock=world.clock)  # fmt: skip
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    papers = Papers(
        dict.fromkeys(USERS, "x"), {name: authority.issue([f"{name}.example.test"]) for name in hosts},
        {"new": (trust.public_line(key),)}, "ssh-ed25519 AAAA operator", authority.pem, "c2VjcmV0",
    )  # fmt: skip
    furnish({**hosts, "desk": desk}, papers, name_server=f"{prefix}.53", resolver=f"{prefix}.1")
    tools = Tools.find(Tier.PLAIN, bare=request.param == "bare")
    addresses = {name: host.address for host in hosts.values() for name in (host.name, host.fqdn, host.address)}
    doors = [Door(machine, COMMANDS) for machine in made.values()]
    for host in hosts.values():
        place(host, host.path("/run/rehearsal/bin"), COMMANDS, tools, addresses)
    for door in doors:
        door.open()
    confinement = Confinement(tmp_path, Tier.PLAIN)
    confinement.prepare(hosts.values())
    both = Pair(made["old"], made["new"], f"{prefix}.12")

    def authorized(user: str) -> list[str]:
        both.peers |= {connection.get_extra_info("peername")[0] for connection in server._connections}
        return authorized_keys(hosts["new"], user)

    server = SshServer(hosts["new"], confinement, key, authorized)
    await server.start()
    yield both
    await server.stop()
    for door in doors:
        door.close()
    confinement.close()


async def test_no_way_in_before_the_key_step(pair: Pair) -> None:
    """Without the key step ssh ends with 255: nobody's host key is known and no key fits."""
    done = await pair.shell("ssh -n new.example.test true")
    assert done.returncode == 255
    assert "Host key verification failed." in done.stderr


async def test_a_command_runs_over_there(pair: Pair) -> None:
    """Standard input, output and the exit status pass through, from old's own address."""
    await pair.log_in()
    done = await pair.shell("echo in | ssh new.example.test 'cat; hostname -f; exit 7'; echo $?")
    assert done.stdout.endswith("7\n"), done.stderr
    assert done.stdout.startswith("in\n")
    assert (await pair.shell("ssh new.example.test 'cat > /tmp/there' < /dev/null")).returncode == 0
    assert pair.new.host.path("/tmp/there").exists()
    assert pair.peers == {pair.old.host.address}


async def test_a_changed_host_key_is_refused(pair: Pair) -> None:
    """A host that shows another key than the known one is not spoken to."""
    await pair.log_in()
    known = pair.old.host.path("/root/.ssh/known_hosts")
    other = trust.public_line(asyncssh.generate_private_key("ecdsa-sha2-nistp256"))
    known.write_text(f"new.example.test,{pair.address} {other}\n")
    done = await pair.shell("ssh -n new.example.test true")
    assert done.returncode == 255
    assert "Host key verification failed." in done.stderr


async def test_files_go_both_ways(pair: Pair) -> None:
    """Scp copies to the other host and back."""
    await pair.log_in()
    pair.old.host.path("/root/a").write_text("content\n")
    done = await pair.shell("scp -q a new.example.test:/root/b && scp -q new.example.test:/root/b c && cat c")
    assert (done.returncode, done.stdout) == (0, "content\n"), done.stderr
    assert (await pair.shell("scp -q new.example.test:/root/nothing d")).returncode == 1


async def test_a_maildir_goes_over(pair: Pair) -> None:
    """The runbook's rsync: all of it, then nothing, then what changed; deleted mails are put aside."""
    await pair.log_in()
    home = pair.old.host.path("/home/plop")
    excludes = pair.old.host.path("/root/excludes")
    excludes.write_text("# left out\n*.lock\ndovecot.index*\n/tmp/*\n")
    (home / "Maildir/spamc.lock").touch()
    words = "-aH --stats --timeout=300 --exclude-from=$HOME/excludes"
    there = "new.example.test:/home/plop/Maildir/"
    assert (await pair.shell("ssh new.example.test mkdir -p /home/plop")).returncode == 0
    first = await pair.shell(f"rsync {words} {home}/Maildir/ {there}")
    assert first.returncode == 0, first.stderr
    assert "Number of regular files transferred: " in first.stdout
    copied = pair.new.host.path("/home/plop/Maildir")
    assert not (copied / "spamc.lock").exists()
    assert (copied / "dovecot-uidlist").read_bytes() == (home / "Maildir/dovecot-uidlist").read_bytes()
    audit = f"rsync -anic --delete --exclude-from=$HOME/excludes {home}/Maildir/ {there}"
    assert (await pair.shell(audit)).stdout == ""
    gone = next((home / "Maildir/cur").iterdir())
    gone.unlink()
    (home / "Maildir/new/1.fresh").write_text("mail\n")
    lines = (await pair.shell(audit)).stdout.splitlines()
    assert f"*deleting   cur/{gone.name}" in lines
    assert "<f+++++++++ new/1.fresh" in lines
    last = await pair.shell(f"rsync {words} --delete-after --backup --backup-dir=/root/deleted {home}/Maildir/ {there}")
    assert last.returncode == 0, last.stderr
    assert pair.new.host.path(f"/root/deleted/cur/{gone.name}").exists()
    assert (await pair.shell(audit)).stdout == ""


async def test_a_full_disk_is_11(pair: Pair) -> None:
    """With no room on the other host rsync ends with 11, and goes on once there is room again."""
    await pair.log_in()
    words = f"rsync -a {pair.old.host.path('/home/bob')}/Maildir new.example.test:/root/"
    pair.new.host.full = True
    assert (await pair.shell(words)).returncode == 11
    pair.new.host.full = False
    assert (await pair.shell(words)).returncode == 0


async def test_a_refused_connection_is_255(pair: Pair) -> None:
    """Where nobody is, rsync gives ssh's 255, or 12 when it sees the end of the connection first."""
    await pair.log_in()
    done = await pair.shell("rsync -a $HOME/.ssh/ nowhere.example.test:/root/x/")
    assert done.returncode in {12, 255}
    assert "Could not resolve hostname nowhere.example.test" in done.stderr


async def test_certificates_are_looked_at(pair: Pair) -> None:
    """Openssl x509 and pkey give the same public key, and -checkend tells what is near."""
    folder = pair.old.host.path("/usr/local/etc/ssl/mail")
    done = await pair.shell(f"""cd {folder}; look="openssl x509 -in mail.crt -noout"
        $look -subject -enddate && $look -checkend 1209600 &&
        [ "$($look -pubkey)" = "$(openssl pkey -in mail.key -pubout)" ]""")
    assert done.returncode == 0, done.stderr
    assert "subject=CN = old.example.test" in done.stdout
    assert (await pair.shell(f"openssl x509 -in {folder}/mail.crt -noout -checkend 99999999")).returncode == 1


async def test_a_tls_server_is_talked_to(pair: Pair, authority: trust.CertificateAuthority, tmp_path: Path) -> None:
    """s_client reaches the world's ports by name, from old's own address, and sees a wrong certificate."""
    certificate = authority.issue(["new.example.test"])
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.chain)
    trust.write_key(key, certificate.key)
    peers: list[str] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])
        writer.write(b"* OK ready\r\n")
        try:
            if line := await reader.readline():
                writer.write(b"* BYE " + line)
            await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        writer.close()

    server = await asyncio.start_server(
        greet, pair.address, pair.new.host.port(993), ssl=trust.server_context(chain, key)
    )
    async with server:
        said = await pair.shell("echo bye | openssl s_client -quiet -crlf -connect new.example.test:993 2> /dev/null")
        assert said.stdout.replace("\r", "") == "* OK ready\n* BYE bye\n"
        assert set(peers) == {pair.old.host.address}
        ca = pair.old.host.path("/usr/local/etc/ssl/ca.pem")
        words = (
            f"openssl s_client -quiet -verify_return_error -CAfile {ca} -connect new.example.test:993 -verify_hostname"
        )
        assert (await pair.shell(f"echo x | {words} new.example.test")).returncode == 0
        assert (await pair.shell(f"echo x | {words} old.example.test")).returncode == 1


async def test_basic_tools_know_the_hosts_users(pair: Pair) -> None:
    """Install and find take owners of the host, which the machine does not know; su and sudo change who one is."""
    text = "install -d -o plop -g plop -m 700 d && find d ! -user plop"
    text += " && echo x > f && install -m 600 -o plop f d/f && ls d"
    assert (await pair.shell(text)).stdout == "f\n"
    assert oct((pair.old.host.path("/root/d/f")).stat().st_mode)[-3:] == "600"
    assert (await pair.shell("install -d -o nobody-here e")).returncode != 0
    assert (await pair.shell("find d -user nobody-here")).returncode != 0
    home = pair.old.host.path("/home/plop")
    assert (await pair.shell("su plop -c 'id -un; echo $HOME'")).stdout == f"plop\n{home}\n"
    assert (await pair.shell("sudo -u plop sh -c 'id -un; echo $HOME'")).stdout == f"plop\n{home}\n"
    assert (await pair.shell("su carol -c true")).returncode == 1


async def test_a_system_lacks_what_it_lacks(pair: Pair) -> None:
    """FreeBSD has no systemctl and BSD's sed; what reaches past the world is refused."""
    done = await pair.shell("systemctl stop postfix; echo $?; reboot; echo $?; sed --version; echo $?")
    assert done.stdout == "127\n64\n1\n"
    assert "systemctl: not found" in done.stderr
    edited = await pair.shell(
        "echo a > f; sed -i .bak s/a/b/ f; cat f f.bak; sed -i '' s/b/c/ f; cat f; sed -i s/c/d/ f"
    )
    assert edited.stdout == "b\na\nc\n"
    assert edited.returncode == 1
