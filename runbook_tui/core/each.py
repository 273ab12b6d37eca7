"""`each=`: one action for every item of a list."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

from runbook_tui.core.model import Action, ActionId, LiteralSource, Runbook, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.core.model import Each, Literal


def items_of(text: str) -> tuple[str, ...]:
    """Give the items of `alice, bob`, as a list is typed and journaled."""
    return tuple(item.strip() for item in text.split(","))


def known_items(runbook: Runbook, lists: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """Give the items of a list: those of the operator, else the front matter's default; empty while not known."""
    spec = runbook.lists.get(name)
    return lists.get(name) or (spec.default if spec else ())


def expand(runbook: Runbook, lists: Mapping[str, tuple[str, ...]]) -> Runbook:
    """Give the runbook with an action for every item, as far as its lists are known.

    Actions of one step that repeat for the same list go item by item: all of the first item's, then all of the
    second's. What does not repeat stays where it is.
    """
    if not any(action.each for action in runbook.actions()):
        return runbook
    phases = tuple(
        replace(phase, steps=tuple(_expanded(runbook, lists, step) for step in phase.steps)) for phase in runbook.phases
    )
    return replace(runbook, phases=phases)


def _expanded(runbook: Runbook, lists: Mapping[str, tuple[str, ...]], step: Step) -> Step:
    found: list[Action] = []
    for each, group in groupby(step.actions, key=lambda action: action.each):
        actions = list(group)
        items = known_items(runbook, lists, each.list) if each is not None else ()
        if each is None or not items:
            found += actions
            continue
        texts = [literal.text for literal in stands_for(runbook, each)]
        found += [_bound(action, actions, item, texts) for item in items for action in actions]
    return replace(step, actions=tuple(found))


def _bound(action: Action, group: Sequence[Action], item: str, texts: Sequence[str]) -> Action:
    """Give the action of one item. What it needs of its own group it needs of its own item alone."""
    own = {other.id for other in group}
    return replace(
        action,
        id=ActionId(f"{action.id}:{item}"),
        title=f"{action.title} ({item})",
        item=item,
        bound=MappingProxyType(dict.fromkeys(texts, item)),
        needs=tuple(f"{need}:{item}" if need in own else need for need in action.needs),
    )


def stands_for(runbook: Runbook, each: Each) -> list[Literal]:
    """Give the literals that stand for the item."""
    return [lit for lit in runbook.literals if lit.source is LiteralSource.VAR and lit.key == each.variable]


def now_standing(runbook: Runbook, action_id: str) -> Action | None:
    """Give the action with this id, or what it has become since a list got other items: its first item."""
    before = action_id.rpartition(":")[0]
    by_id = runbook.action(action_id)
    return by_id or next((a for a in runbook.actions() if a.item and a.written_id in {action_id, before}), None)


def literals_of(runbook: Runbook, name: str) -> list[Literal]:
    """Give the literals that stand for an item of the list anywhere."""
    used = dict.fromkeys(a.each for a in runbook.actions() if a.each is not None and a.each.list == name)
    return [literal for each in used for literal in stands_for(runbook, each)]
