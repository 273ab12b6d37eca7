"""Detached jobs on this machine and over a real SSH server: they run once, and nothing of what they say is lost."""

# ruff: noqa: ASYNC240 -- small files on the test's own disk

from __future__ import annotations

import asyncio
import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.detached import Frames, stand_of
from runbook_tui.adapters.local import LocalShell
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL, Host
from runbook_tui.engine.detached import DetachedJob, NotRunError
from runbook_tui.ports import Cleaned, Ended, JobId, Stand, Standing
from tests.adapters.conftest import ssh_shell
from tests.support.bench import eventually
from tests.support.cutter import cutter
from tests.support.sshd import write_ssh_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from runbook_tui.ports import Following, Shell
    from tests.support.sshd import KeyPair, Sshd, SshFiles


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
def jobs(server: Sshd) -> Path:
    """Where the jobs are."""
    return server.home / ".local/state/mailrunbook/jobs"


@pytest.fixture
def job(request: pytest.FixtureRequest) -> JobId:
    """A name that no other test uses."""
    mark = f"{abs(hash(request.node.nodeid)):x}"
    return JobId(f"R{mark}", f"R{mark}-1")


async def ended(following: Following) -> Stand:
    """Wait for the end."""
    async with asyncio.timeout(30):
        return await following.end()


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 255", 255), ("exit 137", 137), ("kill -9 $$", 137), ("exec sh -c 'exit 7'", 7), ("if", 2)],
)
async def test_the_exit_status_is_the_scripts(shell: Shell, job: JobId, script: str, code: int) -> None:
    """Every status arrives as it is, also that of a script that ends oddly."""
    following = await shell.jobs.launch(job, script, lambda _: None)
    assert (await ended(following)).exit == code


async def test_output_of_every_kind_arrives_whole(shell: Shell, job: JobId) -> None:
    """Bytes of all values, lines like our own frames, no newline at the end: all are output and nothing else."""
    data = bytes(range(256)) * 40 + b"X done 0 5 1 1\nMRB started x\nD 0 3\nH 5\nno newline"
    said: list[bytes] = []
    following = await shell.jobs.launch(job, "cat", said.append, data)
    stand = await ended(following)
    assert b"".join(said) == data
    assert (stand.exit, stand.size) == (0, len(data))


async def test_a_job_that_is_started_twice_runs_once(shell: Shell, job: JobId, server: Sshd) -> None:
    """The second start only looks at the first."""
    effect = server.home / job.attempt
    for _ in range(2):
        await ended(await shell.jobs.launch(job, f"echo x >> {effect}", lambda _: None))
    assert effect.read_text() == "x\n"


async def test_what_was_fenced_never_runs(shell: Shell, job: JobId, jobs: Path, server: Sshd) -> None:
    """A start that comes after the fence does nothing."""
    await shell.jobs.claim(job)
    assert (jobs / f"run-{job.run}").exists()
    assert (await shell.jobs.fence(job)).standing is Standing.FENCED
    following = await shell.jobs.launch(job, f"touch {server.home}/{job.attempt}", lambda _: None)
    assert following.stand.standing is Standing.FENCED
    assert (await ended(following)).standing is Standing.FENCED
    assert not (server.home / job.attempt).exists()


async def test_a_host_that_knows_nothing_of_the_run_proves_nothing(shell: Shell, job: JobId, jobs: Path) -> None:
    """Without the run's mark, a missing job is no proof that it did not run; nothing is made there either."""
    assert (await shell.jobs.fence(job)).standing is Standing.AMNESIA
    assert not (jobs / job.attempt).exists()


async def test_following_again_goes_on_at_the_byte(shell: Shell, job: JobId, server: Sshd) -> None:
    """A second look gives exactly what the first had not."""
    go = server.home / f"go-{job.attempt}"
    first: list[bytes] = []
    following = await shell.jobs.launch(
        job, f"echo before; until test -e {go}; do sleep 0.05; done; echo after", first.append
    )
    await eventually(lambda: b"".join(first) == b"before\n")
    following.close()
    go.touch()
    second: list[bytes] = []
    assert (await ended(await shell.jobs.follow(job, 7, second.append))).exit == 0
    assert b"".join(second) == b"after\n"


async def test_signals_reach_the_whole_group(shell: Shell, job: JobId) -> None:
    """TERM is counted while something outlives it, KILL ends all; then no status is left to be had."""
    said: list[bytes] = []
    script = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    following = await shell.jobs.launch(job, script, said.append)
    await eventually(lambda: b"up" in b"".join(said))
    assert await shell.jobs.signal(job, "TERM") > 0
    assert await shell.jobs.signal(job, "KILL") == 0
    assert (await ended(following)).standing is Standing.VANISHED
    assert await shell.jobs.signal(job, "TERM") == 0


async def test_the_supervisor_gone_is_no_end(shell: Shell, job: JobId, jobs: Path, server: Sshd) -> None:
    """While a process of it lives the job is followed on; afterwards its status is not known."""
    go = server.home / f"go-{job.attempt}"
    said: list[bytes] = []
    script = f"echo up; until test -e {go}; do sleep 0.05; done; echo down"
    warned: list[str] = []
    following = await shell.jobs.launch(job, script, said.append, warned=warned.append)
    await eventually(lambda: b"up" in b"".join(said))
    os.kill(int((jobs / job.attempt / "meta").read_text().split()[2]), signal.SIGKILL)
    assert (await shell.jobs.fence(job)).standing is Standing.ORPHAN
    await eventually(lambda: bool(warned))
    go.touch()
    assert (await ended(following)).standing is Standing.VANISHED
    assert b"".join(said) == b"up\ndown\n"
    assert warned == ["its supervisor over there is gone: it runs on, but its exit status will not be known"]


async def test_a_number_given_out_again_is_not_taken_for_the_job(shell: Shell, job: JobId, jobs: Path) -> None:
    """Another process under the supervisor's number is neither followed nor signalled; another boot is said."""
    await ended(await shell.jobs.launch(job, "true", lambda _: None))
    folder = jobs / job.attempt
    (folder / "rc").unlink()
    stranger = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    try:
        boot = (folder / "meta").read_text().split()[0]
        (folder / "meta").write_text(f"{boot} {stranger.pid} {stranger.pid} 1\n")
        assert (await shell.jobs.fence(job)).standing is Standing.VANISHED
        assert await shell.jobs.signal(job, "TERM") == 0
        (folder / "meta").write_text(f"another-boot {stranger.pid} {stranger.pid} 1\n")
        assert (await shell.jobs.fence(job)).standing is Standing.REBOOTED
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_start_that_broke_off_on_the_host_is_found_out(shell: Shell, job: JobId, jobs: Path) -> None:
    """Without a supervisor it is starting for a moment only: then it vanished, or its host was started anew."""
    await ended(await shell.jobs.launch(job, "true", lambda _: None))
    folder = jobs / job.attempt
    (folder / "rc").unlink()
    (folder / "meta").write_text("")  # as a crash may leave it
    assert (await shell.jobs.fence(job)).standing is Standing.STARTING
    os.utime(folder / "go", (1, 1))
    assert (await shell.jobs.fence(job)).standing is Standing.VANISHED
    (folder / "boot").write_text("another-boot\n")
    assert (await shell.jobs.fence(job)).standing is Standing.REBOOTED
    (folder / "rc").write_text(" " * 95 + "\n")
    assert (await shell.jobs.fence(job)).standing is Standing.REBOOTED


async def test_a_daemon_that_keeps_the_output_open_is_not_waited_for(shell: Shell, job: JobId) -> None:
    """The job ends when its script ends."""
    said: list[bytes] = []
    stand = await ended(await shell.jobs.launch(job, "sleep 30 & echo started", said.append))
    assert (stand.exit, b"".join(said)) == (0, b"started\n")
    await shell.jobs.signal(job, "KILL")


async def test_a_folder_that_cannot_be_made_is_said(shell: Shell, job: JobId, jobs: Path, server: Sshd) -> None:
    """Nothing ran, and the sentence names the folder."""
    jobs.parent.mkdir(parents=True, exist_ok=True)
    kept = jobs.with_name("kept")
    moved = jobs.exists()
    if moved:
        jobs.rename(kept)
    jobs.write_text("")
    try:
        with pytest.raises(HostError, match="folder for running commands") as caught:
            await shell.jobs.launch(job, f"touch {server.home}/{job.attempt}", lambda _: None)
        assert "Nothing was run" in caught.value.title
        assert str(jobs) in caught.value.detail
    finally:
        jobs.unlink()
        if moved:
            kept.rename(jobs)


@pytest.mark.parametrize("text", ["", "done", "done 0 5", "done x 5 1 1", "running", "gone", "done 1 2 3 x"])
def test_an_answer_that_makes_no_sense_is_no_stand(text: str) -> None:
    """It is an error, never a guess."""
    with pytest.raises(HostError):
        stand_of(text)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_frames_are_read_however_they_are_cut(step: int) -> None:
    """Any pieces give the same bytes and the same end."""
    said: list[bytes] = []
    frames = Frames(5, said.append)
    sent = b"D 5 4\nab\nX" + b"H 9\n" + b"D 9 2\n\n\n" + b"X done 3 11 77 2\n" + b"D 11 1\nz"
    for at in range(0, len(sent), step):
        frames.feed(sent[at : at + step])
    assert b"".join(said) == b"ab\nX\n\n"
    assert frames.last == Stand(Standing.DONE, 3, 11, 77, 2)


@pytest.mark.parametrize("sent", [b"D 4 1\nx", b"what\n", b"X nonsense\n", b"y" * 400, b"D 5 99999999999\n"])
def test_frames_that_make_no_sense_end_the_look(sent: bytes) -> None:
    """A gap, noise or a line without end stops the reading; nothing of it is taken for output."""
    said: list[bytes] = []
    frames = Frames(5, said.append)
    frames.feed(sent)
    frames.feed(b"D 5 1\nx")
    assert frames.wrong
    assert not said


async def test_an_answered_start_is_never_taken_back(shell: Shell, job: JobId, jobs: Path) -> None:
    """What an earlier sitting saw start did run: with its traces gone on the host its outcome is unknown."""
    await ended(await shell.jobs.launch(job, "true", lambda _: None))
    for trace in ("rc", "meta"):
        (jobs / job.attempt / trace).unlink()
    (jobs / job.attempt / "go").rmdir()
    found = DetachedJob(job, lambda: shell, lambda _: None, QuickClock(), told=lambda: None)  # type: ignore[arg-type]
    await found.take_up(acknowledged=True)
    assert "its folder on the host" in (await found.wait()).lost


# ---- cut links


SCRIPT = (
    "echo x >> effect-@; i=0\n"
    "while [ $i -lt 40 ]; do i=$((i+1)); echo line $i of the output; sleep 0.005; done; exit 5"
)
WHOLE = b"".join(b"line %d of the output\n" % i for i in range(1, 41))


class QuickClock:
    """A clock on which the pauses between tries are short."""

    def monotonic(self) -> float:
        """Give the loop's time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait a hundredth of it."""
        await asyncio.sleep(seconds / 100)


async def cut_and_count(
    server: Sshd, shell: Shell, cuts: Callable[[], None], name: str, marked: Path
) -> tuple[str, bytes, int]:
    """Run the script once while its link is cut; give how it ended, what it said, and how often it ran."""
    marked.mkdir(parents=True, exist_ok=True)
    (marked / f"run-{name}").touch()
    said: list[bytes] = []
    cuts()
    job = DetachedJob(
        JobId(name, f"{name}-1"), lambda: shell, said.append, QuickClock(), told=lambda: None  # type: ignore[arg-type]
    )
    effect = server.home / f"effect-{name}"
    try:
        async with asyncio.timeout(60):
            await job.launch(SCRIPT.replace("@", name), None)
            how = await job.wait()
    except (HostError, NotRunError):
        outcome = "not run"
    else:
        outcome = "ended" if how == Ended(exit=5) else f"{how}"
    ran = effect.read_text().count("\n") if effect.exists() else 0
    return outcome, b"".join(said), ran


async def many_cuts(server: Sshd, operator: KeyPair, folder: Path, rounds: int) -> tuple[dict[str, int], int]:
    """Cut so many runs at random bytes, both ways; give the outcomes and how many cuts were made."""
    outcomes: dict[str, int] = {}
    chance = random.Random(rounds)
    jobs = server.home / ".local/state/mailrunbook/jobs"
    async with cutter(server.port) as proxy:
        extra = f"Host old.test\n  Port {proxy.port}\n"
        files = write_ssh_files(folder / "files", operator, {"old.test": server}, extra=extra)
        for number in range(rounds):
            shell = ssh_shell(files)
            await shell.connect()

            def cuts() -> None:
                # The kept connection is cut too: the first one went through whole, so it is made anew under the cuts.
                for _ in range(2):
                    at = chance.randrange(1500, 9000)
                    proxy.cuts.append((at, None) if chance.random() < 0.5 else (None, at))

            await shell.close()
            said = await cut_and_count(server, shell, cuts, f"cut{rounds}x{number}", jobs)
            await shell.close()
            proxy.cuts.clear()
            outcome, output, ran = said
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            assert ran == (outcome == "ended"), (number, said)
            assert output == (WHOLE if outcome == "ended" else b""), (number, said)
    return outcomes, proxy.cut


async def test_a_link_cut_anywhere_loses_nothing_and_runs_nothing_twice(
    server: Sshd, operator: KeyPair, tmp_path: Path
) -> None:
    """Every run ran once and ended with its own status and its whole output, or it is proved that it never ran."""
    outcomes, made = await many_cuts(server, operator, tmp_path, 8)
    assert set(outcomes) <= {"ended", "not run"}
    assert outcomes["ended"]
    assert made


@pytest.mark.lab
async def test_hundreds_of_cuts(server: Sshd, operator: KeyPair, tmp_path: Path) -> None:
    """The same, often enough to meet the rare moments."""
    outcomes, made = await many_cuts(server, operator, tmp_path, 150)
    print(f"{made} cuts: {outcomes}")  # noqa: T201 -- for the record of a run with -s
    assert set(outcomes) <= {"ended", "not run"}


async def test_a_folder_is_removed_only_once_its_job_has_ended(shell: Shell, job: JobId, jobs: Path) -> None:
    """What runs stays; what has ended goes with the run's mark, so that it is never taken for not run later."""
    script = f"until test -e $HOME/{job.attempt}; do sleep 0.05; done"
    following = await shell.jobs.launch(job, script, lambda _: None)
    assert await shell.jobs.clean(job) is Cleaned.RUNS
    assert (jobs / f"run-{job.run}").exists()
    (jobs.parents[3] / job.attempt).touch()
    assert (await ended(following)).exit == 0
    assert await shell.jobs.clean(job) is Cleaned.REMOVED
    assert not (jobs / job.attempt).exists()
    assert not (jobs / f"run-{job.run}").exists()
    assert await shell.jobs.clean(job) is Cleaned.GONE
    assert (await shell.jobs.fence(job)).standing is Standing.AMNESIA


async def test_a_folder_that_keeps_a_job_from_starting_stays(shell: Shell, job: JobId, jobs: Path) -> None:
    """Without the fence a start that comes late would run."""
    await shell.jobs.claim(job)
    await shell.jobs.fence(job)
    assert await shell.jobs.clean(job) is Cleaned.FENCE
    assert (await shell.jobs.launch(job, "true", lambda _: None)).stand.standing is Standing.FENCED
    assert (jobs / f"run-{job.run}").exists()


async def test_what_no_job_makes_is_not_removed(shell: Shell, job: JobId, jobs: Path, tmp_path: Path) -> None:
    """A file of somebody else, and what links lead to, stay where they are."""
    await ended(await shell.jobs.launch(job, "true", lambda _: None))
    folder, other = jobs / job.attempt, tmp_path / "other"
    other.mkdir()
    (other / "pipe").write_text("mine")
    (folder / "secret").symlink_to(other)
    (folder / "keep me").write_text("mine")
    assert await shell.jobs.clean(job) is Cleaned.LEFT
    assert (folder / "keep me").read_text() == (other / "pipe").read_text() == "mine"
    (folder / "keep me").unlink()
    (folder / "secret").unlink()
    assert await shell.jobs.clean(job) is Cleaned.REMOVED
