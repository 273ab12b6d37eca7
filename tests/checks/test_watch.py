"""The engine of checks: schedules, time limits, two equal looks, turns, and probes that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.checks import watch as watch_module
from runbook_tui.checks.command import CommandProbe
from runbook_tui.checks.ssh import SshProbe
from runbook_tui.checks.steady import LONGEST, MOST_ROWS, MOST_TURNS, Turns, bounded
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import Host
from runbook_tui.core.script import wrap
from runbook_tui.ports import CheckState, Reading, Row
from tests.checks.fakes import BLIND, GREEN, RED, Doing, Saying, Watched, for_ever, stubborn
from tests.core.builders import OLD
from tests.support.bench import HeldClock, eventually
from tests.support.sight import ShellHosts, TestSight
from tests.support.sshd import operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from runbook_tui.checks.watch import Watch

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


@contextlib.asynccontextmanager
async def started(watched: Watched) -> AsyncIterator[Watch]:
    """Run the checks for as long as the block lasts."""
    watch = watched.watch()
    watch.start()
    try:
        yield watch
    finally:
        await watch.stop()


async def looked(probe: Saying, times: int) -> None:
    """Wait until the probe was asked so many times."""
    await eventually(lambda: probe.looks == times)


def state(watch: Watch, name: str = "a") -> CheckState:
    """Give the state that is shown."""
    (view,) = [view for view in watch.views() if view.name == name]
    return view.state


# ---- green


async def test_one_green_look_is_not_green_yet() -> None:
    """The first PASS is shown as PENDING with what it saw, the second equal one is green; one turn is recorded."""
    watched = Watched({"a": Saying(GREEN)})
    watch = watched.watch()
    first = await watch.look("a")
    assert (first.state, first.value) == (CheckState.PENDING, "one look so far: empty")
    assert watched.turns == []
    assert (await watch.look("a")).state is CheckState.PASS
    await watch.look("a")
    assert watched.turns == [("a", "PASS", "empty", "")]


@pytest.mark.parametrize("other", [RED, BLIND, replace(GREEN, state=CheckState.WARN)])
async def test_anything_between_two_green_looks_starts_the_count_anew(other: Reading) -> None:
    """Green, something else, green is not green."""
    watch = Watched({"a": Saying(GREEN, GREEN, other, GREEN, GREEN)}).watch()
    states = [(await watch.look("a")).state for _ in range(5)]
    assert states == [
        CheckState.PENDING, CheckState.PASS, other.state, CheckState.PENDING, CheckState.PASS,
    ]  # fmt: skip


async def test_the_second_look_comes_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that looks every hour confirms its first green look at once, so that no gate waits an hour."""
    monkeypatch.setattr(watch_module, "SECOND_LOOK", 0.02)
    async with started(Watched({"a": Saying(GREEN)}, every=3600)) as watch:
        await eventually(lambda: state(watch) is CheckState.PASS)
        (view,) = watch.views()
        assert view.next is not None
        assert view.next - datetime.now(UTC) > timedelta(seconds=3500)


# ---- schedules


async def test_first_looks_are_staggered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten checks do not all ask in the same moment."""
    monkeypatch.setattr(watch_module, "STAGGER", 3600.0)
    probes = {name: Saying(GREEN) for name in "abc"}
    async with started(Watched(probes)) as watch:
        await eventually(lambda: state(watch, "a") is CheckState.PASS)
        assert [probe.looks > 0 for probe in probes.values()] == [True, False, False]


@pytest.mark.parametrize(("failures", "pause"), [(1, 10.0), (2, 20.0), (3, 40.0), (4, 80.0), (9, 80.0)])
async def test_a_check_that_cannot_look_backs_off(failures: int, pause: float) -> None:
    """The first failure is tried again at the usual time, further ones ever later, up to eight times the interval."""
    clock = HeldClock()
    probe = Saying(BLIND)
    async with started(Watched({"a": probe}, every=10, clock=clock)) as watch:
        await eventually(lambda: bool(clock.sleepers))
        while probe.looks < failures:
            before = probe.looks
            (view,) = watch.views()
            assert view.next is not None
            clock.advance((view.next - clock.now()).total_seconds())
            await looked(probe, before + 1)
            await eventually(lambda: bool(clock.sleepers))
        await eventually(lambda: watch.views()[0].next == clock.now() + timedelta(seconds=pause))


async def test_a_probe_may_say_when_it_is_worth_looking_again() -> None:
    """Its advice counts instead of the interval; what looked well again is back at its own pace."""
    clock = HeldClock()
    async with started(Watched({"a": Saying(replace(RED, again=7.0))}, every=60, clock=clock)) as watch:
        await eventually(lambda: watch.views()[0].next == clock.now() + timedelta(seconds=7))


async def test_a_look_that_is_asked_for_comes_at_once() -> None:
    """The probe is told that the operator asked for it; the next look is its own again."""
    clock = HeldClock()
    probe = Saying(RED)
    async with started(Watched({"a": probe}, every=60, clock=clock)) as watch:
        await eventually(lambda: bool(clock.sleepers))
        assert probe.looks == 1
        watch.refresh("a")
        await eventually(lambda: probe.looks == 2)
        await eventually(lambda: bool(clock.sleepers))
        clock.advance(60)
        await eventually(lambda: probe.looks == 3)
        assert probe.asked == [False, True, False]


# ---- what is kept


async def test_unknown_keeps_the_last_value_with_its_age() -> None:
    """What it said before is still there with its state and age, and is not its state now."""
    watch = Watched({"a": Saying(RED, BLIND)}).watch()
    await watch.look("a")
    view = await watch.look("a")
    assert view.state is CheckState.UNKNOWN
    assert view.known_at is not None
    assert view.said(view.known_at + timedelta(minutes=3)) == "no answer; 3 min ago FAIL: 12 wait"
    assert (view.error, view.level) == ("no answer", 12.0)


async def test_the_last_error_stays_to_be_read() -> None:
    """After it could look again the last error and its time are still shown."""
    watch = Watched({"a": Saying(BLIND, RED)}).watch()
    failed = await watch.look("a")
    view = await watch.look("a")
    assert (view.state, view.error, view.error_at) == (CheckState.FAIL, "no answer", failed.looked)


async def test_the_history_is_bounded_and_has_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many looks as can be drawn are kept, the oldest go first."""
    monkeypatch.setattr("runbook_tui.checks.steady.MOST_POINTS", 3)
    watch = Watched({"a": Saying(*(replace(RED, level=float(n)) for n in range(5)))}).watch()
    for _ in range(4):
        await watch.look("a")
    view = await watch.look("a")
    assert [(point.state, point.level) for point in view.history] == [(CheckState.FAIL, n) for n in (2.0, 3.0, 4.0)]


async def test_since_is_when_the_state_turned() -> None:
    """Equal looks do not move it."""
    clock = HeldClock()
    watch = Watched({"a": Saying(RED, RED, BLIND)}, clock=clock).watch()
    began = (await watch.look("a")).since
    clock.advance(60)
    assert (await watch.look("a")).since == began == clock.now() - timedelta(seconds=60)
    assert (await watch.look("a")).since == clock.now()


def test_what_a_probe_hands_on_is_bounded() -> None:
    """A field has 200 characters at most, a table 200 rows."""
    rows = tuple(Row(("x" * 1000, "y")) for _ in range(1000))
    cut = bounded(Reading(CheckState.FAIL, "v" * 10**6, "d" * 10**6, rows=rows, error="e" * 10**6))
    assert (len(cut.value), len(cut.error), len(cut.rows)) == (LONGEST, LONGEST, MOST_ROWS)
    assert max(len(cell) for row in cut.rows for cell in row.cells) == LONGEST
    assert len(cut.detail) < 5000


# ---- turns


async def test_a_turn_is_recorded_once() -> None:
    """Looks that say the same again are no turns."""
    watched = Watched({"a": Saying(RED, RED, RED, BLIND, BLIND, RED)})
    watch = watched.watch()
    for _ in range(6):
        await watch.look("a")
    assert [turn[1] for turn in watched.turns] == ["FAIL", "UNKNOWN", "FAIL"]


async def test_a_check_that_flaps_is_recorded_a_few_times_a_minute() -> None:
    """What comes too fast is counted, and said with the next record; nothing is lost for good."""
    clock = HeldClock()
    watched = Watched({"a": Saying(*[RED, BLIND] * 50, RED)}, clock=clock)
    watch = watched.watch()
    for _ in range(100):
        await watch.look("a")
    assert len(watched.turns) == MOST_TURNS
    clock.advance(61)
    await watch.look("a")
    assert len(watched.turns) == MOST_TURNS + 1
    assert watched.turns[-1] == ("a", "FAIL", "12 wait", f"it turned {101 - MOST_TURNS} times since the last record")


def test_a_state_that_was_left_out_is_recorded_when_there_is_room() -> None:
    """Also when the check does not turn again."""
    turns = Turns()
    for count in range(MOST_TURNS + 1):
        turns.note(CheckState.FAIL if count % 2 else CheckState.WARN, 0.0)
    assert turns.note(CheckState.WARN, 30.0) == 0
    assert turns.note(CheckState.WARN, 61.0) == 1
    assert turns.note(CheckState.WARN, 200.0) == 0


# ---- looking anew


async def test_a_green_that_holds_no_more_is_looked_at_twice_anew() -> None:
    """It is PENDING from that moment on, with the reason, and a look under way does not count."""
    clock = HeldClock()
    going = asyncio.Event()
    let = asyncio.Event()

    async def wait(_: object) -> None:
        going.set()
        await let.wait()

    watched = Watched({"a": Doing(wait)}, clock=clock, timeout=10)
    watch = watched.watch()
    let.set()
    await watch.look("a")
    await watch.look("a")
    assert state(watch) is CheckState.PASS
    let.clear()
    going.clear()
    under_way = asyncio.create_task(watch.look("a"))
    await going.wait()
    watch.renew(["a"], "looking again")
    assert (state(watch), watch.views()[0].value) == (CheckState.PENDING, "looking again")
    let.set()
    await under_way
    assert watch.views()[0].value == "looking again"
    await watch.look("a")
    assert state(watch) is CheckState.PENDING
    await watch.look("a")
    assert state(watch) is CheckState.PASS
    assert [turn[1] for turn in watched.turns] == ["PASS"]


async def test_another_phase_has_only_those_look_anew_that_expect_something_else() -> None:
    """A check without phases stays green."""
    watched = Watched({"a": Saying(GREEN)}, phases={"downtime": "held"})
    other = Watched({"a": Saying(GREEN)})
    for each, now in ((watched, CheckState.PENDING), (other, CheckState.PASS)):
        watch = each.watch()
        await watch.look("a")
        await watch.look("a")
        watch.renew_phase("downtime")
        assert state(watch) is now


# ---- probes that misbehave


@pytest.mark.parametrize("work", [for_ever, stubborn])
async def test_a_hanging_probe_is_unknown_and_holds_nothing_up(work: object) -> None:
    """Past its time it is UNKNOWN, the others go on, leaving takes no time, and no task is left."""
    watched = Watched({"bad": Doing(work), "good": Saying(GREEN)})  # type: ignore[arg-type]
    async with started(watched) as watch:
        await eventually(lambda: state(watch, "good") is CheckState.PASS)
        await eventually(lambda: watch.views()[0].error == "no answer within 0.1 s")
        assert state(watch, "bad") is CheckState.UNKNOWN
        began = time.monotonic()
        await watch.stop()
        assert time.monotonic() - began < 1
    await eventually(lambda: len(asyncio.all_tasks()) == 1)


def test_a_probe_that_swallows_its_cancellation_cannot_keep_the_program() -> None:
    """The loop itself ends, which would wait for such a task for ever."""

    async def sitting() -> None:
        async with started(Watched({"bad": Doing(stubborn)})) as watch:
            await eventually(lambda: watch.views()[0].error != "")

    began = time.monotonic()
    asyncio.run(sitting())
    assert time.monotonic() - began < 5


async def test_an_earlier_look_that_has_not_ended_is_not_joined_by_another() -> None:
    """One look of a check at a time: what swallowed its cancellation is said, not piled up."""
    probe = Doing(stubborn)
    watch = Watched({"a": probe}).watch()
    await watch.look("a")
    assert (await watch.look("a")).value == "an earlier look has not ended yet"
    assert probe.looks == 1
    await watch.stop()


@pytest.mark.parametrize("fault", [HostError("old is gone", "detail"), ValueError("bug"), asyncio.CancelledError()])
async def test_a_probe_that_raises_is_unknown(fault: BaseException) -> None:
    """Whatever it raises: a sentence, never green, and the check goes on looking."""

    async def fail(_: object) -> None:
        raise fault

    probe = Doing(fail)
    async with started(Watched({"a": probe})) as watch:
        await eventually(lambda: probe.looks > 1)
        (view,) = watch.views()
        assert view.state is CheckState.UNKNOWN
        assert view.value not in {"", "not looked yet"}


# ---- over SSH


@pytest.fixture
def old_shell(tmp_path: Path) -> Iterator[SshShell]:
    """Start a real sshd, and make the shell that reaches it."""
    key = operator_key(tmp_path / "operator")
    with running_sshd(tmp_path / "old", [key.public]) as server:
        files = write_ssh_files(tmp_path / "files", key, {"old.test": server})
        settings = SshSettings(
            config_files=(files.config,), known_hosts_files=(files.known_hosts,), home=files.config.parent
        )
        yield SshShell(Host(OLD, "old.test"), None, settings)


async def test_twenty_checks_share_one_connection(old_shell: SshShell, tmp_path: Path) -> None:
    """At most six have a session at a time, however long each waits for a seventh, and all come to their answer."""
    here = tmp_path / "sessions"
    here.mkdir()
    crowded = f"$(ls {here} | wc -l) -gt 6"
    wait = f"i=0; while [ $i -lt 20 ] && ! [ {crowded} ]; do sleep 0.1; i=$((i + 1)); done"
    run = f"mkdir {here}/$$; {wait}; ls {here} | wc -l; rmdir {here}/$$"
    probes = {f"c{n}": CommandProbe("old", wrap(run, "")) for n in range(20)}
    watched = Watched(probes, timeout=60, sight=TestSight(ShellHosts({"old": old_shell})))  # type: ignore[arg-type]
    watch = watched.watch()
    try:
        views = await asyncio.gather(*(watch.look(name) for name in probes))
    finally:
        await old_shell.close()
    counts = Counter(int(view.value.removeprefix("one look so far: ")) for view in views)
    assert sum(counts.values()) == 20
    assert 4 <= max(counts) <= 6


async def test_a_step_finds_a_session_while_every_check_hangs(old_shell: SshShell) -> None:
    """What the operator runs does not queue behind checks."""
    probes = {f"c{n}": CommandProbe("old", "exec sleep 1000") for n in range(20)}
    watched = Watched(probes, timeout=60, sight=TestSight(ShellHosts({"old": old_shell})))  # type: ignore[arg-type]
    watch = watched.watch()
    looks = [asyncio.create_task(watch.look(name)) for name in probes]
    try:
        async with asyncio.timeout(30):
            await old_shell.connect()
            await asyncio.sleep(1)  # let as many of them begin as may
            job = await old_shell.start(wrap("true", ""), lambda _: None)
            assert (await job.wait()).exit == 0
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        await old_shell.close()


async def test_a_command_that_does_not_end_is_ended_over_there(old_shell: SshShell, tmp_path: Path) -> None:
    """The look is UNKNOWN, and the command is gone from the host: looks every few seconds must not pile up."""
    mine = tmp_path / "pid"
    probe = CommandProbe("old", f"echo $$ > {mine}; exec sleep 1000")
    sight = TestSight(ShellHosts({"old": old_shell}))
    watch = Watched({"a": probe}, timeout=3, sight=sight).watch()  # type: ignore[dict-item]
    try:
        view = await watch.look("a")
        assert (view.state, view.value) == (CheckState.UNKNOWN, "no answer within 3 s")
        pid = int(mine.read_text())
        await eventually(lambda: not (tmp_path / "/proc" / str(pid)).exists() or _is_zombie(pid))
    finally:
        await old_shell.close()


def _is_zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 -- a line of the kernel's
        return file.read().rpartition(")")[2].split()[0] == "Z"


async def test_a_real_host_that_answers_is_green_twice(old_shell: SshShell) -> None:
    """`ssh` and `command` probes over the kept connection."""
    sight = TestSight(ShellHosts({"old": old_shell}))
    probes = {"ssh": SshProbe("old"), "true": CommandProbe("old", "echo hello", expect="hel+o")}
    watch = Watched(probes, timeout=20, sight=sight).watch()  # type: ignore[arg-type]
    try:
        for name in probes:
            await watch.look(name)
            assert (await watch.look(name)).state is CheckState.PASS
    finally:
        await old_shell.close()
