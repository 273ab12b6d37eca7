"""What rolling back would undo and what it leaves, before the first way back is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.core.verbs import number_of
from runbook_tui.ui import describe
from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from runbook_tui.core.rollback import Rollback
    from runbook_tui.core.run import RunState
    from runbook_tui.ui.rhythm import Rhythm


class RollbackScreen(AskScreen):
    """Shows the whole walk; `y` only begins it: every way back has its own confirmation."""

    def __init__(self, planned: Rollback, state: RunState, rhythm: Rhythm) -> None:
        number, title = number_of(state, planned.target), _title(state, planned.target)
        heading = Content.assemble(
            ("Roll back to  ", "bold $primary"), (number, "bold"), "  ", untrusted_line(title, "bold")
        )
        super().__init__(rhythm, heading, yes="Begin")
        self._planned = planned
        self._state = state

    def body(self) -> Iterable[Widget]:
        """Give the ways back in their order, then what stays."""
        state, undos, left = self._state, self._planned.undos, self._planned.left
        yield Static(f"{plural(len(undos), 'way')} back, the last thing done first", classes="section")
        rows = [Content.assemble((f"{place:>3}. ", "$muted"), _row(state, a)) for place, a in enumerate(undos, 1)]
        yield Static(Content("\n").join(rows), classes="facts", id="ways-back")
        if left:
            yield Static("Stays as it is", classes="section")
            kept = [
                Content.assemble(("  ! ", "bold $warning"), _row(state, e.action), ": ", untrusted_line(e.why))
                for e in left
            ]
            yield Static(Content("\n").join(kept), classes="facts", id="stays")
        yield Static(
            Content.styled(
                "Each one asks for itself, with the command and the host. "
                "A no, or one that fails, stops the walk there.", "$muted",
            ),
            classes="facts",
        )  # fmt: skip


def _row(state: RunState, action: str) -> Content:
    sign = describe.status_sign(state.of(action).status)
    return Content.assemble(number_of(state, action), "  ", untrusted_line(_title(state, action)), "  ", sign)


def _title(state: RunState, action: str) -> str:
    found = state.runbook.action(action)
    return found.title if found else ""
