"""The SSH shell against real servers: keys, logins, hops, and everything that can go wrong on the way."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from typing import TYPE_CHECKING

import asyncssh
import pytest

from runbook_tui.adapters.ssh_host_keys import host_key
from runbook_tui.core.errors import HostError
from runbook_tui.ports import Ended, ExpectedKeys, HostKey, Link, OutcomeUnknownError
from tests.adapters.conftest import ssh_shell
from tests.adapters.test_shell import Output, run
from tests.support.sshd import find_sshd, free_port, make_key, running_sshd, start_sshd, wait_until, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runbook_tui.adapters.ssh import SshShell
    from tests.support.sshd import KeyPair, Sshd, SshFiles

needs_openssh = pytest.mark.skipif(find_sshd() is None, reason="no sshd is installed; asyncssh serves the tests")


def described(line: str) -> HostKey:
    """The HostKey of a public line."""
    return host_key(asyncssh.import_public_key(line))


def offered(shell: SshShell) -> HostKey | None:
    """Give the key that may be trusted for the host itself."""
    refusal = shell.refusal
    return refusal.key if refusal is not None and refusal.can_be_trusted and not refusal.jump else None


@pytest.fixture
def own_server(tmp_path: Path, operator: KeyPair) -> Iterator[Sshd]:
    """A server that the test may break."""
    with running_sshd(tmp_path / "server", [operator.public]) as running:
        yield running


@pytest.fixture
def own_files(tmp_path: Path, operator: KeyPair, own_server: Sshd) -> SshFiles:
    """Files that name it `old.test`."""
    return write_ssh_files(tmp_path / "files", operator, {"old.test": own_server})


async def refused(shell: SshShell) -> HostError:
    """Connect in vain, and give the error."""
    with pytest.raises(HostError) as caught:
        await asyncio.wait_for(shell.connect(), 20)
    await shell.close()
    return caught.value


async def test_identity_has_peer_and_host_key(server: Sshd, files: SshFiles) -> None:
    """The identity shows the address of the peer and the fingerprint of the key that it used."""
    shell = ssh_shell(files)
    identity = await shell.connect()
    assert identity.address == f"127.0.0.1:{server.port}"
    assert (identity.fingerprint, identity.algorithm) == (described(server.host_key).fingerprint, "ssh-ed25519")
    await shell.close()
    assert shell.link is Link.IDLE


async def test_connection_is_kept(own_server: Sshd, own_files: SshFiles) -> None:
    """Commands one after the other and at once use one login."""
    shell = ssh_shell(own_files)
    for _ in range(3):
        await run(shell, ":")
    await asyncio.gather(*(run(shell, "sleep 0.1") for _ in range(6)))
    assert own_server.log_text().count("Accepted publickey") == 1
    await shell.close()


async def test_first_uses_at_once_make_one_connection(own_server: Sshd, own_files: SshFiles) -> None:
    """Several commands that find no connection share the one that is made."""
    shell = ssh_shell(own_files)
    await asyncio.gather(*(run(shell, ":") for _ in range(4)))
    assert own_server.log_text().count("Accepted publickey") == 1
    await shell.close()


async def test_signal_is_sent_while_all_slots_are_taken(files: SshFiles) -> None:
    """Stopping a job does not wait for a free channel, and a ninth job waits for one and is refused in the end."""
    shell = ssh_shell(files, answer_timeout=4.0)
    jobs = [await shell.start("sleep 600", lambda _: None) for _ in range(8)]
    with pytest.raises(HostError, match="busy"):
        await shell.start(":", lambda _: None)
    for job in jobs:
        assert await shell.signal_group(job.pgid, "KILL") == 0
        assert await job.wait() == Ended(signal="KILL")
    assert (await run(shell, "exit 5"))[0] == Ended(exit=5)
    await shell.close()


async def test_killed_session_is_lost_and_never_a_success(own_server: Sshd, own_files: SshFiles) -> None:
    """A session that dies without a status gives no exit status, and the next command connects anew."""
    shell = ssh_shell(own_files)
    output = Output()
    job = await shell.start("echo up; sleep 600", output)
    await output.until(b"up")
    assert own_server.kill_sessions() >= 1
    ended = await asyncio.wait_for(job.wait(), 10)
    assert (ended.exit, ended.signal) == (None, "")
    assert ended.lost
    assert shell.link is Link.DOWN
    assert (await run(shell, "echo again"))[1] == b"again\n"
    await shell.close()


async def test_server_stopped_in_the_middle_is_lost_and_then_refused(own_server: Sshd, own_files: SshFiles) -> None:
    """When the whole server goes, the job is lost and the next command says that nothing listens."""
    shell = ssh_shell(own_files)
    output = Output()
    job = await shell.start("echo up; sleep 600", output)
    await output.until(b"up")
    own_server.kill_sessions()
    own_server.stop()
    assert (await asyncio.wait_for(job.wait(), 10)).lost
    with pytest.raises(HostError, match="refused the connection"):
        await shell.start(":", lambda _: None)
    assert shell.link is Link.DOWN
    await shell.close()


@needs_openssh
async def test_silent_server_is_lost_by_keepalive(own_server: Sshd, own_files: SshFiles) -> None:
    """A link that says nothing any more is given up by the keepalive, not waited for without end."""
    shell = ssh_shell(own_files, keepalive_interval=0.2, keepalive_count_max=2)
    output = Output()
    job = await shell.start("echo up; sleep 600", output)
    await output.until(b"up")
    stopped = own_server.sessions()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert (await asyncio.wait_for(job.wait(), 10)).lost
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    await shell.close()


@needs_openssh
async def test_no_answer_to_a_sent_script_is_an_unknown_outcome(tmp_path: Path, operator: KeyPair) -> None:
    """A link that breaks between the sending of a script and the answer does not tell whether it ran."""
    with running_sshd(tmp_path / "server", [operator.public]) as good:
        files = write_ssh_files(tmp_path / "files", operator, {"old.test": good})
        shell = ssh_shell(files, answer_timeout=1.0)
        await shell.connect()
        # From here on the login files hold every command, as an overloaded machine would.
        arrived = tmp_path / "arrived"
        (good.home / ".bashrc").write_text(f"head -c 10 >/dev/null; touch {arrived}; sleep 600\n", encoding="ascii")
        with pytest.raises(OutcomeUnknownError, match="did not answer"):
            await shell.start(f"touch {tmp_path}/ran", lambda _: None)
        arrived.unlink()
        starting = asyncio.create_task(shell.start(":", lambda _: None))
        await asyncio.to_thread(wait_until, arrived.exists, "the script to arrive")
        good.kill_sessions()
        with pytest.raises(OutcomeUnknownError):
            await starting
        await shell.close()


async def test_unknown_key_is_refused_shown_and_can_be_trusted(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """A key that no file knows is refused with its fingerprint; trusting exactly it lets us in."""
    shell = ssh_shell(write_ssh_files(tmp_path, operator, {"old.test": server}, known=False))
    with pytest.raises(HostError, match="not known") as caught:
        await shell.connect()
    expected = described(server.host_key)
    assert (offered(shell), shell.link) == (expected, Link.REFUSED)
    assert expected.fingerprint in caught.value.detail
    assert expected.algorithm in caught.value.detail
    shell.expect(ExpectedKeys(expected))
    assert (await shell.connect()).fingerprint == expected.fingerprint
    assert offered(shell) is None
    await shell.close()


async def test_changed_key_is_an_alarm(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """Another key under the name is refused as changed, with both fingerprints and the line of the file."""
    files = write_ssh_files(tmp_path, operator, {"old.test": server}, known=False)
    other = make_key(tmp_path, "other").public
    files.known_hosts.write_text(f"old.test {other}\n", encoding="ascii")
    shell = ssh_shell(files)
    error = await refused(shell)
    assert "CHANGED" in error.title
    assert described(other).fingerprint in error.detail
    assert described(server.host_key).fingerprint in error.detail
    assert f"{files.known_hosts} line 1" in error.detail
    assert offered(shell) == described(server.host_key)


async def test_key_of_another_type_is_the_same_alarm(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """When only a key of another type is known, that is a changed key and not an unknown one."""
    files = write_ssh_files(tmp_path, operator, {"old.test": server}, known=False)
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    files.known_hosts.write_text(f"old.test {key}", encoding="ascii")
    shell = ssh_shell(files)
    error = await refused(shell)
    assert "CHANGED" in error.title
    assert "another type" in error.detail
    assert offered(shell) == described(server.host_key)


async def test_key_known_for_the_address_does_not_count_for_the_name(
    tmp_path: Path, operator: KeyPair, server: Sshd
) -> None:
    """PROMISES.md fact 5: the name has key N, the address key O, the server shows O: refused."""
    files = write_ssh_files(tmp_path, operator, {"new.test": server}, known=False)
    lines = [
        f"new.test {make_key(tmp_path, 'n').public}\n",
        server.known_hosts_line("127.0.0.1"),
        server.known_hosts_line("127.0.0.1", port=server.port),
    ]
    files.known_hosts.write_text("".join(lines), encoding="ascii")
    assert "CHANGED" in (await refused(ssh_shell(files, "new.test"))).title
    files.known_hosts.write_text("".join(lines[1:]), encoding="ascii")
    assert "not known" in (await refused(ssh_shell(files, "new.test"))).title


async def test_address_written_as_name_is_looked_up_with_its_port(
    tmp_path: Path, operator: KeyPair, server: Sshd
) -> None:
    """A host that is written as address and port is matched as `[address]:port`."""
    files = write_ssh_files(tmp_path, operator, {}, known=False)
    files.known_hosts.write_text(server.known_hosts_line("127.0.0.1", port=server.port), encoding="ascii")
    files.config.write_text(f"IdentityFile {operator.private}\n", encoding="utf-8")
    shell = ssh_shell(files, f"ssh://{server.user}@127.0.0.1:{server.port}")
    assert (await shell.connect()).address == f"127.0.0.1:{server.port}"
    await shell.close()


async def test_revoked_key_is_refused_although_it_is_known(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """A revoked key is refused, pinned or not, and is not offered to be trusted."""
    files = write_ssh_files(tmp_path, operator, {"old.test": server})
    with files.known_hosts.open("a", encoding="ascii") as file:
        file.write(f"@revoked * {server.host_key}\n")
    for pin in (None, described(server.host_key)):
        shell = ssh_shell(files, pin=pin)
        assert "revoked" in (await refused(shell)).title
        assert offered(shell) is None


async def test_certificate_authority_vouches_for_its_hosts(tmp_path: Path, operator: KeyPair) -> None:
    """A host certificate by a known authority is enough for its name, and for no other."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    key = make_key(tmp_path, "certified")
    certificate = authority.generate_host_certificate(
        asyncssh.read_private_key(str(key.private)), "host", principals=["old.test"]
    )
    (tmp_path / "cert.pub").write_bytes(certificate.export_certificate())
    if find_sshd() is None:
        pytest.skip("the server without OpenSSH shows no certificate")
    options = [f"HostCertificate {tmp_path}/cert.pub"]
    with running_sshd(tmp_path / "server", [operator.public], host_key=key, options=options) as server:
        names = {"old.test": server, "new.test": server}
        files = write_ssh_files(tmp_path / "files", operator, names, known=False)
        line = authority.export_public_key().decode()
        files.known_hosts.write_text(f"@cert-authority *.test {line}", encoding="ascii")
        shell = ssh_shell(files)
        await shell.connect()
        await shell.close()
        assert "certificate" in (await refused(ssh_shell(files, "new.test"))).title


async def test_garbage_in_known_hosts_is_named(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """When a key is not known, the lines that could not be used are told; a good line among them works."""
    files = write_ssh_files(tmp_path, operator, {"old.test": server})
    good = files.known_hosts.read_text(encoding="ascii")
    files.known_hosts.write_text("garbage\n", encoding="ascii")
    assert f"{files.known_hosts} line 1" in (await refused(ssh_shell(files))).detail
    files.known_hosts.write_text(f"garbage\n{good}", encoding="ascii")
    shell = ssh_shell(files)
    await shell.connect()
    await shell.close()


async def test_pin_stands_for_known_hosts(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """With a pin only that key is accepted, whatever known_hosts says."""
    files = write_ssh_files(tmp_path, operator, {"old.test": server})
    wrong = ssh_shell(files, pin=described(make_key(tmp_path, "wrong").public))
    error = await refused(wrong)
    assert "CHANGED" in error.title
    assert "this run trusts" in error.detail
    files.known_hosts.unlink()
    right = ssh_shell(files, pin=described(server.host_key))
    await right.connect()
    await right.close()


async def test_refused_login_says_what_the_server_offers(tmp_path: Path, server: Sshd) -> None:
    """A key that the server does not accept is offered once, and the methods are told."""
    stranger = make_key(tmp_path, "stranger")
    files = write_ssh_files(tmp_path, stranger, {"old.test": server})
    shell = ssh_shell(files)
    error = await refused(shell)
    assert "refused the login" in error.title
    assert "publickey" in error.detail
    assert "1 key was offered" in error.detail
    assert offered(shell) is None


@needs_openssh
async def test_password_without_anybody_to_ask(tmp_path: Path, operator: KeyPair) -> None:
    """Without anybody to ask, a server that only takes passwords is told so, and no password is tried."""
    options = ["PasswordAuthentication yes", "PubkeyAuthentication no", "PermitRootLogin yes"]
    with running_sshd(tmp_path / "server", [], options=options) as server:
        error = await refused(ssh_shell(write_ssh_files(tmp_path, operator, {"old.test": server})))
        assert "asks for a password, and there is nobody to ask for it" in error.title
        assert "password" in error.detail
        assert "Failed password" not in server.log_text()


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
async def test_key_with_a_passphrase_in_openssh_form_is_named(tmp_path: Path, server: Sshd) -> None:
    """A key as ssh-keygen locks it is told by its path, also when its public half is beside it."""
    locked = make_key(tmp_path, "locked")
    command = ["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(locked.private)]
    assert await (await asyncio.create_subprocess_exec(*command, stdout=-3)).wait() == 0
    error = await refused(ssh_shell(write_ssh_files(tmp_path, locked, {"old.test": server})))
    assert f"{locked.private} needs a passphrase" in error.detail


async def test_key_with_a_passphrase_is_named(tmp_path: Path, server: Sshd) -> None:
    """A key file that needs a passphrase is told by its path; nothing asks and nothing loops."""
    locked = make_key(tmp_path, "locked", passphrase="secret")
    (tmp_path / "locked.pub").unlink()
    error = await refused(ssh_shell(write_ssh_files(tmp_path, locked, {"old.test": server})))
    assert f"{locked.private} needs a passphrase" in error.detail
    assert "No key was offered" in error.detail


async def test_key_file_that_is_missing_or_broken_is_named(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """Key files that the configuration names and that cannot be used are told."""
    files = write_ssh_files(tmp_path, operator, {"old.test": server})
    (tmp_path / "broken").write_text("nothing", encoding="ascii")
    text = files.config.read_text(encoding="utf-8").replace(str(operator.private), str(tmp_path / "gone"))
    files.config.write_text(f"{text}  IdentityFile {tmp_path}/broken\n", encoding="utf-8")
    error = await refused(ssh_shell(files))
    assert f"{tmp_path}/gone does not exist" in error.detail
    assert f"{tmp_path}/broken holds no key" in error.detail


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="ssh-agent is not installed")
async def test_agent_logs_in_with_the_key_of_the_file_first(tmp_path: Path, operator: KeyPair, server: Sshd) -> None:
    """An agent with more keys than the server takes attempts still works: the named file's key is offered first."""
    socket_path = tmp_path / "agent"
    agent = await asyncio.create_subprocess_exec("ssh-agent", "-D", "-a", str(socket_path), stdout=-3, stderr=-3)
    try:
        await asyncio.to_thread(wait_until, socket_path.exists, "the agent")
        async with asyncssh.connect_agent(str(socket_path)) as client:
            for number in range(8):
                await client.add_keys([str(make_key(tmp_path, f"k{number}").private)])
            await client.add_keys([str(operator.private)])
        # Only the public half is left beside the name, as with a key that lives in the agent alone.
        (tmp_path / "moved.pub").write_text(operator.public, encoding="ascii")
        files = write_ssh_files(tmp_path, operator, {"old.test": server})
        text = files.config.read_text(encoding="utf-8").replace(str(operator.private), str(tmp_path / "moved"))
        files.config.write_text(text, encoding="utf-8")
        shell = ssh_shell(files, agent_path=str(socket_path))
        await shell.connect()
        await shell.close()
    finally:
        agent.terminate()
        await agent.wait()


async def test_agent_that_is_gone_is_named(tmp_path: Path, server: Sshd) -> None:
    """An agent socket that leads nowhere is told in the refusal, and is no crash."""
    stranger = make_key(tmp_path, "stranger")
    files = write_ssh_files(tmp_path, stranger, {"old.test": server})
    error = await refused(ssh_shell(files, agent_path=str(tmp_path / "no-agent")))
    assert f"agent at {tmp_path}/no-agent cannot be used" in error.detail


async def test_nothing_listening_is_a_sentence(tmp_path: Path, operator: KeyPair) -> None:
    """A closed port is told with address and port."""
    files = write_ssh_files(tmp_path, operator, {})
    port = free_port()
    shell = ssh_shell(files, f"root@127.0.0.1:{port}")
    assert (await refused(shell)).title == f"127.0.0.1 port {port} refused the connection."


async def test_a_host_that_was_not_reached_rests_until_there_is_a_reason_to_try(
    tmp_path: Path, operator: KeyPair, server: Sshd
) -> None:
    """A failure holds back who can wait; a word that the way is another now, a close and a success end that."""
    files = write_ssh_files(tmp_path, operator, {"old.test": server})
    working = files.config.read_text()
    broken = working.replace(f"Port {server.port}", f"Port {free_port()}")
    shell = ssh_shell(files)
    for end in (shell.rested, shell.close, shell.connect):
        files.config.write_text(broken)
        with pytest.raises(HostError, match="refused the connection") as caught:
            await shell.connect()
        assert shell.resting is caught.value
        files.config.write_text(working)
        if (done := end()) is not None:
            await done
        assert shell.resting is None
        await shell.close()


async def test_name_that_does_not_resolve_is_a_sentence(tmp_path: Path, operator: KeyPair) -> None:
    """A name that DNS does not know is told."""
    shell = ssh_shell(write_ssh_files(tmp_path, operator, {}), "root@host.invalid")
    assert (await refused(shell)).title == "The name host.invalid does not resolve."


async def test_server_that_never_speaks_is_given_up(tmp_path: Path, operator: KeyPair) -> None:
    """A port that accepts and says nothing ends at the login timeout, with a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        files = write_ssh_files(tmp_path, operator, {})
        shell = ssh_shell(files, f"root@127.0.0.1:{port}", login_timeout=0.5)
        assert "did not complete the login in time" in (await refused(shell)).title


async def test_server_that_is_no_ssh_server_is_told(tmp_path: Path, operator: KeyPair) -> None:
    """A port that speaks something else, or hangs up, is a sentence without its words in the title."""

    async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP evil\r\n")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(hello, "127.0.0.1", 0)
    async with other:
        port = other.sockets[0].getsockname()[1]
        error = await refused(ssh_shell(write_ssh_files(tmp_path, operator, {}), f"root@127.0.0.1:{port}"))
    assert "closed the connection before the login" in error.title
    assert "ESMTP" not in error.title


@needs_openssh
@pytest.mark.parametrize("forced", ["echo no; exit 3", "cat", "true", "echo $SSH_ORIGINAL_COMMAND"])
async def test_forced_command_is_told_and_runs_nothing(tmp_path: Path, operator: KeyPair, forced: str) -> None:
    """A server that runs something else than what is asked is refused when connecting, with what it said."""
    with running_sshd(tmp_path / "server", [operator.public], options=[f"ForceCommand {forced}"]) as server:
        shell = ssh_shell(write_ssh_files(tmp_path / "files", operator, {"old.test": server}))
        error = await refused(shell)
        assert "does not run commands as asked" in error.title
        with pytest.raises(HostError):
            await shell.start(f"touch {tmp_path}/ran", lambda _: None)
        assert not (tmp_path / "ran").exists()


@needs_openssh
@pytest.mark.skipif(not os.access("/usr/sbin/nologin", os.X_OK), reason="there is no nologin here")
async def test_nologin_is_refused_in_its_own_words(tmp_path: Path, operator: KeyPair) -> None:
    """An account whose session is nologin is refused when connecting, with what nologin says; nothing ran."""
    with running_sshd(tmp_path / "server", [operator.public], options=["ForceCommand /usr/sbin/nologin"]) as server:
        shell = ssh_shell(write_ssh_files(tmp_path / "files", operator, {"old.test": server}))
        error = await refused(shell)
        assert "does not run commands as asked. Nothing was run" in error.title
        assert "This account is currently not available" in error.detail
        assert "nologin" in error.hint


@needs_openssh
async def test_noisy_login_files_and_banner_are_kept_out_of_the_output(tmp_path: Path, operator: KeyPair) -> None:
    """What a banner and login files say, on both outputs, is not the script's output."""
    (tmp_path / "banner").write_text("MRB started 1\nBANNER\n", encoding="ascii")
    options = [f"Banner {tmp_path}/banner"]
    with running_sshd(tmp_path / "server", [operator.public], options=options) as server:
        noise = "echo noise; echo 'MRB started 0 1'; echo errors >&2; printf 'no newline'\n"
        for name in (".bashrc", ".cshrc", ".zshenv"):
            (server.home / name).write_text(noise, encoding="ascii")
        shell = ssh_shell(write_ssh_files(tmp_path / "files", operator, {"old.test": server}))
        assert await run(shell, "echo out; echo err >&2; exit 9") == (Ended(exit=9), b"out\nerr\n")
        await shell.close()


@needs_openssh
async def test_server_that_opens_no_session_is_told(tmp_path: Path, operator: KeyPair) -> None:
    """A server that allows too few sessions is a sentence with the setting's name, and nothing ran."""
    with running_sshd(tmp_path / "server", [operator.public], options=["MaxSessions 1"]) as server:
        shell = ssh_shell(write_ssh_files(tmp_path / "files", operator, {"old.test": server}))
        job = await shell.start("sleep 600", lambda _: None)
        with pytest.raises(HostError, match="opens no session") as caught:
            await shell.start(f"touch {tmp_path}/ran", lambda _: None)
        assert "MaxSessions" in caught.value.hint
        job.close()
        await shell.close()
    assert not (tmp_path / "ran").exists()


def two_servers(
    tmp_path: Path, operator: KeyPair, config: str = "Host new.test\n  ProxyJump jump.test\n"
) -> tuple[Sshd, Sshd, SshFiles]:
    """A jump host, a target behind it, and files that say so."""
    jump = start_sshd(tmp_path / "jump", [operator.public])
    target = start_sshd(tmp_path / "target", [operator.public])
    servers = {"jump.test": jump, "new.test": target}
    return jump, target, write_ssh_files(tmp_path / "files", operator, servers, extra=config)


async def test_jump_host_is_gone_through(tmp_path: Path, operator: KeyPair) -> None:
    """A target behind a jump host is reached through it, with its own key, and both connections close."""
    jump, target, files = two_servers(tmp_path, operator)
    try:
        shell = ssh_shell(files, "new.test")
        identity = await shell.connect()
        assert identity.address == f"127.0.0.1:{target.port} through 127.0.0.1:{jump.port}"
        assert identity.fingerprint == described(target.host_key).fingerprint
        assert (await run(shell, "exit 6"))[0] == Ended(exit=6)
        assert jump.log_text().count("Accepted publickey") == target.log_text().count("Accepted publickey") == 1
        await shell.close()
    finally:
        jump.stop()
        target.stop()


async def test_failing_jump_host_is_named_and_its_key_not_offered(tmp_path: Path, operator: KeyPair) -> None:
    """An unknown key of the hop names the hop and cannot be trusted for the target; so does a hop that is gone."""
    jump, target, files = two_servers(tmp_path, operator)
    try:
        files.known_hosts.write_text(target.known_hosts_line("new.test"), encoding="ascii")
        shell = ssh_shell(files, "new.test")
        error = await refused(shell)
        assert error.title == "Jump host jump.test: The host key of jump.test is not known."
        assert offered(shell) is None
        jump.stop()
        assert (await refused(ssh_shell(files, "new.test"))).title.startswith("Jump host jump.test: 127.0.0.1 port")
    finally:
        jump.stop()
        target.stop()


async def test_pin_is_for_the_target_and_not_for_its_hop(tmp_path: Path, operator: KeyPair) -> None:
    """The jump host's key comes from known_hosts although the target has a pin."""
    jump, target, files = two_servers(tmp_path, operator)
    try:
        files.known_hosts.write_text(jump.known_hosts_line("jump.test"), encoding="ascii")
        shell = ssh_shell(files, "new.test", pin=described(target.host_key))
        await shell.connect()
        await shell.close()
        target.stop()
        error = await refused(ssh_shell(files, "new.test", pin=described(target.host_key)))
        assert "cannot be reached from the jump host" in error.title
    finally:
        jump.stop()
        target.stop()


@needs_openssh
async def test_agent_is_never_forwarded(tmp_path: Path, operator: KeyPair) -> None:
    """The far side gets no agent, although the server would take one and the configuration asks for it."""
    with running_sshd(tmp_path / "server", [operator.public], options=["AllowAgentForwarding yes"]) as server:
        files = write_ssh_files(tmp_path / "f", operator, {"old.test": server}, extra="Host *\n  ForwardAgent yes\n")
        shell = ssh_shell(files)
        assert (await run(shell, 'echo "agent:$SSH_AUTH_SOCK"'))[1] == b"agent:\n"
        await shell.close()


async def test_another_shell_takes_the_place_of_bin_sh(tmp_path: Path, files: SshFiles) -> None:
    """The program that the settings name runs program and script on the far side; without a word it is /bin/sh."""
    shell_program = tmp_path / "sh"
    shell_program.write_text('#!/bin/sh\nBY=another; export BY; exec /bin/sh "$@"\n', encoding="ascii")
    shell_program.chmod(0o755)
    seen = []
    for shell in (ssh_shell(files), ssh_shell(files, sh=str(shell_program))):
        seen.append(await run(shell, "echo ${BY:-none}"))
        job = await shell.start("sleep 60", lambda _: None)
        assert await shell.signal_group(job.pgid, "TERM") == 0
        await shell.close()
    assert seen == [(Ended(exit=0), b"none\n"), (Ended(exit=0), b"another\n")]
