"""The Markdown transcript: the runbook's own text, and under each step what was done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.machine_time import told
from runbook_tui.core.seal import SIGNATURE_CHECK, SUMS_CHECK
from runbook_tui.core.transcript.deeds import action_lines
from runbook_tui.core.transcript.output import stored
from runbook_tui.core.transcript.spelling import code, counted, moment, plain, quoted
from runbook_tui.core.transcript.standing import gaps, standing
from runbook_tui.core.verbs import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbook_tui.core.model import Step
    from runbook_tui.core.run import RunState
    from runbook_tui.core.transcript.output import Outputs

KEPT = "**Kept as it was when it was confirmed:** the text above is that of a file that was adopted later."
_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"( *)(?:```|~~~)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+")


def markdown(state: RunState, records: Sequence[ev.Record], output: Callable[[str], str]) -> str:
    """Give the transcript of a run, finished or not. `output` gives an attempt's cleaned text."""
    outputs = stored(state, records, output)
    lines = [*_head(state, records, outputs), "", "---", "", *_body(state, records, outputs), "", "---", ""]
    lines += _chronicle(records)
    return "\n".join(lines).rstrip("\n") + "\n"


def _head(state: RunState, records: Sequence[ev.Record], outputs: Outputs) -> list[str]:
    settled, steps = progress(state)
    opened = moment(state.opened_at) if state.opened_at else "never"
    last = moment(state.last_at) if state.last_at else "never"
    closed = next((moment(r.at) for r in reversed(records) if isinstance(r.event, ev.RunClosed)), "")
    who = f"operator {plain(state.operator)} at {plain(state.workstation)}"
    facts = [
        f"Run {code(state.run)}, {who}, mailrunbook {plain(state.version)}",
        f"Runbook {code(state.runbook_path)}, sha256 {code(state.runbook.sha256)}",
        f"Opened {opened}, last record {last}" + (f", closed {closed}" if state.closed else ""),
        f"Steps settled: {settled} of {steps}",
        f"Journal: {len(records):,} records, head {code(state.head or 'none')}",
        f"To check it, in the run's folder: {code(SUMS_CHECK)}, then {code(SIGNATURE_CHECK)}",
    ]
    lines = [f"# Transcript: {plain(state.runbook.title)}", ""]
    if state.rehearsal:
        lines = [f"# REHEARSAL: transcript of {plain(state.runbook.title)}", "", f"**{plain(state.rehearsal)}**", ""]
    lines += [*(f"- {fact}" for fact in facts), ""]
    first, *rest = standing(state, records)
    lines += [f"**{plain(first)}**", *(["", *(f"- {plain(line)}" for line in rest)] if rest else [])]
    found = gaps(records, outputs)
    if not found:
        return [*lines, "", "No gaps were found in the record."]
    return [*lines, "", "Gaps:", "", *(f"- {plain(gap)}" for gap in found)]


def _body(state: RunState, records: Sequence[ev.Record], outputs: Outputs) -> list[str]:
    """Walk the author's lines, and put what was done behind the last line of each step."""
    text = state.runbook.text
    source = text.split("\n")
    front_matter = _FRONT_MATTER.match(text)
    start = front_matter.group().count("\n") if front_matter else 0
    by_action = _by_action(records)
    ending: dict[int, list[Step]] = {}
    for step in state.runbook.steps():
        ending.setdefault(min(step.end_line, len(source)), []).append(step)
    lines: list[str] = []
    for number, line in enumerate(source, 1):
        if number > start:
            lines.append(line.removesuffix("\r"))
        for step in ending.get(number, ()):
            indent = _indent(source[step.line - 1 : number])
            if step.id in state.kept:
                lines += ["", indent + quoted([KEPT])[0]]
            for action in step.actions:
                found = action_lines(state, action, by_action.get(action.id, []), outputs)
                lines += [""] if lines and lines[-1] else []
                lines += [indent + each if each else "" for each in found]
            if number < len(source) and source[number].strip():
                lines.append("")
    return lines


def _by_action(records: Sequence[ev.Record]) -> dict[str, list[ev.Record]]:
    found: dict[str, list[ev.Record]] = {}
    for record in records:
        if action := getattr(record.event, "action", ""):
            found.setdefault(action, []).append(record)
    return found


def _indent(lines: Sequence[str]) -> str:
    """Give the blanks under which a paragraph still belongs to the list item that these lines are.

    A fence further to the left than the item's text has ended the item (CommonMark 0.31, 5.2): what follows it
    stands where the fence does.
    """
    own = [line.expandtabs(4) for line in lines if line.strip()]
    item = _ITEM.match(own[0]) if own else None
    if item is None:
        return ""
    width = len(item.group())
    fence_line = _FENCE.match(own[-1])
    return " " * (min(width, len(fence_line.group(1))) if fence_line else width)


def _chronicle(records: Sequence[ev.Record]) -> list[str]:
    """Give what happened to the run as a whole, in the order of its records."""
    told, sha256 = [], ""
    for record in records:
        if isinstance(record.event, ev.RunOpened | ev.RunbookReloaded):
            sha256 = record.event.sha256
        told.append((record, _whole_run(record.event, sha256)))
    items = [f"- {moment(record.at)} (record {record.seq}): {text}" for record, text in told if text]
    return ["## What happened to the run", "", *items]


def _whole_run(event: ev.Event, sha256: str) -> str:
    """Give a record about the whole run; `sha256` is that of the runbook which the run had then."""
    match event:
        case ev.RunOpened() as e:
            hosts = "".join(f"; {plain(name)} is reached as {code(ssh)}" for name, ssh in e.hosts.items())
            return f"opened by {plain(e.operator)} at {plain(e.workstation)}{hosts}"
        case ev.VarsSet(values=values):
            return "values given: " + ", ".join(f"{plain(k)} = {code(v)}" for k, v in values.items())
        case ev.Settled() as e if not e.action:
            subject = f" {code(e.subject)}" if e.subject else ""
            return f"settled: {plain(e.what)}{subject} is {code(e.value)}"
        case ev.HostPinned() as e:
            key = f"{plain(e.algorithm)} key {code(e.fingerprint)}"
            instead = f" instead of {code(e.instead)}" if e.instead else ""
            reason = f": {plain(e.reason)}" if e.reason else ""
            return f"{plain(e.host)} is trusted with its {key}{instead} by {plain(e.by)} ({plain(e.source)}){reason}"
        case ev.HostShown() as e:
            key = f"{plain(e.algorithm)} key {code(e.fingerprint)}"
            return f"an address had moved: {plain(e.host)} showed its own {key} at {plain(e.address)}"
        case ev.HostExcused() as e:
            return f"an address had moved: {plain(e.by)} went on without {plain(e.host)}: {plain(e.reason)}"
        case ev.CheckTurned() as e:
            detail = f" ({plain(e.detail)})" if e.detail else ""
            return f"check {plain(e.check)} turned {plain(e.state)}: {plain(e.value)}{detail}"
        case ev.SecretSupplied() as e:
            return f"the secret {code(e.name)} was supplied: {plain(e.source)}"
        case ev.Noted() as e if not e.action:
            return f"note of {plain(e.by)}: {plain(e.text)}"
        case ev.Paused(why=why):
            return f"paused: {plain(why)}"
        case ev.Resumed() as e:
            return f"resumed by {plain(e.operator)} at {plain(e.workstation)}{_file_now(sha256, e.runbook_sha256)}"
        case ev.Suspended() | ev.ClockSet() as e:
            return f"**{told(e)}**"
        case ev.JobsRemoved() as e:
            kept = "".join(f"; kept {plain(each)}" for each in e.kept)
            gone = f"{counted(len(e.attempts), 'folder')} of this run removed from {plain(e.host)} by {plain(e.by)}"
            return f"{gone}: what it knew of those commands is here alone{kept}"
        case ev.RunbookReloaded() as e:
            who = f" by {plain(e.by)}" if e.by else ""
            return f"the edited runbook was adopted{who}, sha256 {code(e.sha256)}; what was confirmed before stayed"
        case ev.LockTaken() as e if e.host:
            return f"the lock of {plain(e.host)} was taken over by {plain(e.owner)} from {plain(e.previous)}"
        case ev.LockTaken() as e:
            return f"held by {plain(e.owner)}, process {e.pid}"
        case ev.Reopened(by=by):
            return f"reopened by {plain(by)}"
        case ev.RunClosed():
            return "closed: every step is settled"
        case _:
            return ""


def _file_now(own: str, sha256: str) -> str:
    if not sha256:
        return "; the runbook's file was gone, the run went on with its own copy"
    if sha256 != own:
        return f"; the runbook's file had changed (sha256 {code(sha256)}), the run went on with its own copy"
    return ""
