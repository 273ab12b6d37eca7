"""Which verb is allowed when, the reasons, and what the operator is shown of a step."""

from __future__ import annotations

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.model import Action, ActionKind, FileChange, FileMode, Runbook
from runbook_tui.core.run import RunState, Status, Verb
from runbook_tui.core.verbs import (
    allowed,
    has_way_back,
    next_action,
    number_of,
    progress,
    step_status,
    why_held,
    word,
)
from tests.core.builders import Stamper, a_literal, a_runbook, a_step, an_action, an_undo, begun, confirmed, ran

FIRST = an_action("s-1", step="s", undos=(an_undo(),))
SECOND = an_action("s-2", step="s")
OTHER = an_action("other")
HAND = an_action("hand", kind=ActionKind.MANUAL, host=None)
HELD = an_action("held", host=None)
PAUSE = an_action("pause", kind=ActionKind.WAIT, host=None, undos=(an_undo(),))
RUNBOOK = a_runbook(a_step(FIRST, SECOND, number="1.1"), OTHER, HAND, HELD, PAUSE)

LOST = ev.Lost(action="s-1", attempt="mail-1-1", why="cut")
SKIPPED = ev.Skipped(action="s-1", reason="r", by="ada")
WAIT = [
    confirmed("pause", "w-1", host=""),
    ev.Started(action="pause", attempt="w-1", until="2026-03-02T00:00:00+00:00"),
]
UNDO = ran("s-1", "mail-1-2", role=ev.Role.UNDO)


def after(*events: ev.Event, runbook: Runbook = RUNBOOK) -> RunState:
    """Fold the events of a run."""
    stamper = Stamper()
    stamper(*events)
    return stamper.state(runbook)


REFUSALS: list[tuple[str, list[ev.Event], str, Verb, str]] = [
    ("fresh", [], "s-1", Verb.CONFIRM, ""),
    ("fresh, retry", [], "s-1", Verb.RETRY, "nothing has happened to it yet"),
    ("fresh, edit", [], "s-1", Verb.EDIT, ""),
    ("fresh, undo", [], "s-1", Verb.UNDO, "has not run"),
    ("fresh, skip", [], "s-1", Verb.SKIP, ""),
    ("fresh, stop", [], "s-1", Verb.STOP, "nothing is running"),
    ("order within a step", [], "s-2", Verb.CONFIRM, "1.1a of the same step comes first"),
    ("any step may come first", [], "other", Verb.CONFIRM, ""),
    ("after the first", ran("s-1"), "s-2", Verb.CONFIRM, ""),
    ("skipped first", [SKIPPED], "s-2", Verb.CONFIRM, ""),
    ("running, itself", begun("s-1"), "s-1", Verb.CONFIRM, "it is running"),
    ("running, another", begun("s-1"), "other", Verb.CONFIRM, "1.1a is running; one thing"),
    ("confirmed, another", begun("s-1")[:1], "other", Verb.CONFIRM, "1.1a is running; one thing"),
    ("running, skip it", begun("s-1"), "s-1", Verb.SKIP, "it is running"),
    ("running, mark it", begun("s-1"), "s-1", Verb.DONE, "it is running"),
    ("running, settle it", begun("s-1"), "s-1", Verb.SETTLE, "it is running"),
    ("running, skip another", begun("s-1"), "other", Verb.SKIP, ""),
    ("running, stop", begun("s-1"), "other", Verb.STOP, ""),
    ("running, retry", begun("s-1"), "s-1", Verb.RETRY, "it is running"),
    ("running, undo", begun("s-1"), "s-1", Verb.UNDO, "it is running"),
    ("done, confirm", ran("s-1"), "s-1", Verb.CONFIRM, "it is done already"),
    ("done, retry", ran("s-1"), "s-1", Verb.RETRY, ""),
    ("done, undo", ran("s-1"), "s-1", Verb.UNDO, ""),
    ("done, skip", ran("s-1"), "s-1", Verb.SKIP, "it is done already"),
    ("done, mark", ran("s-1"), "s-1", Verb.DONE, "it is done already"),
    ("done, settle", ran("s-1"), "s-1", Verb.SETTLE, "it is done already"),
    ("failed, confirm", ran("s-1", exit_status=1), "s-1", Verb.CONFIRM, "retry goes through"),
    ("failed, retry", ran("s-1", exit_status=1), "s-1", Verb.RETRY, ""),
    ("failed, skip", ran("s-1", exit_status=1), "s-1", Verb.SKIP, ""),
    ("unknown, confirm", [*begun("s-1"), LOST], "s-1", Verb.CONFIRM, "it is unknown"),
    ("unknown, retry", [*begun("s-1"), LOST], "s-1", Verb.RETRY, ""),
    ("unknown, mark", [*begun("s-1"), LOST], "s-1", Verb.DONE, ""),
    ("unknown, undo", [*begun("s-1"), LOST], "s-1", Verb.UNDO, ""),
    ("unknown, then skipped, undo", [*begun("s-1"), LOST, SKIPPED], "s-1", Verb.UNDO, ""),
    ("skipped, undo", [SKIPPED], "s-1", Verb.UNDO, "has not run"),
    ("skipped, retry", [SKIPPED], "s-1", Verb.RETRY, ""),
    ("not run, undo", [confirmed("s-1"), ev.Reconciled(action="s-1", attempt="mail-1-1", state="not-run", why="w")],
     "s-1", Verb.UNDO, "has not run"),
    ("undone, undo", [*ran("s-1"), *UNDO], "s-1", Verb.UNDO, "undone already"),
    ("undone, retry", [*ran("s-1"), *UNDO], "s-1", Verb.RETRY, ""),
    ("no way back", ran("other"), "other", Verb.UNDO, "names no way back"),
    ("by hand, confirm", [], "hand", Verb.CONFIRM, "done by hand; mark it"),
    ("by hand, edit", [], "hand", Verb.EDIT, "only a command can be edited"),
    ("by hand, mark", [], "hand", Verb.DONE, ""),
    ("held, confirm", [], "held", Verb.CONFIRM, "held: it does not say on which host"),
    ("held, edit", [], "held", Verb.EDIT, "held: "),
    ("held, settle", [], "held", Verb.SETTLE, ""),
    ("held, skip", [], "held", Verb.SKIP, ""),
    ("wait, confirm", [], "pause", Verb.CONFIRM, ""),
    ("waiting, confirm", WAIT, "pause", Verb.CONFIRM, "waiting already"),
    ("waiting, retry", WAIT, "pause", Verb.RETRY, "waiting already"),
    ("waiting, undo", WAIT, "pause", Verb.UNDO, "it is waiting"),
    ("waiting, skip", WAIT, "pause", Verb.SKIP, ""),
    ("waiting, another", WAIT, "s-1", Verb.CONFIRM, ""),
    ("waiting, stop", WAIT, "pause", Verb.STOP, "nothing is running"),
    ("no such action", [], "nowhere", Verb.CONFIRM, "no step is chosen"),
    ("a note on the run", [], "", Verb.NOTE, ""),
]  # fmt: skip


@pytest.mark.parametrize(("events", "action", "verb", "why"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_verbs(events: list[ev.Event], action: str, verb: Verb, why: str) -> None:
    """A verb is allowed, or the reason says what stands against it."""
    reason = allowed(after(*events), action)[verb]
    assert why in reason
    assert bool(why) is bool(reason)


@pytest.mark.parametrize("action", [*(a.id for a in RUNBOOK.actions()), ""])
def test_every_verb_has_an_answer(action: str) -> None:
    """No verb is missing from the answer."""
    assert set(allowed(after(), action)) == set(Verb)


IN_DOUBT = [*begun("c"), ev.Lost(action="c", attempt="mail-1-1", why="cut")]
RECHECKS: list[tuple[list[ev.Event], str]] = [
    ([], "it is to do; a recheck is for"),
    (begun("c"), "it is running"),
    (ran("c"), "it is done; a recheck is for"),
    (ran("c", exit_status=1), ""),
    ([*begun("c"), ev.Stopped(action="c", attempt="mail-1-1", what="TERM", exit=143, signal="", seconds=1.0)], ""),
    (IN_DOUBT, ""),
    ([*IN_DOUBT, ev.Skipped(action="c", reason="r", by="ada")], "it is skipped"),
    ([*IN_DOUBT, *begun("other", "mail-1-2")], "1.2 is running; one thing"),
]


@pytest.mark.parametrize(("events", "why"), RECHECKS)
def test_a_recheck_is_for_what_is_in_doubt(events: list[ev.Event], why: str) -> None:
    """It is allowed once an attempt failed, was stopped or is unknown, and while nothing runs."""
    reason = allowed(after(*events, runbook=a_runbook(an_action("c", recheck="true"), OTHER)), "c")[Verb.RECHECK]
    assert why in reason
    assert bool(why) is bool(reason)


def test_a_recheck_has_to_be_named_and_whole() -> None:
    """Without one there is nothing to run, and a value it lacks holds it; a gate or a need does not."""
    assert "names no recheck" in allowed(after(*IN_DOUBT, runbook=a_runbook(an_action("c"))), "c")[Verb.RECHECK]
    lacking = a_runbook(an_action("c", recheck="ls VALUE"), literals=[a_literal("VALUE")])
    assert "VALUE has no value yet" in allowed(after(*IN_DOUBT, runbook=lacking), "c")[Verb.RECHECK]
    waiting = a_runbook(an_action("c", recheck="true", gates=("mx",), needs=("other",)), OTHER)
    assert allowed(after(*IN_DOUBT, runbook=waiting), "c")[Verb.RECHECK] == ""


def test_read_only_refuses_everything() -> None:
    """A run opened read-only refuses every verb."""
    assert all(allowed(after(), "s-1", read_only=True).values())


def test_way_back() -> None:
    """There is a way back where the runbook names one, or where a file was backed up."""
    with_backup = an_action("f", kind=ActionKind.FILE, file=FileChange("/etc/motd", FileMode.CREATE))
    without = an_action("g", kind=ActionKind.FILE, file=FileChange("/etc/motd", FileMode.CREATE, backup=False))
    state = after(runbook=a_runbook(FIRST, with_backup, without, OTHER))
    found = {action.id: has_way_back(state, action) for action in state.runbook.actions()}
    assert found == {"s-1": True, "f": True, "g": False, "other": False}


def test_numbers() -> None:
    """Several actions of a step are told apart by letters, past z too; an unknown one keeps its name."""
    many = a_step(*(an_action(f"m-{n}", step="m") for n in range(28)), number="2.1")
    state = after(runbook=a_runbook(many, OTHER))
    numbers = [number_of(state, f"m-{n}") for n in (0, 1, 25, 26, 27)]
    assert numbers == ["2.1a", "2.1b", "2.1z", "2.1aa", "2.1ab"]
    assert number_of(state, "other") == "1.2"
    assert number_of(state, "nowhere") == "nowhere"


STEP_STATES: list[tuple[list[ev.Event], Status]] = [
    ([], Status.TODO),
    (begun("s-1"), Status.RUNNING),
    (ran("s-1"), Status.TODO),
    (ran("s-1", exit_status=1), Status.FAILED),
    ([*ran("s-1"), *ran("s-2", "mail-1-2")], Status.DONE),
    ([SKIPPED, *ran("s-2")], Status.DONE),
    ([SKIPPED, ev.MarkedDone(action="s-2", note="n", by="ada")], Status.BY_HAND),
    ([SKIPPED, ev.Skipped(action="s-2", reason="r", by="ada")], Status.SKIPPED),
    ([*begun("s-1"), LOST, ev.Skipped(action="s-2", reason="r", by="ada")], Status.UNKNOWN),
]


@pytest.mark.parametrize(("events", "status"), STEP_STATES)
def test_a_step_shows_what_most_needs_a_look(events: list[ev.Event], status: Status) -> None:
    """A step's state is that of its action that most needs a look; done when all are settled."""
    step = next(RUNBOOK.steps())
    assert step_status(after(*events), step) is status


def test_held_step_and_why() -> None:
    """A held action shows as held with its reasons, until it is settled."""
    state = after()
    held: Action = HELD
    step = next(s for s in RUNBOOK.steps() if s.id == "held")
    assert step_status(state, step) is Status.HELD
    assert [hold.why for hold in why_held(state, held)] == ["it does not say on which host"]
    assert why_held(after(ev.Skipped(action="held", reason="r", by="ada")), held) == ()


def test_what_comes_next() -> None:
    """The next action is the first open one after a given one, then from the top; none when all are settled."""
    skips = [ev.Skipped(action=a.id, reason="r", by="ada") for a in RUNBOOK.actions()]

    def next_id(state: RunState, start: str = "") -> str | None:
        found = next_action(state, start)
        return found.id if found else None

    assert next_id(after()) == "s-1"
    assert next_id(after(), "s-1") == "s-2"
    assert next_id(after(skips[5]), "held") == "s-1"
    assert next_id(after(*skips)) is None
    assert progress(after(*skips[:1])) == (0, 5)
    assert progress(after(*skips[:3])) == (2, 5)
    assert progress(after(*skips)) == (5, 5)


def test_states_have_words() -> None:
    """Every state has a word without dashes for the operator."""
    assert word(Status.NOT_RUN) == "not run"
    assert word(Status.BY_HAND) == "done by hand"
    assert all("-" not in word(status) for status in Status)
