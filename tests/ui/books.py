"""Runbooks made of parts, for text that no reader would let through as it stands."""

from __future__ import annotations

import hashlib
from typing import Any

from runbook_tui.core.model import (
    LOCAL,
    Action,
    ActionId,
    ActionKind,
    Host,
    HostName,
    Phase,
    PhaseRole,
    Runbook,
    Step,
    StepId,
)

OLD = HostName("old")
NEW = HostName("new")


def action(name: str, title: str, text: str = "true\n", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make an action whose step bears its name unless `step` says otherwise."""
    fields.setdefault("step", StepId(name))
    fields.setdefault("kind", ActionKind.COMMAND)
    fields.setdefault("host", OLD)
    fields.setdefault("line", 10)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Action(id=ActionId(name), title=title, digest=digest, text=text, **fields)


def step(number: str, title: str, *actions: Action, source: str = "", warnings: tuple[str, ...] = ()) -> Step:
    """Make a step."""
    name = actions[0].step if actions else StepId(f"s{number}")
    return Step(
        id=name, number=number, title=title, line=1, end_line=20, source=f"## {title}\n\n{source}", actions=actions,
        warnings=warnings,
    )


def book(*phases: tuple[str, tuple[Step, ...]], title: str = "Move plop.example to the new server") -> Runbook:
    """Make a runbook of phases."""
    made = tuple(
        Phase(name, PhaseRole.STEPS, line=1, level=2, number=str(index), steps=steps)
        for index, (name, steps) in enumerate(phases, 1)
    )
    return Runbook(
        title=title, text="", sha256="0" * 64, encoding="utf-8", annotated=True, phases=made,
        hosts={
            OLD: Host(OLD, "root@old.plop.example", "old.plop.example"),
            NEW: Host(NEW, "root@new.plop.example", "new.plop.example"),
            LOCAL: Host(LOCAL),
        },
    )  # fmt: skip
