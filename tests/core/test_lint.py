"""Problems as JSON and as lines; the shipped runbooks have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.markdown import lint_json, lint_text, read
from runbook_tui.core.model import ActionKind
from tests.core.markdown_texts import HEAD_LINES, SHIPPED, annotated, fence, step

if TYPE_CHECKING:
    from pathlib import Path


def test_a_problem_in_json_and_in_a_line() -> None:
    """Line, column, severity, code, message and hint, as documented."""
    runbook = annotated(step(fence("x", "sh {.run hots=old}")))
    assert lint_json(runbook) == {
        "problems": [{
            "line": HEAD_LINES + 5, "column": 14, "severity": "error", "code": "unknown-key",
            "message": "unknown key hots", "hint": "did you mean host?",
        }]
    }  # fmt: skip
    expected = f"{HEAD_LINES + 5}:14 error: unknown key hots (did you mean host?) [unknown-key]\n1 error\n"
    assert lint_text(runbook) == expected


def test_nothing_wrong() -> None:
    """A clean file says so."""
    runbook = annotated(step(fence("x")))
    assert lint_json(runbook) == {"problems": []}
    assert lint_text(runbook) == "no problems\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_runbooks_are_clean(path: Path) -> None:
    """They are annotated, have steps, no problem at all, and nothing in them is held back by what is not built."""
    runbook = read(path.read_bytes(), name=path.name)
    assert (runbook.annotated, runbook.problems) == (True, ())
    assert list(runbook.steps())
    assert [hold for action in runbook.actions() for hold in action.holds] == []


def test_the_shipped_runbooks_show_every_kind() -> None:
    """Together with proofs, ways back, danger and a wait, so that a newcomer meets each of them once."""
    assert {path.name for path in SHIPPED} >= {"first-steps.md", "rotate-motd.md"}
    for path in SHIPPED:
        actions = list(read(path.read_bytes()).actions())
        kinds = {ActionKind.COMMAND, ActionKind.FILE, ActionKind.MANUAL, ActionKind.WAIT}
        assert {a.kind for a in actions} == kinds
        assert any(a.verifies for a in actions)
        assert any(a.undos for a in actions)
        assert any(a.danger for a in actions)
