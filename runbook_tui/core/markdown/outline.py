"""What was understood of a file: as the documented JSON (FORMAT.md) and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_tui.core.markdown.lint import problem_json
from runbook_tui.core.model import ActionKind, PhaseRole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.core.model import Action, Block, Phase, Runbook, Step

_ORDER = (ActionKind.COMMAND, ActionKind.FILE, ActionKind.INTERACTIVE, ActionKind.WAIT, ActionKind.MANUAL)


def outline(runbook: Runbook) -> dict[str, Any]:
    """Give `outline FILE --json`: title, source, phases with nested steps, literals, problems."""
    return {
        "title": runbook.title,
        "source": {"sha256": runbook.sha256, "encoding": runbook.encoding},
        "phases": [_phase(phase) for phase in runbook.phases],
        "literals": [
            {"text": lit.text, "kind": lit.kind or lit.source.value, "lines": list(lit.lines)}
            for lit in runbook.literals
        ],
        "problems": [problem_json(problem) for problem in runbook.problems],
    }


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "title": phase.title,
        "role": phase.role.value,
        "line": phase.line,
        "blocks": [_block(block) for block in phase.blocks],
        "steps": _nested(phase.steps, phase.role),
    }


def _nested(steps: tuple[Step, ...], role: PhaseRole) -> list[dict[str, Any]]:
    """Give the steps with their sub-steps inside them."""
    roots: list[dict[str, Any]] = []
    above: list[dict[str, Any]] = []
    for step in steps:
        body = _step(step, role)
        above = above[: step.depth]
        (above[-1]["steps"] if above else roots).append(body)
        above.append(body)
    return roots


def _step(step: Step, role: PhaseRole) -> dict[str, Any]:
    first = _leading(step)
    held = list(dict.fromkeys(hold.why for action in step.actions for hold in action.holds))
    by_hand = first is None or first.kind in {ActionKind.MANUAL, ActionKind.INTERACTIVE}
    return {
        "id": step.id,
        "title": step.title,
        "line": step.line,
        "kind": first.kind.value if first is not None else ActionKind.MANUAL.value,
        "host": first.host if first is not None else None,
        "host_why": first.host_why if first is not None else "",
        "runnable": role is PhaseRole.STEPS and not by_hand and not held,
        "held_because": held,
        "blocks": [_block(block) for block in step.blocks],
        "inline": list(step.inline),
        "warnings": list(step.warnings),
        "steps": [],
    }


def _leading(step: Step) -> Action | None:
    """Give the action that says what the step is: a command before a file before what is done by hand."""
    return min(step.actions, key=lambda action: _ORDER.index(action.kind), default=None)


def _block(block: Block) -> dict[str, Any]:
    return {
        "line": block.line,
        "kind": block.kind.value,
        "commands": list(block.commands),
        "path": block.path or None,
        "confidence": round(block.confidence, 2),
        "why": block.why,
    }


def outline_text(runbook: Runbook) -> str:
    """Give the outline as indented lines: phases, steps with number, kind and host, what holds each back."""
    count = sum(1 for _ in runbook.steps())
    lines = [runbook.title, f"{count} step{'s' if count != 1 else ''}, {'annotated' if runbook.annotated else 'bare'}"]
    for phase in runbook.phases:
        label = f"{phase.number} " if phase.number else ""
        name = f" [{phase.name}]" if phase.name else ""
        lines += ["", f"{label}{phase.title}{name} ({phase.role.value}, line {phase.line})"]
        lines += [f"  {_block_text(block)}" for block in phase.blocks]
        for step in phase.steps:
            lines += _step_text(step)
    if runbook.literals:
        lines += ["", "Words that stand for values:"]
        lines += [f"  {lit.text} ({lit.kind or lit.source.value})" for lit in runbook.literals]
    return "\n".join(lines) + "\n"


def _step_text(step: Step) -> Iterator[str]:
    pad = "  " * (step.depth + 1)
    yield f"{pad}{step.number} {step.title}".rstrip() if step.number else f"{pad}- {step.title}"
    for action in step.actions:
        host = f" on {action.host}" if action.host else ""
        what = f": {action.file.path}" if action.file else ""
        yield f"{pad}    {action.kind.value}{what}{host}{_marks(action)} (line {action.line})"
        for hold in action.holds:
            yield f"{pad}      held: {hold.why}"
    for block in step.blocks:
        yield f"{pad}    {_block_text(block)}"
    for warning in step.warnings:
        yield f"{pad}    warning: {warning}"


def _marks(action: Action) -> str:
    """Give what the runbook says about where, when, whether and how carefully the action is done."""
    marks = [
        f"for {action.os}" if action.os else "",
        f"for each {action.each.variable} in {action.each.list}" if action.each else "",
        "dangerous" if action.danger else "",
        "point of no return" if action.no_return else "",
        "optional" if action.optional else "",
        f"only when: {action.when}" if action.when else "",
        f"a way for {action.alt[0]}: {action.alt[1]}" if action.alt else "",
        f"gates: {' '.join(action.gates)}" if action.gates else "",
        f"green after it: {' '.join(action.checks)}" if action.checks else "",
    ]
    return "".join(f", {mark}" for mark in marks if mark)


def _block_text(block: Block) -> str:
    path = f" {block.path}" if block.path else ""
    return f"block, line {block.line}: {block.kind.value}{path}, {block.confidence:.2f} ({block.why})"
