"""Which actions belong to this migration: hosts, conditions and choices decide it. The one place that says `n/a`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core.run import SETTLED, RunState, Status

if TYPE_CHECKING:
    from runbook_tui.core.model import Action, HostName, Runbook, Step, Undo, Verify

NOT_HERE = "n/a"
"""The word of what does not apply here, where a state's word would stand."""


def not_for(state: RunState, action: Action) -> str:
    """Say why the action does not apply here; empty when it does, or while that is not known.

    What was begun or settled keeps its own state: an answer that comes later takes nothing back.
    """
    mine = state.of(action.id)
    if mine.status is not Status.TODO or mine.attempts:
        return ""
    return next((why for reason in REASONS if (why := reason(state, action))), "")


def standing(state: RunState, action: Action) -> Status:
    """Give the action's own state; `skipped` where it does not apply here."""
    return Status.SKIPPED if not_for(state, action) else state.of(action.id).status


def settled(state: RunState, action: Action) -> bool:
    """Whether nothing is left to do for the action: it is settled, or it does not apply here."""
    return standing(state, action) in SETTLED


def applying(state: RunState, step: Step) -> tuple[Action, ...]:
    """Give the step's actions that apply here; a step without any does not apply either."""
    return tuple(action for action in step.actions if not not_for(state, action))


def step_settled(state: RunState, step: Step) -> bool:
    """Whether every action of the step is settled or does not apply here."""
    return all(settled(state, action) for action in step.actions)


# ---- `os=`


def system_word(text: str) -> str:
    """Give the name of a system as one word in lower case: `ID` of os-release(5) or `uname -s`. Empty for no word."""
    name = text.strip().lower()
    return name if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name) else ""


def host_of(state: RunState, action: Action) -> HostName | None:
    """Give the host the action is for, the operator's answer first."""
    return state.answers.hosts.get(action.id, action.host)


def system_of(state: RunState, host: HostName) -> str:
    """Give the host's system as one word (`freebsd`, `debian`), empty while it is not known.

    What the operator said by hand counts before the front matter, and that before what the host answered.
    """
    known = state.hosts.get(host)
    return state.answers.systems.get(host) or (known.os if known else "") or state.systems.get(host, "")


def contradiction(state: RunState, host: HostName) -> str:
    """Say that the host answers another system than the front matter has; empty when nothing is in doubt."""
    known = state.hosts.get(host)
    written, answered = known.os if known else "", state.systems.get(host, "")
    if host in state.answers.systems or not written or not answered or written == answered:
        return ""
    return f"the runbook says that {host} is {written}, but {host} itself answers {answered}"


def system_hosts(state: RunState, action: Action) -> tuple[HostName, ...]:
    """Give the hosts whose system decides about the action or about a proof or way back of it."""
    host = host_of(state, action)
    parts: tuple[Verify | Undo, ...] = (*action.verifies, *action.undos)
    named = [host if action.os else None, *(part.host or host for part in parts if part.os)]
    return tuple(dict.fromkeys(name for name in named if name is not None))


def unknown_systems(state: RunState, action: Action) -> tuple[HostName, ...]:
    """Give the hosts that have to be asked what they are before the action can be shown."""
    return tuple(host for host in system_hosts(state, action) if not system_of(state, host))


def fitting(state: RunState, action: Action) -> Action:
    """Give the action without the proofs and ways back that are for another system than their host's."""
    host = host_of(state, action)

    def fits(wanted: str, where: HostName | None) -> bool:
        place = where or host
        if not wanted or place is None:
            return True
        doubtful = place == host and contradiction(state, place)
        return wanted == ((action.os if doubtful else "") or system_of(state, place) or wanted)

    return replace(
        action,
        verifies=tuple(v for v in action.verifies if fits(v.os, v.host)),
        undos=tuple(u for u in action.undos if fits(u.os, u.host)),
    )


def _other_system(state: RunState, action: Action) -> str:
    host = host_of(state, action)
    if not action.os or host is None or contradiction(state, host):
        return ""
    system = system_of(state, host)
    return f"for {action.os}; {host} is {system}" if system and system != action.os else ""


# ---- `when=` and `alt=`


def condition(action: Action) -> str:
    """Give the sentence by which an answer is known: the same sentence is answered once for the whole run.

    One that speaks of the item of an `each=` is another sentence for every item.
    """
    return f"{action.when} ({action.item})" if any(text in action.when for text in action.bound) else action.when


def choices(runbook: Runbook, group: str) -> list[str]:
    """Give the choices of a group of alternatives, in the order of the runbook."""
    found = [action.alt[1] for action in runbook.actions() if action.alt is not None and action.alt[0] == group]
    return list(dict.fromkeys(found))


def _condition(state: RunState, action: Action) -> str:
    sentence = condition(action)
    return f"not here: {sentence}" if state.answers.conditions.get(sentence) is False else ""


def _alternative(state: RunState, action: Action) -> str:
    if action.alt is None:
        return ""
    group, choice = action.alt
    chosen = state.answers.choices.get(group, choice)
    return "" if chosen == choice else f"{choice}: {chosen} was chosen"


REASONS = (_other_system, _condition, _alternative)
"""Why an action may not apply here, the first that does is told."""
