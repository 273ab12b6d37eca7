"""What is done inside a small world of two hosts; each scenario gives plain values for a test to judge."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.model import Host as RunHost
from runbook_tui.core.model import HostName
from runbook_tui.demo.ssh import LATE_OUTPUT

if TYPE_CHECKING:
    from tests.demo.isolation.inside import Inside

TRIES = 200


async def ran(connection: asyncssh.SSHClientConnection, command: str, **how: object) -> list[object]:
    """Run a command over SSH; give status, output and errors."""
    done = await connection.run(command, **how)  # type: ignore[arg-type]
    status = -1 if done.exit_signal else done.exit_status
    return [status, str(done.stdout), str(done.stderr)]


async def commands(inside: Inside, *texts: str) -> object:
    """Run texts on `old` one after the other."""
    async with await inside.connect() as connection:
        seen = [await ran(connection, text) for text in texts]
    return seen  # noqa: RET504 -- asyncssh's types let the block swallow exceptions


async def as_user(inside: Inside, host: str, user: str, text: str) -> object:
    """Run a text on a host as a user."""
    async with await inside.connect(host, user) as connection:
        seen = await ran(connection, text)
    return seen  # noqa: RET504 -- as above


async def logins(inside: Inside) -> object:
    """Try who may log in."""
    seen = {}
    for user in ("root", "plop", "mailnull", "stranger"):
        try:
            async with await inside.connect(user=user):
                seen[user] = "in"
        except asyncssh.PermissionDenied:
            seen[user] = "refused"
    inside.key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    try:
        async with await inside.connect():
            seen["other key"] = "in"
    except asyncssh.PermissionDenied:
        seen["other key"] = "refused"
    return seen


async def a_late_reader(inside: Inside) -> object:
    """Write much, end with a status, and read slowly."""
    async with await inside.connect() as connection:
        # More than the client lets come, little enough for the buffers in between to take the rest.
        text = "yes 0123456789abcde | head -c 440000; echo the end; echo $$ > $HOME/pid; exit 7"
        process = await connection.create_process(text, stdin=subprocess.DEVNULL, window=200_000)
        shell = int(await written(inside.hosts["old"].path("/root/pid")))
        await ended_soon(shell)
        await asyncio.sleep(LATE_OUTPUT * 1.5)
        output = await process.stdout.read()
        await process.wait_closed()
    return [len(output), output[-8:], process.exit_status]


async def a_background_child(inside: Inside) -> object:
    """Leave a process behind that holds the output open."""
    async with await inside.connect() as connection:
        started = time.monotonic()
        done = await ran(connection, "sleep 60 & echo left $!")
        took = time.monotonic() - started
        process = int(str(done[1]).split()[1])
        alive = await ran(connection, f"kill -0 {process} && echo alive; kill {process}")
    return [done[0], took, str(alive[1]).strip()]


async def an_open_input(inside: Inside) -> object:
    """End a command while the client keeps its input open."""
    async with await inside.connect() as connection:
        process = await connection.create_process("exit 3")
        await asyncio.wait_for(process.wait_closed(), 5)
    return process.exit_status


async def a_signal(inside: Inside) -> object:
    """End a command by a signal of its own."""
    async with await inside.connect() as connection:
        done = await connection.run("kill -KILL $$")
    return done.exit_signal[0] if done.exit_signal else None


async def input_is_fed(inside: Inside) -> object:
    """Send a megabyte and have it counted."""
    async with await inside.connect() as connection:
        seen = await ran(connection, "cat | wc -c", input="x" * 1_000_000)
    return seen[1]


async def a_terminal(inside: Inside) -> object:
    """Ask a session with a terminal what it has."""
    async with await inside.connect() as connection:
        how = {"term_type": "xterm", "term_size": (132, 43), "request_pty": True}
        seen = await ran(connection, "tty; stty size; echo $TERM", **how)
    return seen[1]


async def gone_clients(inside: Inside) -> object:
    """Cut the link under three commands: with a terminal, without one, and in a session of its own."""
    seen = {}
    for name, text, terminal in (
        ("terminal", "echo $$ > $HOME/pid; sleep 60; sleep 60", "xterm"),
        ("plain", "echo $$ > $HOME/pid; sleep 60; sleep 60", ""),
        ("own session", "setsid sh -c 'echo $$ > $HOME/pid; sleep 60; sleep 60' & sleep 60", "xterm"),
    ):
        file = inside.hosts["old"].path("/root/pid")
        file.unlink(missing_ok=True)
        connection = await inside.connect()
        await connection.create_process(text, term_type=terminal or None)
        process = int(await written(file))
        inside.servers["old"].cut()
        await connection.wait_closed()
        seen[name] = "ended" if await ended_soon(process, tries=TRIES if name == "terminal" else 30) else "alive"
        if seen[name] == "alive":
            os.killpg(os.getpgid(process), signal.SIGKILL)
    return seen


async def written(file: Path) -> str:
    """Wait for a file's line."""
    for _ in range(TRIES):
        if (text := read(file)).endswith("\n"):
            return text
        await asyncio.sleep(0.01)
    raise TimeoutError(file)


def read(file: Path) -> str:
    """Read a file that may not be there."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


async def ended_soon(process: int, tries: int = TRIES) -> bool:
    """Whether a process ends, or is but a zombie."""
    for _ in range(tries):
        if read(Path(f"/proc/{process}/stat")).rpartition(")")[2].lstrip()[:1] in {"", "Z"}:
            return True
        await asyncio.sleep(0.01)
    return False


async def the_app(inside: Inside) -> object:
    """Use the app's own shell adapter: identity, a step with input, and the end of a step from a second channel."""
    shell = app_shell(inside)
    output: list[bytes] = []
    try:
        identity = await shell.connect()
        job = await shell.start("cat /etc/motd; cat; touch /etc/made", output.append, b"from input: /etc/motd\n")
        ended = await job.wait()
        long_job = await shell.start("echo going; sleep 60; echo not reached", output.append)
        left = await shell.signal_group(long_job.pgid, "TERM")
        killed = await long_job.wait()
        return {
            "user": identity.user, "exit": ended.exit, "output": b"".join(output).decode(), "left": left,
            "signal": killed.signal, "made": inside.hosts["old"].path("/etc/made").exists(),
        }  # fmt: skip
    finally:
        await shell.close()


def app_shell(inside: Inside) -> SshShell:
    """Make the app's shell on `old`."""
    host = inside.hosts["old"]
    known = inside.folder / "known_hosts"
    name = host.address if host.port(22) == 22 else f"[{host.address}]:{host.port(22)}"
    known.write_text(f"{name} {inside.host_keys['old'].export_public_key().decode()}", encoding="utf-8")
    settings = SshSettings(
        known_hosts_files=(known,), identity_files=(inside.key,), home=inside.folder, sh=inside.confinement.shell
    )
    return SshShell(RunHost(HostName("old"), f"root@{host.address}:{host.port(22)}"), None, settings)


async def files_by_sftp(inside: Inside, outside: str) -> object:
    """Put and get files; try to follow a link out of the host."""
    inside.hosts["old"].path("/root/leak").symlink_to(outside)
    async with await inside.connect() as connection, connection.start_sftp_client() as sftp:
        async with sftp.open("relative", "w") as file:
            await file.write("one")
        async with sftp.open("/home/plop/absolute", "w") as file:
            await file.write("two")
        async with sftp.open(str(inside.hosts["new"].path("/root/elsewhere")), "w") as file:
            await file.write("three")
        try:
            async with sftp.open("leak/x", "w") as file:
                await file.write("four")
            leak = "written"
        except asyncssh.SFTPError:
            leak = "refused"
        home = await sftp.realpath(".")
    old = inside.hosts["old"]
    texts = [old.path(path).read_text() for path in ("/root/relative", "/home/plop/absolute", "/root/elsewhere")]
    return [*texts, leak, home]


async def scp_status(inside: Inside) -> object:
    """Copy a file with the machine's scp, and run a command that begins with scp."""
    host = inside.hosts["old"]
    source = inside.folder / "file"
    source.write_text("content", encoding="utf-8")
    options = ["-i", str(inside.key), "-F", "/dev/null"]
    options += [f"-o{word}" for word in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes")]
    command = ["scp", *options, f"-P{host.port(22)}", str(source), f"root@{host.address}:copied"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    arrived = host.path("/root/copied").read_text(encoding="utf-8") if host.path("/root/copied").exists() else ""
    async with await inside.connect() as connection:
        own = await ran(connection, "scp -V; echo ran")
    return [done.returncode, arrived, done.stderr, str(own[1]).strip()]


async def a_changed_key(inside: Inside) -> object:
    """Show another host key, then stop serving while a connection stays."""
    server = inside.servers["old"]
    connection = await inside.connect()
    await server.change_key(asyncssh.generate_private_key("ssh-ed25519"))
    seen = []
    try:
        async with await inside.connect():
            seen.append("in")
    except asyncssh.HostKeyNotVerifiable:
        seen.append("not the key")
    await server.stop()
    try:
        async with await inside.connect():
            seen.append("in")
    except OSError:
        seen.append("nobody listens")
    seen.append(str((await ran(connection, "echo still there"))[1]).strip())
    server.cut()
    await connection.wait_closed()
    return seen


async def cron_runs(inside: Inside) -> object:
    """Run commands as cron does."""
    old = inside.hosts["old"]
    status = await inside.confinement.run(old, "plop", "cat /etc/motd > /home/plop/mine; echo $LOGNAME >> mine; exit 5")
    return [status, old.path("/home/plop/mine").read_text(encoding="utf-8")]
