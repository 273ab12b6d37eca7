"""What was done to one action, record by record, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.applies import not_for
from runbook_tui.core.awaited import by_hand
from runbook_tui.core.model import ActionKind
from runbook_tui.core.transcript.spelling import code, counted, duration, fence, moment, plain, quoted
from runbook_tui.core.verbs import number_of, shown_word, why_held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.model import Action
    from runbook_tui.core.run import RunState
    from runbook_tui.core.transcript.output import Outputs

ENDS = (ev.Finished, ev.Lost, ev.Stopped, ev.Reconciled)


def action_lines(state: RunState, action: Action, records: Sequence[ev.Record], outputs: Outputs) -> list[str]:
    """Give everything about an action: its state, then each of its records in their order.

    `records` are those of this action only, output segments left out.
    """
    lines = quoted([_headline(state, action)])
    ends = {r.event.attempt: r.seq for r in reversed(records) if isinstance(r.event, ENDS) and _is_final(r.event)}
    for record in records:
        found = _record_lines(state, record)
        if found:
            lines += ["", *found]
        attempt = getattr(record.event, "attempt", "")
        if ends.get(attempt) == record.seq:
            lines += _output_lines(attempt, outputs)
    for attempt in state.of(action.id).attempts:
        if state.attempts[attempt].open:
            lines += ["", *quoted([f"**No end of attempt {code(attempt)} is recorded.**"])]
            lines += _output_lines(attempt, outputs)
    return lines


def _is_final(event: ev.Event) -> bool:
    return not (isinstance(event, ev.Finished) and event.outcome == ev.Outcome.VERIFYING)


def _headline(state: RunState, action: Action) -> str:
    text = f"**{number_of(state, action.id)} · {shown_word(state, action)}**"
    if action.title:
        text += f" · {plain(action.title)}"
    if why := not_for(state, action):
        text += f" · {plain(why)}"
    elif not state.of(action.id).attempts and (found := why_held(state, action)):
        text += " · held: " + plain("; ".join(h.why for h in found))
    return text


def _record_lines(state: RunState, record: ev.Record) -> list[str]:
    when = moment(record.at)
    match record.event:
        case ev.Confirmed() as e:
            return _confirmed(state, e, when)
        case ev.Started() as e if e.until:
            if by_hand(state, e.action):
                return []
            until = state.attempts[e.attempt].until
            return quoted([f"The wait began {when}, to last until {moment(until) if until else plain(e.until)}."])
        case ev.Started() as e:
            return quoted([f"Started {when}, process group {e.pgid}."])
        case ev.Finished() as e:
            return _finished(state, e, when)
        case ev.Lost() as e:
            return quoted([f"**Outcome unknown** {when}: {plain(e.why)}"])
        case ev.Stopped() as e:
            how = _how_it_ended(e.exit, e.signal)
            return quoted([f"**Stopped** {when} after {duration(e.seconds)} ({how}): {plain(e.what)}"])
        case ev.Reconciled() as e:
            return quoted([f"**{plain(e.state)}**, as was proved {when}: {plain(e.why)}"])
        case ev.Undone():
            return quoted([f"Undone {when}."])
        case ev.Skipped() as e:
            return quoted([f"**Skipped** {when} by {plain(e.by)}: {plain(e.reason)}", *_left(state, e.action, record)])
        case ev.MarkedDone() as e:
            return quoted(
                [f"**Done by hand**, {when}, {plain(e.by)}: {plain(e.note)}", *_left(state, e.action, record)]
            )
        case ev.Noted() as e:
            first, _, more = e.text.partition("\n")
            said = quoted([f"Note of {plain(e.by)}, {when}: {plain(first)}"])
            return [*said, "", *fence(more)] if more.strip() else said
        case ev.Settled() as e:
            subject = f" of {plain(e.subject)}" if e.what == ev.Settlement.OS else ""
            return quoted([f"Settled {when}: {plain(e.what)}{subject} is {code(e.value)}."])
        case ev.GateOverridden() as e:
            said = ["", f"The check said: {plain(e.said)}"] if e.said else []
            return quoted([f"**Gate {plain(e.gate)} overridden** {when} by {plain(e.by)}: {plain(e.reason)}", *said])
        case _:
            return []


def _confirmed(state: RunState, e: ev.Confirmed, when: str) -> list[str]:
    action = state.runbook.action(e.action)
    is_undo = e.role == ev.Role.UNDO
    what = "The way back" if is_undo else "Attempt"
    where = f", on **{plain(e.host)}** as {_identity(e)}" if e.host else ""
    head = [f"{what} {code(e.attempt)}: confirmed {when} by **{plain(e.by)}**{where}."]
    if e.typed:
        head += ["", f"Typed to confirm: {code(e.typed)}"]
    for gate in e.gates:
        head += ["", f"Gate {plain(gate)}"]
    for warning in e.warnings:
        head += ["", f"Warned: {plain(warning)}"]
    lines = quoted(head)
    if e.command:
        lines += ["", *fence(e.command, "sh"), "", *quoted([f"sha256 of the command: {code(e.sha256)}"])]
    if e.written:
        lines += ["", *quoted(["Edited for this attempt. The runbook has:"]), "", *fence(e.written, "sh")]
    if e.detail:
        is_file = action is not None and state.answers.kinds.get(action.id, action.kind) is ActionKind.FILE
        lines += ["", *fence(e.detail, "diff" if is_file and not is_undo else "text")]
    return lines


def _identity(e: ev.Confirmed) -> str:
    details = [code(e.address)] if e.address else ["this machine"]
    if e.fingerprint:
        details.append(f"key {code(e.fingerprint)}")
    return f"{code(e.user)} ({', '.join(details)})"


def _finished(state: RunState, e: ev.Finished, when: str) -> list[str]:
    attempt = state.attempts[e.attempt]
    if attempt.until is not None:
        return _over(state, e, when)
    how = _how_it_ended(e.exit, e.signal)
    if e.outcome == ev.Outcome.VERIFYING:
        return _verifying(state.runbook.action(e.action), e, when, how)
    outcome = "Done" if e.outcome == ev.Outcome.DONE else "Failed"
    if e.outcome == ev.Outcome.DONE and e.exit is None:
        outcome = "Outcome unknown"
    text = f"**{outcome}** {when} after {duration(e.seconds)}: {how}"
    if e.reason:
        text += f"; {plain(e.reason)}"
    lines = quoted([text])
    for proof in e.verifies:
        lines += ["", *quoted(["Proof:"]), "", *fence(proof)]
    return lines


def _over(state: RunState, e: ev.Finished, when: str) -> list[str]:
    """Say that a wait's time was over, or that the checks that were still waited for turned green."""
    if e.verifies:
        return quoted([f"Green {when}: {plain('; '.join(e.verifies))}"])
    said = "Marked done" if by_hand(state, e.action) else "The wait was over"
    return quoted([f"{said} {when}; {plain(e.reason)}." if e.reason else f"{said} {when}."])


def _verifying(action: Action | None, e: ev.Finished, when: str, how: str) -> list[str]:
    """Say what has still to be seen after the command itself: its proof, or that its check turns green."""
    if action is None or not action.checks or len(e.verifies) < len(action.verifies):
        return quoted([f"The command ended {when}: {how}. Its proof follows."])
    names = " and ".join(plain(name) for name in action.checks)
    return quoted([f"All but the check was seen {when}, the command's end too: {how}. {names} has to turn green."])


def _how_it_ended(status: int | None, signal: str) -> str:
    if signal:
        return f"signal {plain(signal)}"
    return "no exit status" if status is None else f"exit status {status}"


def _left(state: RunState, action: str, record: ev.Record) -> list[str]:
    """Say that a wait was left early, when this record ended one."""
    for attempt_id in state.of(action).attempts:
        attempt = state.attempts[attempt_id]
        if attempt.until is not None and attempt.ended_at == record.at:
            if attempt.verifies:
                return []
            if attempt.until <= record.at:
                return ["", "Its check was not seen to turn green; it was not waited for any longer."]
            left = (attempt.until - record.at).total_seconds()
            return ["", f"The wait was left {duration(max(0.0, left))} before its end, {moment(attempt.until)}."]
    return []


def _output_lines(attempt: str, outputs: Outputs) -> list[str]:
    segments = outputs.segments.get(attempt, [])
    raw = sum(segment.raw_length for segment in segments)
    shown = outputs.shown(attempt)
    if not segments and not shown:
        return [] if outputs.state.attempts[attempt].until is not None else ["", *quoted(["No output is stored."])]
    head = [f"Output, {counted(raw, 'raw byte')}{', withheld (no-log)' if outputs.is_withheld(attempt) else ''}:"]
    lines = ["", *quoted(head)]
    if shown:
        lines += ["", *fence(shown)]
    sums = [
        f"sha256 of raw bytes {s.raw_offset:,} to {s.raw_offset + s.raw_length - 1:,}: {code(s.sha256)}"
        for s in segments
    ]
    for line in [*sums, *(f"**Gap:** {plain(gap)}" for gap in outputs.gaps(attempt))]:
        lines += ["", *quoted([line])]
    return lines
