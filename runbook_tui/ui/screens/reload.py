"""What adopting the edited runbook would change, and its whole diff, before it is adopted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.screens.confirm import diff
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.words import DRIFT_GLYPH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from runbook_tui.engine.reloading import Reload
    from runbook_tui.ui.rhythm import Rhythm


class ReloadScreen(AskScreen):
    """Shows the steps that change, those that stay, what is newly contacted, and the file's differences."""

    def __init__(self, planned: Reload, rhythm: Rhythm) -> None:
        super().__init__(rhythm, Content.styled("Adopt the edited runbook", "bold $primary"), yes="Adopt")
        self._planned = planned

    def body(self) -> Iterable[Widget]:
        """Give the steps first, the differences last."""
        planned = self._planned
        yield Static("Becomes what the file says", classes="section")
        rows = [
            Content.assemble((f"  {DRIFT_GLYPH.get(str(change), '≠')} {change}  ", "$warning"), untrusted_line(step))
            for change, step in planned.changes
        ]
        none = Content.styled("  No step does anything else than before.", "$muted")
        yield Static(Content("\n").join(rows or [none]), classes="facts", id="changes")
        if planned.kept:
            yield Static("Stays as it was confirmed, although the file has it otherwise", classes="section")
            kept = [Content.assemble(("  ! ", "bold $warning"), untrusted_line(step)) for step in planned.kept]
            yield Static(Content("\n").join(kept), classes="facts", id="kept")
        if planned.consent:
            yield Static("Starts then, without a further question", classes="section")
            asked = [Content.assemble(("· ", "$muted"), untrusted_line(line)) for line in planned.consent]
            yield Static(Content("\n").join(asked), classes="facts", id="consent")
        yield Static("The file's differences", classes="section")
        yield Static(diff(planned.diff), classes="command", id="diff")
