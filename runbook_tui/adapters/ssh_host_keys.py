"""Judges the host keys of SSH: which are taken without a question, and why another one is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from runbook_tui.adapters.known_hosts import KnownHosts, KnownKeys
from runbook_tui.adapters.ssh_target import DEFAULT_PORT
from runbook_tui.core.errors import HostError
from runbook_tui.ports import HostKey, KeyRefusal, KeyVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.adapters.known_hosts import BadLine
    from runbook_tui.adapters.ssh_errors import Attempt
    from runbook_tui.adapters.ssh_target import Target
    from runbook_tui.ports import ExpectedKeys

BY_RUN = "this run"
"""Who has the expected key, where it is a pin of this run."""


def host_key(key: asyncssh.SSHKey) -> HostKey:
    """Describe a public key."""
    words = key.export_public_key().decode("ascii").split()
    return HostKey(key.get_algorithm(), key.get_fingerprint(), " ".join(words[:2]))


def known_as(target: Target) -> str:
    """Give the name known_hosts is searched for: `name`, or `[name]:port`."""
    plain = target.alias_named or target.port == DEFAULT_PORT
    return target.name if plain else f"[{target.name}]:{target.port}"


def keys_for(target: Target, expected: ExpectedKeys, known_hosts: KnownHosts) -> KnownKeys:
    """Give what counts for a target: this run's pin alone, or else what known_hosts has under its name."""
    known = known_hosts.keys(target.name, 22 if target.alias_named else target.port)
    if expected.pin is None:
        return known
    return KnownKeys((asyncssh.import_public_key(expected.pin.key),), (), known.revoked, BY_RUN)


def vouched(known: KnownKeys, key: asyncssh.SSHKey) -> str:
    """Say who vouches for a key that was taken."""
    if known.where == BY_RUN:
        return BY_RUN
    if any(key.public_data == one.public_data for one in known.hosts):
        return f"found by name in {known.where}"
    return "a certificate authority of known_hosts"


def asyncssh_lists(known: KnownKeys, expected: ExpectedKeys) -> tuple[list[asyncssh.SSHKey], ...]:
    """Give `connect` its trusted keys, authorities and revoked keys.

    A plain key that must not be taken is left out of the trusted ones, so that asyncssh hands it to us and it can be
    named. A certificate it judges alone, and needs the list.
    """
    refused = [*known.revoked, *(asyncssh.import_public_key(key.key) for key in expected.others.values())]
    data = {key.public_data for key in refused}
    trusted = [key for key in known.hosts if key.public_data not in data]
    return trusted, list(known.authorities), refused if known.authorities else []


def host_key_algorithms(known: KnownKeys) -> list[str]:
    """Prefer the types that are known, but take any: a key of another type must be seen to be reported."""
    preferred = [algorithm for key in known.hosts for algorithm in key.sig_algorithms]
    if known.authorities:
        preferred = [*get_default_certificate_algs(), *preferred]
    return [algorithm.decode("ascii") for algorithm in dict.fromkeys([*preferred, *get_default_public_key_algs()])]


def judge(attempt: Attempt, said: str) -> KeyRefusal | None:
    """Say why the key of an attempt was refused; `said` is asyncssh's word. None: a certificate that is not valid."""
    target, known, shown = attempt.target, attempt.known, attempt.client.offered
    address = f"{target.address} port {target.port}"
    if shown is None:
        if "revoked" not in said:
            return None
        # asyncssh judged it alone and does not tell the key.
        verdict = KeyVerdict.REVOKED if known.revoked else KeyVerdict.OTHER_ROLE
        return KeyRefusal(verdict, None, known_as(target), address, role=" or ".join(attempt.expected.others))
    key = host_key(shown)
    others = [role for role, other in attempt.expected.others.items() if other.key == key.key]
    expected = tuple(host_key(one) for one in known.hosts)
    if any(one.public_data == shown.public_data for one in known.revoked):
        verdict = KeyVerdict.REVOKED
    elif others:
        verdict = KeyVerdict.OTHER_ROLE
    elif not expected:
        verdict = KeyVerdict.UNKNOWN
    elif any(one.algorithm == key.algorithm for one in expected):
        verdict = KeyVerdict.CHANGED
    else:
        verdict = KeyVerdict.OTHER_TYPE
    return KeyRefusal(
        verdict, key, known_as(target), address, expected, known.where, attempt.known_hosts.listed(shown),
        " and ".join(others),
    )  # fmt: skip


def explain_refusal(refusal: KeyRefusal, bad_lines: Sequence[BadLine]) -> HostError:
    """Give title, detail and hint of a refused key."""
    shown = f"It shows {refusal.key.algorithm} {refusal.key.fingerprint}." if refusal.key else ""
    listed = f" known_hosts has this key for {', '.join(refusal.listed)}." if refusal.listed else ""
    match refusal.verdict:
        case KeyVerdict.REVOKED:
            title = f"The host key of {refusal.name} is revoked."
            return HostError(
                title, f"{shown} known_hosts marks it @revoked.", "Do not connect. Ask who runs the server."
            )
        case KeyVerdict.OTHER_ROLE:
            return another_role(refusal)
        case KeyVerdict.UNKNOWN:
            bad = "".join(f" Not used: {line}." for line in bad_lines)
            return HostError(
                f"The host key of {refusal.name} is not known.",
                f"{shown} No known_hosts file lists this name.{listed}{bad}",
                "Compare the fingerprint with one you got from the server itself, then trust it or add it to "
                "known_hosts.",
            )
        case _:
            return HostError(
                f"The host key of {refusal.name} has CHANGED: this may be another machine.",
                f"{shown} {_expected(refusal)}{listed}",
                "Find out why before anything else; accept the new key only if its fingerprint is confirmed to you.",
            )


def another_role(refusal: KeyRefusal) -> HostError:
    """Say that a host shows the key of another one of the run."""
    shown = f"It shows {refusal.key.algorithm} {refusal.key.fingerprint}. " if refusal.key else ""
    return HostError(
        f"{refusal.name} shows the host key of {refusal.role}: it is the machine {refusal.role}.",
        f"{shown}{refusal.address} leads to {refusal.role}. Nobody was logged in.",
        "Look where name and address lead. Hosts that are one machine on purpose need the very same ssh: text.",
    )


def _expected(refusal: KeyRefusal) -> str:
    where = "this run trusts" if refusal.where == BY_RUN else f"{refusal.where} has"
    listed = ", ".join(f"{key.algorithm} {key.fingerprint}" for key in refusal.expected)
    other = " Only another type of key is known." if refusal.verdict is KeyVerdict.OTHER_TYPE else ""
    return f"For this host {where} {listed}.{other}"
