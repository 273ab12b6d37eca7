"""Edits a command for one attempt; what comes out still goes through the confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, Static, TextArea

from runbook_tui.core.text import clean
from runbook_tui.ui.screens.dialogs import Dialog
from runbook_tui.ui.untrusted import untrusted_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events
    from textual.widget import Widget


class CommandArea(TextArea):
    """A text area that shows pasted control characters instead of sending them to the terminal."""

    def on_mount(self) -> None:
        """Keep still: a blinking cursor says nothing."""
        self.cursor_blink = False

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert(clean(event.text))


class EditScreen(Dialog[str]):
    """Gives the edited command, or None."""

    AUTO_FOCUS = "#edit"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "take", "Show what would run", id="edit.take")]

    def __init__(self, number: str, title: str, command: str) -> None:
        heading = Content.assemble(("Edit  ", "bold $primary"), (number, "bold"), "  ", untrusted_line(title, "bold"))
        super().__init__(heading)
        self._command = clean(command.rstrip("\n"))

    def body(self) -> Iterable[Widget]:
        """Give the text area."""
        yield CommandArea(self._command, id="edit", show_line_numbers=True, tab_behavior="focus")
        yield Static(
            Content.styled("Only this attempt is changed. The transcript shows both. Nothing runs yet.", "$muted"),
            classes="facts",
        )
        yield Static(id="problem")

    def buttons(self) -> Iterable[Widget]:
        """Give both ways out."""
        yield Button("Cancel", id="close")
        yield Button("Show what would run (F2)", id="ok")

    @on(Button.Pressed, "#ok")
    def action_take(self) -> None:
        """Hand the text over to the confirmation."""
        text = self.query_one("#edit", TextArea).text
        if not text.strip():
            self.query_one("#problem", Static).update(Content.styled("The command is empty.", "$warning"))
            return
        self.dismiss(text if text.endswith("\n") else text + "\n")
