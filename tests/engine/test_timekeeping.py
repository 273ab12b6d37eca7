"""Suspends and clock steps while a run is open: recorded, said, and what was known before is looked at again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.clock import SystemClock
from runbook_tui.core import events as ev
from runbook_tui.core.model import ActionKind
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.verdict import gaps
from runbook_tui.engine import waking
from runbook_tui.ports import Drift, Link
from tests.checks.fakes import GREEN, RED
from tests.core.builders import NEW, OLD, an_action
from tests.engine.machines import Machines, bench_of, view_of
from tests.engine.test_live_gates import Night, _soon, here
from tests.support.bench import HeldClock, confirm, eventually, until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["_soon"]


class Sleeper(SystemClock):
    """This machine's clock, which can be said to have been suspended."""

    def __init__(self) -> None:
        super().__init__()
        self.suspended = 0.0

    def drift(self) -> Drift:
        """Give what was said."""
        return Drift(self.suspended)


async def test_what_happened_to_the_clocks_is_recorded_before_the_next_word(tmp_path: Path) -> None:
    """Order is by record: the note that comes after a suspend and a clock step stands behind both."""
    night, clock = Night(tmp_path, here()), HeldClock()
    night.bench.clock = clock
    async with night.engine() as engine:
        clock.suspend(600)
        clock.set_by(-3600)
        await engine.note("", "good morning")
        assert night.bench.folder is not None
        records = night.bench.folder.journal(clock).records
        assert [type(r.event) for r in records[-3:]] == [ev.ClockSet, ev.Suspended, ev.Noted]
        said = [gap.text for gap in engine.state.gaps]
        assert said == [
            "the clock of this machine was set back by 1 h 00 min",
            "this machine was suspended for 10 min 00 s; meanwhile nothing was watched from here",
        ]
        assert all(any(text in gap for gap in gaps(records)) for text in said)
        assert all(f"**{text}**" in engine.export("md") for text in said)
        clock.set_by(1.5)
        await engine.note("", "that is slewing")
        assert len(engine.state.gaps) == 2


async def test_a_suspend_is_noticed_without_a_word(tmp_path: Path) -> None:
    """The clocks are looked at by themselves while nothing is asked for."""
    night, clock = Night(tmp_path, here()), HeldClock()
    night.bench.clock = clock
    async with night.engine() as engine:
        clock.suspend(86_400 * 2)
        await until(engine, lambda: bool(engine.state.gaps))
        assert "suspended for 2 d 0 h" in engine.state.gaps[0].text


async def test_a_green_from_before_a_suspend_lifts_no_gate(tmp_path: Path) -> None:
    """The check looks anew at once, though its turn comes in an hour; until then, and now that it is red, it holds."""
    night, clock = Night(tmp_path, here(gates=("mx",)), every=3600.0), Sleeper()
    night.mx.says = [GREEN]
    night.bench.clock = clock
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: not engine.allowed("a")[Verb.CONFIRM])
        night.mx.says = [RED]
        clock.suspended = 3600
        await engine.note("", "back at the desk")
        assert waking.SLEPT in engine.allowed("a")[Verb.CONFIRM]
        await eventually(lambda: "it fails" in engine.allowed("a")[Verb.CONFIRM])


WEEK = 7 * 86_400.0


@pytest.mark.parametrize("behind", [0.0, WEEK])
async def test_a_week_is_over_when_the_hosts_clocks_say_so_too(
    tmp_path: Path, machines: Machines, behind: float
) -> None:
    """A clock that was set forward by a week ends no wait and says why; one that agrees with the hosts' ends it."""
    two = machines.hosts(tmp_path, machines.known(OLD, NEW))
    wait = an_action("week", "", kind=ActionKind.WAIT, host=None, wait_for=WEEK)
    bench = bench_of(tmp_path, two, wait, an_action("other"))
    bench.clock = clock = HeldClock(wall=datetime.now(UTC) - timedelta(seconds=behind))
    async with bench.engine() as engine:
        assert "clock of new, when a long wait is over: date -u +%s" in engine.consent_lines()
        await engine.consent()
        proposal = await engine.propose("week", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: bool(clock.sleepers))
        clock.advance(WEEK)
        if behind:
            await until(engine, lambda: engine.state.of("week").status is Status.DONE)
            said = "its time is over by the clocks of this machine and old and new, within 5 min"
            assert [note.text for note in engine.state.notes] == [said]
            return
        await until(engine, lambda: bool(engine.state.waits[0].reason))
        held = r"held up: the clock of this machine is (7 d 0 h|6 d 23 h) ahead of that of (old|new)"
        assert re.search(held, engine.allowed("week")[Verb.CONFIRM])
        assert re.search(held, engine.export("md"))
        await engine.mark_done("week", "my watch says so")
        assert engine.state.of("week").status is Status.BY_HAND


@pytest.mark.lab
async def test_links_are_tried_at_once_after_a_suspend(
    tmp_path: Path, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers stays as it is; one that does not is made anew before its keepalive has noticed."""
    monkeypatch.setattr(waking, "PATIENCE", 2.0)
    two = machines.hosts(tmp_path, machines.known(OLD, NEW))
    actions = [an_action(role, "true", host=role) for role in (OLD, NEW)]
    bench, clock = bench_of(tmp_path, two, *actions), Sleeper()
    bench.clock = clock
    async with bench.engine() as engine:
        await engine.consent()
        for role in (OLD, NEW):
            await confirm(engine, role)
        sessions = machines.new.sessions()
        logins = machines.logins()
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)
        try:
            clock.suspended = 60
            await engine.note("", "back at the desk")
            await eventually(lambda: machines.logins() == logins + 1)
            await until(engine, lambda: view_of(engine, NEW).link is Link.UP)
        finally:
            for pid in sessions:
                os.kill(pid, signal.SIGCONT)
        assert view_of(engine, OLD).link is Link.UP


def test_the_kernel_tells_how_long_it_was_suspended() -> None:
    """In a time namespace whose boot is 1,000 s further than its monotonic clock that is what the adapter says."""
    first, second = SystemClock().drift(), SystemClock().drift()
    assert abs(second.suspended - first.suspended) < 1
    assert abs(second.wall - first.wall) < 1
    unshare = shutil.which("unshare")
    said = "from runbook_tui.adapters.clock import SystemClock; print(SystemClock().drift().suspended)"
    command = [unshare or "unshare", "--time", "--boottime", "1000", "--fork", sys.executable, "-c", said]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if unshare else None
    if done is None or done.returncode:
        pytest.skip("no time namespace can be made here")
    before = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    assert abs(float(done.stdout) - before - 1000) < 1
