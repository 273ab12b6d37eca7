"""Check `ssh`: does the host answer over SSH with the key it should have?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.core.model import HostName
from runbook_tui.ports import CheckState, Link, Probe, Reading

if TYPE_CHECKING:
    from runbook_tui.ports import Sight


@dataclass(slots=True)
class SshProbe(Probe):
    """Connects when not connected. A refusal (key, login) is not tried again by itself: no login loops."""

    host: str

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"connect to {self.host}"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        found = sight.hosts.find(self.host)
        if found is None:
            return Reading(CheckState.UNKNOWN, f"nothing says how {self.host} is reached")
        if found.link is Link.REFUSED:
            return Reading(CheckState.FAIL, "refused; not tried again by itself", "see Hosts for why")
        try:
            identity = await sight.hosts.identify(HostName(self.host))
        except HostError as error:
            return Reading(CheckState.UNKNOWN, error.title, error.detail)
        return Reading(CheckState.PASS, f"{identity.user}@{identity.name}", str(identity))
