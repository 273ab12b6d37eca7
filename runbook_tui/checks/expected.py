"""What a check expects in the phase the walk is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def in_phase(usual: object, phases: Mapping[str, object], phase: str) -> object:
    """Give the expectation of a phase, the usual one where `phases:` does not name it (FORMAT.md, front matter)."""
    return phases.get(phase, usual)
