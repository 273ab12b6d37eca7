"""Under which name a password is kept in the keyring: what the front matter says, with the run's values put in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from runbook_tui.core.errors import SecretError, UsageError
from runbook_tui.core.model import LiteralSource
from runbook_tui.core.settle import literal_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.core.model import Action, Runbook
    from runbook_tui.core.run import RunState

LONGEST_NAME: Final = 200
"""Characters of a name; keyrings show it in one line."""

_PLACE = re.compile(r"\$\{([^}]*)\}")


class UnnamedSecretError(SecretError):
    """A name has a `${word}` in it that has no value yet, so nothing can be looked up."""


def secret_name(state: RunState, wanted: str, action: Action | None = None) -> str:
    """Give the name in the keyring for what `secret` says: a literal of kind secret, or a name itself.

    A word that stands for the item of the action's `each=` has that item as its value.

    Raises:
        UnnamedSecretError: a word of the name has no value yet.
    """
    values = values_of(state)
    if action is not None:
        values |= {lit.key: action.bound[lit.text] for lit in state.runbook.literals if lit.text in action.bound}
    return put_values(_written(state.runbook, wanted), values)


def wanted_names(state: RunState) -> list[str]:
    """Give the names that this run's checks log in with, each once, in the file's order; unnamed ones are left out."""
    found = []
    for spec in state.runbook.checks:
        wanted = spec.options.get("secret")
        if isinstance(wanted, str):
            try:
                found.append(secret_name(state, wanted))
            except UnnamedSecretError:
                continue
    return list(dict.fromkeys(found))


def written_names(runbook: Runbook) -> list[str]:
    """Give every name a runbook writes, with its `${words}` as they stand, each once."""
    literals = [lit.key for lit in runbook.literals if lit.source is LiteralSource.SECRET]
    checks = [_written(runbook, str(spec.options["secret"])) for spec in runbook.checks if "secret" in spec.options]
    actions = list(runbook.actions())
    asked = [action.secret for action in actions]
    asked += [verify.secret for action in actions for verify in action.verifies]
    asked += [undo.secret for action in actions for undo in action.undos]
    read = [_written(runbook, name) for name in asked if name]
    return list(dict.fromkeys((*literals, *checks, *read)))


def defaults_of(runbook: Runbook) -> dict[str, str]:
    """Give what `${words}` stand for before a run has answered: defaults of variables, names of hosts."""
    hosts = {str(host.name): host.dns_name for host in runbook.hosts.values() if host.dns_name}
    variables = {
        lit.key: lit.default
        for lit in runbook.literals
        if lit.source is LiteralSource.VAR and lit.default is not None
    }
    return {**hosts, **variables}


def values_of(state: RunState) -> dict[str, str]:
    """Give what `${words}` stand for in a run now."""
    hosts = {str(host.name): host.dns_name for host in state.hosts.values() if host.dns_name}
    variables = {
        lit.key: value
        for lit in state.runbook.literals
        if lit.source is LiteralSource.VAR and (value := literal_value(state, lit)) is not None
    }
    return {**hosts, **variables}


def put_values(name: str, values: Mapping[str, str]) -> str:
    """Put values in for the `${words}` of a name, each once: a value is never looked into again.

    Raises:
        UnnamedSecretError: a word has no value.
    """
    missing = [word for word in _PLACE.findall(name) if word not in values]
    if missing:
        hint = "Give it a value: --var when the run begins, or settle it in the run."
        raise UnnamedSecretError(f"The password {name} has no name yet: {missing[0]} has no value", hint=hint)
    return _PLACE.sub(lambda place: values[place.group(1)], name)


def check_name(name: str) -> str:
    """Give the name when it can be one.

    Raises:
        UsageError: it is empty, longer than LONGEST_NAME, or has characters that no terminal shows.
    """
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        title = "That cannot be the name of a secret"
        raise UsageError(title, f"A name is one printable line of 1 to {LONGEST_NAME} characters.")
    return name


def _written(runbook: Runbook, wanted: str) -> str:
    literal = next((x for x in runbook.literals if x.text == wanted and x.source is LiteralSource.SECRET), None)
    return literal.key if literal is not None else wanted
