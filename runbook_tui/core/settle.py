"""What an action is once the operator's answers are taken in, and what still holds it back."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core import gates
from runbook_tui.core.applies import (
    choices,
    condition,
    contradiction,
    fitting,
    host_of,
    not_for,
    settled,
    standing,
    system_hosts,
    system_word,
    unknown_systems,
)
from runbook_tui.core.each import items_of, known_items, literals_of, stands_for
from runbook_tui.core.errors import Refused
from runbook_tui.core.events import Settlement
from runbook_tui.core.model import (
    LOCAL,
    Action,
    ActionKind,
    FileMode,
    Hold,
    HoldCode,
    LiteralSource,
)
from runbook_tui.core.rebinding import rebound_holds
from runbook_tui.core.run import RunState, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.core.model import HostName, Literal, Runbook

PLAIN_VALUE = r"[A-Za-z0-9._@%+=:,/][A-Za-z0-9._@%+=:,/-]*"
"""What a literal's value must match whole when it has no `match` of its own (FORMAT.md, Spelling 4)."""

SHELL_SYNTAX = re.compile(r"""[`$\\"';&|<>()]""")
"""What a value never has, whatever its `match` allows: in quotes or out of them sh would obey it (PROMISES.md 3.5)."""

LONGEST_COMMAND = 100_000
"""Bytes: a shell takes its program as one argument, and Linux caps an argument at 128 KiB (execve(2))."""


def value_problem(literal: Literal, value: str) -> str:
    """Say why a value cannot stand for this literal; empty when it can. A value is refused, never quoted."""
    pattern = literal.match or PLAIN_VALUE
    if not value.isprintable():
        return f"{value!r} contains a character that cannot be seen"
    if ".." in value and not literal.match:
        return f"{value!r} contains '..'"
    if not re.fullmatch(pattern, value):
        return f"{value!r} does not match {pattern}"
    if found := SHELL_SYNTAX.search(value):
        return f"{value!r} has shell syntax in it: {found.group()}"
    return ""


def literal_value(state: RunState, literal: Literal) -> str | None:
    """Give the value that stands for the literal now, or None."""
    answered = state.answers.literals.get(literal.text)
    if answered is not None:
        return answered
    match literal.source:
        case LiteralSource.HOST:
            host = next((h for name, h in state.hosts.items() if name == literal.key), None)
            return (host.dns_name or None) if host else None
        case LiteralSource.VAR:
            return literal.default
        case _:
            return None


def resolve(text: str, literals: tuple[Literal, ...], values: Mapping[str, str]) -> str:
    """Put the values in: longest literal first, whole tokens only, each place once."""
    known = sorted((lit for lit in literals if lit.text in values), key=lambda lit: -len(lit.text))
    if not known:
        return text
    pattern = "|".join(_token(lit) for lit in known)
    return re.sub(pattern, lambda found: values[found.group()], text)


def mentioned(text: str, literals: tuple[Literal, ...]) -> list[Literal]:
    """Give the literals that occur in the text and are not part of a longer one there."""
    ordered = sorted(literals, key=lambda lit: -len(lit.text))
    if not ordered:
        return []
    hits = {m.group() for m in re.finditer("|".join(_token(lit) for lit in ordered), text)}
    return [lit for lit in literals if lit.text in hits]


def places(literal: Literal, line: str) -> list[int]:
    """Give the columns, counted from 1, at which the literal stands in a line."""
    return [found.start() + 1 for found in re.finditer(_token(literal), line)]


def _token(literal: Literal) -> str:
    """Give the pattern of a literal as a whole token; `word: true` also keeps off names it is a label of."""
    text = re.escape(literal.text)
    if literal.word:
        return rf"(?<![A-Za-z0-9_.-]){text}(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
    return f"(?<![A-Za-z0-9_-]){text}(?![A-Za-z0-9_-])"


def resolve_all(state: RunState, text: str) -> str:
    """Put the values known now into a text of the runbook."""
    return resolve(text, state.runbook.literals, _values(state))


def _values(state: RunState) -> dict[str, str]:
    return {
        lit.text: value
        for lit in state.runbook.literals
        if lit.source is not LiteralSource.SECRET and (value := literal_value(state, lit)) is not None
    }


def effective(state: RunState, action: Action) -> Action:
    """Give the action as it would be executed now: answers taken in, literals resolved where they have values.

    Proofs and ways back for another system than their host's are left out.
    """
    answers = state.answers
    action = fitting(state, action)
    kind = answers.kinds.get(action.id, action.kind)
    literals = state.runbook.literals
    values = {**_values(state), **action.bound}

    def put(text: str) -> str:
        return resolve(text, literals, values)

    file = action.file
    if file is not None:
        mode = answers.modes.get(action.id, file.mode)
        file = replace(file, mode=mode, path=put(file.path), validate=put(file.validate))
    return replace(
        action,
        kind=kind,
        host=host_of(state, action),
        file=file,
        text=put(action.text),
        cwd=put(action.cwd),
        expect=put(action.expect),
        dry_run=put(action.dry_run),
        recheck=put(action.recheck),
        when=put(action.when),
        verifies=tuple(replace(v, text=put(v.text), cwd=put(v.cwd), expect=put(v.expect)) for v in action.verifies),
        undos=tuple(replace(u, text=put(u.text), cwd=put(u.cwd)) for u in action.undos),
        outputs=tuple(replace(o, text=put(o.text)) for o in action.outputs),
    )


def holds(state: RunState, action: Action) -> tuple[Hold, ...]:
    """Give every reason that holds the action back now, in the order in which they are best settled."""
    if not_for(state, action):
        return ()
    now = effective(state, action)
    found = _choice_holds(state, action, now)
    if (name := state.telling.get(action.id)) is not None:
        found.append(Hold(HoldCode.TELLS, f"its text has the secret {name} in it: it is never shown or sent", name))
    found += [hold for hold in action.holds if not _lifted(state, action, now, hold)]
    if action.each is not None and not action.item:
        found.append(Hold(HoldCode.LIST, f"the list {action.each.list} is not known yet", action.each.list))
    if now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
        found += _host_holds(state, now, already=found)
        found += _text_holds(state, fitting(state, action), now)
    if now.kind is ActionKind.FILE and now.file is not None:
        if now.file.mode is None and not any(h.code is HoldCode.NO_MODE for h in found):
            found.append(Hold(HoldCode.NO_MODE, "it does not say how the file is changed", "mode"))
        if now.file.mode is FileMode.PATCH:
            found.append(Hold(HoldCode.UNSUPPORTED, "mode=patch is not built yet", "mode"))
    found += rebound_holds(state, action, now.kind)
    found += _system_holds(state, action)
    found += [
        Hold(HoldCode.NEEDS, f"{need} comes first", need) for need in action.needs if not _is_settled(state, need)
    ]
    return (*found, *_gate_holds(state, action))


def _choice_holds(state: RunState, action: Action, now: Action) -> list[Hold]:
    """Give what has to be known before it is known whether the action applies at all."""
    found = []
    if action.when and condition(action) not in state.answers.conditions:
        found.append(Hold(HoldCode.WHEN, f"only when: {now.when}; is it so here?", condition(action)))
    if action.alt is not None and action.alt[0] not in state.answers.choices:
        group = action.alt[0]
        ways = ", ".join(choices(state.runbook, group))
        found.append(Hold(HoldCode.ALT, f"it is one of several ways for {group} ({ways}); which one is taken?", group))
    return found


def _gate_holds(state: RunState, action: Action) -> list[Hold]:
    values = {**_values(state), **action.bound}

    def put(text: str) -> str:
        return resolve(text, state.runbook.literals, values)

    return [
        Hold(HoldCode.GATE, gates.question(state, action, gate, put), gate)
        for gate in gates.open_gates(state, action)
    ]


def _lifted(state: RunState, action: Action, now: Action, hold: Hold) -> bool:
    manual = now.kind is ActionKind.MANUAL and action.kind is not ActionKind.MANUAL
    match hold.code:
        case HoldCode.NO_HOST | HoldCode.UNKNOWN_HOST:
            return manual or action.id in state.answers.hosts
        case HoldCode.NO_MODE:
            return manual or (now.file is not None and now.file.mode is not None)
        case HoldCode.UNREAD:
            return manual or action.id in state.answers.accepted
        case HoldCode.KIND:
            return action.id in state.answers.kinds
        case HoldCode.LITERAL:
            return True  # found anew from the text by _text_holds
        case _:
            return False


def _host_holds(state: RunState, now: Action, already: list[Hold]) -> list[Hold]:
    if any(h.code in {HoldCode.NO_HOST, HoldCode.UNKNOWN_HOST} for h in already):
        return []
    if now.host is None:
        return [Hold(HoldCode.NO_HOST, "it does not say on which host", "host")]
    named = dict.fromkeys([now.host, *(v.host for v in now.verifies), *(u.host for u in now.undos)])
    return [
        Hold(HoldCode.UNKNOWN_HOST, f"nothing says how {name} is reached", name)
        for name in named
        if name is not None and not _is_reachable(state, name)
    ]


def _is_reachable(state: RunState, name: HostName) -> bool:
    host = state.hosts.get(name)
    return host is not None and (name == LOCAL or bool(host.ssh))


def _system_holds(state: RunState, action: Action) -> list[Hold]:
    """Give what is not known, or in doubt, of the systems that decide about the action."""
    if action.os and host_of(state, action) is None:
        return [Hold(HoldCode.SYSTEM, f"it is for {action.os}, but it does not say on which host")]
    found = [
        Hold(HoldCode.SYSTEM, f"the system of {host} is not known yet: connecting asks it", host)
        for host in unknown_systems(state, action)
    ]
    if action.id not in state.answers.accepted:
        doubts = ((host, contradiction(state, host)) for host in system_hosts(state, action))
        found += [Hold(HoldCode.CONTRADICTION, doubt, host) for host, doubt in doubts if doubt]
    return found


def _text_holds(state: RunState, action: Action, now: Action) -> list[Hold]:
    found: list[Hold] = []
    parts = [action.cwd, action.expect, action.dry_run, action.recheck, *(o.text for o in action.outputs)]
    for proof in action.verifies:
        parts += [proof.text, proof.cwd, proof.expect]
    for undo in action.undos:
        parts += [undo.text, undo.cwd]
    if action.file is not None:
        parts += [action.file.path, action.file.validate]
    repeated = stands_for(state.runbook, action.each) if action.each is not None else []
    if action.file is None or not action.file.secret:
        parts.append(action.text)
    held = mentioned("\n".join(parts), state.runbook.literals)
    for literal in mentioned("\n".join([*parts, action.text]), state.runbook.literals):
        if literal in repeated or (literal.source is LiteralSource.SECRET and literal not in held):
            continue
        if literal.source is LiteralSource.SECRET:
            why = f"{literal.text} stands for a secret, and a secret is never put into a command or file"
            found.append(Hold(HoldCode.UNSUPPORTED, why, literal.text))
        elif literal_value(state, literal) is None:
            if literal.source is LiteralSource.GUESS and action.id in state.answers.accepted:
                continue
            found.append(Hold(HoldCode.LITERAL, f"{literal.text} has no value yet", literal.text))
    if now.kind is ActionKind.COMMAND and len(now.text.encode()) > LONGEST_COMMAND:
        found.append(Hold(HoldCode.UNSUPPORTED, "the command is longer than 100,000 bytes", "text"))
    return found


def _is_settled(state: RunState, need: str) -> bool:
    """Whether a needed step or action is settled; of an action that repeats, all its items."""
    step = state.runbook.step(need)
    if step is not None:
        return all(settled(state, a) for a in step.actions)
    needed = [a for a in state.runbook.actions() if need in {a.id, a.written_id}]
    return bool(needed) and all(settled(state, a) for a in needed)


def shown_status(state: RunState, action: Action) -> Status:
    """Give the state the operator sees: `held` where something holds back what is still to do."""
    status = standing(state, action)
    if status is Status.TODO and holds(state, action):
        return Status.HELD
    return status


def check_answer(state: RunState, action_id: str, what: Settlement, value: str, subject: str) -> None:
    """Refuse an answer that cannot stand; a value is never quoted or mended.

    Raises:
        Refused: with the answers that can stand there.
    """
    action = state.runbook.action(action_id)
    match what:
        case Settlement.LITERAL:
            _check_literal(state, subject, value)
        case Settlement.HOST if value not in state.hosts:
            raise Refused(f"there is no host {value!r}", f"Hosts: {', '.join(state.hosts)}.", "--host adds one.")
        case Settlement.MODE:
            modes = [m.value for m in FileMode if m is not FileMode.PATCH]
            if action is None or action.file is None:
                raise Refused("only a file step has a mode")
            if value not in modes:
                raise Refused(f"{value!r} is no mode", f"Modes: {', '.join(modes)}.")
        case Settlement.KIND:
            kinds = [ActionKind.COMMAND, ActionKind.MANUAL]
            if action is not None and action.file is not None:
                kinds.append(ActionKind.FILE)
            if value not in kinds:
                raise Refused(f"{value!r} is no kind for this block", f"Kinds: {', '.join(kinds)}.")
        case Settlement.OS:
            _check_system(state, subject, value)
        case Settlement.LIST:
            _check_list(state, subject, value)
        case Settlement.WHEN:
            if action is None or not action.when:
                raise Refused("it has no condition to be answered")
            if value not in {"yes", "no"}:
                raise Refused(f"{value!r} is neither yes nor no")
        case Settlement.ALT:
            if action is None or action.alt is None:
                raise Refused("it is not one of several ways")
            if value not in (known := choices(state.runbook, action.alt[0])):
                raise Refused(f"{value!r} is none of the ways for {action.alt[0]}", f"Ways: {', '.join(known)}.")
        case _:
            return


def _check_literal(state: RunState, subject: str, value: str) -> None:
    literal = next((lit for lit in state.runbook.literals if subject in {lit.text, lit.key}), None)
    if literal is None:
        known = ", ".join(lit.text for lit in state.runbook.literals) or "none"
        raise Refused(f"the runbook has no literal {subject!r}", f"It has: {known}.")
    if why := value_problem(literal, value):
        raise Refused(f"{value!r} is not a value for {literal.text}", why)


def _check_system(state: RunState, host: str, value: str) -> None:
    if host not in state.hosts:
        raise Refused("it is not known which host's system that is", hint="Settle its host first.")
    if not value or system_word(value) != value:
        raise Refused(f"{value!r} is no system", "One word such as freebsd or debian.")


def _check_list(state: RunState, name: str, value: str) -> None:
    runbook = state.written
    if name not in runbook.lists:
        raise Refused(f"the runbook has no list {name!r}", f"It has: {', '.join(runbook.lists) or 'none'}.")
    items = items_of(value)
    if why := list_problem(runbook, name, items):
        raise Refused(f"that cannot be the list {name}", why)
    now = known_items(runbook, state.answers.lists, name)
    repeated = [a for a in state.runbook.actions() if a.each is not None and a.each.list == name]
    begun = any(state.of(a.id).attempts or state.of(a.id).status is not Status.TODO for a in repeated if a.item)
    if begun and items[: len(now)] != now:
        detail = "Something was done for its items already, so it can only get longer."
        raise Refused(f"the list {name} must begin with {','.join(now)}", detail)


def list_problem(runbook: Runbook, name: str, items: Sequence[str]) -> str:
    """Say why a list cannot have these items; empty when it can. An item is a value like any other."""
    if not any(items):
        return f"The list {name} needs at least one item."
    for item in items:
        if items.count(item) > 1:
            return f"{item!r} is in it twice."
        for literal in literals_of(runbook, name):
            if why := value_problem(literal, item):
                return f"For {literal.text}: {why}."
    return ""
