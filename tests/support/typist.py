"""A person at the keyboard and a drawer of stored values, for the tests of logins."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core.secret import Secret
from runbook_tui.ports import LoginAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.ports import LoginAsk


@dataclass(slots=True)
class Typist:
    """Implements `ports.Asker`. `types` are the answers in order, a text a field each; an empty tuple is a cancel.

    While `asleep` is set, who asks waits until it is cleared.
    """

    types: list[tuple[str, ...]] = field(default_factory=list)
    drawer: dict[str, str] = field(default_factory=dict)
    keeps: bool = False
    asked: list[LoginAsk] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    right: list[tuple[str, str, bool]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.awake.set()

    async def stored(self, name: str) -> Secret | None:
        """Look into the drawer."""
        self.looked_up.append(name)
        value = self.drawer.get(name, "")
        return Secret(name, value, "the keyring (Test)") if value and value not in self.wrong else None

    async def ask(self, wanted: LoginAsk) -> LoginAnswer | None:
        """Type."""
        self.asked.append(wanted)
        self.called.set()
        await self.awake.wait()
        typed = self.types.pop(0)
        if not typed:
            return None
        values = tuple(Secret(wanted.name, text, "typed by anna") for text in typed)
        return LoginAnswer(values, keep=self.keeps)

    async def proved(self, wanted: Secret, *, keep: bool) -> None:
        """Remember what was right; the drawer has it from then on, as a sitting's memory."""
        self.right.append((wanted.name, wanted.reveal(), keep))
        self.drawer[wanted.name] = wanted.reveal()

    def refused(self, values: Sequence[Secret]) -> None:
        """Remember what was wrong."""
        self.wrong += [value.reveal() for value in values]
