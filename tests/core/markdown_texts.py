"""Small runbooks as text, and short ways to read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import read

if TYPE_CHECKING:
    from runbook_tui.core.model import Action, Problem, Runbook

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "runbooks").glob("*.md"))
LIKE_SEED = ROOT / "tests" / "fixtures" / "moving-house.md"

HEAD = """---
title: Test
runbook:
  version: 1
  hosts:
    old: {ssh: root@old.server.tld, name: old.server.tld}
    new: {ssh: root@new.server.tld:2222, name: new.server.tld, os: debian, also: [new server]}
  lists:
    users: {default: [ann, bob]}
  checks:
    up: {type: ssh, host: old}
---
"""
HEAD_LINES = HEAD.count("\n")


def annotated(body: str) -> Runbook:
    """Read a body under a front matter with the hosts old and new, the list users and the check up."""
    return read((HEAD + body).encode(), name="test.md")


def bare(body: str) -> Runbook:
    """Read a body without front matter."""
    return read(body.encode(), name="post.md")


def only(runbook: Runbook) -> Action:
    """Give the only action of a runbook without errors."""
    assert runbook.errors == ()
    (action,) = runbook.actions()
    return action


def fence(body: str, info: str = "sh {.run host=old}") -> str:
    """Give a fence."""
    return f"``` {info}\n{body}\n```\n"


def step(*fences: str, comment: str = "") -> str:
    """Give a phase with one step made of fences."""
    mark = f" <!-- step: {comment} -->" if comment else ""
    return f"# Plan\n\n## One step{mark}\n\n" + "\n".join(fences)


def codes(runbook: Runbook) -> list[str]:
    """Give the codes of all problems."""
    return [problem.code for problem in runbook.problems]


def problem(runbook: Runbook, code: str) -> Problem:
    """Give the only problem with this code."""
    (found,) = [p for p in runbook.problems if p.code == code]
    return found
