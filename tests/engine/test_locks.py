"""One run of a runbook at a time on a host: the second is refused, takes over in words, and the first stops."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused
from runbook_tui.core.model import LOCAL, Host
from runbook_tui.core.run import Status, Verb
from runbook_tui.engine.locks import HostLocks
from tests.core.builders import OLD, a_runbook, an_action
from tests.engine.test_two_hosts import bench_of
from tests.support.bench import Bench, confirm, eventually

if TYPE_CHECKING:
    from runbook_tui.engine import Engine
    from tests.engine.conftest import TwoHosts


def benches(tmp_path: Path, *names: str) -> list[Bench]:
    """Give benches of runs that know nothing of each other; their commands run in the same place."""
    actions = (an_action("a", "echo x >> $MAILRUNBOOK_STATE_DIR/ran", host=LOCAL), an_action("b", "true", host=LOCAL))
    book = replace(a_runbook(*actions), hosts={LOCAL: Host(LOCAL)})
    return [Bench(book, tmp_path / name) for name in names]


def state_dir() -> Path:
    """Give where the commands run."""
    return Path(os.environ["MAILRUNBOOK_STATE_DIR"])


def locks() -> list[str]:
    """Give the locks that are held there."""
    return sorted(p.name for p in (state_dir() / "jobs").glob("lock-*"))


async def refused(engine: Engine, action: str) -> Refused:
    """Confirm an action that is refused; give the refusal."""
    proposal = await engine.propose(action, Verb.CONFIRM)
    with pytest.raises(Refused) as caught:
        await engine.confirm(proposal, proposal.wants)
    return caught.value


async def test_the_second_run_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    """Nothing is recorded or run for it; the words name the owner, since when, and what can be done."""
    first, second = benches(tmp_path, "one", "two")
    async with first.engine() as mine, second.engine() as other:
        assert await confirm(mine, "a") is Status.DONE
        said = await refused(other, "a")
        assert "held by another run of this runbook: ada@desk, since 20" in said.title
        assert "takeover local" in said.hint
        assert other.state.of("a").attempts == ()
        assert [view.held.partition(",")[0] for view in other.hosts()] == ["another run of this runbook: ada@desk"]
        assert await confirm(mine, "b") is Status.DONE
    assert (state_dir() / "ran").read_text() == "x\n"


async def test_pausing_keeps_the_lock_and_closing_gives_it_back(tmp_path: Path) -> None:
    """The run that is resumed still has it, from its first sitting on; when every step is settled it is free."""
    first, second = benches(tmp_path, "one", "two")
    async with second.engine() as other:
        async with first.engine() as mine:
            await confirm(mine, "a")
        assert "ada@desk" in (await refused(other, "a")).title
        async with first.engine() as mine:
            await mine.skip("b", "not today")
            assert mine.state.closed
        assert locks() == []
        assert await confirm(other, "a") is Status.DONE
    assert len(locks()) == 1


async def test_a_lock_that_a_kill_left_is_given_back_by_the_next_sitting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run was closed, and the program ended before the host heard of it."""
    (first,) = benches(tmp_path, "one")

    async def killed(_: HostLocks) -> None:
        """Come to nothing."""

    with monkeypatch.context() as patched:
        patched.setattr(HostLocks, "release", killed)
        async with first.engine() as mine:
            await confirm(mine, "a")
            await mine.skip("b", "not today")
            assert mine.state.closed
    assert len(locks()) == 1
    async with first.engine():
        await eventually(lambda: locks() == [])


async def test_a_takeover_is_typed_recorded_and_ends_the_other_runs_commands(tmp_path: Path) -> None:
    """The first word shows the owner, the second takes the lock; the run that had it proves that nothing more ran."""
    first, second = benches(tmp_path, "one", "two")
    async with first.engine() as mine, second.engine() as other:
        await confirm(mine, "b")
        with pytest.raises(Refused, match="is held by another run"):
            await other.take_over("local")
        assert "was taken over from another run of this runbook: ada@desk" in await other.take_over("local")
        assert await confirm(other, "a") is Status.DONE
        assert not any(view.held for view in other.hosts())
        (taken,) = [r.event for r in other._recorder.journal.records if isinstance(r.event, ev.LockTaken)]
        assert (taken.owner, taken.host) == ("ada@desk", "local")
        assert "taken over by ada@desk from another run of this runbook: ada@desk" in other.export("md")
        (line,) = (state_dir() / "jobs").glob("taken-*")
        assert "took the lock over from ada@desk" in line.read_text()
        assert await confirm(mine, "a") is Status.NOT_RUN
        assert "held by another run of this runbook" in mine.state.of("a").reason
        assert (state_dir() / "ran").read_text() == "x\n"
        with pytest.raises(Refused, match="is held by another run"):
            await mine.take_over("local")
    assert len(locks()) == 1


async def test_nothing_to_take_over_is_said(tmp_path: Path) -> None:
    """A host that nobody holds becomes the run's own, and no takeover is recorded; an unknown one is refused."""
    (bench,) = benches(tmp_path, "one")
    async with bench.engine() as engine:
        assert "held by nobody else" in await engine.take_over("local")
        assert not any(isinstance(r.event, ev.LockTaken) for r in engine._recorder.journal.records)
        with pytest.raises(Refused, match="no host 'moon'"):
            await engine.take_over("moon")


async def test_a_reopened_run_takes_its_lock_again(tmp_path: Path) -> None:
    """A closed run that goes on is the owner again, and gives the lock back at its next end."""
    (bench,) = benches(tmp_path, "one")
    async with bench.engine() as engine:
        await confirm(engine, "b")
        await engine.skip("a", "later")
        assert engine.state.closed
        await engine._locks.release()
        assert locks() == []
        assert await confirm(engine, "b", Verb.RETRY) is Status.DONE
        await engine._locks.release()
        assert engine.state.closed
    assert locks() == []


async def test_over_ssh_each_host_has_its_own_lock(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """A host that only one run worked on is refused there alone, and after the end no host is held."""
    actions = (an_action("a", "echo x >> ran", host=OLD), an_action("b", "true", host=OLD))
    first = bench_of(tmp_path / "one", two_hosts, *actions)
    second = replace(first, state_dir=tmp_path / "two")
    held = two_hosts.old.home / ".local/state/mailrunbook/jobs"
    async with first.engine() as mine, second.engine() as other:
        await mine.consent()
        await other.consent()
        assert await confirm(mine, "a") is Status.DONE
        assert (await refused(other, "a")).title.startswith("old is held by another run")
        assert await confirm(mine, "b") is Status.DONE
        assert mine.state.closed
        await mine._locks.release()
        assert list(held.glob("lock-*")) == []
        assert await confirm(other, "a") is Status.DONE
    assert (two_hosts.old.home / "ran").read_text() == "x\nx\n"
    assert not (two_hosts.new.home / ".local").exists()
