"""Whatever the operator does, whenever the program dies: what the state says stays true (PROMISES.md P1, P2, P3)."""

from __future__ import annotations

from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runbook_tui.core import events as ev
from runbook_tui.core.fold import apply, fold, fresh, recover
from runbook_tui.core.model import ActionKind
from runbook_tui.core.run import SETTLED, Attempt, Status, Verb
from runbook_tui.core.verbs import allowed
from tests.core.builders import Stamper, a_runbook, a_step, an_action, an_undo, begun, confirmed, opened

RUNBOOK = a_runbook(
    a_step(an_action("a", step="s", undos=(an_undo(),)), an_action("b", step="s")),
    an_action("hand", kind=ActionKind.MANUAL, host=None),
    an_action("pause", kind=ActionKind.WAIT, host=None, wait_for=60.0),
    an_action("held", host=None),
    an_action("last", needs=("s", "hand")),
)
DEEDS = (
    Verb.CONFIRM,
    Verb.CONFIRM,
    Verb.CONFIRM,
    Verb.RETRY,
    Verb.RETRY,
    Verb.UNDO,
    Verb.UNDO,
    Verb.SKIP,
    Verb.DONE,
    Verb.SETTLE,
)
SENT_BY_OPERATOR = (ev.Skipped, ev.MarkedDone, ev.Intent)


class Walk(RuleBasedStateMachine):
    """An operator who only does what is allowed, a far side that does anything, and a program that may die."""

    def __init__(self) -> None:
        super().__init__()
        self.stamper = Stamper()
        self.state = fresh(RUNBOOK)
        self.stamp(opened(RUNBOOK))

    def stamp(self, *events: ev.Event) -> None:
        """Record the events one by one; an unknown outcome may only end by proof or by what the operator did."""
        for record in [r for event in events for r in self.stamper(event)]:
            before = self.state
            self.state = apply(before, record)
            for action in RUNBOOK.actions():
                was, now = before.of(action.id).status, self.state.of(action.id).status
                if was is Status.UNKNOWN is not now:
                    assert isinstance(record.event, (*SENT_BY_OPERATOR, ev.Reconciled)), record.event

    def deeds(self, action: str) -> list[tuple[Verb, str]]:
        """Give what the operator may do to the action, or why not; the likelier things several times."""
        answers = allowed(self.state, action)
        return [(verb, answers[verb]) for verb in DEEDS]

    @property
    def open(self) -> Attempt | None:
        """The attempt that is confirmed and not ended, waits left out."""
        return next((a for a in self.state.attempts.values() if a.open and a.until is None), None)

    @property
    def sent(self) -> Attempt:
        """The attempt that the far side may be working on; only where a precondition says there is one."""
        attempt = self.state.running
        assert attempt is not None
        return attempt

    @rule(data=st.data())
    def operate(self, data: st.DataObject) -> None:
        """The operator does one of the things that are allowed."""
        choices = [(a.id, v) for a in RUNBOOK.actions() for v, why in self.deeds(a.id) if not why]
        if not choices:
            return
        action, verb = data.draw(st.sampled_from(choices))
        match verb:
            case Verb.SKIP:
                self.stamp(ev.Skipped(action=action, reason="not here", by="ada"))
            case Verb.DONE:
                self.stamp(ev.MarkedDone(action=action, note="by hand", by="ada"))
            case Verb.SETTLE:
                self.stamp(ev.Settled(what="host", value="new", action=action))
            case _:
                reach = data.draw(st.sampled_from([2, 2, 2, 1, 0]))
                self.confirm(action, ev.Role.UNDO if verb is Verb.UNDO else ev.Role.RUN, reach)

    def confirm(self, action: str, role: ev.Role, reach: int) -> None:
        """Record a confirmation and the first `reach` events after it; a wait starts at once."""
        attempt = f"mail-1-{len(self.state.attempts) + 1}"
        if action == "pause":
            until = (self.stamper.now + timedelta(minutes=1)).isoformat()
            self.stamp(confirmed(action, attempt, role), ev.Started(action=action, attempt=attempt, until=until))
        else:
            self.stamp(*begun(action, attempt, role=role)[: 1 + reach])

    @precondition(lambda self: self.open and not self.open.intended)
    @rule()
    def send(self) -> None:
        """The intent is recorded."""
        attempt = self.open
        assert attempt is not None
        self.stamp(ev.Intent(action=attempt.action, attempt=attempt.id, host="old", sha256=attempt.sha256))

    @precondition(lambda self: self.state.running)
    @rule()
    def start(self) -> None:
        """The far side says that it runs."""
        self.stamp(ev.Started(action=self.sent.action, attempt=self.sent.id, pgid=7))

    @precondition(lambda self: self.state.running)
    @rule(status=st.sampled_from([0, 0, 255, None]), outcome=st.sampled_from(list(ev.Outcome)))
    def finish(self, status: int | None, outcome: ev.Outcome) -> None:
        """The far side ends, and is judged: rightly or wrongly, with or without a status."""
        self.stamp(ev.Finished(action=self.sent.action, attempt=self.sent.id, outcome=outcome, exit=status, reason="r"))

    @precondition(lambda self: self.state.running)
    @rule()
    def lose(self) -> None:
        """The link breaks; a verdict that comes too late changes nothing."""
        attempt = self.sent
        self.stamp(ev.Lost(action=attempt.action, attempt=attempt.id, why="cut"))
        self.stamp(ev.Finished(action=attempt.action, attempt=attempt.id, outcome="done", exit=0))

    @precondition(lambda self: self.state.running)
    @rule()
    def stop(self) -> None:
        """The operator stops it."""
        assert not allowed(self.state, self.sent.action)[Verb.STOP]
        self.stamp(ev.Stopped(action=self.sent.action, attempt=self.sent.id, what="TERM", signal="TERM"))

    @precondition(lambda self: self.state.running)
    @rule()
    def never_run(self) -> None:
        """It is proved that nothing ran."""
        attempt = self.sent
        self.stamp(ev.Reconciled(action=attempt.action, attempt=attempt.id, state=Status.NOT_RUN, why="refused"))

    @precondition(lambda self: self.state.waits)
    @rule()
    def wait_ends(self) -> None:
        """A wait is over."""
        wait = self.state.waits[0]
        self.stamp(ev.Finished(action=wait.action, attempt=wait.id, outcome="done"))

    @precondition(lambda self: self.open or self.state.waits)
    @rule()
    def crash(self) -> None:
        """The program dies without a word and is opened again."""
        waits = self.state.waits
        self.state = fold(RUNBOOK, self.stamper.records)
        self.stamp(ev.Resumed(operator="ada", workstation="desk", version="1"), *recover(self.state))
        assert self.open is self.state.running
        if self.open is not None and self.open.status is Status.UNKNOWN and self.sent.started_at is None:
            self.stamp(ev.Reconciled(action=self.open.action, attempt=self.open.id, state="not-run", why="fenced"))
        elif self.open is not None:
            self.stamp(ev.Reconciled(action=self.open.action, attempt=self.open.id, state="running", why="found"))
        assert recover(self.state) == []
        assert self.state.waits == waits

    @invariant()
    def replay_gives_the_same_state(self) -> None:
        """The journal alone gives the state."""
        assert fold(RUNBOOK, self.stamper.records) == self.state

    @invariant()
    def done_has_a_recorded_status(self) -> None:
        """Nothing is done without an exit status recorded for an attempt of it; a wait is done by its time."""
        for action in RUNBOOK.actions():
            if self.state.of(action.id).status is Status.DONE and action.id != "pause":
                attempts = [self.state.attempts[i] for i in self.state.of(action.id).attempts]
                assert any(a.status is Status.DONE and a.exit is not None for a in attempts)

    @invariant()
    def one_command_at_a_time(self) -> None:
        """Never are two commands under way, and while one is, none can be confirmed."""
        under_way = [a for a in self.state.attempts.values() if a.open and a.until is None]
        assert len(under_way) <= 1
        if under_way:
            verbs = (Verb.CONFIRM, Verb.RETRY, Verb.UNDO, Verb.EDIT)
            assert all(allowed(self.state, a.id)[verb] for a in RUNBOOK.actions() for verb in verbs)

    @invariant()
    def verbs_fit_the_state(self) -> None:
        """What is settled cannot be confirmed, what is held cannot run, and nothing open is without a verb."""
        for action in RUNBOOK.actions():
            answers = allowed(self.state, action.id)
            assert set(answers) == set(Verb)
            status = self.state.of(action.id).status
            if status in SETTLED | {Status.UNKNOWN}:
                assert answers[Verb.CONFIRM]
            if action.id == "last" and any(self.state.of(n).status not in SETTLED for n in ("a", "b", "hand")):
                assert answers[Verb.CONFIRM]
                assert answers[Verb.RETRY]
            if status not in SETTLED:
                ways = (Verb.CONFIRM, Verb.RETRY, Verb.SKIP, Verb.DONE, Verb.STOP)
                assert any(not answers[verb] for verb in ways)


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
