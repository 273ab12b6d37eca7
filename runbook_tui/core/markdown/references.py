"""References between parts of a runbook: `needs=`, `gate=`, `check=`, `each=`, phases of checks; dangling ones."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import values
from runbook_tui.core.markdown.actions import Context, names_in, unknown_host
from runbook_tui.core.markdown.vocabulary import did_you_mean
from runbook_tui.core.model import LiteralSource, Problem, Severity
from runbook_tui.core.settle import value_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runbook_tui.core.markdown.attributes import Attributes
    from runbook_tui.core.markdown.frontmatter import Front
    from runbook_tui.core.model import Phase


def check_references(
    groups: Sequence[Attributes],
    phases: tuple[Phase, ...],
    explicit: Mapping[str, tuple[int, int]],
    front: Front,
    context: Context,
) -> None:
    """Note every reference to something that is not there, with what may have been meant."""
    forward = {
        name
        for phase in phases
        if phase.number
        for step in phase.steps
        for name in (step.id, *(action.id for action in step.actions))
    }
    checks = [check.name for check in front.checks]
    for group in groups:
        _needs(group, forward, explicit, context)
        for key in ("gate", "check"):
            for name in names_in(group.values.get(key, "")):
                if name not in checks:
                    hint = did_you_mean(name, checks) or "declare it under checks: in the front matter"
                    message = f"{key}={name}: there is no check {name}"
                    context.error(group.line, group.column(key), "dangling-" + key, message, hint)
        _each(group, front, context)
        rebinds = group.values.get("rebinds", "")
        if rebinds and rebinds not in context.hosts:
            unknown_host(rebinds, group, context, "rebinds")
    _alternatives(groups, context)
    _check_names(phases, explicit, front, context)
    _cycles(phases, context)


def _needs(group: Attributes, forward: set[str], explicit: Mapping[str, tuple[int, int]], context: Context) -> None:
    for written in names_in(group.values.get("needs", "")):
        name = written.lstrip("#")
        if name in forward:
            continue
        if name in explicit:
            message = f"needs={name}: #{name} is no step or action of the way forward, so it is never settled"
            hint = ""
        else:
            message, hint = f"needs={name}: there is no #{name}", did_you_mean(name, explicit, "#")
        context.error(group.line, group.column("needs"), "dangling-needs", message, hint)


def _each(group: Attributes, front: Front, context: Context) -> None:
    """Note an `each=` without its list or without a literal that stands for the item, and items that cannot."""
    repeated = values.each(group.values.get("each", ""))
    if repeated is None:
        return
    place = (group.line, group.column("each"))
    if repeated.list not in front.lists:
        hint = did_you_mean(repeated.list, front.lists) or "declare it under lists: in the front matter"
        context.error(*place, "dangling-each", f"there is no list {repeated.list}", hint)
    variables = [lit for lit in front.literals if lit.source is LiteralSource.VAR]
    standing = [lit for lit in variables if lit.key == repeated.variable]
    if not standing:
        hint = did_you_mean(repeated.variable, [lit.key for lit in variables]) or "declare it under literals: with var:"
        context.error(*place, "dangling-variable", f"no literal stands for {repeated.variable}", hint)
    items = front.lists[repeated.list].default if repeated.list in front.lists else ()
    for literal, item in product(standing, items):
        if why := value_problem(literal, item):
            message = f"the list {repeated.list} has an item that cannot stand for {literal.text}: {why}"
            context.error(*place, "bad-value", message)


def _alternatives(groups: Iterable[Attributes], context: Context) -> None:
    """Note a group of alternatives that offers one choice only: there is nothing to choose."""
    found: dict[str, dict[str, Attributes]] = {}
    for attributes in groups:
        if (written := values.alternative(attributes.values.get("alt", ""))) is not None:
            found.setdefault(written[0], {}).setdefault(written[1], attributes)
    for group, choices in found.items():
        if len(choices) == 1:
            (choice, where), = choices.items()
            message = f"alt={group}:{choice} is the only choice of {group}"
            hint = "name a second one, or write optional=yes or when="
            problem = Problem(where.line, where.column("alt"), Severity.WARNING, "one-choice", message, hint)
            context.problems.append(problem)


def _check_names(
    phases: tuple[Phase, ...], explicit: Mapping[str, tuple[int, int]], front: Front, context: Context
) -> None:
    """Look at what the checks of the front matter name: phases and the step that changes something."""
    names = {phase.name for phase in phases if phase.name}
    for check in front.checks:
        line = front.check_lines.get(check.name, 1)
        for name in check.phases:
            if name not in names:
                message = f"the check {check.name} speaks of the phase {name}, which is not named anywhere"
                hint = did_you_mean(name, names) or f"write <!-- phase: {name} --> after its heading"
                context.error(line, 1, "dangling-phase", message, hint)
        step = str(check.options.get("changed-by") or "").lstrip("#")
        if step and step not in explicit:
            message = f"the check {check.name} is changed by #{step}, which is not there"
            context.error(line, 1, "dangling-changed-by", message, did_you_mean(step, explicit, "#"))


def _cycles(phases: tuple[Phase, ...], context: Context) -> None:
    """Note steps that need each other: none of them could ever begin."""
    steps = [step for phase in phases for step in phase.steps]
    step_of = {name: step.id for step in steps for name in (step.id, *(a.id for a in step.actions))}
    wants = {
        step.id: {step_of[n] for a in step.actions for n in a.needs if n in step_of and n != a.id} for step in steps
    }
    own = {step.id: {n for a in step.actions for n in a.needs} for step in steps}
    for step in steps:
        inside = {action.id for action in step.actions}
        alone = len(step.actions) == 1
        selfish = step.id in own[step.id] or (alone and own[step.id] & inside)
        wants[step.id].discard(step.id)
        if selfish:
            context.error(step.line, 1, "needs-cycle", f"{step.title!r} needs itself", "take that needs= away")
    try:
        TopologicalSorter(wants).prepare()
    except CycleError as error:
        by_id = {step.id: step for step in steps}
        round_trip = [by_id[name] for name in error.args[1][:6]]
        message = "steps need each other in a circle: " + ", ".join(repr(step.title) for step in round_trip)
        context.error(min(step.line for step in round_trip), 1, "needs-cycle", message, "take one needs= away")
