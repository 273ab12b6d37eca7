"""The network as this machine reaches it, for the checks: one member for each protocol they speak."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.adapters.dns_system import SystemDns

if TYPE_CHECKING:
    from runbook_tui.ports import Dns


@dataclass(frozen=True, slots=True)
class SystemNet:
    """This machine's own network; what a protocol needs is loaded when it is first used."""

    dns: Dns = field(default_factory=SystemDns)
