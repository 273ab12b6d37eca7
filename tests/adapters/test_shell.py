"""What every Shell promises, on this machine and over a real SSH server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.local import LocalShell
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL, Host
from runbook_tui.ports import Ended, Link
from tests.adapters.conftest import ssh_shell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runbook_tui.ports import Shell
    from tests.support.sshd import Sshd, SshFiles


@pytest.fixture(params=["local", "ssh"])
async def shell(
    request: pytest.FixtureRequest, server: Sshd, files: SshFiles, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    """Each kind of shell; both have the server's HOME and a PATH without the system's administration folders."""
    monkeypatch.setenv("HOME", str(server.home))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    made: Shell = LocalShell(Host(LOCAL)) if request.param == "local" else ssh_shell(files)
    yield made
    await made.close()


async def run(shell: Shell, script: str, stdin: bytes | None = None) -> tuple[Ended, bytes]:
    """Run a script to its end."""
    output: list[bytes] = []
    job = await shell.start(script, output.append, stdin)
    ended = await asyncio.wait_for(job.wait(), 20)
    return ended, b"".join(output)


class Output:
    """A sink that can be waited on."""

    def __init__(self) -> None:
        self.data = b""
        self._came = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        """Take bytes."""
        self.data += data
        self._came.set()

    async def until(self, wanted: bytes) -> None:
        """Wait until the wanted bytes have come."""
        async with asyncio.timeout(60):
            while wanted not in self.data:
                self._came.clear()
                await self._came.wait()


@pytest.mark.parametrize("code", [0, 1, 3, 137, 255])
async def test_exit_status_is_the_scripts(shell: Shell, code: int) -> None:
    """Every exit status arrives as it is, 255 and 137 too."""
    ended, _ = await run(shell, f"exit {code}")
    assert ended == Ended(exit=code)


@pytest.mark.parametrize(
    ("script", "status"),
    [("if", 2), ("exec false", 1), ("exec /bin/sh -c 'exit 7'", 7), ("no-such-command-here", 127), ("", 0)],
)
async def test_odd_scripts_end_as_under_sh(shell: Shell, script: str, status: int) -> None:
    """A syntax error, exec, an unknown command and an empty script give the status that sh gives."""
    ended, _ = await run(shell, script)
    assert ended == Ended(exit=status)


@pytest.mark.parametrize("signal", ["KILL", "TERM", "HUP"])
async def test_script_killed_by_a_signal_says_so(shell: Shell, signal: str) -> None:
    """A script that a signal ends has that signal's name and no exit status."""
    ended, _ = await run(shell, f"kill -{signal} $$")
    assert ended == Ended(signal=signal)


async def test_output_and_errors_keep_their_order(shell: Shell) -> None:
    """Standard output and standard error arrive merged, in the order in which they were written."""
    script = "i=0; while [ $i -lt 200 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done"
    _, output = await run(shell, script)
    assert output == b"".join(b"out%d\nerr%d\n" % (i, i) for i in range(200))


async def test_binary_output_arrives_byte_for_byte(shell: Shell, tmp_path: Path) -> None:
    """Bytes that are no text, and many of them, arrive unchanged and complete."""
    data = bytes(range(256)) * 12_000
    file = tmp_path / "data"
    file.write_bytes(data)
    ended, output = await run(shell, f"cat {file}")
    assert (ended, output) == (Ended(exit=0), data)


async def test_script_of_the_greatest_length_runs_whole(shell: Shell) -> None:
    """A script of 100,000 bytes runs to its last line."""
    tail = "\necho end"
    ended, output = await run(shell, ": " + "x" * (100_000 - 2 - len(tail)) + tail)
    assert (ended, output) == (Ended(exit=0), b"end\n")


@pytest.mark.parametrize("script", ["x" * 100_001, "echo a\0b"])
async def test_script_that_cannot_be_sent_is_refused(shell: Shell, script: str) -> None:
    """A script that is too long or has a NUL is refused before anything is sent."""
    with pytest.raises(HostError, match="cannot run this"):
        await shell.start(script, lambda _: None)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("printf '%s' 'Grüße, \U0001f4ec «mail»'", "Grüße, \U0001f4ec «mail»"),
        ("cat <<'EOF'\n$HOME `id` \\ \"'!\nEOF\n", "$HOME `id` \\ \"'!\n"),
        ("printf %s a\n\n\n", "a"),
        ("printf '%s' \"it's\" '!history' '%p'", "it's!history%p"),
        ("echo one # no newline at the end", "one\n"),
    ],
)
async def test_any_text_of_a_script_is_run_as_written(shell: Shell, script: str, expected: str) -> None:
    """Quotes, here-documents, text beyond ASCII and missing or many newlines at the end change nothing."""
    ended, output = await run(shell, script)
    assert (ended, output.decode()) == (Ended(exit=0), expected)


async def test_script_reads_end_of_file(shell: Shell) -> None:
    """Without data the script's standard input is at its end, so that nothing waits for a person."""
    ended, output = await run(shell, "cat; read line || echo eof")
    assert (ended, output) == (Ended(exit=0), b"eof\n")


async def test_data_for_standard_input_arrives_after_the_script(shell: Shell) -> None:
    """Data given for standard input is read by the script byte for byte, and nothing of it is run."""
    data = b"echo never run\n\0\xff" * 50_000
    ended, output = await run(shell, "cksum; echo é", data)
    from runbook_tui.core.cksum import cksum  # noqa: PLC0415

    assert (ended, output.decode()) == (Ended(exit=0), f"{cksum(data)}\né\n")


async def test_script_that_does_not_read_its_data_still_ends(shell: Shell) -> None:
    """Data that nobody reads does not keep the step from ending."""
    ended, _ = await run(shell, "exit 4", b"x" * 3_000_000)
    assert ended == Ended(exit=4)


async def test_environment_is_the_login_one_with_the_system_folders(shell: Shell, server: Sshd) -> None:
    """The script starts in HOME with LC_ALL=C and the missing administration folders at the end of PATH."""
    _, output = await run(shell, 'pwd; echo "$LC_ALL"; echo "$PATH"')
    folder, language, path = output.decode().splitlines()
    assert (folder, language) == (str(server.home), "C")
    folders = path.split(":")
    assert {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} <= set(folders)
    assert len(folders) == len(set(folders))


async def test_process_group_is_the_jobs_own(shell: Shell) -> None:
    """The group that is told is that of the script, and two jobs have different ones."""
    output: list[bytes] = []
    first = await shell.start("ps -o pgid= -p $$", output.append)
    await first.wait()
    second = await shell.start(":", lambda _: None)
    await second.wait()
    assert int(b"".join(output)) == first.pgid != second.pgid


async def test_term_ends_a_pipeline_with_children(shell: Shell) -> None:
    """TERM to the group ends everything in it, and none is left."""
    output = Output()
    job = await shell.start("echo up; sleep 600 | sleep 601; echo not reached", output)
    await output.until(b"up")
    assert await shell.signal_group(job.pgid, "TERM") == 0
    assert await job.wait() == Ended(signal="TERM")
    assert output.data == b"up\n"


async def test_script_that_ignores_term_is_counted_and_killed(shell: Shell) -> None:
    """A script that ignores TERM is told to live on, and KILL ends it."""
    output = Output()
    job = await shell.start("trap '' TERM; echo up; while :; do sleep 0.2; done", output)
    await output.until(b"up")
    assert await shell.signal_group(job.pgid, "TERM") >= 1
    assert await shell.signal_group(job.pgid, "KILL") == 0
    assert await job.wait() == Ended(signal="KILL")


async def test_signal_to_a_group_that_is_gone_counts_nobody(shell: Shell) -> None:
    """Stopping a job that has ended already is no error."""
    job = await shell.start(":", lambda _: None)
    await job.wait()
    assert await shell.signal_group(job.pgid, "TERM") == 0


@pytest.mark.parametrize(("group", "signal"), [(0, "TERM"), (1, "KILL"), (-5, "TERM"), (4242, "STOP")])
async def test_groups_and_signals_that_are_nobodys_are_refused(shell: Shell, group: int, signal: str) -> None:
    """Group 0 and 1, negative ones and other signals are never sent."""
    with pytest.raises(HostError):
        await shell.signal_group(group, signal)


async def test_daemon_that_keeps_the_output_open_does_not_hold_the_step(shell: Shell) -> None:
    """A step ends when its own process does, although what it left behind still holds its output."""
    output: list[bytes] = []
    job = await shell.start("sleep 600 & echo $!", output.append)
    ended = await asyncio.wait_for(job.wait(), 5)
    assert ended == Ended(exit=0)
    await run(shell, f"kill {b''.join(output).decode()}")


async def test_closed_job_ends_its_wait_without_a_status(shell: Shell) -> None:
    """Letting go of a job ends a wait for it, with no status."""
    job = await shell.start("sleep 600", lambda _: None)
    waiting = asyncio.create_task(job.wait())
    job.close()
    ended = await asyncio.wait_for(waiting, 5)
    assert ended.exit is None
    assert ended.lost
    await shell.signal_group(job.pgid, "KILL")


async def test_identity_is_the_far_sides_own_word(shell: Shell) -> None:
    """The identity has the user and host name that the machine's own tools give."""
    identity = await shell.connect()
    _, output = await run(shell, "id -un; uname -n")
    assert output.decode().splitlines() == [identity.user, identity.name]
    assert identity.host == shell.host.name
    assert shell.link is Link.UP


async def test_many_jobs_at_once_all_end(shell: Shell) -> None:
    """Twelve jobs started together all run and end with their own status."""
    results = await asyncio.gather(*(run(shell, f"sleep 0.05; exit {n}") for n in range(12)))
    assert [ended.exit for ended, _ in results] == list(range(12))


async def test_missing_home_is_named_and_nothing_runs(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A HOME that does not exist is an error with its path, before the script runs."""
    if not isinstance(shell, LocalShell):
        pytest.skip("the server's HOME is shared")
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    with pytest.raises(HostError, match="home folder") as caught:
        await shell.start(f"touch {tmp_path}/ran", lambda _: None)
    assert str(tmp_path / "gone") in caught.value.detail
    assert not (tmp_path / "ran").exists()
