"""What would be removed from the hosts of a finished run, before anything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.ui import describe
from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.widget import Widget

    from runbook_tui.core.model import HostName
    from runbook_tui.ui.rhythm import Rhythm


class CleanScreen(AskScreen):
    """Names each host with the number of its folders; `y` removes them."""

    def __init__(self, planned: Mapping[HostName, tuple[str, ...]], rhythm: Rhythm) -> None:
        super().__init__(rhythm, Content.styled("Clean up the hosts", "bold $primary"), yes="Remove")
        self._planned = planned

    def body(self) -> Iterable[Widget]:
        """Give the hosts, and what is lost with the folders."""
        names = [str(name) for name in self._planned]
        rows = [
            Content.assemble("  ", describe.host(name, names), f"  {plural(len(attempts), 'folder')} of this run")
            for name, attempts in self._planned.items()
        ]
        yield Static("The run is closed and its record sealed. Removed are", classes="section")
        yield Static(Content("\n").join(rows), classes="facts", id="folders")
        yield Static(
            "In each are a command, its output and its exit status. All of that is in this run's record; the hosts "
            "cannot be asked about it any more, also if the run goes on some day.",
            classes="facts",
        )
        yield Static(
            Content.styled(
                "A folder whose command still runs stays. So does whatever else is there. A host that does not answer "
                "is left alone.", "$muted",
            ),
            classes="facts",
        )  # fmt: skip
