"""The undo stack: what rolling back undoes, in which order, what it leaves, and when it is refused."""

from __future__ import annotations

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.model import LOCAL, ActionKind, Undo
from runbook_tui.core.rollback import plan
from runbook_tui.core.run import RunState, Verb
from runbook_tui.core.verbs import allowed
from tests.core.builders import NEW, Stamper, a_runbook, a_step, an_action, an_undo, begun, ran

BACK = (an_undo(),)
RUNBOOK = a_runbook(
    an_action("before", undos=BACK),
    a_step(an_action("s-1", step="s", undos=BACK), an_action("s-2", step="s", undos=BACK), number="1.2"),
    an_action("look"),
    an_action("hand", kind=ActionKind.MANUAL, host=None),
    an_action("pause", kind=ActionKind.WAIT, host=None, wait_for=1.0),
    an_action("final", no_return=True),
    an_action("after", undos=BACK),
    an_action("two", undos=(an_undo(), Undo("echo", line=2, host=NEW))),
)


def after(*events: ev.Event) -> RunState:
    """Fold the events of a run."""
    stamper = Stamper()
    stamper(*events)
    return stamper.state(RUNBOOK)


def done(*actions: str) -> list[ev.Event]:
    """Make the events of actions that ran well, in this order."""
    return [event for place, action in enumerate(actions, 1) for event in ran(action, f"mail-1-{place}")]


def test_the_last_thing_done_is_undone_first() -> None:
    """The order is that of what was done, not that of the file; what stands before the target is left out."""
    found = plan(after(*done("before", "after", "s-1", "s-2")), "s-1")
    assert found.undos == ("s-2", "s-1", "after")
    assert (found.left, found.refused) == ((), "")


def test_what_was_done_again_is_undone_where_it_was_done_last() -> None:
    """A retry moves an action to the top of the stack, and it is undone once."""
    assert plan(after(*done("s-1", "s-2", "s-1")), "before").undos == ("s-1", "s-2")


def test_what_has_no_way_back_stays_and_says_why() -> None:
    """Read-only actions, what was done by hand and ways back on two hosts are named; a wait is not."""
    by_hand = ev.MarkedDone(action="hand", note="moved the cable", by="ada")
    found = plan(after(*done("s-1", "look", "two"), by_hand), "s-1")
    assert found.undos == ("s-1",)
    assert {entry.action: entry.why for entry in found.left} == {
        "look": "the runbook names no way back for it",
        "hand": "take it back by hand",
        "two": "its ways back are on different hosts; take it back by hand",
    }


def test_what_failed_half_way_is_undone_too() -> None:
    """A failed action may have changed something; one that did not run, was skipped or is undone already did not."""
    undo = ran("s-2", "mail-1-3", role=ev.Role.UNDO)
    never = [*begun("after", "mail-1-4"), ev.Reconciled(action="after", attempt="mail-1-4", state="not-run", why="no")]
    skipped = ev.Skipped(action="before", reason="r", by="ada")
    events = [*ran("s-1", "mail-1-1", exit_status=1), *ran("s-2", "mail-1-2"), *undo, *never, skipped]
    found = plan(after(*events), "before")
    assert (found.undos, found.left) == (("s-1",), ())


def test_a_way_back_that_failed_is_tried_again() -> None:
    """Only a way back that ended well takes its action from the stack."""
    events = [*ran("s-1", "mail-1-1"), *ran("s-1", "mail-1-2", role=ev.Role.UNDO, exit_status=1)]
    assert plan(after(*events), "s-1").undos == ("s-1",)


LOST = [*begun("s-2"), ev.Lost(action="s-2", attempt="mail-1-1", why="cut")]


@pytest.mark.parametrize(
    ("events", "target", "why"),
    [
        ([], "s-1", "nothing from here on was done"),
        (done("before"), "s-1", "nothing from here on was done"),
        (done("look"), "s-1", "what was done from here on has no way back: 1.3"),
        (begun("s-1"), "s-1", "it is running"),
        (begun("after"), "s-1", "1.7 is running; one thing runs at a time"),
        (LOST, "before", "how 1.2b ended is not known"),
        (LOST, "look", "nothing from here on was done"),
        (done("s-1", "final"), "s-1", "1.6 (final) was the point of no return and is done"),
        (done("s-1", "final"), "final", "1.6 (final) was the point of no return and is done"),
        ([*done("s-1"), ev.MarkedDone(action="final", note="n", by="a")], "s-1", "point of no return and is done by h"),
        (done("s-1", "final", "after"), "after", ""),
        ([*done("s-1"), ev.Skipped(action="final", reason="r", by="a")], "s-1", ""),
        (done("s-1"), "nowhere", "no step is chosen"),
    ],
)
def test_why_not(events: list[ev.Event], target: str, why: str) -> None:
    """Nothing to undo, something running, an unknown outcome or the point of no return behind it refuse the verb."""
    state = after(*events)
    refused = plan(state, target).refused
    assert why in refused
    assert bool(why) is bool(refused)
    assert allowed(state, target)[Verb.ROLLBACK] == refused


def test_the_host_of_a_way_back_may_be_answered() -> None:
    """A way back on the action's own host counts as one host, also where the operator said which it is."""
    runbook = a_runbook(an_action("a", host=None, undos=(an_undo(), Undo("echo", line=2, host=LOCAL))))
    stamper = Stamper()
    stamper(ev.Settled(what="host", value="local", action="a"), *ran("a"))
    assert plan(stamper.state(runbook), "a").undos == ("a",)
