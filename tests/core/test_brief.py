"""A run in a few lines, for a login message: what is open and since when, what is next, how to go on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.brief import MOST, ago, brief
from tests.core.builders import START, Stamper, a_runbook, an_action, begun, ended, opened, ran

if TYPE_CHECKING:
    from datetime import datetime

    from runbook_tui.core.model import Runbook
    from runbook_tui.core.run import RunState

ACTIONS = [an_action(name) for name in ("a", "b", "c", "d", "e", "f", "g", "h")]
RUNBOOK = a_runbook(*ACTIONS[:3])
PAUSED = ev.Paused(why="quit")


def folded(runbook: Runbook, *events: ev.Event) -> RunState:
    """Open a run of the runbook and fold the events."""
    stamp = Stamper()
    stamp(opened(runbook), *events)
    return stamp.state(runbook)


def state_after(*events: ev.Event) -> tuple[RunState, datetime]:
    """Fold the events; two days after the last of them is now."""
    state = folded(RUNBOOK, *events)
    assert state.last_at is not None
    return state, state.last_at + timedelta(days=2)


def test_a_paused_run_says_where_it_stands_and_how_to_go_on() -> None:
    """Progress, the next action with its host, and since when it was left and why."""
    state, now = state_after(*ran("a"), PAUSED)
    lines = brief(state, now, at_work=False)
    assert lines[0] == "mailrunbook mail-1: Move the mail, 1 of 3 steps settled"
    assert lines[1:] == [
        "next: 1.2 b on old",
        f"left {state.last_at:%Y-%m-%d %H:%M} UTC, 2 d ago: quit; go on with: mailrunbook resume {state.run}",
    ]


def test_what_runs_is_said_as_what_is_known_of_it() -> None:
    """With the program at work it runs; without one it was left running, and nothing more is claimed."""
    state, now = state_after(*begun("b"))
    assert "running: 1.2 b on old, confirmed " in brief(state, now, at_work=True)[1]
    left = brief(state, now, at_work=False)
    assert left[1].startswith("left running: 1.2 b on old, confirmed ")
    assert left[1].endswith("looked for on that host when the run is resumed")
    assert left[-1].startswith("ended without a word ")
    assert brief(state, now, at_work=True)[-1].startswith("open now, last change ")


def test_what_went_wrong_comes_with_its_reason_and_its_time() -> None:
    """Unknown and failed actions are named, each since when and why."""
    lost = ev.Lost(action="b", attempt="mail-1-2", why="the host was restarted")
    failed = [*begun("a"), ended("a", exit_status=3, reason="exit status 3")]
    state, now = state_after(*failed, *begun("b", "mail-1-2"), lost, PAUSED)
    lines = brief(state, now, at_work=False)
    assert lines[1].startswith("failed: 1.1 a, 2026-03-01 ")
    assert lines[1].endswith("2 d ago: exit status 3")
    assert lines[2].startswith("not known how it ended: 1.2 b, ")
    assert lines[2].endswith(": the host was restarted")


def test_a_long_list_of_failures_stays_short() -> None:
    """Of more than a handful only how many there are is said."""
    runbook = a_runbook(*ACTIONS)
    failed = [e for n, a in enumerate(ACTIONS) for e in ran(a.id, f"mail-1-{n + 1}", exit_status=1)]
    state = folded(runbook, *failed, PAUSED)
    lines = brief(state, START, at_work=False)
    assert sum(line.startswith("failed: ") for line in lines) == MOST
    assert f"and {len(ACTIONS) - MOST} more of these" in lines


def test_a_closed_run_is_one_line() -> None:
    """Nothing is to be done in it."""
    state, now = state_after(*ran("a"), ev.RunClosed(count=1))
    (line,) = brief(state, now, at_work=False)
    assert ", closed 2026-03-01 " in line


def test_text_of_the_runbook_cannot_reach_the_terminal_raw() -> None:
    """A title with an escape sequence is shown clean: the lines are printed at every login."""
    runbook = a_runbook(an_action("a"))
    state = folded(runbook, ev.Paused(why="\x1b]0;owned\x07quit"))
    assert not any("\x1b" in line or "\x07" in line for line in brief(state, START, at_work=False))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "just now"), (59, "just now"), (60, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")],
)
def test_ages(seconds: float, said: str) -> None:
    """Days, hours, minutes; a clock that was set back makes no negative age."""
    assert ago(seconds) == said
