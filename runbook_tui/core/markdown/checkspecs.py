"""The `checks:` of the front matter: which types there are, what each takes, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import checkvalues, values
from runbook_tui.core.markdown.vocabulary import did_you_mean
from runbook_tui.core.markdown.yamlnodes import Notes, Value, fields, mapping, plain, text_of
from runbook_tui.core.model import CheckSpec
from runbook_tui.core.settle import mentioned

if TYPE_CHECKING:
    from collections.abc import Collection

    import yaml

    from runbook_tui.core.model import Literal

    Given = dict[str, tuple[yaml.Node, yaml.Node]]


@dataclass(frozen=True, slots=True)
class CheckType:
    """The keys a type takes beside the common ones."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


TYPES = {
    "ssh": CheckType(("host",)),
    "command": CheckType(("host", "run"), ("exit", "expect")),
    "mx": CheckType(("name",), ("record", "expect", "was", "ttl-was", "changed-by", "at", "nameservers")),
    "dns": CheckType(("record", "name"), ("at", "nameservers", "expect")),
    "queue": CheckType(("host",), ("max",)),
    "imap": CheckType(("host",), ("port", "user", "secret", "select", "against", "address", "name", "ca")),
    "tcp": CheckType(("host", "port"), ("expect", "address")),
    "smtp": CheckType(("host",), ("port", "accept", "refuse", "starttls", "address", "name", "ca")),
    "tls": CheckType(("host", "port"), ("name", "days", "ca", "starttls", "address")),
    "service": CheckType(("host", "service"), ("expect", "boot")),
    "disk": CheckType(("host", "path"), ("free", "need")),
    "http": CheckType(("url",), ("status", "expect", "address", "ca")),
    "outage": CheckType(("name",), ("warn", "fail")),
    "routes": CheckType(("name",), ("hosts",)),
}
COMMON = ("type", "every", "timeout", "label", "phases")
_HOST_KEYS = ("host", "against", "hosts")
SOONEST = 1.0
"""Seconds between two looks at the least."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a check may speak of: the names of hosts, `local` among them, and the literals."""

    hosts: Collection[str]
    literals: tuple[Literal, ...] = ()


def read_checks(node: yaml.Node | None, known: Known, notes: Notes) -> tuple[CheckSpec, ...]:
    """Give the checks that can be read."""
    found = []
    for name, key, body in mapping(node, "checks", notes):
        spec = _check(name, key, body, known, notes)
        if spec is not None:
            found.append(spec)
    return tuple(found)


def _check(name: str, key: yaml.Node, body: yaml.Node, known: Known, notes: Notes) -> CheckSpec | None:
    what = f"the check {name}"
    type_name = next((text_of(v, "type", notes) for k, _, v in mapping(body, what, Notes()) if k == "type"), "")
    kind = TYPES.get(type_name)
    if kind is None:
        hint = did_you_mean(type_name, TYPES) or "known: " + ", ".join(TYPES)
        message = f"{what} has the unknown type {type_name}" if type_name else f"{what} has no type"
        notes.error(key, "check-type", message, hint)
        return None
    given = fields(body, what, (*COMMON, *kind.required, *kind.optional), notes)
    for missing in (name for name in kind.required if name not in given):
        notes.error(key, "check-key", f"{what} has no {missing}", f"a {type_name} check needs {missing}")
    _check_values(type_name, given, known, notes)
    options = {option: plain(value) for option, (_, value) in given.items() if option not in COMMON}
    every = _seconds(given, "every", 60.0, notes)
    timeout = _seconds(given, "timeout", 10.0, notes)
    label = text_of(given["label"][1], "label", notes) if "label" in given else ""
    phases = _phases(type_name, given["phases"][1], notes) if "phases" in given else {}
    return CheckSpec(name, type_name, options, every, timeout, label, phases)


def _check_values(type_name: str, given: Given, known: Known, notes: Notes) -> None:
    for option, (_, node) in given.items():
        value = plain(node)
        if option in COMMON:
            continue
        if option in _HOST_KEYS:
            for host in value if isinstance(value, list) else [value]:
                if str(host) not in known.hosts:
                    hint = did_you_mean(str(host), known.hosts) or "declare it under hosts:"
                    notes.error(node, "unknown-host", f"the host {host} is not declared", hint)
        if option not in checkvalues.AS_WRITTEN and mentioned(str(value), known.literals):
            continue  # what a literal stands for is known in the run only
        if (wrong := checkvalues.problem(type_name, option, value, known.hosts)) is not None:
            notes.error(node, "bad-value", *wrong)
    odd = checkvalues.together(type_name, {option: plain(node) for option, (_, node) in given.items()})
    if odd is not None:
        notes.error(given[odd[0]][0], "bad-value", *odd[1:])


def _phases(type_name: str, node: yaml.Node, notes: Notes) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for phase, _, body in mapping(node, "phases", notes):
        value = found[phase] = plain(body)
        if (wrong := checkvalues.phase_problem(type_name, value)) is not None:
            notes.error(body, "bad-value", *wrong)
    return found


def _seconds(given: Given, name: str, default: float, notes: Notes) -> float:
    if name not in given:
        return default
    node = given[name][1]
    seconds = values.duration(text_of(node, name, notes))
    if seconds is None:
        notes.error(node, "bad-value", f"{name} is no duration such as 60s, 30m or 4h")
        return default
    if name == "every" and seconds < SOONEST:
        notes.error(node, "bad-value", f"every is shorter than {SOONEST:g} s", "look less often")
    return seconds
