"""The careful question: Cancel has the focus, Enter never agrees, only a deliberate `y` or a typed word does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from runbook_tui.core.proposal import YES
from runbook_tui.ui.rhythm import BURST, GUARD, Rhythm
from runbook_tui.ui.screens.boxed import Boxed
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events
    from textual.app import ComposeResult
    from textual.widget import Widget

ALONE = 2 * BURST
"""Seconds after `y` in which another key or a paste takes it back: then it was the first byte of a burst."""


LEAST_WIDTH, LEAST_HEIGHT = 40, 10
"""Below this the dialog cannot be read, so nothing can be agreed to."""


class YesButton(Button):
    """Agrees by a click only; Enter does nothing, so that Enter can never run anything."""

    def action_press(self) -> None:
        """Ignore Enter."""


class WordInput(Input):
    """Wants a word typed by hand: what is pasted does not arrive."""

    def on_mount(self) -> None:
        """Keep still: a blinking cursor says nothing."""
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()


class AskScreen(Boxed[str]):
    """Asks before something happens; gives `y` or the typed word, or None when it was left.

    `wants` is YES or the exact word that has to be typed. Subclasses give the body. With `READ_FIRST` nothing is
    agreed to before the end of the body has been on the screen; until then `y` only pages on.
    """

    AUTO_FOCUS = "#cancel"
    READ_FIRST = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="yes"),
        Binding("escape", "leave", "Cancel", id="cancel"),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    def __init__(
        self, rhythm: Rhythm, heading: Content, *, wants: str = YES, yes: str = "Run", no: str = "Cancel",
        danger: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(classes="-danger" if danger else "")
        self._rhythm = rhythm
        self._heading = heading
        self._wants = wants
        self._yes = yes
        self._no = no
        self._painted: float | None = None
        self._reached = False
        self._done = False

    @property
    def ready(self) -> bool:
        """Whether the dialog has been on the screen, and readable, long enough for its keys to count."""
        if self._painted is None or self.size.width < LEAST_WIDTH or self.size.height < LEAST_HEIGHT:
            return False
        return self._rhythm.clock() - self._painted >= GUARD

    @property
    def read(self) -> bool:
        """Whether all of the body is on the screen, or its end has been."""
        return self._reached or not self.READ_FIRST or self.query_one("#ask-body").max_scroll_y <= 0

    def body(self) -> Iterable[Widget]:
        """Give what is asked about."""
        return ()

    def compose(self) -> ComposeResult:
        """Heading, body that scrolls, the word to type, Cancel and the other one."""
        with Vertical(id="box"):
            yield Static(self._heading, id="heading")
            with VerticalScroll(id="ask-body", can_focus=False):
                yield from self.body()
            yield Static(id="ask-hint")
            if self._wants != YES:
                yield Static(
                    Content.assemble("Type ", untrusted_line(self._wants, "bold $error"), " to go on:"), id="wants"
                )
                yield WordInput(id="typed", disabled=True)
            with Horizontal(id="buttons"):
                yield Button(self._no, id="cancel")
                yield YesButton(f"{self._yes} (y)", id="yes", disabled=True)

    def on_mount(self) -> None:
        """Follow the scrolling, whatever did it."""
        self.watch(self.query_one("#ask-body"), "scroll_y", self._scrolled, init=False)

    def on_screen_resume(self) -> None:
        """Start the time that keys are ignored anew, whenever the dialog comes to the front."""
        self._painted = None
        self.call_after_refresh(self.fit)

    def fit(self) -> None:
        """Fit the body, and only then count the dialog as painted."""
        super().fit()
        if self.query("#box"):
            self.call_after_refresh(self._on_painted)

    def _on_painted(self) -> None:
        if not self.query("#ask-body"):
            return  # it was closed between the painting and this call
        if self._painted is None:
            self._painted = self._rhythm.clock()
        self._arm()

    def _scrolled(self) -> None:
        body = self.query_one("#ask-body")
        if not self.read and body.max_scroll_y > 0 and body.scroll_y >= body.max_scroll_y:
            self._reached = True
            # The key that brought the end into sight, pressed once more in haste, must not agree.
            self._painted = self._rhythm.clock()
        self._arm()

    def _arm(self) -> None:
        """Say what is still to be read, and let the field and the button be used once nothing is."""
        read = self.read
        for field in self.query("#typed").results(Input):
            if field.disabled and read:
                field.disabled = False
                self.set_focus(field)
        self.query_one("#yes", Button).disabled = not (read and self._typed_right)
        body = self.query_one("#ask-body")
        more = round(body.max_scroll_y - body.scroll_y)
        text = f"↓ {plural(more, 'more line')}" if more > 0 else ""
        if text and not read:
            text += f": read to the end, then {'y' if self._wants == YES else f'type {self._wants}'}"
        self.query_one("#ask-hint", Static).update(untrusted_line(text, "$warning"))

    # ---- answers
    @property
    def _typed_right(self) -> bool:
        return self._wants == YES or self.query_one("#typed", Input).value == self._wants

    @on(Input.Changed, "#typed")
    def _typed(self) -> None:
        self._arm()

    @on(Input.Submitted, "#typed")
    def _move_on(self) -> None:
        """Enter in the field only moves on to the button."""
        if not self.query_one("#yes", Button).disabled:
            self.query_one("#yes", Button).focus()

    def action_yes(self) -> None:
        """Agree, when the key was deliberate and, where a word is wanted, the focus is on the button; else read on."""
        button = self.query_one("#yes", Button)
        if not self.ready or not self._rhythm.deliberate:
            return
        if not self.read:
            self.action_page(1)
            return
        if button.disabled:
            return
        if self._wants != YES and self.focused is not button:
            return
        count = self._rhythm.count
        self.set_timer(ALONE, lambda: self._agree(count))

    def _agree(self, count: int) -> None:
        if self._rhythm.count == count and self.is_current and not self._done:
            self._finish()

    @on(Button.Pressed, "#yes")
    def _clicked(self, event: Button.Pressed) -> None:
        event.stop()
        if self.ready and not self._done:
            self._finish()

    def _finish(self) -> None:
        if self.read and self._typed_right:
            self._done = True
            self.dismiss(self._wants)

    @on(Button.Pressed, "#cancel")
    def action_leave(self) -> None:
        """Close it; nothing has happened."""
        if not self._done:
            self._done = True
            self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Scroll what is asked about."""
        self.query_one("#ask-body").scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll what is asked about by a page."""
        self.action_scroll(pages * max(1, self.query_one("#ask-body").size.height - 1))
