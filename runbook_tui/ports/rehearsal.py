"""The embedded world of a rehearsal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runbook_tui.core.rehearsal import Fault, WorldView


class Rehearsal(Protocol):
    """The embedded world of a rehearsal, as a front end may look at it and steer it.

    Everything but `look` gives a sentence of what was done. All raise HostError when the world does not answer.
    """

    async def look(self) -> WorldView:
        """Say how the world is now."""

    async def fast_forward(self) -> str:
        """Move world time to the end of the next TTL that runs."""

    async def stream(self) -> str:
        """Stop the stream of numbered mails, or start it again."""

    async def toggle(self, fault: Fault) -> str:
        """Break something on purpose, or mend it."""
