"""Coming back to a run: every gate is looked at again, and what changed since it was left is said."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.runs import open_run
from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused
from runbook_tui.core.run import Status, Verb
from runbook_tui.engine.returned import returned, wants_a_look
from runbook_tui.ports import CheckState
from tests.checks.fakes import GREEN, RED, Doing
from tests.engine.test_live_gates import Night, _soon, here, why
from tests.engine.test_timekeeping import Sleeper
from tests.support.bench import RUN, confirm, eventually, until
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.engine import Engine
    from runbook_tui.ports import Reading

__all__ = ["_soon"]


def said(engine: Engine) -> str:
    """Give the whole report, a line each."""
    return "\n".join(f"{section.heading}: {line}" for section in returned(engine) for line in section.lines)


async def test_a_gate_that_was_green_is_looked_at_again_before_anything_is_armed(tmp_path: Path) -> None:
    """Green when the run was left, red since: refused before the agreement, while it looks, and then for its reason."""
    night = Night(tmp_path, here(gates=("mx",)), here("b"), every=3600.0)
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: not why(engine))
    may_look = asyncio.Event()
    night.mx = Doing(lambda _: may_look.wait(), RED)
    async with night.engine() as engine:
        assert "gate mx" in why(engine)
        with pytest.raises(Refused, match="gate mx"):
            await engine.propose("a", Verb.CONFIRM)
        await engine.consent()
        assert "gate mx (it cannot be looked at): not looked yet" in why(engine)
        with pytest.raises(Refused, match="not looked yet"):
            await engine.propose("a", Verb.CONFIRM)
        assert re.search("Changed since: [12] checks? not looked at again yet", said(engine))
        may_look.set()
        await eventually(lambda: "it fails" in why(engine))
        with pytest.raises(Refused, match="12 wait"):
            await engine.propose("a", Verb.CONFIRM)
        assert "Changed since: check mx was PASS, is FAIL now: 12 wait" in said(engine)


@pytest.mark.parametrize("now", [RED, replace(RED, state=CheckState.PENDING)])
async def test_an_answer_holds_while_its_check_says_what_it_said_then(tmp_path: Path, now: Reading) -> None:
    """An answer of an earlier sitting waits for a look, and is asked for again where the check says something else."""
    night = Night(tmp_path, here(gates=("mx",)), here("b"), every=3600.0)
    night.mx.says = [RED]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: "it fails" in why(engine))
        await engine.override("a", "those twelve are spam")
        assert not why(engine)
    may_look = asyncio.Event()
    night.mx = Doing(lambda _: may_look.wait(), now)
    async with night.engine() as engine:
        await engine.consent()
        assert "not looked yet; ada answered it in an earlier sitting, when the check said FAIL: 12 wait" in why(engine)
        may_look.set()
        if now is RED:
            await eventually(lambda: not why(engine))
            assert "ada said so" in (await engine.propose("a", Verb.CONFIRM)).gates[0]
            return
        await eventually(lambda: "gate mx: 12 wait; ada answered" in why(engine))
        await engine.override("a", "they are spam still")
        assert not why(engine)


async def test_a_return_says_what_was_done_and_what_ran(tmp_path: Path) -> None:
    """The last few with when and by whom, what ran and how it ended meanwhile, what is not known, what is next."""
    go_on = tmp_path / "go-on"
    slow = here("b", f"while [ ! -e {go_on} ]; do sleep 0.02; done; exit 3")
    night = Night(tmp_path, here(), slow, here("c"), here("d"))
    async with night.engine() as engine:
        await engine.consent()
        await confirm(engine, "a")
        await engine.skip("d", "not wanted here")
        await engine.confirm(await engine.propose("b", Verb.CONFIRM), "y")
        await until(engine, lambda: engine.activity is not None and engine.activity.stage == "running")
        await engine.pause("quit")
    async with night.engine() as engine:
        first = said(engine)
        assert "Done: 2 of 4 steps; left " in first
        assert "just now: quit" in first
        assert "1.1 a: done by ada" in first
        assert "1.4 d: skipped by ada" in first
        assert "1.2 b on local, confirmed " in first
        assert "by ada; how it stands there is looked for once you start" in first
        assert "Not known" not in first
        assert wants_a_look(engine)
        await engine.consent()
        await until(engine, lambda: engine.state.of("b").status is Status.RUNNING)
        assert "it was found there and runs on" in said(engine)
        go_on.touch()
        await engine.idle()
        last = said(engine)
        assert "by ada; it has ended meanwhile, failed: exit status 3 (wanted 0)" in last
        assert "Waits for you: 1.2 b is failed: exit status 3 (wanted 0)" in last
        assert "Next: 1.2 b" in last


async def test_a_program_that_ended_without_a_word_is_a_gap(tmp_path: Path) -> None:
    """The journal has no pause before the return, and the report says so with the suspends that were noticed."""
    night = Night(tmp_path, here(), here("b"))
    async with night.engine():
        pass
    night.bench.leave()
    with open_run(night.bench.state_dir, RUN) as folder:
        journal = folder.journal(night.bench.clock)
        journal.append(ev.Resumed(operator="bob", workstation="desk", version="0"))
        journal.append(ev.Suspended(seconds=3600))
    async with night.engine() as engine:
        assert re.search("Done: 0 of 2 steps; the program ended without a word .* UTC, just now", said(engine))
        assert "Gaps in the record: record 4: this machine was suspended for 1 h 00 min" in said(engine)
        assert "Gaps in the record: between records 4 and 5 the program ended without a word" in said(engine)
        assert not wants_a_look(engine)


async def test_line_mode_says_the_same_lines(tmp_path: Path) -> None:
    """Before the agreement how it stands, then what a check says that said something else; suspends are said aloud."""
    night, clock = Night(tmp_path, here(gates=("mx",)), here("b"), every=3600.0), Sleeper()
    night.bench.clock = clock
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: not why(engine))
        await engine.skip("b", "not wanted here")
    night.mx.says = [RED]
    async with Desk(night.engine()) as desk:
        await desk.hear("^done: 1 of 2 steps; left .*, just now: ")
        await desk.hear("^done: .* 1.2 b: skipped by ada$")
        await desk.hear("^changed since: [12] checks? looked at again once you start; no gate on such a one opens")
        await desk.hear("^next: 1.1 a [(]held: gate mx")
        await desk.hear("^asks: type yes")
        desk.say("yes")
        await desk.hear(r"^check mx FAIL: 12 wait [(]it was PASS when the run was left[)]$")
        clock.suspended += 3600
        await desk.hear("^gap: this machine was suspended for 1 h 00 min; meanwhile nothing was watched from here$")
