"""What is said when a run is opened again: what was done, what ran, what is not known, what changed, what is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.brief import when
from runbook_tui.core.gates import all_reopened, spoken
from runbook_tui.core.markdown.drift import Drift
from runbook_tui.core.run import SETTLED, Status
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import next_action, number_of, progress, why_held, word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from runbook_tui.core.model import Action
    from runbook_tui.core.run import Attempt, RunState

RECENT = 4
"""How many of the last settled actions are named."""

GAPS = 4
"""How many of the last gaps are named."""

NEEDS_A_WORD = {Status.FAILED, Status.STOPPED, Status.NOT_RUN, Status.UNDONE}
"""States of actions that were begun and wait for the operator; unknown has a section of its own."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it, one line each, cleaned. `alarm`: it has to be read before going on."""

    heading: str
    lines: tuple[str, ...]
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """What the report needs beside the run's state.

    `drift` is by step as the file has it now, `hosts` are sentences about keys and locks that are not as they were,
    `gaps` are those of the whole record; `contacted`: hosts may be asked by now. `reload` is the key or the word that
    adopts the edited file.
    """

    now: datetime
    drift: Mapping[str, Drift]
    hosts: Sequence[str]
    gaps: Sequence[str]
    contacted: bool
    reload: str = "reload"


def report(state: RunState, world: World) -> list[Section]:
    """Give the sections that have something to say, in their order."""
    sections = [
        Section("Done", tuple(_done(state, world.now))),
        Section("Running when it was left", tuple(_ran(state, world))),
        Section("Not known", (*_wants(state, {Status.UNKNOWN}), *_forgotten(state)), alarm=True),
        Section("Waits for you", tuple(_wants(state, NEEDS_A_WORD))),
        Section("Changed since", tuple(_changed(state, world)), alarm=True),
        Section("Gaps in the record", tuple(_gaps(world.gaps))),
        Section("Next", tuple(_next(state))),
    ]
    return [section for section in sections if section.lines]


def unsettled(state: RunState, world: World) -> bool:
    """Whether something of the report is known only after hosts were asked: what ran, what checks say now."""
    left = state.left
    return left is not None and bool(left.running or left.checks or world.hosts)


def _named(state: RunState, action: Action) -> str:
    return f"{number_of(state, action.id)} {clean_line(action.title)}"


def _done(state: RunState, now: datetime) -> list[str]:
    settled, total = progress(state)
    lines = [f"{settled} of {total} steps"]
    if (left := state.left) is not None:
        how = f"left {when(left.at, now)}: {clean_line(left.paused)}" if left.paused else (
            f"the program ended without a word {when(left.at, now)}"
        )  # fmt: skip
        lines = [f"{settled} of {total} steps; {how}"]
    found = [(at, action) for action in state.runbook.actions() if (at := _settled_at(state, action)) is not None]
    for at, action in sorted(found, key=lambda one: one[0])[-RECENT:]:
        mine = state.of(action.id)
        by = f" by {clean_line(mine.by)}" if mine.by else ""
        lines.append(f"{at:%Y-%m-%d %H:%M} UTC  {_named(state, action)}: {word(mine.status)}{by}")
    return lines


def _settled_at(state: RunState, action: Action) -> datetime | None:
    mine = state.of(action.id)
    return mine.at if mine.status in SETTLED else None


def _ran(state: RunState, world: World) -> list[str]:
    left = state.left
    if left is None:
        return []
    return [_ends(state, attempt, world) for name in left.running if (attempt := state.attempts.get(name)) is not None]


def _ends(state: RunState, attempt: Attempt, world: World) -> str:
    action = state.runbook.action(attempt.action)
    name = _named(state, action) if action is not None else clean_line(attempt.action)
    where = f" on {clean_line(attempt.host)}" if attempt.host else ""
    said = f"{name}{where}, confirmed {when(attempt.confirmed_at, world.now)} by {clean_line(attempt.by)}"
    why = f": {clean_line(attempt.reason)}" if attempt.reason else ""
    if not attempt.open:
        return f"{said}; {_end_word(attempt)}{why}"
    if attempt.until is not None:
        over = attempt.until <= world.now
        return f"{said}; {'its time is over' if over else 'waits until'} {attempt.until:%Y-%m-%d %H:%M} UTC{why}"
    if attempt.status is Status.RUNNING:
        return f"{said}; it was found there and runs on"
    if world.contacted:
        return f"{said}; how it stands there is being looked for"
    return f"{said}; how it stands there is looked for once you start"


def _end_word(attempt: Attempt) -> str:
    match attempt.status:
        case Status.DONE:
            return "it has ended well meanwhile"
        case Status.UNKNOWN:
            return "how it ended is not known"
        case Status.NOT_RUN:
            return "it did not run"
        case status:
            return f"it has ended meanwhile, {word(status)}"


def _wants(state: RunState, statuses: set[Status]) -> list[str]:
    still = set(state.left.running) if state.left is not None else set()
    lines = []
    for action in state.runbook.actions():
        mine, last = state.of(action.id), state.last_attempt(action.id)
        if mine.status not in statuses or (last is not None and last.open and last.id in still):
            continue
        why = f": {clean_line(mine.reason)}" if mine.reason else ""
        lines.append(f"{_named(state, action)} is {word(mine.status)}{why}")
    return lines


def _forgotten(state: RunState) -> list[str]:
    """Say which hosts were made to forget what ran there."""
    hosts = list(state.removed.values())
    found = [f"{hosts.count(name)} on {clean_line(name)}" for name in set(hosts)]
    if not found:
        return []
    what = f"the folders of commands were removed ({', '.join(sorted(found))}) after the run was closed"
    return [f"{what}: their hosts cannot be asked about them any more, only this record"]


def _changed(state: RunState, world: World) -> list[str]:
    return [*_file(state, world), *map(clean_line, world.hosts), *_checks(state, world), *_red(state)]


def _file(state: RunState, world: World) -> list[str]:
    others = {step: change for step, change in world.drift.items() if change is not Drift.SAME}
    if not others:
        return []
    found = []
    for step_id, change in others.items():
        step = state.runbook.step(step_id)
        found.append(f"in the file now {change}: {f'{step.number} {clean_line(step.title)}' if step else step_id}")
    same = sum(step.id not in others for step in state.runbook.steps())
    total = sum(1 for _ in state.runbook.steps())
    return [
        f"the runbook's file was edited since; this run goes on with its own copy; {world.reload} shows and adopts it",
        *found,
        f"in the file now same: {same} of {total} steps",
    ]


def _checks(state: RunState, world: World) -> list[str]:
    left = state.left
    if left is None or not left.checks:
        return []
    lines, same, waiting = [], 0, 0
    names = {check.name for check in state.runbook.checks}
    for name, before in left.checks.items():
        now, look = state.checks.get(name), state.looks.get(name)
        if name not in names:
            continue
        if now is None and (look is None or not look.looked):
            waiting += 1
        elif now is None or now.state == before.state:
            same += 1
        else:
            said = spoken(look) if look is not None else now.value
            lines.append(f"check {clean_line(name)} was {before.state}, is {now.state} now: {clean_line(said)}")
    if same:
        lines.append(f"{same} check{'s' if same > 1 else ''} as when it was left")
    if waiting:
        how = "not looked at again yet" if world.contacted else "looked at again once you start"
        lines.append(f"{waiting} check{'s' if waiting > 1 else ''} {how}; no gate on such a one opens before that")
    return lines


def _red(state: RunState) -> list[str]:
    return [
        f"gate {clean_line(gate)} turned {reading.state} behind {number_of(state, action)}, which is done"
        for (action, gate), reading in all_reopened(state).items()
    ]


def _gaps(gaps: Sequence[str]) -> list[str]:
    more = len(gaps) - GAPS
    newest = [clean_line(gap) for gap in gaps[-GAPS:]]
    return [f"{more} more before these; mailrunbook verify names them all", *newest] if more > 0 else newest


def _next(state: RunState) -> list[str]:
    upcoming = next_action(state)
    if upcoming is None:
        return ["every step is settled"]
    held = "; ".join(clean_line(hold.why) for hold in why_held(state, upcoming))
    return [f"{_named(state, upcoming)}{f' (held: {held})' if held else ''}"]
