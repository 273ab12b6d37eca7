"""The output pane with its header: which attempt, how long, how long silent, how far, and whether it follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import number_of
from runbook_tui.ui import describe
from runbook_tui.ui.widgets.output_view import OutputView
from runbook_tui.ui.words import STATUS, bar, clock, plural, took

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from runbook_tui.core.feed import Feed
    from runbook_tui.core.run import Attempt, RunState
    from runbook_tui.engine import Activity

SILENT_FROM = 5.0
"""Seconds without a byte from which the header says so."""


class OutputPane(Vertical):
    """OutputView, a progress line while the command says how far it is, and the badge of a reader who scrolled up."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's own name
        super().__init__(id=id)
        self._drawn: dict[str, Content | None] = {}
        self._drawn_title: Content | None = None

    def compose(self) -> ComposeResult:
        """View, progress, badge."""
        yield OutputView(id="output")
        yield Static(id="output-empty")
        yield Static(id="progress")
        yield Static(id="badge")

    @property
    def view(self) -> OutputView:
        """The lines."""
        return self.query_one(OutputView)

    def show(self, state: RunState, attempt: Attempt | None, feed: Feed | None, activity: Activity | None) -> None:
        """Draw the header and show the attempt's feed; cheap enough for every tick."""
        view = self.view
        view.show_feed(feed)
        view.drain()
        live = activity if activity and attempt and activity.attempt.id == attempt.id else None
        title = self._title(state, attempt, live)
        if title != self._drawn_title:
            self._drawn_title = title
            self.border_title = title
        view.display = bool(view.line_count)
        nothing = None if view.line_count else Content.styled(self._nothing(attempt, live), "$muted")
        self._put("#output-empty", nothing)
        self._put("#progress", self._progress(feed, live))
        badge = None
        if not view.following and view.line_count:
            new = f"{view.unseen:,} new ↓" if view.unseen else "not following"
            badge = Content.assemble((f" {new} ", "bold"), "End follows ")
        self._put("#badge", badge)

    def _put(self, where: str, text: Content | None) -> None:
        """Show a line or hide it; nothing is painted when it is as it was, 25 times a second."""
        if self._drawn.get(where, Content("")) == text:
            return
        self._drawn[where] = text
        line = self.query_one(where, Static)
        line.display = text is not None
        if text is not None:
            line.update(text)

    def _progress(self, feed: Feed | None, live: Activity | None) -> Content | None:
        percent = feed.percent if feed is not None and live is not None else None
        if percent is None:
            return None
        drawn = bar(percent, max(10, min(60, self.size.width - 16)))
        full = drawn.count("━")
        return Content.assemble((drawn[:full], "$primary"), (drawn[full:], "$rule"), f"  {percent:>3} %")

    @staticmethod
    def _nothing(attempt: Attempt | None, live: Activity | None) -> str:
        if live is not None:
            return "Nothing has come back yet."
        return "It printed nothing." if attempt is not None else "What a command prints appears here."

    @staticmethod
    def _title(state: RunState, attempt: Attempt | None, live: Activity | None) -> Content:
        if attempt is None:
            return Content(" OUTPUT ")
        sign = STATUS[attempt.status]
        ids = state.of(attempt.action).attempts
        count = f"attempt {ids.index(attempt.id) + 1} of {len(ids)}" if len(ids) > 1 else "attempt 1"
        parts: list[Content | str | tuple[str, str]] = [
            " OUTPUT · ", number_of(state, attempt.action), " on ", describe.host(attempt.host or "local", state.hosts),
            f" · {count} · ",
        ]  # fmt: skip
        if live is None:
            parts += [(f"{sign.glyph} {sign.word}", sign.style)]
            parts += [f" · {took(attempt.seconds)}"] if attempt.seconds else []
        else:
            parts += [(f"● {live.stage}", "$primary"), f" {clock(live.elapsed)}"]
            if live.link:
                parts += [(f" · {clean_line(live.link)}", "$warning")]
            elif live.silent >= SILENT_FROM:
                parts += [(f" · silent for {int(live.silent)} s", "$warning")]
        return Content.assemble(*parts, " ")


def line_total(view: OutputView) -> str:
    """Say how many lines are shown."""
    return plural(view.line_count, "line")
