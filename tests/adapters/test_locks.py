"""The lock of a host, on this machine and over a real SSH server: one run has it, and nobody else gives it back."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.detached import owner_of
from runbook_tui.adapters.job_text import claim_call, release_call
from runbook_tui.adapters.local import LocalShell
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import LOCAL, Host
from runbook_tui.ports import Claim, JobId, Owner, Standing
from tests.adapters.conftest import ssh_shell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runbook_tui.adapters.stub import Call
    from runbook_tui.ports import Shell
    from tests.support.sshd import Sshd, SshFiles

BOOK = "0123456789abcdef"
NIGHT = "2026-11-23T02:00:00Z"


def a_job(run: str, who: str = "", since: str = NIGHT) -> JobId:
    """Give a job of a run that wants the host."""
    return JobId(run, f"{run}-1", Claim(BOOK, Owner(run, who or f"{run}@desk-{run}", since)))


def owner(job: JobId) -> Owner:
    """Give who would own the lock."""
    assert job.claim is not None
    return job.claim.owner


@pytest.fixture
def home(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have both kinds of shell keep their jobs in the server's HOME, and nothing there yet."""
    monkeypatch.setenv("HOME", str(server.home))
    monkeypatch.delenv("MAILRUNBOOK_STATE_DIR")
    jobs = server.home / ".local/state/mailrunbook/jobs"
    if jobs.exists():
        jobs.rename(tmp_path / "earlier")
    return jobs


@pytest.fixture(params=["local", "ssh"])
async def shell(request: pytest.FixtureRequest, home: Path, files: SshFiles) -> AsyncIterator[Shell]:
    """Each kind of shell."""
    del home
    made: Shell = LocalShell(Host(LOCAL)) if request.param == "local" else ssh_shell(files)
    yield made
    await made.close()


def names(home: Path) -> list[str]:
    """Give what is there beside the runs' marks."""
    return sorted(p.name for p in home.iterdir() if not p.name.startswith("run-"))


async def test_the_first_has_it_and_the_second_is_told(shell: Shell, home: Path) -> None:
    """The claim leaves the run's mark and the owner's name; who comes later is told that name and since when."""
    ada, bob = a_job("ada"), a_job("bob")
    assert await shell.jobs.claim(ada) == owner(ada)
    assert await shell.jobs.claim(bob) == owner(ada)
    assert (home / "run-ada").exists()
    assert (home / f"lock-{BOOK}/owner").read_text() == f"ada ada@desk-ada {NIGHT}\n"
    assert names(home) == [f"lock-{BOOK}"]
    other = replace(bob, claim=Claim("f" * 16, owner(bob)))
    assert await shell.jobs.claim(other) == owner(bob), "another runbook has a lock of its own"


async def test_a_run_that_is_resumed_still_has_it(shell: Shell) -> None:
    """The same run has it from the same workstation, also by another name and later, and not from another one."""
    first = a_job("ada")
    await shell.jobs.claim(first)
    later = a_job("ada", "root@desk-ada", "2026-11-24T02:00:00Z")
    elsewhere = a_job("ada", "ada@laptop")
    said = await shell.jobs.claim(later)
    assert said == owner(first)
    assert said.is_same(owner(later))
    assert not (await shell.jobs.claim(elsewhere)).is_same(owner(elsewhere))


async def test_taking_over_is_recorded_there_and_stops_the_other(shell: Shell, home: Path) -> None:
    """The new owner's commands run, those of the old one do not start, and a line there says who took it from whom."""
    ada, bob = a_job("ada"), a_job("bob")
    await shell.jobs.claim(ada)
    assert await shell.jobs.claim(bob, owner(ada)) == owner(bob)
    line = f"{NIGHT} bob@desk-bob (bob) took the lock over from ada@desk-ada (ada), its own since {NIGHT}\n"
    assert (home / f"taken-{BOOK}").read_text() == line
    with pytest.raises(HostError, match=r"held by another run.*Nothing was run") as caught:
        await shell.jobs.launch(ada, f"touch {home}/ran-ada", lambda _: None)
    assert "bob@desk-bob, since" in caught.value.detail
    assert names(home) == [f"lock-{BOOK}", f"taken-{BOOK}"]
    following = await shell.jobs.launch(bob, f"touch {home}/ran-bob", lambda _: None)
    assert (await following.end()).exit == 0
    assert (home / "ran-bob").exists()


async def test_a_job_that_ran_is_found_again_whoever_has_the_lock(shell: Shell) -> None:
    """Sending its start once more still says how it ended: only what was not begun is refused."""
    ada, bob = a_job("ada"), a_job("bob")
    assert (await (await shell.jobs.launch(ada, "exit 3", lambda _: None)).end()).exit == 3
    await shell.jobs.claim(bob, owner(ada))
    again = await shell.jobs.launch(ada, "exit 3", lambda _: None)
    assert again.stand.standing is Standing.DONE


async def test_only_the_owner_that_was_shown_is_taken_over(shell: Shell, home: Path) -> None:
    """Who was faster keeps it: a takeover names whom it takes the lock from."""
    ada, bob, eve = a_job("ada"), a_job("bob"), a_job("eve")
    await shell.jobs.claim(ada)
    await shell.jobs.claim(bob, owner(ada))
    assert await shell.jobs.claim(eve, owner(ada)) == owner(bob)
    assert (home / f"taken-{BOOK}").read_text().count("\n") == 1
    await shell.jobs.release(bob)
    assert await shell.jobs.claim(eve, owner(bob)) == owner(eve), "one that was given back is free"
    assert (home / f"taken-{BOOK}").read_text().count("\n") == 1


async def test_only_its_owner_gives_it_back(shell: Shell, home: Path) -> None:
    """Another run's word changes nothing; after the owner's the next one has it."""
    ada, bob = a_job("ada"), a_job("bob")
    assert not await shell.jobs.release(ada)
    await shell.jobs.claim(ada)
    assert not await shell.jobs.release(bob)
    assert not await shell.jobs.release(a_job("ada", "ada@laptop"))
    assert await shell.jobs.claim(bob) == owner(ada)
    assert await shell.jobs.release(ada)
    assert names(home) == []
    assert await shell.jobs.claim(bob) == owner(bob)


@pytest.mark.parametrize(
    "left",
    [
        None, pytest.param("", marks=pytest.mark.lab), "$(touch x) `id` 'a\" b\n", "one two three four\n", "\xff\n",
    ],
)  # fmt: skip
async def test_a_lock_without_a_good_name_can_be_taken_over(home: Path, left: str | None) -> None:
    """Whatever is in the owner's file, it is another's lock, it runs nothing, and it is no hindrance for ever."""
    (home / f"lock-{BOOK}").mkdir(parents=True)
    if left is not None:
        (home / f"lock-{BOOK}/owner").write_text(left, encoding="latin-1")
    shell, ada = LocalShell(Host(LOCAL)), a_job("ada")
    seen = await shell.jobs.claim(ada)
    assert seen in (Owner(), Owner("damaged"))
    assert await shell.jobs.claim(ada, seen) == owner(ada)
    assert names(home) == [f"lock-{BOOK}", f"taken-{BOOK}"]
    await shell.close()


async def test_of_many_exactly_one_has_it(home: Path, files: SshFiles) -> None:
    """Claims from here and over SSH at the same moment: one wins, every other is told that one."""
    shells: list[Shell] = [LocalShell(Host(LOCAL)) if n % 2 else ssh_shell(files) for n in range(6)]
    await asyncio.gather(*(shell.connect() for shell in shells))
    for number in range(2):
        jobs = [a_job(f"r{number}n{n}") for n in range(6)]
        said = await asyncio.gather(*(s.jobs.claim(job) for s, job in zip(shells, jobs, strict=True)))
        assert len(set(said)) == 1
        assert [owner(job) for job in jobs].count(said[0]) == 1
        gone = await asyncio.gather(*(s.jobs.release(job) for s, job in zip(shells, jobs, strict=True)))
        assert gone.count(True) == 1
        assert names(home) == []
    await asyncio.gather(*(shell.close() for shell in shells))


async def said_by(call: Call) -> str:
    """Send the call to a shell of its own; give its answer."""
    asked = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", call.line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asked.communicate(call.payload)
    word, _, text = out.decode().strip().removeprefix("MRB ").partition(f" {call.nonce}")
    return f"{word} {text.strip()}"


SHELLS = ["/bin/sh", *(pytest.param(sh, marks=pytest.mark.lab) for sh in ("bash", "busybox sh", "mksh", "ksh"))]


@pytest.mark.parametrize("sh", SHELLS)
async def test_claims_and_releases_at_once_leave_one_owner(home: Path, sh: str) -> None:
    """In every shell: after claims, a takeover and a release at the same moment all are told the same owner."""
    if not shutil.which(sh.split(maxsplit=1)[0]):
        pytest.skip(f"{sh} is not installed")
    first = a_job("first")
    others = [a_job(f"n{n}") for n in range(4)]
    for _ in range(2 if sh == "/bin/sh" else 5):
        assert (await said_by(claim_call(first, sh=sh))).startswith("owner first ")
        calls = [release_call(first, sh=sh), claim_call(others[0], owner(first), sh=sh)]
        calls += [claim_call(job, sh=sh) for job in others[1:]]
        said = await asyncio.gather(*(said_by(call) for call in calls))
        assert {s.split()[0] for s in said} == {"released", "owner"}, said
        after = {await said_by(claim_call(job, sh=sh)) for job in (first, *others)}
        assert after <= {f"owner {o.run} {o.who} {o.since}" for o in map(owner, (first, *others))}
        assert len(after) == 1, after
        gone = [await said_by(release_call(job, sh=sh)) for job in (first, *others)]
        assert gone.count("released yes") == 1, gone
        assert set(names(home)) <= {f"taken-{BOOK}"}


@pytest.mark.parametrize("text", ["a b c d", "a b\x1bc", "a $(b)"])
def test_an_answer_that_makes_no_sense_is_no_owner(text: str) -> None:
    """It is an error, never a guess."""
    with pytest.raises(HostError):
        owner_of(text)


@pytest.mark.parametrize("who", ["a b@c", "$(x)@c", ""])
def test_what_could_be_read_as_a_command_is_no_name(who: str) -> None:
    """No call is made of it."""
    job = JobId("r", "r-1", Claim(BOOK, Owner("r", who, NIGHT)))
    with pytest.raises(ValueError, match="cannot own"):
        claim_call(job)
