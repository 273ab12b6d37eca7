"""Stands in for the check types that FORMAT.md names and that cannot be measured yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.ports import CheckState, Probe, Reading

if TYPE_CHECKING:
    from runbook_tui.ports import Sight


class NotBuiltProbe(Probe):
    """Asks nobody: always UNKNOWN, and says so. A gate on it stays a question to the operator."""

    def __init__(self, type_: str) -> None:
        self._type = type_

    @property
    def asks(self) -> str:
        """What is sent."""
        return "nothing: this kind of check is not built yet"

    async def read(self, sight: Sight) -> Reading:  # noqa: ARG002 -- asks nobody
        """Say that it did not look."""
        return Reading(CheckState.UNKNOWN, f"checks of type {self._type} are not built yet")
