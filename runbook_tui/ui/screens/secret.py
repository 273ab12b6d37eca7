"""Asks for a password in a masked field: kept in memory for this sitting, never shown, copied or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.actions import SkipAction
from textual.content import Content
from textual.widgets import Button, Input, Static

from runbook_tui.core.secret import Secret
from runbook_tui.ui.screens.dialogs import Dialog
from runbook_tui.ui.untrusted import untrusted, untrusted_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events
    from textual.widget import Widget

    from runbook_tui.core.errors import SecretError


class SecretInput(Input):
    """A masked field. What is pasted is taken as it is, up to its first line end; nothing can be copied out."""

    def __init__(self, id_: str = "secret") -> None:
        super().__init__(id=id_, password=True)

    def on_mount(self) -> None:
        """Keep still: a blinking cursor says nothing."""
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(event.text.partition("\n")[0].removesuffix("\r"))

    def action_copy(self) -> None:
        """Copy nothing, the clipboard is another program's: Ctrl-C stops or leaves here as anywhere.

        Raises:
            SkipAction: always.
        """
        raise SkipAction

    def action_cut(self) -> None:
        """Delete what is selected, and copy nothing."""
        self.delete_selection()


class SecretScreen(Dialog[Secret]):
    """Says which password is missing and why, and takes it. Gives a Secret, or None when it was left out."""

    AUTO_FOCUS = "#secret"

    def __init__(self, name: str, why: SecretError) -> None:
        super().__init__(Content.assemble(("Password  ", "bold $primary"), untrusted_line(name, "bold")))
        self._wanted = name
        self._why = why

    def body(self) -> Iterable[Widget]:
        """Give why it is asked for, and the field."""
        yield Static(untrusted(self._why.title), classes="facts")
        if self._why.detail:
            yield Static(untrusted(self._why.detail), classes="facts")
        yield Static(Content("It is kept in memory until you leave, and written nowhere."), classes="facts")
        yield SecretInput()
        yield Static(id="problem")

    def buttons(self) -> Iterable[Widget]:
        """Give both ways out."""
        yield Button("Leave it out", id="close")
        yield Button("Use it", id="ok")

    @on(Button.Pressed, "#ok")
    @on(Input.Submitted, "#secret")
    def _take(self) -> None:
        value = self.query_one(SecretInput).value
        if not value:
            self.query_one("#problem", Static).update(Content.styled("Nothing is typed.", "$warning"))
            return
        self.query_one(SecretInput).value = ""
        self.dismiss(Secret(self._wanted, value))
