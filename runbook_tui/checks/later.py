"""Stand-ins that ask nobody: for types that cannot be measured yet, and for checks whose values are not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.ports import CheckState, Probe, Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class NoValueProbe(Probe):
    """Asks nobody as long as a word of the check's settings has no value."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = " and ".join(words)

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"nothing before {self._words} has a value"

    async def read(self, sight: Sight) -> Reading:  # noqa: ARG002 -- asks nobody
        """Say what is missing."""
        return Reading(CheckState.UNKNOWN, f"{self._words} has no value yet")
