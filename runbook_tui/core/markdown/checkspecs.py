"""The `checks:` of the front matter: which types there are, what each takes, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import values
from runbook_tui.core.markdown.vocabulary import did_you_mean
from runbook_tui.core.markdown.yamlnodes import Notes, Value, fields, mapping, plain, text_of
from runbook_tui.core.model import CheckSpec

if TYPE_CHECKING:
    from collections.abc import Collection

    import yaml


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
_DURATIONS = ("ttl-was", "warn", "fail")
_PATTERNS = {"command": ("expect",), "tcp": ("expect",), "http": ("expect",)}


def read_checks(node: yaml.Node | None, hosts: Collection[str], notes: Notes) -> tuple[CheckSpec, ...]:
    """Give the checks that can be read; `hosts` are the known names, `local` among them."""
    found = []
    for name, key, body in mapping(node, "checks", notes):
        spec = _check(name, key, body, hosts, notes)
        if spec is not None:
            found.append(spec)
    return tuple(found)


def _check(name: str, key: yaml.Node, body: yaml.Node, hosts: Collection[str], notes: Notes) -> CheckSpec | None:
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
    _check_values(type_name, given, hosts, notes)
    options = {option: plain(value) for option, (_, value) in given.items() if option not in COMMON}
    every = _seconds(given, "every", 60.0, notes)
    timeout = _seconds(given, "timeout", 10.0, notes)
    label = text_of(given["label"][1], "label", notes) if "label" in given else ""
    phases: dict[str, Value] = {}
    if "phases" in given:
        phases = {phase: plain(value) for phase, _, value in mapping(given["phases"][1], "phases", notes)}
    return CheckSpec(name, type_name, options, every, timeout, label, phases)


def _check_values(
    type_name: str,
    given: dict[str, tuple[yaml.Node, yaml.Node]],
    hosts: Collection[str],
    notes: Notes,
) -> None:
    for option, (_, node) in given.items():
        value = plain(node)
        if option in _HOST_KEYS:
            for host in value if isinstance(value, list) else [value]:
                if str(host) not in hosts:
                    hint = did_you_mean(str(host), hosts) or "declare it under hosts:"
                    notes.error(node, "unknown-host", f"the host {host} is not declared", hint)
        elif option in _DURATIONS and values.duration(str(value)) is None:
            notes.error(node, "bad-value", f"{option} is no duration such as 60s, 30m or 4h")
        elif option == "days" and not (isinstance(value, int) and value > 0):
            notes.error(node, "bad-value", "days is no whole number of days")
        elif option == "exit" and values.exits(str(value)) is None:
            notes.error(node, "bad-value", 'exit is no list of exit statuses such as "0 24"')
        elif option == "port" and not (isinstance(value, int) and 0 < value < 65536):
            notes.error(node, "bad-value", "port is no number from 1 to 65535")
        elif option in _PATTERNS.get(type_name, ()) and (why := values.pattern_problem(str(value))):
            notes.error(node, "bad-value", f"{option} is no regular expression: {why}")


def _seconds(given: dict[str, tuple[yaml.Node, yaml.Node]], name: str, default: float, notes: Notes) -> float:
    if name not in given:
        return default
    node = given[name][1]
    seconds = values.duration(text_of(node, name, notes))
    if seconds is None:
        notes.error(node, "bad-value", f"{name} is no duration such as 60s, 30m or 4h")
        return default
    return seconds
