"""What a step's recheck said: its command, its output and its status; marking it done is a question of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.core.proposal import NO_RETURN
from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.screens.dialogs import Dialog
from runbook_tui.ui.untrusted import untrusted, untrusted_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from runbook_tui.core.recheck import Recheck
    from runbook_tui.ui.rhythm import Rhythm


def _said(said: Recheck) -> Iterable[Widget]:
    mark, style = ("✓", "bold $success") if said.done else ("✗", "bold $warning")
    verdict = f"{said.verdict[0].upper()}{said.verdict[1:]}."
    yield Static(Content.assemble((f"{mark} ", style), untrusted_line(verdict, style)), classes="facts", id="verdict")
    yield Static(Content.assemble("What it said on ", untrusted_line(said.host)), classes="section")
    yield Static(
        Content.assemble(
            ("$ ", "$muted"), untrusted(said.command.strip(), "$muted"), "\n",
            untrusted(said.output), untrusted_line(said.ended, "$muted"),
        ),
        classes="command -written", id="recheck",
    )  # fmt: skip


class RecheckScreen(AskScreen):
    """The recheck says it is done: asks whether to mark it so. Gives `y`, or None."""

    def __init__(self, heading: Content, said: Recheck, rhythm: Rhythm, *, final: bool) -> None:
        super().__init__(rhythm, heading, yes="Mark it done", no="Leave it as it is")
        self._recheck = said
        self._final = final

    def body(self) -> Iterable[Widget]:
        """Give what it said, and the note that would be written."""
        yield from _said(self._recheck)
        if self._final:
            yield Static(Content.styled(f"! {NO_RETURN}", "bold $error"), classes="facts")
        yield Static("Marked done, its note is", classes="section")
        yield Static(untrusted_line(self._recheck.note), classes="facts", id="note")


class RecheckSaidScreen(Dialog[None]):
    """What the recheck said, where nothing is to be decided by it."""

    AUTO_FOCUS = "#close"

    def __init__(self, heading: Content, said: Recheck) -> None:
        super().__init__(heading)
        self._recheck = said

    def body(self) -> Iterable[Widget]:
        """Give what it said."""
        yield from _said(self._recheck)
        yield Static(Content.styled("The transcript has it. Nothing else has changed.", "$muted"), classes="facts")
