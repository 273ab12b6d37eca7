"""An edited runbook beside the one a run was opened with: which steps are the same or not."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from runbook_tui.core.model import PhaseRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runbook_tui.core.model import Runbook, Step, StepId

_DERIVED = re.compile(r"-[0-9a-f]{8}(?:-\d+)?$")


class Drift(StrEnum):
    """How a step differs; `removed` is told of the old runbook's step, the others of the new one's."""

    SAME = "same"
    MOVED = "moved"
    CHANGED = "changed"
    REMOVED = "removed"
    NEW = "new"


def compare(old: Runbook, new: Runbook) -> Mapping[StepId, Drift]:
    """Give every step of the new runbook, by its id there, and every removed one of the old, by its old id.

    A step is the one it was when its id is the same, or when its id is derived and title and phase are the
    same: a derived id ends in a hash of the block, so it changes with it. It has moved when only its number is
    another one.
    """
    before = {step.id: step for step in old.steps()}
    kin = pairs(old, new)
    found: dict[StepId, Drift] = {}
    for step in new.steps():
        was = before.get(kin[step.id]) if step.id in kin else None
        if was is None:
            found[step.id] = Drift.NEW
        elif _content(was) != _content(step):
            found[step.id] = Drift.CHANGED
        else:
            found[step.id] = Drift.SAME if was.number == step.number else Drift.MOVED
    kept = set(kin.values())
    found.update({step_id: Drift.REMOVED for step_id in before if step_id not in kept})
    return found


def pairs(old: Runbook, new: Runbook) -> dict[StepId, StepId]:
    """Give the old id of each new step that was there before."""
    before = {step.id for step in old.steps()}
    after = {step.id for step in new.steps()}
    pairs = {step_id: step_id for step_id in after & before}
    waiting: dict[tuple[str, str], list[StepId]] = {}
    for phase, step in _walked(old):
        if step.id not in after and _DERIVED.search(step.id):
            waiting.setdefault((phase, step.title), []).append(step.id)
    for phase, step in _walked(new):
        candidates = waiting.get((phase, step.title))
        if step.id not in pairs and candidates and _DERIVED.search(step.id):
            pairs[step.id] = candidates.pop(0)
    return pairs


def _walked(runbook: Runbook) -> Iterator[tuple[str, Step]]:
    for phase in runbook.phases:
        if phase.role is PhaseRole.STEPS:
            for step in phase.steps:
                yield phase.title, step


def _content(step: Step) -> tuple[str, ...]:
    return (step.title, *(action.digest for action in step.actions))
