"""Every stand-in of a system by its name: what the door serves and what `place` puts into folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.demo.standins import (
    accounts,
    dns,
    dovecot,
    filters,
    identity,
    mailbox_tools,
    packages,
    postfix,
    postgres,
    remote,
    rsync,
    services,
    system,
    web_client,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.standins.call import Command

_EVERYWHERE = (dns, dovecot, filters, identity, mailbox_tools, postfix, postgres, remote, rsync, web_client)
_BY_SYSTEM = (accounts, packages, services, system)


def commands(system_name: str) -> Mapping[str, Command]:
    """Give the stand-ins of `freebsd` or `debian`."""
    found: dict[str, Command] = {}
    for everywhere in _EVERYWHERE:
        found |= everywhere.COMMANDS
    for by_system in _BY_SYSTEM:
        found |= by_system.COMMANDS[system_name]
    return found
