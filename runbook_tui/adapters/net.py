"""The network as this machine reaches it, for the checks: one member for each protocol they speak."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.adapters.dns_system import SystemDns
from runbook_tui.adapters.mail_door import SystemDoors
from runbook_tui.adapters.services import SystemServices

if TYPE_CHECKING:
    from runbook_tui.ports import Dns, MailDoors, Services


@dataclass(frozen=True, slots=True)
class SystemNet:
    """This machine's own network; what a protocol needs is loaded when it is first used."""

    dns: Dns = field(default_factory=SystemDns)
    doors: MailDoors = field(default_factory=SystemDoors)
    services: Services = field(default_factory=SystemServices)
