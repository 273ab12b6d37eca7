"""Small runbooks, steps, actions and journal records, made without reading Markdown."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from runbook_tui.core import events as ev
from runbook_tui.core.fold import fold
from runbook_tui.core.model import (
    LOCAL,
    Action,
    ActionId,
    ActionKind,
    Host,
    HostName,
    Literal,
    LiteralSource,
    Phase,
    PhaseRole,
    Runbook,
    Step,
    StepId,
    Undo,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.run import RunState

OLD = HostName("old")
NEW = HostName("new")
START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def sha256(text: str) -> str:
    """Give the hex sha256 of a text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def an_action(name: str = "a", text: str = "true", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make a command on `old`; the step is named like the action unless `step` says otherwise."""
    fields.setdefault("step", StepId(name))
    fields.setdefault("kind", ActionKind.COMMAND)
    fields.setdefault("host", OLD)
    fields.setdefault("line", 1)
    return Action(id=ActionId(name), title=name, digest=sha256(text), text=text, **fields)


def a_step(*actions: Action, number: str = "1", title: str = "", line: int = 1, end_line: int = 1) -> Step:
    """Make a step of actions that all name the same step."""
    name = actions[0].step
    return Step(
        id=name, number=number, title=title or f"Step {name}", line=line, end_line=end_line, source="",
        actions=actions,
    )  # fmt: skip


def a_runbook(*steps: Step | Action, text: str = "", literals: Sequence[Literal] = ()) -> Runbook:
    """Make a runbook of one phase with the hosts old, new and local; an action alone becomes a step of its own."""
    whole = tuple(s if isinstance(s, Step) else a_step(s, number=f"1.{index}") for index, s in enumerate(steps, 1))
    return Runbook(
        title="Move the mail", text=text, sha256=sha256(text), encoding="utf-8", annotated=True,
        phases=(Phase("Move", PhaseRole.STEPS, line=1, level=2, number="1", steps=whole),),
        hosts={
            OLD: Host(OLD, "root@old.example.org", "old.example.org"),
            NEW: Host(NEW, "root@new.example.org", "new.example.org"),
            LOCAL: Host(LOCAL),
        },
        literals=tuple(literals),
    )  # fmt: skip


def a_literal(
    text: str, source: LiteralSource = LiteralSource.VAR, *, key: str = "", default: str | None = None,
    word: bool = False, match: str = "",
) -> Literal:  # fmt: skip
    """Make a literal; its key is its text unless given."""
    return Literal(text, source, key or text, default=default, word=word, match=match)


def an_undo(text: str = "echo back") -> Undo:
    """Make a way back."""
    return Undo(text, line=1)


class Stamper:
    """Makes records of events, a second apart, as a journal would; the hashes are only counted."""

    def __init__(self) -> None:
        self.records: list[ev.Record] = []
        self.now = START
        self.mono = 1000.0
        self.boot = "boot-1"

    def pass_time(self, seconds: float) -> None:
        """Let wall clock and monotonic clock go on together."""
        self.now += timedelta(seconds=seconds)
        self.mono += seconds

    def __call__(self, *events: ev.Event) -> list[ev.Record]:
        """Stamp the events; give the new records."""
        made = []
        for event in events:
            self.pass_time(1)
            seq = len(self.records) + 1
            record = ev.Record(seq, self.now, self.mono, self.boot, event, f"h{seq - 1}", f"h{seq}")
            self.records.append(record)
            made.append(record)
        return made

    def state(self, runbook: Runbook) -> RunState:
        """Fold everything stamped so far."""
        return fold(runbook, self.records)


def opened(runbook: Runbook) -> ev.RunOpened:
    """Make the first event of a run."""
    return ev.RunOpened(
        run="mail-1", runbook="/home/ada/move.md", title=runbook.title, sha256=runbook.sha256, version="0.1",
        operator="ada", workstation="desk",
    )  # fmt: skip


def confirmed(
    action: str, attempt: str = "mail-1-1", role: ev.Role = ev.Role.RUN, command: str = "true",
    **fields: Any,  # noqa: ANN401 -- fields of Confirmed
) -> ev.Confirmed:  # fmt: skip
    """Make a confirmation on `old`."""
    values: dict[str, Any] = {
        "host": "old", "user": "root", "address": "192.0.2.10:22", "fingerprint": "SHA256:abc", "by": "ada",
    } | fields  # fmt: skip
    return ev.Confirmed(action=action, attempt=attempt, role=role, command=command, sha256=sha256(command), **values)


def begun(action: str, attempt: str = "mail-1-1", **fields: Any) -> list[ev.Event]:  # noqa: ANN401 -- as above
    """Make the events of an attempt up to its start."""
    confirmation = confirmed(action, attempt, **fields)
    return [
        confirmation,
        ev.Intent(action=action, attempt=attempt, host=confirmation.host, sha256=confirmation.sha256),
        ev.Started(action=action, attempt=attempt, pgid=4711),
    ]


def ended(action: str, attempt: str = "mail-1-1", exit_status: int = 0, reason: str = "") -> ev.Finished:
    """Make the end of an attempt: done for status 0, else failed."""
    outcome = ev.Outcome.FAILED if exit_status else ev.Outcome.DONE
    return ev.Finished(action=action, attempt=attempt, outcome=outcome, exit=exit_status, seconds=12.0, reason=reason)


def ran(action: str, attempt: str = "mail-1-1", exit_status: int = 0, **fields: Any) -> list[ev.Event]:  # noqa: ANN401
    """Make all events of an attempt that ran to its end."""
    return [*begun(action, attempt, **fields), ended(action, attempt, exit_status)]
