"""The output pane: a bounded line-API view over a Feed that follows only at its end (STYLE.md F1-F4)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from runbook_tui.core.text import clean_line

if TYPE_CHECKING:
    from runbook_tui.core.feed import Feed

MAX_COLUMNS = 4_096
"""Longer lines are cut in the pane; the stored output has them whole."""


class OutputView(ScrollView, can_focus=True):
    """Shows the lines of one Feed at a time. `unseen` counts lines that arrived below a reader who scrolled up."""

    ALLOW_SELECT = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("end", "follow", "Follow", show=False),
        Binding("home", "scroll_home", "Top", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"output-view--match", "output-view--current"}

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's own name
        super().__init__(id=id)
        self._feed: Feed | None = None
        self._lines: list[str] = []
        self._partial = ""
        self._seen = 0
        self._width = 0
        self._adjusting = False
        self.following = True
        self.unseen = 0
        self.needle = ""
        self.found: int | None = None

    @property
    def lines(self) -> list[str]:
        """What is shown, the unfinished line included."""
        return [*self._lines, self._partial] if self._partial else list(self._lines)

    @property
    def line_count(self) -> int:
        """How many lines are shown."""
        return len(self._lines) + bool(self._partial)

    def show_feed(self, feed: Feed | None) -> None:
        """Show another attempt's output from its start, or none."""
        if feed is self._feed:
            return
        self._feed = feed
        self._lines, self._partial, self._seen, self._width = [], "", 0, 0
        self.following, self.unseen, self.found = True, 0, None
        self.virtual_size = Size(0, 0)
        self._scroll(0)
        self.refresh()
        self.drain()

    def drain(self) -> bool:
        """Take over what the feed has got since the last time; give whether anything changed."""
        feed = self._feed
        if feed is None:
            return False
        # The feed holds cleaned text; cleaning once more costs nothing on plain lines and keeps this
        # widget safe by itself.
        partial = clean_line(feed.partial)[:MAX_COLUMNS]
        if feed.total == self._seen and partial == self._partial:
            return False
        fresh, total = feed.since(self._seen)
        lines = [clean_line(line)[:MAX_COLUMNS] for line in fresh]
        missed = total - self._seen - len(fresh)
        if missed > 0:
            self._drop(len(self._lines))
        self._lines += lines
        self._seen = total
        self._partial = partial
        self._width = max(self._width, cell_len(partial), *map(cell_len, lines), 0)
        kept = total - feed.dropped
        if len(self._lines) > kept:
            self._drop(len(self._lines) - kept)
        self.virtual_size = Size(self._width, self.line_count)
        if self.following:
            self.call_after_refresh(self._stick)
        else:
            self.unseen += len(lines)
        self.refresh()
        return True

    def _drop(self, count: int) -> None:
        """Forget the oldest lines without moving what a reader looks at."""
        if count <= 0:
            return
        del self._lines[:count]
        if not self.following:
            self._scroll(max(0, self.scroll_offset.y - count))
        selection = self.screen.selections.get(self) if self.is_attached else None
        if selection is not None:
            start, end = (o and Offset(o.x, max(0, o.y - count)) for o in selection)
            self.screen.selections = {**self.screen.selections, self: Selection(start, end)}

    def _scroll(self, y: int) -> None:
        self._adjusting = True
        try:
            self.scroll_to(y=y, animate=False, force=True)
        finally:
            self._adjusting = False

    def _stick(self) -> None:
        if self.following:
            self._scroll(self.max_scroll_y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the reader scrolls up, follow again when the end is reached."""
        super().watch_scroll_y(old_value, new_value)
        if self._adjusting:
            return
        if new_value >= self.max_scroll_y:
            self._resume()
        elif new_value < old_value:
            self.following = False

    def _resume(self) -> None:
        self.following, self.unseen = True, 0

    def on_resize(self) -> None:
        """Stay at the end when the pane changes its size."""
        self.call_after_refresh(self._stick)

    def action_follow(self) -> None:
        """Go to the end and follow what comes."""
        self._resume()
        self._stick()

    # ---- finding
    def find(self, needle: str, *, backwards: bool = False) -> bool:
        """Go to the next line that contains the text, whatever its case; give whether there is one."""
        self.needle = needle.lower()
        lines = self.lines
        hits = [i for i, line in enumerate(lines) if self.needle and self.needle in line.lower()]
        self.refresh()
        if not hits:
            self.found = None
            return False
        here = self.found if self.found is not None else (self.scroll_offset.y + (len(lines) if backwards else -1))
        if backwards:
            self.found = next((i for i in reversed(hits) if i < here), hits[-1])
        else:
            self.found = next((i for i in hits if i > here), hits[0])
        self.following = False
        self._scroll(max(0, self.found - self.size.height // 2))
        return True

    # ---- drawing
    def render_line(self, y: int) -> Strip:
        """Draw one line of the pane."""
        scroll_x, scroll_y = self.scroll_offset
        index, width, style = scroll_y + y, self.size.width, self.rich_style
        if index >= self.line_count:
            return Strip.blank(width, style)
        text = self._lines[index] if index < len(self._lines) else self._partial
        strip = Strip(list(self._segments(index, text, style)), cell_len(text))
        return strip.crop_extend(scroll_x, scroll_x + width, style).apply_offsets(scroll_x, index)

    def _segments(self, index: int, text: str, style: Style) -> list[Segment]:
        marks = self._marks(index, text)
        edges = sorted({0, len(text), *(e for start, end, _ in marks for e in (start, end))})
        segments = []
        for start, end in pairwise(edges):
            inside = [mark for a, b, mark in marks if a <= start and end <= b]
            segments.append(Segment(text[start:end], Style.combine([style, *inside])))
        return segments

    def _marks(self, index: int, text: str) -> list[tuple[int, int, Style]]:
        """Give the stretches of a line that are found or selected, with their styles."""
        marks = []
        if self.needle:
            name = "output-view--current" if index == self.found else "output-view--match"
            found, low = self.get_component_rich_style(name), text.lower()
            at = low.find(self.needle)
            while at >= 0 and len(low) == len(text):
                marks.append((at, at + len(self.needle), found))
                at = low.find(self.needle, at + len(self.needle))
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(index)) is not None:
            start, end = span
            chosen = self.screen.get_component_rich_style("screen--selection")
            marks.append((min(start, len(text)), len(text) if end == -1 else min(end, len(text)), chosen))
        return marks

    # ---- copying
    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Give the selected text, for copying."""
        return selection.extract("\n".join(self.lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw anew when the selection changed."""
        del selection
        self.refresh()
