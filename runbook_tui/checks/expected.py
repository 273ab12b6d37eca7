"""What a check expects in the phase the walk is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.markdown.checkvalues import AS_USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping


def in_phase(usual: object, phases: Mapping[str, object], phase: str) -> object:
    """Give the expectation of a phase, the usual one where `phases:` does not name it (FORMAT.md, front matter)."""
    return phases.get(phase, usual)


def up_in_phase(usual: object, phases: Mapping[str, object], phase: str) -> object:
    """Give the expectation of a phase for what can be reached or not: `up` and `open` mean the usual one."""
    expected = in_phase(usual, phases, phase)
    return usual if expected in AS_USUAL else expected
