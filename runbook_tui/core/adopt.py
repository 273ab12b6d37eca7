"""An edited runbook taken into a run: what was confirmed stays as it was, only the rest becomes what the file says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from runbook_tui.core.each import expand
from runbook_tui.core.markdown.drift import Drift, pairs
from runbook_tui.core.model import ActionId, PhaseRole, StepId
from runbook_tui.core.run import ActionState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from runbook_tui.core.model import Action, Runbook, Step
    from runbook_tui.core.run import RunState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a run is after it adopted a file.

    `changes` are the steps that become another one, by their number and title in the file; a removed one by its old.
    `kept` are confirmed steps that the file has otherwise and that stay as they were. `refused` says why the file
    cannot be adopted; the state is then the one before.
    """

    state: RunState
    changes: tuple[tuple[Drift, str], ...] = ()
    kept: tuple[StepId, ...] = ()
    refused: str = ""


def adopt(state: RunState, new: Runbook) -> Adoption:
    """Give the state with the new file in the place of the old one.

    A step is confirmed when anything happened to one of its actions: an attempt, a skip, a mark by hand.
    """
    before, found = state.written, pairs(state.written, new)
    begun = {a.step for a in state.runbook.actions() if state.of(a.id) != ActionState()}
    if refused := _refused(state, new, begun, set(found.values())):
        return Adoption(state, refused=refused)
    old = {step.id: step for step in before.steps()}
    merged: dict[StepId, Step] = {}
    changes, kept = [], []
    for step in new.steps():
        was = old.get(found[step.id]) if step.id in found else None
        same = was is not None and _shape(was) == _shape(step)
        merged[step.id] = _kept(was, step, same=same) if was is not None and was.id in begun else step
        if was is not None and was.id in begun and not same:
            kept.append(was.id)
        elif was is None:
            changes.append((Drift.NEW, _named(step)))
        elif not same or was.number != step.number:
            changes.append((Drift.MOVED if same else Drift.CHANGED, _named(step)))
    changes += [(Drift.REMOVED, _named(step)) for step in before.steps() if step.id not in found.values()]
    written = _with_steps(new, merged)
    after = replace(state, kept=frozenset(kept), written=written, runbook=expand(written, state.answers.lists))
    if refused := _unfit(state, after):
        return Adoption(state, refused=refused)
    return Adoption(_without_stale_answers(state, after), tuple(changes), tuple(kept))


def _refused(state: RunState, new: Runbook, begun: AbstractSet[StepId], paired: AbstractSet[StepId]) -> str:
    if new.errors:
        return f"the file has {len(new.errors)} errors"
    if not any(new.actions()):
        return "nothing in the file is a step"
    if dict(new.hosts) != dict(state.written.hosts):
        return "the file has other hosts; a run keeps its hosts, so that needs a new run"
    gone = [step for step in state.written.steps() if step.id in begun and step.id not in paired]
    if gone:
        return f"{', '.join(_named(step) for step in gone)}: confirmed in this run and no longer in the file"
    return ""


def _unfit(before: RunState, after: RunState) -> str:
    """Say why the steps that stay and the new ones do not fit together; empty when they do."""
    ids: list[str] = [action.id for action in after.runbook.actions()]
    if double := sorted({i for i in ids if ids.count(i) > 1}):
        return f"two actions would bear the same name: {', '.join(double)}"
    lost = [a.id for a in before.runbook.actions() if before.of(a.id) != ActionState() and a.id not in ids]
    if lost:
        return f"confirmed in this run and no longer in the file: {', '.join(lost)}"
    known = {*ids, *(a.id for a in after.written.actions()), *(s.id for s in after.written.steps())}
    missing = sorted({need for a in after.runbook.actions() for need in a.needs if need not in known})
    return f"steps need what is not there: {', '.join(missing)}" if missing else ""


def _kept(was: Step, step: Step, *, same: bool) -> Step:
    """Give the step at its place in the new file with the actions it had; only the prose around them may be new."""
    if same:
        return replace(step, id=was.id, actions=was.actions)
    return replace(was, number=step.number, line=step.line, end_line=step.end_line, depth=step.depth)


def _shape(step: Step) -> tuple[object, ...]:
    """Give all of a step that matters to what it does, without where it stands in the file."""
    return (step.title, *(_action_shape(action) for action in step.actions))


def _action_shape(action: Action) -> Action:
    return replace(
        action, id=ActionId(""), step=StepId(""), line=0,
        verifies=tuple(replace(part, line=0) for part in action.verifies),
        outputs=tuple(replace(part, line=0) for part in action.outputs),
        undos=tuple(replace(part, line=0) for part in action.undos),
    )  # fmt: skip


def _with_steps(runbook: Runbook, steps: Mapping[StepId, Step]) -> Runbook:
    phases = tuple(
        replace(phase, steps=tuple(steps[step.id] for step in phase.steps)) if phase.role is PhaseRole.STEPS else phase
        for phase in runbook.phases
    )
    return replace(runbook, phases=phases)


def _without_stale_answers(before: RunState, after: RunState) -> RunState:
    """Forget what was said of actions and checks that are another thing now: nobody has read those."""
    now = {a.id: _action_shape(a) for a in _all(after)}
    same = {str(a.id) for a in _all(before) if a.id in now and now[a.id] == _action_shape(a)}
    checks = {check.name for check in after.written.checks if check in before.written.checks}
    answers = before.answers
    return replace(
        after,
        answers=replace(
            answers, hosts=_only(answers.hosts, same), modes=_only(answers.modes, same),
            kinds=_only(answers.kinds, same), accepted=answers.accepted & same,
        ),
        gates=MappingProxyType({k: v for k, v in before.gates.items() if k[0] in same and k[1] in checks}),
        checks=_only(before.checks, checks),
    )  # fmt: skip


def _all(state: RunState) -> Iterator[Action]:
    yield from state.written.actions()
    yield from state.runbook.actions()


def _only(known: Mapping[str, T], names: AbstractSet[str]) -> Mapping[str, T]:
    return MappingProxyType({name: value for name, value in known.items() if name in names})


def _named(step: Step) -> str:
    return f"{step.number} {step.title}"
