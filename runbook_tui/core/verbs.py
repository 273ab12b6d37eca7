"""Which verb is allowed on which action now, and in words why not; steps' states and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.applies import (
    NOT_HERE,
    applying,
    fitting,
    host_of,
    not_for,
    settled,
    step_settled,
    unknown_systems,
)
from runbook_tui.core.awaited import awaited
from runbook_tui.core.events import Role
from runbook_tui.core.gates import open_gates, reopened
from runbook_tui.core.model import ActionKind, Hold, HoldCode
from runbook_tui.core.rebinding import waiting
from runbook_tui.core.run import SETTLED, RunState, Status, Verb
from runbook_tui.core.settle import holds, shown_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.core.model import Action, Step
    from runbook_tui.core.run import Attempt

AGAIN = frozenset({Status.FAILED, Status.STOPPED, Status.UNKNOWN, Status.NOT_RUN, Status.UNDONE})
"""States after which an action is still to be done."""

RERUN_WORD = "rerun"
"""What must be typed instead of `y` after an unknown outcome (ARCHITECTURE.md, key r)."""

RECHECKED = frozenset({Status.UNKNOWN, Status.FAILED, Status.STOPPED})
"""States in which it may be asked on the host how the action stands there."""

STILL_LOOKED = frozenset({HoldCode.GATE, HoldCode.NEEDS})
"""What holds an action back, and not a look at how it stands."""

READ_ONLY = "this run was opened read-only"


def allowed(state: RunState, action_id: str, *, read_only: bool = False) -> Mapping[Verb, str]:
    """Give every verb with the reason why it is refused on this action now; an empty reason means allowed.

    An action id that is not in the runbook refuses everything but a note.
    """
    if read_only:
        return dict.fromkeys(Verb, READ_ONLY)
    action = state.runbook.action(action_id)
    if action is None:
        nothing = "no step is chosen"
        found = {verb: "" if verb is Verb.NOTE else nothing for verb in Verb}
        found[Verb.RELOAD] = _why_not_reload(state)
        return found
    return {
        Verb.CONFIRM: _why_not_confirm(state, action),
        Verb.RETRY: _why_not_retry(state, action),
        Verb.EDIT: _why_not_edit(state, action),
        Verb.UNDO: _why_not_undo(state, action),
        Verb.ROLLBACK: _why_not_roll_back(state, action),
        Verb.SKIP: _why_not_skip(state, action),
        Verb.DONE: _why_not_mark(state, action),
        Verb.SETTLE: _why_not_settle(state, action),
        Verb.OVERRIDE: _why_not_override(state, action),
        Verb.RELOAD: _why_not_reload(state),
        Verb.STOP: "" if state.running else "nothing is running",
        Verb.NOTE: "",
        Verb.RECHECK: _why_not_recheck(state, action),
    }


def why_busy(state: RunState, action: Action) -> str:
    """Say that something runs already; one thing runs at a time."""
    running = state.running or next((a for a in state.attempts.values() if a.open and a.until is None), None)
    if running is None:
        return ""
    if running.action == action.id:
        return "it is running"
    return f"{number_of(state, running.action)} is running; one thing runs at a time"


def _waiting(state: RunState, action: Action) -> str:
    wait = next((wait for wait in state.waits if wait.action == action.id), None)
    if wait is None:
        return ""
    if what := awaited(wait):
        return f"it is {what}; to wait no longer, mark it done with a note, or skip it with a reason"
    return "it is waiting already; to leave early, skip it with a reason"


def _why_not_execute(state: RunState, action: Action) -> str:
    """What stands against executing the action at all, whatever its own state is."""
    if busy := why_busy(state, action):
        return busy
    if found := [h for h in holds(state, action) if not _asked_on_connecting(h)]:
        return "held: " + "; ".join(h.why for h in found)
    if waiting := _waiting(state, action):
        return waiting
    if state.answers.kinds.get(action.id, action.kind) in {ActionKind.MANUAL, ActionKind.INTERACTIVE}:
        return "it is done by hand; mark it done with a note"
    if before := _open_before(state, action):
        return f"{before} of the same step comes first"
    return ""


def _asked_on_connecting(hold: Hold) -> bool:
    """Whether the confirmation itself finds out what is missing."""
    return hold.code in {HoldCode.SYSTEM, HoldCode.REBOUND} and bool(hold.subject)


def _not_here(state: RunState, action: Action) -> str:
    why = not_for(state, action)
    return f"it does not apply: {why}" if why else ""


def _why_not_confirm(state: RunState, action: Action) -> str:
    if why := _not_here(state, action):
        return why
    status = state.of(action.id).status
    if status in SETTLED:
        return f"it is {word(status)} already; retry does it again"
    if status in AGAIN:
        return f"it is {word(status)}; retry goes through the same confirmation"
    return _why_not_execute(state, action)


def _why_not_retry(state: RunState, action: Action) -> str:
    if why := _not_here(state, action):
        return why
    status = state.of(action.id).status
    if status is Status.TODO:
        return why_busy(state, action) or _waiting(state, action) or "nothing has happened to it yet; confirm it"
    return _why_not_execute(state, action)


def _why_not_edit(state: RunState, action: Action) -> str:
    if why := _not_here(state, action):
        return why
    if state.answers.kinds.get(action.id, action.kind) is not ActionKind.COMMAND:
        return "only a command can be edited"
    return _why_not_execute(state, action)


def _why_not_undo(state: RunState, action: Action) -> str:
    if busy := why_busy(state, action):
        return busy
    ran = _ran(state, action)
    if not ran:
        return "it has not run, so there is nothing to undo"
    if ran[-1].open:
        return "it is waiting; there is nothing to undo yet"
    if undone(state, action):
        return "it is undone already"
    if not has_way_back(state, action):
        return "the runbook names no way back for it"
    return ""


def _why_not_recheck(state: RunState, action: Action) -> str:
    if busy := why_busy(state, action):
        return busy
    if not action.recheck:
        return "the runbook names no recheck for it"
    if why := _not_here(state, action):
        return why
    if (status := state.of(action.id).status) not in RECHECKED:
        return f"it is {word(status)}; a recheck is for what failed, was stopped or is unknown"
    found = [h for h in holds(state, action) if h.code not in STILL_LOOKED and not _asked_on_connecting(h)]
    return "held: " + "; ".join(h.why for h in found) if found else ""


def _ran(state: RunState, action: Action) -> list[Attempt]:
    return [a for i in state.of(action.id).attempts if (a := state.attempts[i]).status is not Status.NOT_RUN]


def undone(state: RunState, action: Action) -> bool:
    """Whether the last thing that ran for the action was its way back, and it ended well."""
    last = _ran(state, action)[-1:]
    return any(a.role is Role.UNDO and a.status is Status.DONE for a in last)


def _why_not_reload(state: RunState) -> str:
    """Whether the file has changed at all is found out when it is asked for."""
    running = next((a for a in state.attempts.values() if a.open and a.until is None), None)
    return f"{number_of(state, running.action)} is running; reload when it has ended" if running else ""


def _why_not_roll_back(state: RunState, action: Action) -> str:
    from runbook_tui.core.rollback import plan  # noqa: PLC0415 -- the plan asks this module about each way back

    return plan(state, action.id).refused


def _why_not_override(state: RunState, action: Action) -> str:
    """A gate is asked about last: what was seen before the rest was settled says little about the moment itself."""
    if waiting(state) and any(h.code is HoldCode.REBOUND for h in why_held(state, action)):
        return why_busy(state, action)
    if not action.gates:
        return "it has no gate"
    if reopened(state, action):
        return ""
    if already := _why_not_skip(state, action):
        return already
    if not open_gates(state, action):
        return "its gates are green or answered"
    if other := [h.why for h in holds(state, action) if h.code is not HoldCode.GATE and not _asked_on_connecting(h)]:
        return "first: " + "; ".join(other)
    if before := _open_before(state, action):
        return f"{before} of the same step comes first"
    return ""


def _why_not_skip(state: RunState, action: Action) -> str:
    if busy := why_busy(state, action) if state.running and state.running.action == action.id else "":
        return busy
    status = state.of(action.id).status
    return _not_here(state, action) or (f"it is {word(status)} already" if status in SETTLED else "")


def _why_not_mark(state: RunState, action: Action) -> str:
    return "" if awaits_check(state, action) else _why_not_skip(state, action)


def awaits_check(state: RunState, action: Action) -> bool:
    """Whether the action itself ended well, and only its `check=` has still to turn green."""
    attempt = state.last_attempt(action.id)
    return bool(
        action.checks and attempt is not None and attempt.open and attempt.role is Role.RUN
        and attempt.exit is not None and len(attempt.verifies) == len(action.verifies)
    )  # fmt: skip


def _why_not_settle(state: RunState, action: Action) -> str:
    if state.running and state.running.action == action.id:
        return "it is running"
    if state.of(action.id).status in SETTLED:
        return f"it is {word(state.of(action.id).status)} already"
    return ""


def has_way_back(state: RunState, action: Action) -> bool:
    """Whether an undo can be built: an `.undo` fence, or the backup of a file step."""
    kind = state.answers.kinds.get(action.id, action.kind)
    backup = kind is ActionKind.FILE and action.file is not None and action.file.backup
    return backup or bool(fitting(state, action).undos)


def passed_no_return(state: RunState, action: Action) -> Action | None:
    """Give the point of no return that is passed, where the action is not after it; None when there is none."""
    order = [a.id for a in state.runbook.actions()]
    final = [
        a for a in state.runbook.actions()
        if a.no_return and state.of(a.id).status in {Status.DONE, Status.BY_HAND}
    ]  # fmt: skip
    return next((a for a in final if order.index(action.id) <= order.index(a.id)), None)


def _open_before(state: RunState, action: Action) -> str:
    """Give the number of an earlier action of the same step that is not settled; what is another item's may wait."""
    step = state.runbook.step(action.step)
    for earlier in step.actions if step else ():
        if earlier.id == action.id:
            return ""
        another_item = action.each is not None and earlier.each == action.each and earlier.item != action.item
        # Whether an earlier variant applies is known once this one's host was asked; that decides anew.
        asked_first = bool(earlier.os) and host_of(state, earlier) in unknown_systems(state, action)
        if not (another_item or asked_first or settled(state, earlier)):
            return number_of(state, earlier.id)
    return ""


def word(status: Status) -> str:
    """Give the state as an operator reads it."""
    return {
        Status.TODO: "to do", Status.NOT_RUN: "not run", Status.BY_HAND: "done by hand",
    }.get(status, status.value)  # fmt: skip


def shown_word(state: RunState, action: Action) -> str:
    """Give the word of the state the operator sees: `n/a` where the action does not apply here."""
    return NOT_HERE if not_for(state, action) else word(shown_status(state, action))


def step_word(state: RunState, step: Step) -> str:
    """Give the word of a step's state: `n/a` where none of its actions applies here."""
    return word(step_status(state, step)) if applying(state, step) or not step.actions else NOT_HERE


def number_of(state: RunState, action_id: str) -> str:
    """Give an action's number: the step's, and a letter where the step has several actions (`3.2b`)."""
    action = state.runbook.action(action_id)
    step = state.runbook.step(action.step) if action else None
    if action is None or step is None:
        return action_id
    if len(step.actions) == 1:
        return step.number
    return step.number + _letters([a.id for a in step.actions].index(action.id))


def _letters(index: int) -> str:
    """Count a, b, … z, aa, ab …."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


RANK = (
    Status.RUNNING, Status.UNKNOWN, Status.FAILED, Status.STOPPED, Status.NOT_RUN, Status.UNDONE, Status.HELD,
    Status.TODO,
)  # fmt: skip
"""Which of its actions' states a step shows, first match wins."""


def step_status(state: RunState, step: Step) -> Status:
    """Give a step's state: what most needs a look, `done` when all its actions are settled."""
    shown = [shown_status(state, a) for a in applying(state, step) or step.actions]
    for status in RANK:
        if status in shown:
            return status
    if not shown:
        return Status.TODO
    for status in (Status.DONE, Status.BY_HAND):
        if status in shown:
            return status
    return Status.SKIPPED


def why_held(state: RunState, action: Action) -> tuple[Hold, ...]:
    """Give what holds the action back, when that matters: nothing once it is settled."""
    return () if settled(state, action) else holds(state, action)


def next_action(state: RunState, after: str = "") -> Action | None:
    """Give the first action that is not settled, from the one after `after` on, else from the top."""
    actions = list(state.runbook.actions())
    ids = [a.id for a in actions]
    start = ids.index(next(i for i in ids if i == after)) + 1 if after in ids else 0
    for action in actions[start:] + actions[:start]:
        if not settled(state, action):
            return action
    return None


def progress(state: RunState) -> tuple[int, int]:
    """Give how many steps are settled, and how many there are that apply here."""
    steps = [s for s in state.runbook.steps() if applying(state, s)]
    return sum(step_settled(state, s) for s in steps), len(steps)
