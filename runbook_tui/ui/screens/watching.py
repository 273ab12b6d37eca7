"""The main screen of a watch: the one of life without its verbs; pressed all the same, they say where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from runbook_tui.core.run import Verb
from runbook_tui.ui.keys import KEYS, WATCH_KEYS
from runbook_tui.ui.screens.main import MainScreen

if TYPE_CHECKING:
    from runbook_tui.ui.keys import Key


class WatchScreen(MainScreen):
    """Shows a run that another process holds, as its journal tells it."""

    keys: ClassVar[tuple[Key, ...]] = WATCH_KEYS

    def refused(self) -> dict[str, str]:
        """Refuse every key of life that is not one of a watch."""
        own = {key.id for key in WATCH_KEYS}
        why = self._engine.allowed("")[Verb.CONFIRM]
        return {**{key.id: why for key in KEYS if key.id not in own}, **super().refused()}

    def mode(self) -> str:
        """Say that this is a watch."""
        return "watching"

    def alarm(self) -> str:
        """Say why what is shown may not be all."""
        return self._engine.trouble
