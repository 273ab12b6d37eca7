"""Turns what changes in a run into lines, one a change: states, output, hosts, checks, notes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from runbook_tui.core.awaited import awaited, by_hand, waiting_for
from runbook_tui.core.events import Role
from runbook_tui.core.gates import all_reopened
from runbook_tui.core.run import Status
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import awaits_check, number_of
from runbook_tui.plain.show import duration, reopened_gate

if TYPE_CHECKING:
    from runbook_tui.core.run import Attempt, RunState
    from runbook_tui.engine import Activity, Engine
    from runbook_tui.plain.lines import Output

LEFT_BY_WORD: Final = frozenset({Status.SKIPPED, Status.BY_HAND})
"""States that the operator gave, to a wait that counted down too."""
DRAINS_PER_SECOND: Final = 20
SILENCE: Final = 60.0
"""Seconds without output after which, and every so often, a line says that it is silent."""
_FAR_BEHIND: Final = 2_000
"""Lines not taken by whoever reads us, beyond which output waits in the feed, which is bounded."""


class Watch:
    """Prints what changed since it looked last; told of changes by the engine, it also looks at the output itself."""

    def __init__(self, engine: Engine, out: Output) -> None:
        self._engine = engine
        self._out = out
        state = engine.state
        self._said = {a.id: "ended" for a in state.attempts.values() if not a.open}
        self._actions = {action.id: state.of(action.id).status for action in state.runbook.actions()}
        self._notes = len(state.notes)
        self._lost = False
        self._gaps = len(state.gaps)
        self._gates = dict(state.gates)
        self._reopened = set(all_reopened(state))
        self._checks = dict(state.checks)
        self._hosts = {view.name: self._link(view.name) for view in engine.hosts()}
        self._systems = state.systems
        self._closed = state.closed
        self._trouble = engine.trouble
        self._seen: dict[str, int] = {}
        self._silences = 0

    def look(self) -> None:
        """Print every change of state since the last look."""
        state = self._engine.state
        self._look_at_hosts()
        for host, system in state.systems.items():
            if self._systems.get(host) != system:
                self._out.line(f"host {clean_line(host)} is {clean_line(system)}")
        self._systems = state.systems
        for attempt in state.attempts.values():
            self._look_at_attempt(state, attempt)
        for action in state.runbook.actions():
            mine = state.of(action.id)
            if mine.status is not self._actions.get(action.id, Status.TODO):
                self._actions[action.id] = mine.status
                if mine.status in LEFT_BY_WORD:
                    how = "skipped" if mine.status is Status.SKIPPED else "done by hand"
                    self._say(state, action.id, f"{how}: {clean_line(mine.reason)}")
        for answer in (answer for key, answer in state.gates.items() if self._gates.get(key) != answer):
            said = f"{clean_line(answer.by)}: {clean_line(answer.reason)}"
            self._say(state, answer.action, f"gate {clean_line(answer.gate)} overridden by {said}")
        self._gates = dict(state.gates)
        for gap in state.gaps[self._gaps :]:
            self._out.line(f"gap: {gap.text}")
        self._gaps = len(state.gaps)
        for note in state.notes[self._notes :]:
            subject = f"{number_of(state, note.action)} " if note.action else ""
            self._out.line(f"{subject}note by {clean_line(note.by)}: {clean_line(note.text)}")
        self._notes = len(state.notes)
        for name, reading in state.checks.items():
            if self._checks.get(name) != reading:
                was = _was(state, name) if name not in self._checks else ""
                self._out.line(f"check {clean_line(name)} {reading.state}: {clean_line(reading.value)}{was}")
        self._checks = dict(state.checks)
        found = all_reopened(state)
        for key, reading in found.items():
            if key not in self._reopened:
                self._say(state, key[0], reopened_gate(key[1], reading))
        self._reopened = set(found)
        if state.closed and not self._closed:
            self._out.line("every step is settled; the run is closed")
            if not self._engine.cleaning.refusal():
                self._out.line("clean removes what its commands left on the hosts")
        self._closed = state.closed
        if self._engine.trouble != self._trouble:
            self._trouble = self._engine.trouble
            self._out.line(f"trouble: {clean_line(self._trouble or 'it is over, the journal is written again')}")

    async def follow(self) -> None:
        """Print output as it comes, and say each minute when there is none; runs until it is cancelled."""
        while True:
            running = self._engine.state.running
            if running is not None and self._out.behind < _FAR_BEHIND:
                self._drain(self._engine.state, running)
            activity = self._engine.activity
            self._look_at_link(activity)
            silences = int(activity.silent // SILENCE) if activity is not None else 0
            if activity is not None and silences > self._silences:
                self._say(self._engine.state, activity.attempt.action, f"silent for {silences * SILENCE:.0f} s")
            self._silences = silences
            await asyncio.sleep(1 / DRAINS_PER_SECOND)

    def _look_at_link(self, activity: Activity | None) -> None:
        """Say that the link to where something runs is lost, and that it is back."""
        lost = activity.link if activity is not None else ""
        if activity is not None and bool(lost) is not self._lost:
            said = f"{lost}; what runs there goes on" if lost else "the link is back"
            self._say(self._engine.state, activity.attempt.action, said)
        self._lost = bool(lost)

    def _look_at_attempt(self, state: RunState, attempt: Attempt) -> None:
        stage, action = _stage(attempt), state.runbook.action(attempt.action)
        if stage == "verifying" and action is not None and awaits_check(state, action):
            stage = "awaiting"
        before = self._said.get(attempt.id, "")
        if stage == before:
            return
        self._said[attempt.id] = stage
        begins = before in {"", "confirmed"} and stage != "confirmed" and attempt.status is not Status.NOT_RUN
        if begins and not (attempt.until is not None and by_hand(state, attempt.action)):
            self._say(state, attempt.action, _begun(attempt))
        if stage in {"verifying", "awaiting"} or awaited(attempt):
            self._drain(state, attempt)
            names = [clean_line(name) for name in action.checks] if action is not None else []
            self._say(state, attempt.action, waiting_for(names) if stage == "awaiting" else clean_line(stage))
        if stage == "ended":
            self._drain(state, attempt, last=True)
            for line in "\n".join(attempt.verifies).splitlines():
                self._say(state, attempt.action, f"proof: {clean_line(line)}")
            if attempt.status not in LEFT_BY_WORD:
                self._say(state, attempt.action, _ending(attempt))

    def _drain(self, state: RunState, attempt: Attempt, *, last: bool = False) -> None:
        feed = self._engine.feed(attempt.id)
        seen = self._seen.get(attempt.id, 0)
        lines, total = feed.since(seen)
        if (lost := total - seen - len(lines)) > 0:
            self._say(state, attempt.action, f"left out {lost} lines here; the stored output has them")
        for line in lines:
            self._say(state, attempt.action, f"| {line}".rstrip())
        self._seen[attempt.id] = total
        if last and feed.partial:
            self._say(state, attempt.action, f"| {feed.partial}".rstrip())

    def _look_at_hosts(self) -> None:
        for view in self._engine.hosts():
            link = self._link(view.name)
            if self._hosts.get(view.name) != link:
                self._hosts[view.name] = link
                self._out.line(f"host {clean_line(view.name)} {link}")

    def _link(self, name: str) -> str:
        view = next(v for v in self._engine.hosts() if v.name == name)
        if view.problem:
            return f"{view.link}: {clean_line(view.problem.partition(chr(10))[0])}"
        return f"{view.link}: {clean_line(str(view.identity))}" if view.identity else str(view.link)

    def _say(self, state: RunState, action: str, text: str) -> None:
        self._out.line(f"{number_of(state, action)} {text}")


def _was(state: RunState, check: str) -> str:
    """Say what a check said in the sitting before, where that was something else."""
    before = state.left.checks.get(check) if state.left is not None else None
    if before is None or before.state == state.checks[check].state:
        return ""
    return f" (it was {before.state} when the run was left)"


def _stage(attempt: Attempt) -> str:
    if not attempt.open:
        return "ended"
    if what := awaited(attempt):
        return what
    if attempt.exit is not None or attempt.signal:
        return "verifying"
    if attempt.intended or attempt.until is not None:
        return "begun"
    return "confirmed"


def _begun(attempt: Attempt) -> str:
    if attempt.until is not None:
        return f"waiting until {attempt.until.strftime('%Y-%m-%d %H:%M:%S UTC')}"
    what = "undoing" if attempt.role is Role.UNDO else "running"
    return f"{what} on {clean_line(attempt.host)}" if attempt.host else what


def _ending(attempt: Attempt) -> str:
    took = f" in {duration(attempt.seconds)}" if attempt.seconds else ""
    why = f": {clean_line(attempt.reason)}" if attempt.reason else ""
    undo = attempt.role is Role.UNDO
    match attempt.status:
        case Status.DONE:
            return f"{'undone' if undo else 'done'}{took}"
        case Status.NOT_RUN:
            return f"not run{why}"
        case status:
            return f"{'way back ' if undo else ''}{status}{why}"
