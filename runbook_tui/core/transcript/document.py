"""The JSON transcript, in the shape that ARCHITECTURE.md documents ("A run on disk")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_tui.core import events as ev
from runbook_tui.core.machine_time import told
from runbook_tui.core.settle import effective
from runbook_tui.core.transcript.output import stored
from runbook_tui.core.transcript.standing import gaps, standing
from runbook_tui.core.verbs import progress, step_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from runbook_tui.core.model import Action, Step
    from runbook_tui.core.run import Attempt, RunState
    from runbook_tui.core.transcript.output import Outputs


def json_document(state: RunState, records: Sequence[ev.Record], output: Callable[[str], str]) -> dict[str, Any]:
    """Give the transcript as JSON values. Times are ISO 8601 in UTC, null where there is none.

    `steps`, their `actions` and `attempts` have exactly the documented keys. What has no place there stands in
    `run`: answers, pauses, pins and, under `attempts`, an attempt's role, edit, proofs and output segments.
    `notes` hold the reasons of skips and the notes of what was done by hand too, told apart by `type`.
    """
    outputs = stored(state, records, output)
    return {
        "run": _run(state, records, outputs),
        "runbook": {"title": state.runbook.title, "sha256": state.runbook.sha256},
        "steps": [_step(state, step, outputs) for step in state.runbook.steps()],
        "notes": [note for record in records if (note := _note(record))],
        "checks": [
            {
                "at": _time(r.at), "check": r.event.check, "state": r.event.state, "value": r.event.value,
                "detail": r.event.detail,
            }
            for r in records
            if isinstance(r.event, ev.CheckTurned)
        ],
    }  # fmt: skip


def _run(state: RunState, records: Sequence[ev.Record], outputs: Outputs) -> dict[str, Any]:
    settled, steps = progress(state)
    answers = state.answers
    return {
        "id": state.run, "state": "closed" if state.closed else "open", "operator": state.operator,
        "workstation": state.workstation, "version": state.version, "runbook": state.runbook_path,
        "rehearsal": state.rehearsal,
        "opened": _time(state.opened_at), "last": _time(state.last_at),
        "steps": steps, "settled": settled, "records": len(records), "head": state.head,
        "standing": standing(state, records), "gaps": gaps(records, outputs),
        "hosts": {name: host.ssh for name, host in state.hosts.items()},
        "answers": {
            "hosts": dict(answers.hosts), "modes": dict(answers.modes), "kinds": dict(answers.kinds),
            "accepted": sorted(answers.accepted), "literals": dict(answers.literals),
            "systems": dict(answers.systems),
            "lists": {name: list(items) for name, items in answers.lists.items()},
            "conditions": dict(answers.conditions), "choices": dict(answers.choices),
        },
        "systems": dict(state.systems),
        "pins": {
            host: {"algorithm": p.algorithm, "fingerprint": p.fingerprint, "source": p.source, "by": p.by}
            for host, p in state.pins.items()
        },
        "history": [found for record in records if (found := _turn(record))],
        "attempts": {a.id: _more_of(a, outputs) for a in state.attempts.values()},
    }  # fmt: skip


def _more_of(attempt: Attempt, outputs: Outputs) -> dict[str, Any]:
    return {
        "role": attempt.role, "user": attempt.user, "typed": attempt.typed, "written": attempt.written,
        "detail": attempt.detail, "warnings": list(attempt.warnings), "verifies": list(attempt.verifies),
        "seconds": attempt.seconds, "until": _time(attempt.until),
        "segments": [
            {"raw_offset": s.raw_offset, "raw_length": s.raw_length, "sha256": s.sha256}
            for s in outputs.segments.get(attempt.id, ())
        ],
    }  # fmt: skip


def _step(state: RunState, step: Step, outputs: Outputs) -> dict[str, Any]:
    return {
        "id": step.id, "number": step.number, "title": step.title, "state": step_status(state, step),
        "actions": [_action(state, action, outputs) for action in step.actions],
    }  # fmt: skip


def _action(state: RunState, action: Action, outputs: Outputs) -> dict[str, Any]:
    """Give an action; address and key are those of its last attempt, as the live connection reported them."""
    now = effective(state, action)
    last = state.last_attempt(action.id)
    return {
        "id": action.id, "kind": now.kind, "host": last.host if last else now.host or "",
        "address": last.address if last else "", "fingerprint": last.fingerprint if last else "",
        "attempts": [_attempt(state.attempts[i], outputs) for i in state.of(action.id).attempts],
    }  # fmt: skip


def _attempt(attempt: Attempt, outputs: Outputs) -> dict[str, Any]:
    return {
        "id": attempt.id, "confirmed_at": _time(attempt.confirmed_at), "confirmed_by": attempt.by,
        "command": attempt.command, "sha256": attempt.sha256, "started_at": _time(attempt.started_at),
        "ended_at": _time(attempt.ended_at), "exit": attempt.exit, "signal": attempt.signal,
        "state": attempt.status, "reason": attempt.reason, "output": outputs.shown(attempt.id),
        "output_bytes": attempt.output_bytes,
    }  # fmt: skip


def _note(record: ev.Record) -> Mapping[str, Any] | None:
    match record.event:
        case ev.Noted() as e:
            by, text, action = e.by, e.text, e.action
        case ev.SecretSupplied() as e:
            by, text, action = e.source, f"the secret {e.name} was supplied", ""
        case ev.Skipped() as e:
            by, text, action = e.by, e.reason, e.action
        case ev.MarkedDone() as e:
            by, text, action = e.by, e.note, e.action
        case ev.GateOverridden() as e:
            by, text, action = e.by, f"{e.gate}: {e.reason}", e.action
        case _:
            return None
    return {"at": _time(record.at), "type": record.event.type, "by": by, "text": text, "action": action}


def _turn(record: ev.Record) -> Mapping[str, Any] | None:
    """Give a pause, resumption, suspend, clock step, reload, reopening or close."""
    match record.event:
        case ev.Paused(why=why):
            detail = why
        case ev.Resumed(operator=operator):
            detail = operator
        case ev.Suspended() | ev.ClockSet() as e:
            detail = told(e)
        case ev.JobsRemoved() as e:
            detail = "; ".join([f"{e.host}: {len(e.attempts)} removed", *(f"kept {each}" for each in e.kept)])
        case ev.RunbookReloaded(sha256=sha256):
            detail = sha256
        case ev.Reopened(by=by):
            detail = by
        case ev.RunClosed():
            detail = ""
        case _:
            return None
    return {"at": _time(record.at), "type": record.event.type, "detail": detail}


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
