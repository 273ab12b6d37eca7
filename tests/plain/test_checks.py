"""Line mode: live checks in lines, a gate that turns red behind its step, and a step that waits for its check."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks import watch as watch_module
from runbook_tui.core.model import LOCAL, ActionKind, CheckSpec
from runbook_tui.ports import CheckState, Reading, Row
from tests.checks.fakes import GREEN, RED, Saying
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action

ROWS = (Row(("9.9.9.9", "new\x1b[2J"), CheckState.PASS), Row(("192.0.2.53", "old"), CheckState.PENDING))
WAITING = Reading(
    CheckState.PENDING, "14 of 16\x1b]0;x\x07 have it", rows=ROWS, eta=datetime(2099, 11, 23, 13, 42, tzinfo=UTC)
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have looks come at once."""
    monkeypatch.setattr(watch_module, "SECOND_LOOK", 0.01)
    monkeypatch.setattr(watch_module, "SOONEST", 0.01)


def bench(tmp_path: Path, probe: Saying, *actions: Action) -> Bench:
    """Make a bench whose one check says what the probe says."""
    spec = CheckSpec("mx", "later", every=0.02)
    book = a_runbook(*actions)
    runbook = replace(book, hosts={LOCAL: book.hosts[LOCAL]}, checks=(spec,))
    return Bench(runbook, tmp_path / "state", make_probes=lambda _: {"mx": (spec, probe)})


async def test_a_gate_turns_green_and_then_red(tmp_path: Path) -> None:
    """Held with its ETA, let through by the check, asked about again with a line, and answered."""
    probe = Saying(WAITING)
    actions = (an_action("a", host=LOCAL, gates=("mx",)), an_action("b", host=LOCAL))
    async with Desk(bench(tmp_path, probe, *actions).engine()) as desk:
        desk.say("yes")
        await desk.hear("^check mx PENDING: 14 of 16␛]0;x␇ have it$")
        desk.say("confirm")
        await desk.hear("refused: held: gate mx: 14 of 16.* have it; it should be so by 2099-11-23 13:42:00 UTC")
        probe.says = [GREEN]
        await desk.hear("^check mx PASS: empty")
        desk.say("confirm", "yes")
        await desk.hear("^1.1 gate mx: PASS since .*: empty")
        await desk.hear("^1.1 done in")
        probe.says = [RED]
        await desk.hear("^1.1 GATE mx is FAIL since this was done: 12 wait; override REASON answers it")
        desk.say("go 1.1")
        await desk.hear("^1.1 GATE mx is FAIL")
        desk.say("override they are bounces")
        await desk.hear("^1.1 gate mx overridden by ada: they are bounces")
        desk.say("quit")


async def test_a_check_can_be_looked_at_closely(tmp_path: Path) -> None:
    """`checks NAME` gives what is asked, the table, the times; it looks now; a name that is none is refused."""
    probe = Saying(WAITING)
    async with Desk(bench(tmp_path, probe, an_action("a", host=LOCAL)).engine()) as desk:
        desk.say("yes")
        await desk.hear("^check mx PENDING")
        desk.say("checks", "checks mx", "checks nothing")
        await desk.hear("^check mx PENDING since .* UTC: 14 of 16.* have it; by 2099-11-23 13:42:00 UTC")
        await desk.hear("^check mx asks nothing")
        await desk.hear(r"^check mx \| 9.9.9.9 \| new␛\[2J \| PASS")
        await desk.hear("^check mx looks again in ")
        await desk.hear("refused: there is no check nothing")
        assert True in probe.asked
        desk.say("quit")


async def test_a_step_that_waits_for_its_check_says_so(tmp_path: Path) -> None:
    """The wait is a line, and done comes with the second green look."""
    probe = Saying(RED)
    async with Desk(bench(tmp_path, probe, an_action("a", host=LOCAL, checks=("mx",))).engine()) as desk:
        desk.say("yes", "confirm", "yes")
        await desk.hear("^1.1 done when the check mx turns green")
        await desk.hear("^1.1 waiting for check mx to turn green")
        probe.says = [GREEN]
        await desk.hear("^1.1 done")
        desk.say("quit")


async def test_what_is_done_by_hand_waits_for_its_check_in_lines(tmp_path: Path) -> None:
    """One line says what is waited for, `status` too; the note ends it when the check is green."""
    probe = Saying(RED)
    actions = (an_action("a", "", host=LOCAL, kind=ActionKind.MANUAL, checks=("mx",)), an_action("b", host=LOCAL))
    async with Desk(bench(tmp_path, probe, *actions).engine()) as desk:
        desk.say("yes")
        await desk.hear("^check mx FAIL")
        desk.say("done I wrote a letter")
        await desk.hear("^1.1 waiting for check mx to turn green$")
        desk.say("status")
        await desk.hear("^1.1 waiting for check mx to turn green$")
        probe.says = [GREEN]
        await desk.hear("^1.1 done by hand: I wrote a letter$")
