"""The host keys of a run by role: which machines may be one, and what must never show whose key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.model import LOCAL, HostName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.core.events import HostPinned
    from runbook_tui.core.run import RunState

NEVER_ONE = frozenset({"old", "new"})
"""Roles that are never one machine, however they are reached: what one does to the other would be done to itself."""

_JUMP = "jump host "


def jump_subject(name: str) -> str:
    """Give what a jump host's pin is recorded under; no role has a blank in its name."""
    return _JUMP + name


def jump_pins(state: RunState) -> Mapping[str, HostPinned]:
    """Give the pins of jump hosts by their name in known_hosts."""
    return {name.removeprefix(_JUMP): pin for name, pin in state.pins.items() if name.startswith(_JUMP)}


def other_pins(state: RunState, name: str) -> Mapping[HostName, HostPinned]:
    """Give the pins of the roles that must be other machines than this one."""
    return {
        HostName(role): pin for role, pin in state.pins.items()
        if role in state.hosts and role != name and not may_be_one(state, name, role)
    }  # fmt: skip


def may_be_one(state: RunState, one: str, other: str) -> bool:
    """Whether two roles may be one machine: when the runbook reaches them by the very same `ssh:` text."""
    if {one, other} == NEVER_ONE:
        return False
    first, second = state.hosts.get(HostName(one)), state.hosts.get(HostName(other))
    return first is not None and second is not None and first.ssh == second.ssh


def remote(state: RunState) -> tuple[HostName, ...]:
    """Give the roles that are reached over the network."""
    return tuple(name for name, host in state.hosts.items() if name != LOCAL and host.ssh)
