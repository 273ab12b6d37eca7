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
    refused: str = ""

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"connect to {self.host}"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        found = sight.hosts.find(self.host)
        if found is None:
            return Reading(CheckState.UNKNOWN, f"nothing says how {self.host} is reached")
        if found.link is Link.REFUSED and not sight.asked:
            why = self.refused or "it was refused"
            return Reading(CheckState.FAIL, why, f"{why}\nIt is not tried again by itself.")
        try:
            identity = await sight.hosts.identify(HostName(self.host))
        except HostError as error:
            if found.link is Link.REFUSED:
                self.refused = error.title
                return Reading(CheckState.FAIL, error.title, str(error))
            return Reading(CheckState.UNKNOWN, error.title, error.detail)
        return Reading(CheckState.PASS, f"{identity.user}@{identity.name}", str(identity))
