"""Problems of a runbook as JSON (ARCHITECTURE.md, `lint --json`) and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_tui.core.model import Severity

if TYPE_CHECKING:
    from runbook_tui.core.model import Problem, Runbook


def lint_json(runbook: Runbook) -> dict[str, Any]:
    """Give `{"problems": [{"line", "column", "severity", "code", "message", "hint"}]}`."""
    return {"problems": [problem_json(problem) for problem in runbook.problems]}


def problem_json(problem: Problem) -> dict[str, Any]:
    """Give one problem as an object."""
    return {
        "line": problem.line, "column": problem.column, "severity": problem.severity.value, "code": problem.code,
        "message": problem.message, "hint": problem.hint,
    }  # fmt: skip


def lint_text(runbook: Runbook) -> str:
    """Give one line a problem, `LINE:COLUMN severity: message (hint) [code]`, and a line with the count."""
    found = [problem_text(problem) for problem in runbook.problems]
    counts = [
        f"{number} {severity.value}{'s' if number != 1 else ''}"
        for severity in Severity
        if (number := sum(p.severity is severity for p in runbook.problems))
    ]
    return "\n".join([*found, ", ".join(counts) if counts else "no problems"]) + "\n"


def problem_text(problem: Problem) -> str:
    """Give a problem as one line."""
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{problem.line}:{problem.column} {problem.severity.value}: {problem.message}{hint} [{problem.code}]"
