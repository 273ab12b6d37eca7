"""The small dialogs: an error, a reason, what is under way, a message; each closes with Escape and nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Checkbox, Input, RadioButton, Static

from runbook_tui.ui.screens.boxed import Boxed
from runbook_tui.ui.untrusted import untrusted, untrusted_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events
    from textual.app import ComposeResult
    from textual.widget import Widget

    from runbook_tui.core.errors import RunbookTuiError

T = TypeVar("T")


class LineInput(Input):
    """A field for one line; what is pasted is shown clean, control characters never reach the terminal."""

    def on_mount(self) -> None:
        """Keep still: a blinking cursor says nothing."""
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        first = event.text.splitlines()[:1]
        if first:
            self.insert_text_at_cursor(untrusted_line(first[0]).plain)


class OneOf(RadioButton):
    """A radio button that says by its glyph whether it is chosen: without colour Textual's own looks the same."""

    def render(self) -> Content:
        """Give mark and label."""
        self.BUTTON_INNER = "●" if self.value else " "
        return super().render()


class YesNo(Checkbox):
    """A checkbox that says by its glyph whether it is ticked."""

    def render(self) -> Content:
        """Give mark and label."""
        self.BUTTON_INNER = "✓" if self.value else " "
        return super().render()


class Dialog(Boxed[T], Generic[T]):
    """A box with a heading, a body that scrolls, and buttons."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close", id="dialog.close")]

    def __init__(self, heading: Content | str, *, classes: str = "") -> None:
        super().__init__(classes=classes)
        self._heading = Content.styled(heading, "bold $primary") if isinstance(heading, str) else heading

    def body(self) -> Iterable[Widget]:
        """Give what stands in the box."""
        return ()

    def buttons(self) -> Iterable[Widget]:
        """Give the buttons."""
        yield Button("Close", id="close")

    def compose(self) -> ComposeResult:
        """Heading, body, buttons."""
        with Vertical(id="box"):
            yield Static(self._heading, id="heading")
            with VerticalScroll(id="ask-body", can_focus=False):
                yield from self.body()
            with Horizontal(id="buttons"):
                yield from self.buttons()

    @on(Button.Pressed, "#close")
    def action_leave(self) -> None:
        """Close it; nothing has happened."""
        self.dismiss(None)


class ErrorScreen(Dialog[None]):
    """What is wrong, where, and what to do."""

    AUTO_FOCUS = "#close"

    def __init__(self, error: RunbookTuiError, heading: str = "That did not work") -> None:
        super().__init__(Content.styled(heading, "bold $warning"))
        self.error = error

    def body(self) -> Iterable[Widget]:
        """Give title, detail, hint."""
        yield Static(untrusted(self.error.title, "bold"), classes="facts")
        if self.error.detail:
            yield Static(untrusted(self.error.detail), classes="facts")
        if self.error.hint:
            yield Static(Content.assemble(("→ ", "$primary"), untrusted(self.error.hint)), classes="facts")


class MessageScreen(Dialog[None]):
    """Something that was done, and where."""

    AUTO_FOCUS = "#close"

    def __init__(self, heading: str, text: Content) -> None:
        super().__init__(heading)
        self._text = text

    def body(self) -> Iterable[Widget]:
        """Give the text."""
        yield Static(self._text, classes="facts")


class BusyScreen(Dialog[None]):
    """Something outside is asked; Escape gives up on it."""

    AUTO_FOCUS = "#close"

    def __init__(self, what: Content) -> None:
        super().__init__("One moment")
        self._what = what

    def body(self) -> Iterable[Widget]:
        """Say what is asked."""
        yield Static(self._what, classes="facts")
        yield Static(Content.styled("Nothing has been changed yet. Esc gives up.", "$muted"), classes="facts")

    def buttons(self) -> Iterable[Widget]:
        """Give the way out."""
        yield Button("Give up", id="close")


class ReasonScreen(Dialog[str]):
    """Asks for a line of text; an empty one is not taken unless `empty`. Gives the text, or None."""

    AUTO_FOCUS = "#reason"

    def __init__(
        self, heading: Content | str, question: Content | str, *, ok: str, value: str = "", empty: bool = False
    ) -> None:  # fmt: skip
        super().__init__(heading)
        self._question = question if isinstance(question, Content) else Content(question)
        self._ok = ok
        self._value = value
        self._empty = empty

    def body(self) -> Iterable[Widget]:
        """Give the question and the field."""
        yield Static(self._question, classes="facts")
        yield LineInput(self._value, id="reason")
        yield Static(id="problem")

    def buttons(self) -> Iterable[Widget]:
        """Give both ways out."""
        yield Button("Cancel", id="close")
        yield Button(self._ok, id="ok")

    @on(Button.Pressed, "#ok")
    @on(Input.Submitted, "#reason")
    def _take(self) -> None:
        text = self.query_one("#reason", Input).value.strip()
        if not text and not self._empty:
            self.query_one("#problem", Static).update(Content.styled("Something must be written here.", "$warning"))
            return
        self.dismiss(text)
