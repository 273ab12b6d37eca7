"""The state of a run as a fold over its events, and what a crash left open."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from runbook_tui.core import events as ev
from runbook_tui.core import gates, rebinding
from runbook_tui.core.each import expand, items_of
from runbook_tui.core.machine_time import told
from runbook_tui.core.model import (
    LOCAL,
    ActionId,
    ActionKind,
    FileMode,
    Host,
    HostName,
    LiteralSource,
    Runbook,
)
from runbook_tui.core.run import (
    Answers,
    Attempt,
    CheckReading,
    Gap,
    GateAnswer,
    Left,
    Note,
    RunState,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


T = TypeVar("T")


NO_COPIES: Mapping[str, Runbook] = MappingProxyType({})


class ForeignEventError(ValueError):
    """The journal speaks of an action the runbook does not have, or is out of order."""


def fresh(runbook: Runbook, copies: Mapping[str, Runbook] = NO_COPIES) -> RunState:
    """Give the state before the first event. `copies` are the edited runbooks that were adopted later, by their sum."""
    hosts = dict(runbook.hosts)
    hosts.setdefault(LOCAL, Host(LOCAL))
    return RunState(runbook=expand(runbook, {}), written=runbook, copies=copies, hosts=MappingProxyType(hosts))


def fold(runbook: Runbook, records: Iterable[ev.Record], copies: Mapping[str, Runbook] = NO_COPIES) -> RunState:
    """Give the state after all the records.

    Raises:
        ForeignEventError: a record does not fit the runbook.
    """
    state = fresh(runbook, copies)
    for record in records:
        state = apply(state, record)
    return state


def apply(state: RunState, record: ev.Record) -> RunState:
    """Give the state after one more record.

    Raises:
        ForeignEventError: the record names an action or attempt that is not there.
    """
    action_id = getattr(record.event, "action", "")
    if action_id and state.runbook.action(action_id) is None:
        raise ForeignEventError(f"record {record.seq} is about {action_id!r}, which this runbook does not have")
    if attempt_id := getattr(record.event, "attempt", ""):
        _check_attempt(state, record, attempt_id, action_id)
    applied = _apply(state, record)
    # A verdict that came too late changed nothing.
    state = applied if applied is state else rebinding.moved(applied, record)
    return replace(state, seq=record.seq, head=record.hash, last_at=record.at)


def _check_attempt(state: RunState, record: ev.Record, attempt_id: str, action_id: str) -> None:
    attempt = state.attempts.get(attempt_id)
    if isinstance(record.event, ev.Confirmed):
        if attempt is not None:
            raise ForeignEventError(f"record {record.seq} confirms attempt {attempt_id!r} a second time")
        return
    if attempt is None:
        raise ForeignEventError(f"record {record.seq} is about attempt {attempt_id!r}, which was never confirmed")
    if action_id and attempt.action != action_id:
        whose = f"an attempt of {attempt.action!r}"
        raise ForeignEventError(f"record {record.seq} is about {action_id!r}, but {attempt_id!r} is {whose}")


def _apply(state: RunState, record: ev.Record) -> RunState:
    at = record.at
    if _is_too_late(state, record.event):
        return state
    match record.event:
        case ev.RunOpened() as e:
            return replace(
                state, run=e.run, runbook_path=e.runbook, operator=e.operator, workstation=e.workstation,
                version=e.version, rehearsal=e.rehearsal, opened_at=at, hosts=_with_hosts(state.hosts, e.hosts),
            )  # fmt: skip
        case ev.VarsSet(values=values):
            lists = {name: value for name, value in values.items() if name in state.written.lists}
            literals = {name: value for name, value in values.items() if name not in lists}
            return _with_lists(_renamed(replace(state, answers=_answer_literals(state, literals))), lists)
        case ev.Settled(what=ev.Settlement.LIST, subject=name, value=value):
            return _with_lists(state, {name: value})
        case ev.Settled(what=ev.Settlement.OS, action="", subject=host, value=system):
            return replace(state, systems=MappingProxyType({**state.systems, HostName(host): system}))
        case ev.Settled() as e:
            return _renamed(replace(state, answers=_settle(state, e)))
        case ev.Confirmed() as e:
            return _confirmed(state, e, at)
        case ev.Intent(attempt=attempt):
            state = _attempt(state, attempt, intended=True, status=Status.RUNNING)
            return _action(state, state.attempts[attempt].action, status=Status.RUNNING, reason="", at=at)
        case ev.Started() as e:
            until = datetime.fromisoformat(e.until) if e.until else None
            state = _attempt(state, e.attempt, started_at=at, pgid=e.pgid, until=until, status=Status.RUNNING)
            return _action(state, e.action, status=Status.RUNNING, reason="", at=at)
        case ev.Output() as e:
            return _attempt(
                state, e.attempt, output_bytes=e.raw_offset + e.raw_length, output_text=e.text_offset + e.text_length
            )
        case ev.Finished() as e:
            return _finished(state, e, at)
        case ev.Lost() as e:
            return _ended(state, e.attempt, at, Status.UNKNOWN, e.why)
        case ev.Stopped() as e:
            state = _attempt(state, e.attempt, exit=e.exit, signal=e.signal, seconds=e.seconds)
            return _ended(state, e.attempt, at, Status.STOPPED, e.what)
        case ev.Reconciled() as e:
            return _reconciled(state, e, at)
        case ev.Undone() as e:
            return _action(state, e.action, status=Status.UNDONE, reason="", at=at)
        case ev.Skipped() as e:
            state = _end_waits(state, e.action, at, Status.SKIPPED, e.reason)
            return _action(state, e.action, status=Status.SKIPPED, reason=e.reason, at=at, by=e.by)
        case ev.MarkedDone() as e:
            state = _end_waits(state, e.action, at, Status.BY_HAND, e.note)
            return _action(state, e.action, status=Status.BY_HAND, reason=e.note, at=at, by=e.by)
        case ev.Noted() as e:
            return replace(state, notes=(*state.notes, Note(at, e.by, e.text, e.action)))
        case ev.GateOverridden() as e:
            action = state.runbook.action(e.action)
            key = (action.written_id if action is not None else e.action, e.gate)
            answer = GateAnswer(e.action, e.gate, e.reason, e.by, at, e.said, len(state.resumes))
            state = replace(state, gates=MappingProxyType({**state.gates, key: answer}))
            return gates.answered(state, e.action, e.gate)
        case ev.CheckTurned() as e:
            reading = CheckReading(e.state, e.value, e.detail, at)
            state = replace(state, checks=MappingProxyType({**state.checks, e.check: reading}))
            return gates.turned(state, e.check, reading)
        case ev.RunbookReloaded(sha256=sha256):
            return _reloaded(state, record.seq, sha256)
        case ev.HostPinned() as e:
            return replace(state, pins=MappingProxyType({**state.pins, e.host: e}))
        case ev.HostShown(host=host) | ev.HostExcused(host=host):
            return rebinding.seen(state, host)
        case ev.Paused(why=why):
            return replace(state, paused=why)
        case ev.Resumed(operator=operator):
            # What the checks said in an earlier sitting says nothing of now.
            state = replace(state, left=_left(state))
            state = replace(state, paused="", resumes=(*state.resumes, (at, operator)), checks=MappingProxyType({}))
            return _unsure(state)
        case ev.Suspended() | ev.ClockSet() as e:
            return replace(state, gaps=(*state.gaps, Gap(at, told(e))))
        case ev.JobsRemoved(host=host, attempts=attempts):
            removed = dict.fromkeys(attempts, HostName(host))
            return replace(state, removed=MappingProxyType({**state.removed, **removed}))
        case ev.Reopened():
            return replace(state, closed=False)
        case ev.RunClosed():
            return replace(state, closed=True)
        case _:
            return state


def _left(state: RunState) -> Left:
    """Keep what a return is compared with; a sitting in which nothing was looked at tells nothing of the checks."""
    before = state.left.checks if state.left is not None else {}
    running = tuple(attempt.id for attempt in state.attempts.values() if attempt.open)
    return Left(state.last_at, state.paused, running, MappingProxyType({**before, **state.checks}))


def _reloaded(state: RunState, seq: int, sha256: str) -> RunState:
    from runbook_tui.core.adopt import adopt  # noqa: PLC0415 -- it loads the Markdown parser

    if sha256 not in state.copies:
        raise ForeignEventError(f"record {seq} adopts an edited runbook whose copy is not there")
    adoption = adopt(state, state.copies[sha256])
    if adoption.refused:
        raise ForeignEventError(f"record {seq} adopts an edited runbook that does not fit: {adoption.refused}")
    return adoption.state


def _is_too_late(state: RunState, event: ev.Event) -> bool:
    """Whether the event is a verdict over an attempt that has one: the first stands, only proof decides anew."""
    match event:
        case ev.Intent() | ev.Started() | ev.Finished() | ev.Lost() | ev.Stopped():
            return not state.attempts[event.attempt].open
        case _:
            return False


def _with_hosts(hosts: Mapping[HostName, Host], overrides: Mapping[str, str]) -> Mapping[HostName, Host]:
    """Take the `--host NAME=…` of the command line over the front matter's."""
    merged = dict(hosts)
    for name, ssh in overrides.items():
        host = HostName(name)
        merged[host] = replace(merged.get(host, Host(host)), ssh=ssh)
    return MappingProxyType(merged)


def _answer_literals(state: RunState, values: Mapping[str, str]) -> Answers:
    """Give the answers with literal values added; a key may be the literal's text or its variable's name."""
    found = dict(state.answers.literals)
    for key, value in values.items():
        texts = [lit.text for lit in state.runbook.literals if key in (lit.text, lit.key)] or [key]
        found.update(dict.fromkeys(texts, value))
    return replace(state.answers, literals=MappingProxyType(found))


def _renamed(state: RunState) -> RunState:
    """Give every host the name that was answered for it: who asks the host by its name must use that one too."""
    hosts = dict(state.hosts)
    for literal in state.written.literals:
        host = hosts.get(HostName(literal.key)) if literal.source is LiteralSource.HOST else None
        if host is not None and literal.text in state.answers.literals:
            hosts[host.name] = replace(host, dns_name=state.answers.literals[literal.text])
    return replace(state, hosts=MappingProxyType(hosts))


def _with_lists(state: RunState, values: Mapping[str, str]) -> RunState:
    """Take in the items of lists, and make an action of every item."""
    lists = {**state.answers.lists, **{name: items_of(value) for name, value in values.items()}}
    runbook = expand(state.written, lists)
    answers = replace(state.answers, lists=MappingProxyType(lists))
    return replace(state, answers=_handed_on(answers, runbook), runbook=runbook)


def _handed_on(answers: Answers, runbook: Runbook) -> Answers:
    """Let what was settled for an action before its list was known hold for each of its items."""
    items = [action for action in runbook.actions() if action.item]

    def also(known: Mapping[str, T]) -> Mapping[str, T]:
        return MappingProxyType({**{a.id: known[a.written_id] for a in items if a.written_id in known}, **known})

    accepted = answers.accepted | {a.id for a in items if a.written_id in answers.accepted}
    return replace(
        answers, hosts=also(answers.hosts), modes=also(answers.modes), kinds=also(answers.kinds), accepted=accepted
    )


def _settle(state: RunState, e: ev.Settled) -> Answers:
    answers = state.answers
    match ev.Settlement(e.what):
        case ev.Settlement.HOST:
            return replace(answers, hosts=MappingProxyType({**answers.hosts, e.action: HostName(e.value)}))
        case ev.Settlement.MODE:
            return replace(answers, modes=MappingProxyType({**answers.modes, e.action: FileMode(e.value)}))
        case ev.Settlement.KIND:
            return replace(answers, kinds=MappingProxyType({**answers.kinds, e.action: ActionKind(e.value)}))
        case ev.Settlement.ACCEPT:
            return replace(answers, accepted=answers.accepted | {e.action})
        case ev.Settlement.LITERAL:
            return _answer_literals(state, {e.subject: e.value})
        case ev.Settlement.OS:
            return replace(answers, systems=MappingProxyType({**answers.systems, e.subject: e.value}))
        case ev.Settlement.WHEN:
            return replace(answers, conditions=MappingProxyType({**answers.conditions, e.subject: e.value == "yes"}))
        case ev.Settlement.ALT:
            return replace(answers, choices=MappingProxyType({**answers.choices, e.subject: e.value}))
        case ev.Settlement.CONSENT | ev.Settlement.LIST:
            return answers


def _confirmed(state: RunState, e: ev.Confirmed, at: datetime) -> RunState:
    before = state.of(e.action)
    attempt = Attempt(
        id=e.attempt, action=ActionId(e.action), role=ev.Role(e.role), host=e.host, user=e.user, address=e.address,
        fingerprint=e.fingerprint, command=e.command, sha256=e.sha256, by=e.by, confirmed_at=at,
        before=before, typed=e.typed, written=e.written, detail=e.detail, warnings=e.warnings,
    )  # fmt: skip
    state = replace(state, attempts=MappingProxyType({**state.attempts, e.attempt: attempt}))
    return _action(state, e.action, status=before.status, attempts=(*before.attempts, e.attempt), at=at, by=e.by)


def _attempt(state: RunState, attempt_id: str, **changes: Any) -> RunState:  # noqa: ANN401 -- fields of Attempt
    changed = replace(state.attempts[attempt_id], **changes)
    return replace(state, attempts=MappingProxyType({**state.attempts, attempt_id: changed}))


def _action(state: RunState, action_id: str, **changes: Any) -> RunState:  # noqa: ANN401 -- fields of ActionState
    changed = replace(state.of(action_id), **changes)
    return replace(state, actions=MappingProxyType({**state.actions, ActionId(action_id): changed}))


def _ended(state: RunState, attempt: str, at: datetime, status: Status, why: str) -> RunState:
    state = _attempt(state, attempt, ended_at=at, status=status, reason=why)
    return _action(state, state.attempts[attempt].action, status=status, reason=why, at=at)


def _reconciled(state: RunState, e: ev.Reconciled, at: datetime) -> RunState:
    """Take proof about an attempt. What did not run changed nothing: the action stands where it stood before."""
    if e.state == Status.RUNNING:
        state = _attempt(state, e.attempt, status=Status.RUNNING, reason="")
        return _action(state, e.action, status=Status.RUNNING, reason="")
    before = state.attempts[e.attempt].before
    state = _ended(state, e.attempt, at, Status(e.state), e.why)
    if e.state != Status.NOT_RUN or before.status in {Status.TODO, Status.NOT_RUN}:
        return state
    reason = "; ".join(part for part in (before.reason, f"its last attempt did not run: {e.why}") if part)
    return _action(state, e.action, status=before.status, reason=reason)


def _unsure(state: RunState) -> RunState:
    """Call unknown what an earlier sitting left open, until its host proves how it stands (PROMISES.md 3.1 rule 3)."""
    attempt = state.running
    if attempt is None:
        return state
    if attempt.exit is not None:
        why = f"the command ended with exit status {attempt.exit}; its proof was not seen to the end"
    elif attempt.started_at is not None:
        why = f"mailrunbook was left while it ran on {attempt.host}; how it stands there is not known yet"
    else:
        why = f"mailrunbook was left while it was being sent to {attempt.host}; it may or may not have run"
    state = _attempt(state, attempt.id, status=Status.UNKNOWN, reason=why)
    return _action(state, attempt.action, status=Status.UNKNOWN, reason=why)


def _end_waits(state: RunState, action: str, at: datetime, status: Status, why: str) -> RunState:
    for wait in state.waits:
        if wait.action == action:
            state = _attempt(state, wait.id, ended_at=at, status=status, reason=why)
    return state


def _finished(state: RunState, e: ev.Finished, at: datetime) -> RunState:
    state = _attempt(
        state, e.attempt, exit=e.exit, signal=e.signal, seconds=e.seconds, verifies=e.verifies, reason=e.reason
    )
    outcome = ev.Outcome(e.outcome)
    if outcome is ev.Outcome.VERIFYING:
        return state
    attempt = state.attempts[e.attempt]
    if outcome is ev.Outcome.DONE and e.exit is None and attempt.until is None:
        # PROMISES.md P1: no exit status is never success, whatever the journal calls it.
        return _ended(state, e.attempt, at, Status.UNKNOWN, "no exit status was recorded for it")
    status = Status.DONE if outcome is ev.Outcome.DONE else Status.FAILED
    state = _ended(state, e.attempt, at, status, e.reason)
    if attempt.role is ev.Role.RUN:
        return state
    if status is Status.FAILED:
        return _action(state, e.action, reason=f"the way back failed: {e.reason}")
    return _action(state, e.action, status=Status.UNDONE)


def recover(state: RunState) -> list[ev.Event]:
    """Give the events that say honestly what a program that ended without a word left open.

    A confirmed attempt without an intent never left this machine. One with an intent stays open until its host has
    proved how it stands: guessed neither done nor failed (PROMISES.md 3.1 rule 3). A wait goes on by the wall clock.
    """
    why = "confirmed, but mailrunbook ended before anything was sent"
    return [
        ev.Reconciled(action=attempt.action, attempt=attempt.id, state=Status.NOT_RUN, why=why)
        for attempt in state.attempts.values()
        if attempt.open and attempt.until is None and not attempt.intended
    ]
