"""The state of a run as a fold over its events, and what a crash leaves open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.fold import ForeignEventError, apply, fold, recover
from runbook_tui.core.model import ActionKind, FileMode
from runbook_tui.core.run import RunState, Status
from tests.core.builders import START, Stamper, a_literal, a_runbook, an_action, begun, confirmed, ended, opened, ran

RUNBOOK = a_runbook(
    an_action("a"), an_action("b"), an_action("pause", kind=ActionKind.WAIT, wait_for=60.0),
    literals=(a_literal("domain.tld", key="domain"),),
)  # fmt: skip
LOST = ev.Lost(action="a", attempt="mail-1-1", why="the link broke")


def after(*events: ev.Event) -> RunState:
    """Fold the events of a run."""
    stamper = Stamper()
    stamper(*events)
    return stamper.state(RUNBOOK)


def wait_events(attempt: str = "w-1") -> list[ev.Event]:
    """Make the events of a wait that counts down for a minute."""
    until = (START + timedelta(minutes=1)).isoformat()
    return [confirmed("pause", attempt, host=""), ev.Started(action="pause", attempt=attempt, until=until)]


def test_a_run_is_opened() -> None:
    """The first event says whose run it is, and the command line's hosts win over the runbook's."""
    event = ev.RunOpened(
        run="r", runbook="/x.md", title="t", sha256="s", version="1", operator="ada", workstation="desk",
        hosts={"old": "ops@192.0.2.1:2222", "third": "third.example.org"},
    )  # fmt: skip
    state = after(event)
    assert (state.run, state.operator, state.opened_at) == ("r", "ada", START + timedelta(seconds=1))
    assert {name: host.ssh for name, host in state.hosts.items()} == {
        "old": "ops@192.0.2.1:2222", "new": "root@new.example.org", "local": "", "third": "third.example.org",
    }  # fmt: skip
    assert state.hosts[next(h for h in state.hosts if h == "old")].dns_name == "old.example.org"


REACHED: list[tuple[str, list[ev.Event], Status]] = [
    ("confirmed", [confirmed("a")], Status.TODO),
    ("intent", begun("a")[:2], Status.RUNNING),
    ("started", begun("a"), Status.RUNNING),
    ("done", ran("a"), Status.DONE),
    ("failed", ran("a", exit_status=1), Status.FAILED),
    ("by a signal", [*begun("a"), ev.Finished(action="a", attempt="mail-1-1", outcome="failed", signal="KILL")],
     Status.FAILED),
    ("no status", [*begun("a"), ev.Finished(action="a", attempt="mail-1-1", outcome="done")], Status.UNKNOWN),
    ("verifying", [*begun("a"), ev.Finished(action="a", attempt="mail-1-1", outcome="verifying", exit=0)],
     Status.RUNNING),
    ("lost", [*begun("a"), LOST], Status.UNKNOWN),
    ("stopped", [*begun("a"), ev.Stopped(action="a", attempt="mail-1-1", what="TERM", signal="TERM")],
     Status.STOPPED),
    ("not run", [*begun("a")[:2], ev.Reconciled(action="a", attempt="mail-1-1", state="not-run", why="refused")],
     Status.NOT_RUN),
    ("proved done", [*begun("a"), LOST, ev.Reconciled(action="a", attempt="mail-1-1", state="done", why="rc 0")],
     Status.DONE),
    ("skipped", [ev.Skipped(action="a", reason="not here", by="ada")], Status.SKIPPED),
    ("by hand", [ev.MarkedDone(action="a", note="did it", by="ada")], Status.BY_HAND),
    ("undone", [*ran("a"), *ran("a", "mail-1-2", role=ev.Role.UNDO),
                ev.Undone(action="a", attempt="mail-1-2")], Status.UNDONE),
    ("undo failed", [*ran("a"), *ran("a", "mail-1-2", 1, role=ev.Role.UNDO)], Status.FAILED),
    ("late verdict", [*begun("a"), LOST, ended("a")], Status.UNKNOWN),
    ("second verdict", [*ran("a", exit_status=1), ended("a")], Status.FAILED),
    ("retry not run", [*begun("a"), LOST, *begun("a", "mail-1-2")[:2],
                       ev.Reconciled(action="a", attempt="mail-1-2", state="not-run", why="refused")],
     Status.UNKNOWN),
    ("undo not run", [*ran("a"), confirmed("a", "mail-1-2", ev.Role.UNDO),
                      ev.Reconciled(action="a", attempt="mail-1-2", state="not-run", why="refused")], Status.DONE),
    ("waiting", wait_events(), Status.RUNNING),
    ("waited", [*wait_events(), ev.Finished(action="pause", attempt="w-1", outcome="done")], Status.DONE),
    ("left early", [*wait_events(), ev.Skipped(action="pause", reason="enough", by="ada")], Status.SKIPPED),
]  # fmt: skip


@pytest.mark.parametrize(("events", "status"), [r[1:] for r in REACHED], ids=[r[0] for r in REACHED])
def test_states(events: list[ev.Event], status: Status) -> None:
    """Each way of events leads to the state it must, and to no other."""
    state = after(*events)
    action = getattr(events[0], "action", "")
    assert state.of(action).status is status
    assert all(state.of(other).status is Status.TODO for other in {"a", "b", "pause"} - {action})


def test_an_attempt_keeps_what_was_confirmed() -> None:
    """An attempt knows who confirmed what for where, and how it ended when."""
    state = after(
        *begun("a", command="ls", typed="old", written="ls -l", warnings=("careful",), detail="d"),
        ev.Output(attempt="mail-1-1", raw_offset=0, raw_length=10, text_offset=0, text_length=9, sha256="x"),
        ev.Output(attempt="mail-1-1", raw_offset=10, raw_length=5, text_offset=9, text_length=5, sha256="y"),
        ended("a"),
    )
    attempt = state.last_attempt("a")
    assert attempt is not None
    assert (attempt.command, attempt.typed, attempt.written, attempt.warnings, attempt.detail) == (
        "ls", "old", "ls -l", ("careful",), "d",
    )  # fmt: skip
    assert (attempt.exit, attempt.seconds, attempt.output_bytes, attempt.pgid) == (0, 12.0, 15, 4711)
    assert attempt.ended_at == state.last_at
    assert not attempt.open
    assert state.running is None


def test_only_commands_are_running_and_waits_wait() -> None:
    """A wait that counts down is no running command, and both can be under way at once."""
    state = after(*wait_events(), *begun("a"))
    assert state.running is not None
    assert state.running.id == "mail-1-1"
    assert [w.id for w in state.waits] == ["w-1"]


def test_answers_are_kept() -> None:
    """What was settled is found again: by action, or by a literal's text or its variable's name."""
    state = after(
        ev.VarsSet(values={"domain": "example.org"}),
        ev.Settled(what="mode", value="append", action="a"),
        ev.Settled(what="kind", value="manual", action="b"),
        ev.Settled(what="accept", value="yes", action="b"),
        ev.Settled(what="consent", value="the hosts"),
    )
    assert state.answers.literals == {"domain.tld": "example.org"}
    assert state.answers.modes == {"a": FileMode.APPEND}
    assert state.answers.kinds == {"b": ActionKind.MANUAL}
    assert state.answers.accepted == {"b"}
    renewed = after(ev.Settled(what="literal", value="example.net", subject="domain.tld"))
    assert renewed.answers.literals == {"domain.tld": "example.net"}


def test_the_run_around_the_steps() -> None:
    """Notes, checks, pins, pauses and the close are kept in their order."""
    pin = ev.HostPinned(host="old", algorithm="ed25519", fingerprint="SHA256:x", key="k", source="typed", by="ada")
    state = after(
        opened(RUNBOOK), pin, ev.Noted(text="hello", by="ada"), ev.Noted(text="on a", by="ada", action="a"),
        ev.CheckTurned(check="mx", state="PASS", value="ok"), ev.CheckTurned(check="mx", state="FAIL", value="no"),
        ev.Paused(why="quit"),
    )  # fmt: skip
    assert [(n.text, n.action) for n in state.notes] == [("hello", ""), ("on a", "a")]
    assert state.checks["mx"].state == "FAIL"
    assert state.pins["old"] == pin
    assert state.paused == "quit"
    resumed = after(ev.Paused(why="quit"), ev.Resumed(operator="bob", workstation="desk", version="1"))
    assert (resumed.paused, [who for _, who in resumed.resumes]) == ("", ["bob"])
    assert after(ev.RunClosed(count=0)).closed
    assert not after(ev.RunClosed(count=0), ev.Reopened(by="ada")).closed


@pytest.mark.parametrize(
    "events",
    [
        [ev.Skipped(action="nowhere", reason="r", by="ada")],
        [ended("a", "never-confirmed")],
        [ev.Output(attempt="x", raw_offset=0, raw_length=1, text_offset=0, text_length=1, sha256="")],
        [confirmed("a"), confirmed("b")],
        [*begun("a"), ended("b")],
    ],
    ids=["no such action", "no such attempt", "output of nothing", "attempt id used twice", "another's attempt"],
)
def test_foreign_records_are_refused(events: list[ev.Event]) -> None:
    """A record that does not fit the runbook or what came before is an error, not a guess."""
    with pytest.raises(ForeignEventError, match=f"record {len(events)} "):
        after(*events)


RESUMED = ev.Resumed(operator="ada", workstation="desk", version="1")

RECOVERED: list[tuple[str, list[ev.Event], Status, str]] = [
    ("confirmed only", [confirmed("a")], Status.NOT_RUN, "before anything was sent"),
    ("intent only", [*begun("a")[:2], RESUMED], Status.UNKNOWN, "may or may not have run"),
    ("started", [*begun("a"), RESUMED], Status.UNKNOWN, "while it ran on old"),
    ("proof not seen", [*begun("a"), ev.Finished(action="a", attempt="mail-1-1", outcome="verifying", exit=0), RESUMED],
     Status.UNKNOWN, "exit status 0"),
    ("retry of unknown, not sent", [*begun("a"), LOST, confirmed("a", "mail-1-2")], Status.UNKNOWN,
     "the link broke; its last attempt did not run"),
    ("undo not sent", [*ran("a"), confirmed("a", "mail-1-2", ev.Role.UNDO)], Status.DONE, "did not run"),
    ("undo cut", [*ran("a"), *begun("a", "mail-1-2", role=ev.Role.UNDO), RESUMED], Status.UNKNOWN, "while it ran"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "status", "why"), [r[1:] for r in RECOVERED], ids=[r[0] for r in RECOVERED])
def test_recovery_guesses_nothing(events: list[ev.Event], status: Status, why: str) -> None:
    """What was sent and has no outcome is unknown, what was not sent did not run; neither is done or failed."""
    stamper = Stamper()
    stamper(*events)
    stamper(*recover(stamper.state(RUNBOOK)))
    state = stamper.state(RUNBOOK)
    assert state.of("a").status is status
    assert why in state.of("a").reason
    assert (state.running is None) is (events[-1] is not RESUMED)
    assert recover(state) == []


@pytest.mark.parametrize("events", [begun("a")[:2], begun("a")], ids=["intent only", "started"])
def test_what_is_found_again_goes_on(events: list[ev.Event]) -> None:
    """Proof that it runs makes it running again; proof that it never ran makes it as if it had not been confirmed."""
    found = after(*events, RESUMED, ev.Reconciled(action="a", attempt="mail-1-1", state="running", why="found"))
    assert found.of("a").status is Status.RUNNING
    assert found.running is not None
    never = after(*events, RESUMED, ev.Reconciled(action="a", attempt="mail-1-1", state="not-run", why="fenced"))
    assert never.of("a").status is Status.NOT_RUN
    assert never.running is None


def test_a_wait_survives_a_crash() -> None:
    """A wait goes on by the wall clock, so a crash leaves nothing to say about it."""
    state = after(*wait_events())
    assert recover(state) == []
    assert state.waits[0].until == START + timedelta(minutes=1)


@pytest.mark.parametrize("event", [
    ev.Skipped(action="pause", reason="enough", by="ada"), ev.MarkedDone(action="pause", note="enough", by="ada"),
])  # fmt: skip
def test_a_wait_that_is_left_has_ended(event: ev.Event) -> None:
    """Leaving a wait early ends its attempt, with the reason."""
    state = after(*wait_events(), event)
    assert state.waits == ()
    assert (state.attempts["w-1"].open, state.attempts["w-1"].reason) == (False, "enough")


def test_fold_is_apply_after_apply() -> None:
    """Folding all records gives what applying them one by one gives, with the head of the last."""
    stamper = Stamper()
    stamper(opened(RUNBOOK), *ran("a"), *begun("b", "mail-1-2"))
    state = fold(RUNBOOK, stamper.records[:3])
    for record in stamper.records[3:]:
        state = apply(state, record)
    assert state == stamper.state(RUNBOOK)
    assert (state.seq, state.head, state.last_at) == (8, "h8", stamper.now)
