"""The output on the full screen: search, copy, save."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from runbook_tui.ui.screens.dialogs import LineInput
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.widgets.output_view import OutputView
from runbook_tui.ui.widgets.panes import spread
from runbook_tui.ui.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from runbook_tui.core.feed import Feed

HINT = "/ search   n next   N back   c copy   s save…   End follow   o or Esc back"


class OutputScreen(Screen[None]):
    """Shows one attempt's feed."""

    AUTO_FOCUS = "#output"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,o,q", "leave", "Back", id="output.back"),
        Binding("slash", "search", "Search", id="output.search"),
        Binding("n", "next", "Next", id="output.next"),
        Binding("N", "next(True)", "Back", id="output.previous"),
        Binding("c", "copy", "Copy", id="output.copy"),
        Binding("s", "save", "Save…", id="output.save"),
    ]

    class Save(Message):
        """The operator wants the shown lines in a file."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, title: Content, feed: Feed, redact: Callable[[str], str] = str) -> None:
        super().__init__()
        self._redact = redact
        self._title = title
        self._feed = feed
        self._said = Content("")

    def compose(self) -> ComposeResult:
        """Title, lines, search field, hint."""
        yield Static(id="output-title")
        yield OutputView(id="output")
        yield LineInput(placeholder="search in the output", id="search")
        yield Static(Content.styled(HINT, "$muted"), id="output-hint")

    def on_mount(self) -> None:
        """Show the feed and keep it fresh."""
        self.query_one("#search").display = False
        self.query_one(OutputView).show_feed(self._feed)
        self.set_interval(1 / 25, self._tick)

    def _tick(self) -> None:
        view = self.query_one(OutputView)
        view.drain()
        count = plural(view.line_count, "line")
        if self._feed.dropped:
            count += f", {self._feed.dropped:,} older ones only in the run's folder"
        follows = "following" if view.following else "not following"
        right = Content.assemble(self._said, "   ", count, " · ", follows, " ")
        self.query_one("#output-title", Static).update(
            spread(Content.assemble(" OUTPUT · ", self._title), right, self.size.width)
        )

    def action_search(self) -> None:
        """Ask for the words."""
        field = self.query_one("#search", Input)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#search")
    def _search(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#search").display = False
        self.query_one(OutputView).focus()
        self._find(event.value, backwards=False)

    def action_next(self, backwards: bool = False) -> None:
        """Go to the next hit."""
        if needle := self.query_one(OutputView).needle:
            self._find(needle, backwards=backwards)

    def _find(self, needle: str, *, backwards: bool) -> None:
        found = self.query_one(OutputView).find(needle, backwards=backwards)
        what = untrusted_line(needle, "bold")
        missing = Content.assemble(what, (" is not in it", "$warning"))
        self._said = Content.assemble("found ", what) if found else missing

    def action_copy(self) -> None:
        """Copy the selection, or everything, with OSC 52."""
        text = self.get_selected_text() or "\n".join(self.query_one(OutputView).lines)
        self.app.copy_to_clipboard(self._redact(text))
        self._said = Content(f"copied {plural(len(text.splitlines()), 'line')}; s saves a file where copying fails")

    def action_save(self) -> None:
        """Ask where to."""
        self.post_message(self.Save(self._redact("\n".join(self.query_one(OutputView).lines) + "\n")))

    def action_leave(self) -> None:
        """Close the search field, or go back."""
        field = self.query_one("#search")
        if field.display:
            field.display = False
            self.query_one(OutputView).focus()
            return
        self.dismiss(None)
