"""A value that nobody may see reaches a detached job through a FIFO: whole, once, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import random
import re
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters import job_feed
from runbook_tui.adapters.clock import SystemClock
from runbook_tui.adapters.job_text import feed_call, launch_call
from runbook_tui.adapters.local import LocalShell
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL, Host
from runbook_tui.core.secret import Secret
from runbook_tui.engine.detached import DetachedJob, NotRunError
from runbook_tui.engine.feeding import Feeding
from runbook_tui.ports import STDIN, Ask, Fed, JobId, Needs, Standing
from tests.adapters.conftest import ssh_shell
from tests.support.cutter import cutter
from tests.support.sshd import write_ssh_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runbook_tui.ports import Following, Shell, Stand
    from tests.support.sshd import KeyPair, Sshd, SshFiles

CANARY = "kanarie \\n%s $(id) 'x' \"y\" ü-9f27c1"
FED = Needs(fed=True)


@pytest.fixture(params=["local", "ssh"])
async def shell(
    request: pytest.FixtureRequest, server: Sshd, files: SshFiles, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    """Each kind of shell; the jobs of both are in the server's HOME."""
    monkeypatch.setenv("HOME", str(server.home))
    monkeypatch.delenv("MAILRUNBOOK_STATE_DIR")
    made: Shell = LocalShell(Host(LOCAL)) if request.param == "local" else ssh_shell(files)
    yield made
    await made.close()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalShell:
    """This machine, with jobs in a folder of the test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MAILRUNBOOK_STATE_DIR")
    return LocalShell(Host(LOCAL))


@pytest.fixture
def job(request: pytest.FixtureRequest) -> JobId:
    """A name that no other test uses."""
    mark = f"{abs(hash(request.node.nodeid)):x}"
    return JobId(f"R{mark}", f"R{mark}-1")


async def ended(following: Following) -> Stand:
    """Wait for the end."""
    async with asyncio.timeout(90):
        return await following.end()


def folder(home: Path, job: JobId) -> Path:
    """Give the job's folder."""
    return home / ".local/state/mailrunbook/jobs" / job.attempt


def anywhere(home: Path, value: str) -> list[str]:
    """Give the files, command lines and environments in which a value is."""
    wanted = value.encode()
    places = [*home.rglob("*"), *Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]
    found = []
    for place in places:
        try:
            if place.is_file() and wanted in place.read_bytes():
                found.append(str(place))
        except OSError:
            continue
    return found


async def test_a_value_arrives_whole_and_is_seen_nowhere(shell: Shell, server: Sshd, job: JobId) -> None:
    """The command reads it as a line; while it runs, no argument, environment or file has it; the FIFO is gone."""
    heard: list[bytes] = []
    script = f"IFS= read -r v\ncksum <<E\n$v\nE\nuntil [ -e {server.home}/{job.attempt} ]; do sleep 0.05; done"
    following = await shell.jobs.launch(job, script, heard.append, needs=FED)
    pipe = folder(server.home, job) / "secret/pipe"
    assert (pipe.stat().st_mode & 0o777, pipe.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert await shell.jobs.feed(job, STDIN, CANARY.encode()) is Fed.FED
    assert await shell.jobs.feed(job, STDIN, b"another") is Fed.TAKEN
    async with asyncio.timeout(60):
        while not heard:  # noqa: ASYNC110 -- what is waited for is another process's
            await asyncio.sleep(0.02)
    assert anywhere(server.home, "9f27c1") == []
    assert not pipe.exists()
    (server.home / job.attempt).touch()
    assert (await ended(following)).exit == 0
    summed = await asyncio.create_subprocess_exec("cksum", stdin=-1, stdout=-1)
    said, _ = await summed.communicate(f"{CANARY}\n".encode())
    assert b"".join(heard) == said


async def test_a_large_value_of_many_lines_arrives_byte_for_byte(here: LocalShell, job: JobId) -> None:
    """More than a pipe holds, with bytes that are no text; a second reader finds the end."""
    data = b"".join(b"%d \xff\xc3 \\t %%s\r\n" % number for number in range(20_000))
    heard: list[bytes] = []
    following = await here.jobs.launch(job, "cat; cat", heard.append, needs=FED)
    assert await here.jobs.feed(job, STDIN, data) is Fed.FED
    assert (await ended(following)).exit == 0
    assert b"".join(heard) == data
    await here.close()


async def test_a_job_that_gets_nothing_is_proved_not_to_have_started(
    here: LocalShell, job: JobId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a time and no longer; what comes after that goes nowhere."""
    monkeypatch.setattr(job_feed, "TAKE", job_feed.TAKE.replace(f'secret" {job_feed.WAITS}0', 'secret" 3'))
    following = await here.jobs.launch(job, f"echo ran >{tmp_path}/ran", lambda _: None, needs=FED)
    assert (await ended(following)).standing is Standing.FENCED
    assert await here.jobs.feed(job, STDIN, CANARY.encode()) is Fed.GONE
    assert not (tmp_path / "ran").exists()
    assert anywhere(tmp_path, "9f27c1") == []
    await here.close()


async def test_half_a_value_is_none(here: LocalShell, job: JobId) -> None:
    """A call that was cut in the middle gives nothing, and the whole value is taken afterwards."""
    heard: list[bytes] = []
    following = await here.jobs.launch(job, "cat", heard.append, needs=FED)
    call = feed_call(job, STDIN, CANARY.encode())
    for kept in (len(call.payload) - 5, len(call.payload) - len(CANARY.encode())):
        cut = await asyncio.create_subprocess_exec("/bin/sh", "-c", call.line, stdin=-1, stdout=-1)
        said, _ = await cut.communicate(call.payload[:kept])
        assert said == f"MRB fed {call.nonce} cut\n".encode()
    assert await here.jobs.feed(job, STDIN, CANARY.encode()) is Fed.FED
    assert (await ended(following)).exit == 0
    assert b"".join(heard) == f"{CANARY}\n".encode()
    await here.close()


async def test_a_job_that_waits_for_its_value_is_stopped(here: LocalShell, job: JobId) -> None:
    """TERM ends the wait, and the fence says that nothing ran; a refusal does the same."""
    following = await here.jobs.launch(job, "echo ran", lambda _: None, needs=FED)
    await here.jobs.signal(job, "TERM")
    assert (await ended(following)).standing is Standing.FENCED
    second = JobId(job.run, f"{job.attempt}-2")
    following = await here.jobs.launch(second, "echo ran", lambda _: None, needs=FED)
    assert await here.jobs.refuse(second, STDIN) is Fed.REFUSED
    assert (await ended(following)).standing is Standing.FENCED
    await here.close()


async def test_a_value_that_cannot_be_carried_is_refused(here: LocalShell, job: JobId) -> None:
    """A NUL ends lines for some; it is refused before anything is sent, and no place is made up."""
    with pytest.raises(HostError, match="NUL"):
        await here.jobs.feed(job, STDIN, b"a\0b")
    with pytest.raises(HostError, match="no place"):
        await here.jobs.feed(job, "../../x", b"a")
    assert await here.jobs.feed(job, STDIN, b"a") is Fed.GONE
    await here.close()


FAKE_SUDO = """#!/bin/sh
[ "$1" = -A ] || { echo "no -A"; exit 9; }
shift
if p=$("$SUDO_ASKPASS" "[sudo] password for ada: "); then
[ "$p" = "right" ] || p=$("$SUDO_ASKPASS" "Sorry, try again.")
fi
[ "$p" = right ] && exec "$@"
echo refused; exit 1
"""
"""Asks as sudo does: the real one is in tests/lab."""


async def test_sudo_asks_through_the_fifo(
    here: LocalShell, job: JobId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question comes with its number and prompt; the answer is in no file; a command in sh -c is asked for too."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sudo").write_text(FAKE_SUDO)
    (tmp_path / "bin/sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    asks: asyncio.Queue[Ask] = asyncio.Queue()
    heard: list[bytes] = []
    script = 'sh -c "sudo echo it ran"'
    needs = Needs(sudo=True)
    following = await here.jobs.launch(job, script, heard.append, needs=needs, asked=asks.put_nowait)
    async with asyncio.timeout(60):
        first = await asks.get()
        assert (first.number, first.prompt, first.asker > 1) == (1, "[sudo] password for ada:", True)
        assert await here.jobs.feed(job, "ask.1", CANARY.encode()) is Fed.FED
        assert await asks.get() == Ask(2, "Sorry, try again.", first.asker)
    assert anywhere(tmp_path, "9f27c1") == []
    again = await here.jobs.follow(job, 0, lambda _: None, asks.put_nowait)
    async with asyncio.timeout(60):
        assert await asks.get() == Ask(2, "Sorry, try again.", first.asker)
    again.close()
    assert await here.jobs.feed(job, "ask.2", b"right") is Fed.FED
    assert (await ended(following)).exit == 0
    assert b"".join(heard) == b"it ran\n"
    await here.close()


async def test_a_refused_question_ends_sudo(
    here: LocalShell, job: JobId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The helper fails, so sudo has no password; the command's end is its own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sudo").write_text(FAKE_SUDO)
    (tmp_path / "bin/sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    asks: asyncio.Queue[Ask] = asyncio.Queue()
    heard: list[bytes] = []
    following = await here.jobs.launch(
        job, "sudo true", heard.append, needs=Needs(sudo=True), asked=asks.put_nowait
    )
    async with asyncio.timeout(60):
        await asks.get()
    assert await here.jobs.refuse(job, "ask.1") is Fed.REFUSED
    assert (await ended(following)).exit == 1
    assert b"".join(heard) == b"refused\n"
    await here.close()


@pytest.mark.parametrize("sh", [s for s in ("dash", "bash", "ksh93", "mksh", "busybox sh") if which(s.split()[0])])
async def test_every_sh_takes_it(tmp_path: Path, job: JobId, sh: str) -> None:
    """Supervisor, feeder and command under one shell each: the value arrives, and is seen nowhere."""
    command = f"/usr/bin/{sh}"
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    launch = launch_call(job, "cksum; cat; echo .", fed=True, sudo=True, sh=command)
    feed = feed_call(job, STDIN, CANARY.encode(), sh=command)
    first = await asyncio.create_subprocess_exec("/bin/sh", "-c", launch.line, stdin=-1, stdout=-1, env=env)
    second = await asyncio.create_subprocess_exec("/bin/sh", "-c", feed.line, stdin=-1, stdout=-1, env=env)
    async with asyncio.timeout(90):
        assert first.stdin is not None
        first.stdin.write(launch.payload)
        first.stdin.write_eof()
        assert first.stdout is not None
        assert re.fullmatch(rb"MRB started \w+ running \d+\n", await first.stdout.readline())
        said, _ = await second.communicate(feed.payload)
        assert said == f"MRB fed {feed.nonce} fed\n".encode()
        rest = await first.stdout.read()
    await first.wait()
    summed = await asyncio.create_subprocess_exec("cksum", stdin=-1, stdout=-1)
    wanted, _ = await summed.communicate(f"{CANARY}\n".encode())
    assert wanted + b".\n" in re.sub(rb"(?m)^D \d+ \d+\n", b"", rest)
    assert anywhere(tmp_path, "9f27c1") == []


async def fed_through_cuts(shell: Shell, job: JobId, effect: Path) -> tuple[str, bytes]:
    """Run a job that reads its value, over a link that is cut; give how it went and what it said."""
    said: list[bytes] = []
    over = DetachedJob(job, lambda: shell, said.append, SystemClock(), told=lambda: None)
    feeding = Feeding(over, SystemClock(), lambda _: None)
    try:
        async with asyncio.timeout(120):
            await over.launch(f"echo ran >>{effect}; cksum; cat", None, FED)
            feeding.begin(Secret("canary", CANARY))
            how = str((await over.wait()).exit)
    except (HostError, NotRunError):
        how = "not run"
    finally:
        await feeding.close()
        over.close()
    return how, b"".join(said)


@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=pytest.mark.lab)])
async def test_a_cut_link_gives_the_value_once_or_the_job_does_not_start(
    server: Sshd, operator: KeyPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    """Wherever it is cut, the command has the whole value or never began; nothing of it stays there."""
    monkeypatch.setattr("runbook_tui.engine.detached.PAUSES", (0.05,))
    summed = await asyncio.create_subprocess_exec("cksum", stdin=-1, stdout=-1)
    wanted, _ = await summed.communicate(f"{CANARY}\n".encode())
    chance = random.Random(rounds)
    outcomes: set[str] = set()
    marks = folder(server.home, JobId("", "x")).parent
    marks.mkdir(parents=True, exist_ok=True)
    (marks / f"run-F{rounds}").touch()
    async with cutter(server.port) as proxy:
        extra = f"Host old.test\n  Port {proxy.port}\n"
        files = write_ssh_files(tmp_path / "files", operator, {"old.test": server}, extra=extra)
        for number in range(rounds):
            shell = ssh_shell(files)
            proxy.cuts.append((chance.randrange(4_000, 16_000), None))
            effect = server.home / f"fed-{rounds}-{number}"
            how, said = await fed_through_cuts(shell, JobId(f"F{rounds}", f"F{rounds}-{number}"), effect)
            await shell.close()
            proxy.cuts.clear()
            ran = effect.read_text() if effect.exists() else ""
            assert (how, said, ran) in {("0", wanted, "ran\n"), ("not run", b"", "")}, number
            outcomes.add(how)
        assert proxy.cut > 0 or rounds < 10
    assert outcomes == {"0", "not run"} or rounds < 10
    assert anywhere(server.home, "9f27c1") == []
