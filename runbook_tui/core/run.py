"""The state of a run: what is known of every action and attempt. Only `fold.apply` makes a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from runbook_tui.core.model import (
    ActionId,
    ActionKind,
    FileMode,
    Host,
    HostName,
    Runbook,
    StepId,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from runbook_tui.core import events as ev


class Status(StrEnum):
    """The state of an action or step; the words of `status --json` (ARCHITECTURE.md)."""

    TODO = "todo"
    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    NOT_RUN = "not-run"
    SKIPPED = "skipped"
    BY_HAND = "by-hand"
    UNDONE = "undone"


SETTLED = frozenset({Status.DONE, Status.SKIPPED, Status.BY_HAND})
"""Nothing is left to do for an action in one of these."""


class Verb(StrEnum):
    """What the operator can do; the words of line mode. Keys are bound to these (ARCHITECTURE.md, "Keys")."""

    CONFIRM = "confirm"
    SETTLE = "settle"
    SKIP = "skip"
    OVERRIDE = "override"
    RELOAD = "reload"
    RECHECK = "recheck"
    ROLLBACK = "rollback"
    RETRY = "retry"
    EDIT = "edit"
    UNDO = "undo"
    DONE = "done"
    NOTE = "note"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of an action or of its way back. Times are aware UTC, `seconds` monotonic.

    `output_bytes` are the raw bytes of output whose text, `output_text` bytes of it, is stored and recorded.
    `before` is where the action stood when it was confirmed: what it falls back to when this did not run.
    """

    id: str
    action: ActionId
    role: ev.Role
    host: str
    user: str
    address: str
    fingerprint: str
    command: str
    sha256: str
    by: str
    confirmed_at: datetime
    before: ActionState
    typed: str = ""
    written: str = ""
    detail: str = ""
    warnings: tuple[str, ...] = ()
    intended: bool = False
    started_at: datetime | None = None
    pgid: int = 0
    until: datetime | None = None
    ended_at: datetime | None = None
    exit: int | None = None
    signal: str = ""
    status: Status = Status.TODO
    reason: str = ""
    seconds: float = 0.0
    verifies: tuple[str, ...] = ()
    output_bytes: int = 0
    output_text: int = 0

    @property
    def open(self) -> bool:
        """Whether its end has not been recorded."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class ActionState:
    """Where one action stands. `reason` is why: of a skip, a failure, an unknown. `by` had the last word on it."""

    status: Status = Status.TODO
    attempts: tuple[str, ...] = ()
    reason: str = ""
    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """How the run stood when it was left last: what a return is compared with.

    `checks` are the last readings that any earlier sitting recorded, `running` the attempts that were open.
    """

    at: datetime | None
    paused: str
    running: tuple[str, ...]
    checks: Mapping[str, CheckReading]


@dataclass(frozen=True, slots=True)
class Note:
    """A note of the operator or of the program."""

    at: datetime
    by: str
    text: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class CheckReading:
    """The last turn of a live check."""

    state: str
    value: str
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True)
class CheckLook:
    """What a live check says at this moment: its state's word, its sentence, since when, and when it should be over.

    `looked` is False until it has looked in this sitting.
    """

    state: str
    said: str
    since: datetime | None = None
    eta: datetime | None = None
    looked: bool = True

    @property
    def green(self) -> bool:
        """Whether a gate on it is open."""
        return self.state == "PASS"


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What the operator saw, or why it may be let through, where a gate was asked about.

    `said` is what the gate's check said at that moment, empty where nothing measured it. `sitting` counts how often
    the run had been opened again by then.
    """

    action: str
    gate: str
    reason: str
    by: str
    at: datetime
    said: str = ""
    sitting: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole in the time of a run that was noticed while it was open, in one sentence."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Rebound:
    """An address moved with an action: `seq` is the record of its end, `waiting` roles did not show their key since."""

    action: ActionId
    seq: int
    waiting: frozenset[HostName]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the operator settled. Per action: host, mode, kind, accepted.

    For the run: literals by their text, systems by host, the items of lists by name, whether the sentence of a `when=`
    is true here, each group's choice.
    """

    hosts: Mapping[str, HostName] = field(default_factory=dict)
    modes: Mapping[str, FileMode] = field(default_factory=dict)
    kinds: Mapping[str, ActionKind] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    literals: Mapping[str, str] = field(default_factory=dict)
    systems: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    conditions: Mapping[str, bool] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunState:
    """All that is known of a run. Only `fold.apply` makes a new one; widgets and line mode render it.

    `runbook` has an action for every item of a list that is known, `written` is it as the file has it; `copies` are,
    by their sum, the edited files that can be adopted; `kept` are steps that such a file has otherwise. `systems` are
    what the hosts themselves answered. `gates` is by action, as the file has it, and gate. `reopened` are gates that
    turned red after their action was done. `looks` is what the live checks say now: the engine lays it over what was
    folded, for no event has it; so it does with `telling`, the name of the secret in an action's text.
    """

    runbook: Runbook
    written: Runbook
    copies: Mapping[str, Runbook] = field(default_factory=dict)
    kept: frozenset[StepId] = frozenset()
    run: str = ""
    runbook_path: str = ""
    operator: str = ""
    workstation: str = ""
    version: str = ""
    rehearsal: str = ""
    opened_at: datetime | None = None
    last_at: datetime | None = None
    seq: int = 0
    head: str = ""
    hosts: Mapping[HostName, Host] = field(default_factory=dict)
    systems: Mapping[HostName, str] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    actions: Mapping[ActionId, ActionState] = field(default_factory=dict)
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    checks: Mapping[str, CheckReading] = field(default_factory=dict)
    pins: Mapping[str, ev.HostPinned] = field(default_factory=dict)
    rebound: Rebound | None = None
    gates: Mapping[tuple[str, str], GateAnswer] = field(default_factory=dict)
    reopened: Mapping[tuple[ActionId, str], CheckReading] = field(default_factory=dict)
    looks: Mapping[str, CheckLook] = field(default_factory=dict)
    telling: Mapping[ActionId, str] = field(default_factory=dict)
    resumes: tuple[tuple[datetime, str], ...] = ()
    gaps: tuple[Gap, ...] = ()
    left: Left | None = None
    removed: Mapping[str, HostName] = field(default_factory=dict)
    paused: str = ""
    closed: bool = False

    def of(self, action: str) -> ActionState:
        """Give the state of an action; a fresh one when nothing happened to it."""
        return self.actions.get(ActionId(action), ActionState())

    def last_attempt(self, action: str) -> Attempt | None:
        """Give the newest attempt of an action."""
        ids = self.of(action).attempts
        return self.attempts[ids[-1]] if ids else None

    @property
    def running(self) -> Attempt | None:
        """The command that is under way, if any; a wait that counts down is not a command."""
        return next((a for a in self.attempts.values() if a.open and a.intended and a.until is None), None)

    @property
    def waits(self) -> tuple[Attempt, ...]:
        """The waits that count down."""
        return tuple(a for a in self.attempts.values() if a.open and a.until is not None)
