"""What happened in a run: one frozen class an event type, and their JSON form (ARCHITECTURE.md, "A run on disk").

An event carries no sequence number, time or hash of its own: the journal stamps it (`Record`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from datetime import datetime


class Role(StrEnum):
    """What an attempt is for."""

    RUN = "run"
    UNDO = "undo"


class Outcome(StrEnum):
    """How an attempt's command was judged. `verifying`: it exited as wanted, its proof has not been seen yet."""

    DONE = "done"
    FAILED = "failed"
    VERIFYING = "verifying"


class Settlement(StrEnum):
    """What the operator settled with `a` / `set` / `accept`."""

    HOST = "host"
    LITERAL = "literal"
    MODE = "mode"
    KIND = "kind"
    ACCEPT = "accept"
    CONSENT = "consent"
    OS = "os"
    LIST = "list"
    WHEN = "when"
    ALT = "alt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events; `type` is the word in the journal."""

    type: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOpened(Event):
    """The first event of every run. `rehearsal` says in words that its hosts were make-believe; empty in life."""

    type: ClassVar[str] = "run_opened"
    run: str
    runbook: str
    title: str
    sha256: str
    version: str
    operator: str
    workstation: str
    hosts: Mapping[str, str] = field(default_factory=dict)
    rehearsal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VarsSet(Event):
    """Values given on the command line (`--var`); never secrets."""

    type: ClassVar[str] = "vars_set"
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """The operator answered what held an action back.

    `subject` is the literal's text for `literal`, the host for `os`, the list for `list`, the sentence for `when`, the
    group for `alt`, else empty; `action` is empty for what holds for the whole run. `os` without an action is what the
    host itself answered.
    """

    type: ClassVar[str] = "settled"
    what: str
    value: str
    action: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(Event):
    """The operator pressed `y` on exactly this text for exactly this host.

    `typed` is what was typed where typing was wanted. `written` is the action's own command before an edit,
    empty when it was not edited. `warnings` were on the dialog, `gates` say why each gate let it through.
    """

    type: ClassVar[str] = "confirmed"
    action: str
    attempt: str
    role: str
    host: str
    user: str
    address: str
    fingerprint: str
    command: str
    sha256: str
    by: str
    typed: str = ""
    written: str = ""
    detail: str = ""
    warnings: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Event):
    """Durable before the first byte leaves this machine (PROMISES.md 3.1 rule 1)."""

    type: ClassVar[str] = "intent"
    action: str
    attempt: str
    host: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The far side said that it runs. `pgid` is the process group there; `until` is when a wait ends (ISO, UTC)."""

    type: ClassVar[str] = "started"
    action: str
    attempt: str
    pgid: int = 0
    until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """A segment of output was stored: where its raw bytes and its cleaned text lie, and the sha256 of each.

    `text_sha256` is empty in journals of versions that did not record it.
    """

    type: ClassVar[str] = "output"
    attempt: str
    raw_offset: int
    raw_length: int
    text_offset: int
    text_length: int
    sha256: str
    text_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """The far side recorded an end: an exit status or a signal, and how it was judged.

    With `outcome` verifying a second `finished` for the same attempt follows. `reason` says what failed.
    `seconds` is the monotonic duration. `verifies` is one line a proof.
    """

    type: ClassVar[str] = "finished"
    action: str
    attempt: str
    outcome: str
    exit: int | None = None
    signal: str = ""
    reason: str = ""
    seconds: float = 0.0
    verifies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Event):
    """No status came: the outcome is unknown, and why it is."""

    type: ClassVar[str] = "lost"
    action: str
    attempt: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """The operator (or a timeout) had the process group signalled, and it ended; `what` says how, over there."""

    type: ClassVar[str] = "stopped"
    action: str
    attempt: str
    what: str
    exit: int | None = None
    signal: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled(Event):
    """Proof decided about an attempt whose end was not seen: it is not-run, or still running and followed again."""

    type: ClassVar[str] = "reconciled"
    action: str
    attempt: str
    state: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped(Event):
    """The operator skipped an action and said why."""

    type: ClassVar[str] = "skipped"
    action: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedDone(Event):
    """The operator did it by hand (or attests that it is done) and said so."""

    type: ClassVar[str] = "marked_done"
    action: str
    note: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone(Event):
    """The way back of an action ran and ended well."""

    type: ClassVar[str] = "undone"
    action: str
    attempt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Event):
    """A note of the operator or of the program, about an action or about the run (`action` empty)."""

    type: ClassVar[str] = "noted"
    text: str
    by: str
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOverridden(Event):
    """The operator let a held step through and said why. `said` is what the gate's check said at that moment."""

    type: ClassVar[str] = "gate_overridden"
    action: str
    gate: str
    reason: str
    by: str
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSupplied(Event):
    """A secret was handed to a check or a step.

    `source` says by what or whom: a keyring, `--secrets-fd`, `typed by ada`.
    """

    type: ClassVar[str] = "secret_supplied"
    name: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTurned(Event):
    """A live check changed its state."""

    type: ClassVar[str] = "check_turned"
    check: str
    state: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookReloaded(Event):
    """The operator adopted the edited file, which lies in the run's folder under its sum (`seal.copy_name`)."""

    type: ClassVar[str] = "runbook_reloaded"
    sha256: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPinned(Event):
    """A host's key is trusted for this run. `key` is the public key in OpenSSH form, `source` who vouched.

    `host` is a role, or `pins.jump_subject` of a jump host. `instead` is the fingerprint that was expected, where
    another key was, and `reason` why this one is taken all the same.
    """

    type: ClassVar[str] = "host_pinned"
    host: str
    algorithm: str
    fingerprint: str
    key: str
    source: str
    by: str
    instead: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShown(Event):
    """After an address moved a role showed its own key on a connection made since."""

    type: ClassVar[str] = "host_shown"
    host: str
    address: str
    algorithm: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostExcused(Event):
    """After an address moved the operator goes on without a role that cannot be reached, and said why."""

    type: ClassVar[str] = "host_excused"
    host: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTaken(Event):
    """This process holds the run; or, with `host`, the run took the lock of a host over from `previous`."""

    type: ClassVar[str] = "lock_taken"
    owner: str
    pid: int = 0
    host: str = ""
    previous: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """The program was left; `why` is quit, end of input, SIGTERM, SIGHUP and the like."""

    type: ClassVar[str] = "paused"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    """The run was opened again. `runbook_sha256` is the source file as it is now, empty when it is gone."""

    type: ClassVar[str] = "resumed"
    operator: str
    workstation: str
    version: str
    runbook_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended(Event):
    """This machine was suspended for so many seconds while the program had the run open; just before this it woke."""

    type: ClassVar[str] = "suspended"
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet(Event):
    """The wall clock of this machine was set by so many seconds while the program had the run open; back: negative."""

    type: ClassVar[str] = "clock_set"
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRemoved(Event):
    """The folders of these attempts are gone from their host, which knows nothing of them any more; `kept` says why."""

    type: ClassVar[str] = "jobs_removed"
    host: str
    attempts: tuple[str, ...]
    by: str
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(Event):
    """A closed run goes on: something is retried or undone."""

    type: ClassVar[str] = "reopened"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClosed(Event):
    """Every action is settled. `count` is the number of records before this one."""

    type: ClassVar[str] = "run_closed"
    count: int


EVENTS: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        RunOpened, VarsSet, Settled, Confirmed, Intent, Started, Output, Finished, Lost, Stopped, Reconciled,
        Skipped, MarkedDone, Undone, Noted, GateOverridden, SecretSupplied, CheckTurned, RunbookReloaded, HostPinned,
        HostShown, HostExcused,
        LockTaken, Paused, Resumed, Suspended, ClockSet, JobsRemoved,
        Reopened, RunClosed,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """An event as the journal holds it. `at` is aware UTC, `mono` seconds of this boot's monotonic clock."""

    seq: int
    at: datetime
    mono: float
    boot: str
    event: Event
    prev: str
    hash: str


def to_fields(event: Event) -> dict[str, Any]:
    """Give the event's own fields as JSON values, without `type`."""
    return {f.name: _json_value(getattr(event, f.name)) for f in fields(event)}


def _json_value(value: object) -> object:
    match value:
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case _:
            return value


def from_fields(type_: str, values: Mapping[str, Any]) -> Event:
    """Make the event a record's `type` and fields stand for.

    Raises:
        ValueError: the type or a field is unknown, or one is missing; the sentence says which.
    """
    cls = EVENTS.get(type_)
    if cls is None:
        raise ValueError(f"unknown event type {type_!r}")
    known = {f.name for f in fields(cls)}
    if extra := sorted(set(values) - known):
        raise ValueError(f"event {type_!r} has unknown fields: {', '.join(extra)}")
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise ValueError(f"event {type_!r}: {error}") from None
