"""Gives each host the Shell that reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.adapters.local import LocalShell
from runbook_tui.adapters.ssh import SshShell
from runbook_tui.core.model import LOCAL, Host

if TYPE_CHECKING:
    from runbook_tui.adapters.ssh_target import SshSettings
    from runbook_tui.ports import HostKey, Shell, ShellFactory


def shell_factory(settings: SshSettings) -> ShellFactory:
    """Make shells of the operator's own machine for `local`, and of SSH hosts for all others."""

    def make(host: Host, pin: HostKey | None) -> Shell:
        return LocalShell(host) if host.name == LOCAL else SshShell(host, pin, settings)

    return make
