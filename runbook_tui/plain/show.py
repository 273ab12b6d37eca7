"""What line mode says: proposals, steps, hosts, checks and help as plain lines. Every word from outside is cleaned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.applies import NOT_HERE, applying, not_for
from runbook_tui.core.awaited import awaited
from runbook_tui.core.gates import all_reopened, reopened
from runbook_tui.core.markdown.drift import Drift
from runbook_tui.core.model import ActionKind, HoldCode, HostName
from runbook_tui.core.proposal import YES
from runbook_tui.core.run import SETTLED, Status
from runbook_tui.core.text import clean, clean_line
from runbook_tui.core.verbs import RECHECKED, RERUN_WORD, number_of, progress, step_word, why_held, word
from runbook_tui.plain.words import USAGE, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from runbook_tui.checks.view import CheckView
    from runbook_tui.core.model import Action, Step
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.core.recheck import Recheck
    from runbook_tui.core.returning import Section
    from runbook_tui.core.run import CheckReading, RunState
    from runbook_tui.engine import Activity, HostView
    from runbook_tui.engine.reloading import Reload
    from runbook_tui.ports import KeyRefusal

NEEDS_A_LOOK = (Status.UNKNOWN, Status.FAILED, Status.STOPPED, Status.NOT_RUN, Status.UNDONE)
"""States of actions that were begun and are still to be done."""

LIFTS = {
    HoldCode.WHEN: "set when=yes or set when=no answers it",
    HoldCode.ALT: "set alt=WAY chooses",
    HoldCode.TELLS: "a secret belongs into the keyring: mark it done by hand, or skip it with a reason",
    HoldCode.REBOUND: "confirm connects to them; without one that is gone: override WHY",
    HoldCode.GATE: "a green check lifts it; or look yourself, then: override WHAT YOU SAW",
}
"""How a question that is no value of the runbook is answered."""


def duration(seconds: float) -> str:
    """Give `0.4 s`, `12 s`, `3 min 05 s` or `2 h 07 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def opening(state: RunState, drift: Mapping[str, Drift]) -> list[str]:
    """Give what was done, what was open and how it ended, and which steps the source file has otherwise now."""
    settled, steps = progress(state)
    lines = [f"run {clean_line(state.run)}: {clean_line(state.runbook.title)}", f"{settled} of {steps} steps settled"]
    if state.attempts or settled:
        for action in state.runbook.actions():
            mine = state.of(action.id)
            if mine.status is not Status.TODO:
                lines.append(_stands(state, action))
    lines += _drifted(state, drift)
    lines.append("help lists the verbs, status shows the current step")
    return lines


def returned(sections: Iterable[Section]) -> list[str]:
    """Give what is said of a return, one line each, its section's heading in front."""
    return [f"{section.heading.lower()}: {line}" for section in sections for line in section.lines]


def cleaning(planned: Mapping[HostName, tuple[str, ...]]) -> list[str]:
    """Give what would be removed from the hosts, and how that is answered."""
    lines = [
        f"clean {clean_line(name)}: {len(attempts)} folder{'' if len(attempts) == 1 else 's'} of this run's commands"
        for name, attempts in planned.items()
    ]
    return [
        *lines,
        "clean: all that they hold is in this run's record; the hosts cannot be asked about it any more",
        "asks: type yes to remove them; any other line does not",
    ]


def _drifted(state: RunState, drift: Mapping[str, Drift]) -> list[str]:
    """Say which steps the edited file has otherwise; nothing where every step is the same."""
    others = {step_id: change for step_id, change in drift.items() if change is not Drift.SAME}
    if not others:
        return []
    lines = ["the runbook's file was edited since; this run goes on with its own copy"]
    for step_id, change in others.items():
        step = state.runbook.step(step_id)
        name = f"{step.number} {clean_line(step.title)}" if step else clean_line(step_id)
        lines.append(f"in the file now {change}: {name}")
    same = sum(step.id not in others for step in state.runbook.steps())
    return [*lines, f"in the file now same: {same} of {sum(1 for _ in state.runbook.steps())} steps"]


def _stands(state: RunState, action: Action) -> str:
    mine = state.of(action.id)
    reason = f": {clean_line(mine.reason)}" if mine.reason else ""
    return f"{number_of(state, action.id)} {word(mine.status)}{reason}"


def here(state: RunState, action: Action, word_: str) -> list[str]:
    """Give the current action: number, `next` or `now`, title, host, and its state or what holds it."""
    number = number_of(state, action.id)
    held = why_held(state, action)
    mine = state.of(action.id)
    stands = word(mine.status)
    if why := not_for(state, action):
        stands = f"{NOT_HERE}: {clean_line(why)}"
    elif held:
        stands = "held because " + "; ".join(clean_line(hold.why) for hold in held)
    elif action.kind is ActionKind.MANUAL and mine.status is Status.TODO:
        stands = "to do by hand: done NOTE"
    host = state.answers.hosts.get(action.id, action.host)
    where = f" on {clean_line(host)}" if host else ""
    lines = [f"{number} {word_}: {clean_line(action.title)}{where}, {stands}"]
    if action.no_return and mine.status not in SETTLED:
        lines.append(f"{number} the point of no return: nothing leads back after it")
    if action.optional and mine.status not in SETTLED:
        lines.append(f"{number} optional: skip alone leaves it out")
    lines += [f"{number} {lifts}" for code, lifts in LIFTS.items() if any(hold.code is code for hold in held)]
    lines += [f"{number} {reopened_gate(gate, said)}" for gate, said in reopened(state, action)]
    if action.recheck and mine.status in RECHECKED:
        lines.append(f"{number} recheck asks on the host how it stands there")
    if mine.status is Status.UNKNOWN:
        lines.append(f"{number} how it ended is not known; retry asks for {RERUN_WORD}, done NOTE says you looked")
    return lines


def reopened_gate(gate: str, said: CheckReading) -> str:
    """Say that a gate turned red after its step was done, and what answers it."""
    seen = f"{said.state} since this was done: {clean_line(said.value)}"
    return f"GATE {clean_line(gate)} is {seen}; override REASON answers it"


def step_text(step: Step, number: str) -> list[str]:
    """Give the step as the runbook writes it."""
    return [f"{number} text {line}".rstrip() for line in clean(step.source).rstrip("\n").split("\n")]


def reload(planned: Reload) -> list[str]:
    """Give what adopting the edited file changes, its differences, and the question."""
    lines = [f"reload: {clean_line(line)}" for line in planned.lines()]
    lines += [f"reload | {line}".rstrip() for line in clean(planned.diff).split("\n")]
    return [*lines, "reload asks: type yes to adopt it; any other line does not"]


def steps(state: RunState) -> list[str]:
    """Give every step: number, state, title."""
    return [
        f"{step.number} {step_word(state, step)}: {clean_line(step.title)} ({clean_line(step.id)})"
        + (_why_not(state, step) or _final(step))
        for step in state.runbook.steps()
        if step.actions
    ]


def _why_not(state: RunState, step: Step) -> str:
    """Say why a step does not apply here; nothing when any of its actions does."""
    return "" if applying(state, step) else f", {clean_line(not_for(state, step.actions[0]))}"


def _final(step: Step) -> str:
    return ", point of no return" if any(action.no_return for action in step.actions) else ""


def proposal(asked: Proposal) -> list[str]:
    """Give a confirmation: where, the whole command, danger, what counts, the way back, warnings; then the question."""
    number = asked.number
    lines = [f"{number} {asked.role}: {clean_line(asked.title)}", f"{number} host {clean_line(asked.where)}"]
    if asked.no_return:
        lines.append(f"{number} POINT OF NO RETURN: nothing leads back once this ran")
    lines += [f"{number} gate {clean_line(gate)}" for gate in asked.gates]
    if asked.dry_run is not None:
        lines += _many(number, "dry run", asked.dry_run.command)
        lines += _many(number, "dry run |", asked.dry_run.output)
        failed = "" if asked.dry_run.well else "FAILED: "
        lines.append(f"{number} dry run ended: {failed}{clean_line(asked.dry_run.ended)}")
    if asked.written:
        lines += _many(number, "written", asked.written)
    lines += _many(number, "command", asked.command)
    lines += _many(number, "input", asked.input)
    lines += _many(number, "change", asked.detail)
    if asked.danger:
        lines.append(f"{number} danger: the runbook calls this dangerous")
    lines += [f"{number} done when {clean_line(condition)}" for condition in asked.done_when]
    lines += [part for way in asked.way_back for part in _many(number, "way back", way)]
    lines += [f"{number} warning: {clean_line(warning)}" for warning in asked.other_warnings]
    lines.append(f"{number} asks: type {clean_line(wanted(asked))} to run it; any other line does not")
    return lines


def recheck(said: Recheck, number: str) -> list[str]:
    """Give what a recheck said: where, its command, its output, how it ended, and what that means."""
    lines = _many(number, f"recheck on {clean_line(said.host)}", said.command)
    lines += _many(number, "recheck |", said.output)
    return [*lines, f"{number} recheck ended: {clean_line(said.ended)}", f"{number} {said.verdict}"]


def wanted(asked: Proposal) -> str:
    """Give the line that runs it."""
    return "yes" if asked.wants == YES else asked.wants


def _many(number: str, what: str, text: str) -> list[str]:
    return [f"{number} {what} {line}".rstrip() for line in clean(text).rstrip("\n").split("\n")] if text else []


def consent(lines: Iterable[str]) -> list[str]:
    """Give what would be contacted without a further question, and the question."""
    return [
        "before anything else, these are contacted and asked without a further question:",
        *(f"  {clean_line(line)}" for line in lines),
        "asks: type yes to go on; any other line leaves, and nothing is contacted",
    ]


def status(state: RunState, activity: Activity | None) -> list[str]:
    """Give how far the run is, what is under way, and what needs a look."""
    settled, count = progress(state)
    lines = [f"{settled} of {count} steps settled"]
    if activity is not None:
        number = number_of(state, activity.attempt.action)
        percent = f", {activity.percent} %" if activity.percent is not None else ""
        silent = f", silent for {duration(activity.silent)}" if activity.silent >= 10 else ""
        on = clean_line(activity.attempt.host)
        lines.append(f"{number} {activity.stage} on {on} for {duration(activity.elapsed)}{percent}{silent}")
    for wait in state.waits:
        until = wait.until.strftime("%Y-%m-%d %H:%M:%S UTC") if wait.until else ""
        lines.append(f"{number_of(state, wait.action)} {clean_line(awaited(wait)) or f'waiting until {until}'}")
    lines += [
        f"{number_of(state, action)} {reopened_gate(gate, said)}"
        for (action, gate), said in all_reopened(state).items()
    ]
    lines += [
        _stands(state, action) for action in state.runbook.actions() if state.of(action.id).status in NEEDS_A_LOOK
    ]
    return lines


def hosts(views: Iterable[HostView]) -> list[str]:
    """Give each host, its link, who answered, and a key nobody vouched for yet."""
    lines = []
    for view in views:
        name = clean_line(view.name)
        lines.append(f"host {name} {view.link}: {clean_line(view.ssh or 'this machine')}")
        if view.identity is not None:
            lines.append(f"host {name} answers as {clean_line(str(view.identity))}")
        lines += [f"host {name} preflight: {clean_line(found)}" for found in view.found]
        if view.problem:
            lines += [f"host {name} problem: {clean_line(line)}" for line in view.problem.splitlines()]
        if view.held:
            lines.append(f"host {name} is held by {clean_line(view.held)}; if that run is over: takeover {name}")
        if view.refusal is not None:
            lines += _refused_key(name, view.refusal)
    return lines or ["the runbook names no hosts"]


def _refused_key(host: str, refusal: KeyRefusal) -> list[str]:
    """Say which key was refused, what it is to be compared with, and what has to be typed to trust it, if it can be."""
    key = f"{clean_line(refusal.key.algorithm)} {clean_line(refusal.key.fingerprint)}" if refusal.key else ""
    on_the_way = f", by {clean_line(refusal.whose)} before it" if refusal.jump else ""
    lines = [f"host {host} expected {clean_line(f'{k.algorithm} {k.fingerprint}')}" for k in refusal.expected]
    if refusal.can_be_trusted:
        typed = f"trust {host} WHOLE-FINGERPRINT REASON" if refusal.alarming else f"trust {host} FINGERPRINT"
        lines.append(f"host {host} shows the key {key}{on_the_way}; compare it, then: {typed}")
        lines.append(f"host {host} says it on its console: {refusal.compare}")
    elif key:
        whose = f"that of {clean_line(refusal.role)}" if refusal.role else str(refusal.verdict)
        lines.append(f"host {host} shows the key {key}{on_the_way}; it is {whose} and cannot be trusted")
    return lines


def checks(views: Iterable[CheckView], now: datetime) -> list[str]:
    """Give each live check: state, value, until when, since when."""
    return [_check(view, now) for view in views] or ["there are no live checks"]


def _check(view: CheckView, now: datetime) -> str:
    since = f" since {view.since.strftime('%H:%M:%S UTC')}" if view.since else ""
    label = f" ({clean_line(view.label)})" if view.label not in {"", view.name} else ""
    eta = f"; by {view.eta.strftime('%Y-%m-%d %H:%M:%S UTC')}" if view.eta else ""
    return f"check {clean_line(view.name)}{label} {view.state}{since}: {clean_line(view.said(now))}{eta}"


def check(view: CheckView, now: datetime) -> list[str]:
    """Give all that is known of a check: what it asks, its table, its last error, when it looks again."""
    name = clean_line(view.name)
    lines = [_check(view, now), *(f"check {name} asks {clean_line(line)}" for line in view.asks_lines)]
    if view.rows and view.columns:
        lines.append(f"check {name} | {' | '.join(clean_line(head) for head in view.columns)}")
    for row in view.rows:
        state = f" | {row.state}" if row.state else ""
        lines.append(f"check {name} | {' | '.join(clean_line(cell) for cell in row.cells)}{state}")
    if not view.rows:
        lines += _many(f"check {name}", "saw", view.detail)
    if view.error_at is not None:
        lines.append(f"check {name} last error {view.error_at.strftime('%H:%M:%S UTC')}: {clean_line(view.error)}")
    if view.looked is not None:
        lines.append(f"check {name} looked {duration(max(0.0, (now - view.looked).total_seconds()))} ago")
    if view.next is not None:
        after = duration(max(0.0, (view.next - now).total_seconds()))
        lines.append(f"check {name} looks again in {after}, every {duration(view.every)}")
    return lines


def verbs() -> list[str]:
    """Give the list of verbs."""
    return [f"{USAGE[verb][0]}: {USAGE[verb][1]}" for verb in Word]
