"""The page of live checks: what each asks, saw and could not see, since when, its table, when it looks again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Button

from runbook_tui.ports import CheckState
from runbook_tui.ui import describe
from runbook_tui.ui.screens.pages import Page
from runbook_tui.ui.trend import sparkline
from runbook_tui.ui.untrusted import untrusted, untrusted_line
from runbook_tui.ui.widgets.checks import eta, sign
from runbook_tui.ui.widgets.fitted import Fitted
from runbook_tui.ui.words import CHECK, took

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from textual.widget import Widget

    from runbook_tui.engine import CheckView

WIDEST = 40
"""Columns of a cell at most."""
TREND = 60
"""Looks that are drawn."""


class ChecksScreen(Page):
    """All live checks with their details; r has every check look now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "leave", show=False),
        Binding("r", "look_again", "Look now", id="checks.again"),
    ]

    class LookAgain(Message):
        """The operator wants every check to look now."""

    def __init__(self, views: Callable[[], list[CheckView]], now: Callable[[], datetime]) -> None:
        super().__init__("Live checks", classes="-wide")
        self._views = views
        self._now = now

    def body(self) -> Iterable[Widget]:
        """Give one text, drawn anew every second."""
        yield Fitted(id="checks-table")

    def buttons(self) -> Iterable[Widget]:
        """Give what can be done."""
        yield Button("Close", id="close")
        yield Button("Look now (r)", id="again")

    def on_mount(self) -> None:
        """Keep the ages true."""
        self._draw()
        self.set_interval(1.0, self._draw)

    @on(Button.Pressed, "#again")
    def action_look_again(self) -> None:
        """Ask for a look of every check."""
        self.post_message(self.LookAgain())

    def _draw(self) -> None:
        views, now = self._views(), self._now()

        def build(width: int) -> Content:
            blocks = [check_block(view, now, width) for view in views]
            return Content("\n\n").join(blocks or [Content.styled("This runbook has no live checks.", "$muted")])

        self.query_one("#checks-table", Fitted).update(build)


def check_block(view: CheckView, now: datetime, width: int) -> Content:
    """Give all that is known of a check."""
    lines = [
        Content.assemble(
            sign(view.state), untrusted_line(view.label or view.name, "bold"), "  ",
            untrusted_line(view.said(now) + eta(view)),
        ),
        describe.fact("asks", untrusted("\n".join(view.asks_lines)), width),
    ]  # fmt: skip
    if view.rows:
        lines.append(describe.fact("", _table(view, width - describe.LABEL - 2), width))
    elif view.detail and view.detail != view.value:
        lines.append(describe.fact("saw", untrusted(view.detail), width))
    if view.error_at is not None:
        ago = took((now - view.error_at).total_seconds())
        error = Content.assemble(untrusted_line(view.error), (f" · {ago} ago", "$muted"))
        still = "$warning" if view.state is CheckState.UNKNOWN else "$muted"
        lines.append(describe.fact("last error", error, width, still))
    lines.append(describe.fact("", Content.styled(" · ".join(_times(view, now)), "$muted"), width))
    if course := sparkline(view.history, min(TREND, width - describe.LABEL - 2)):
        lines.append(describe.fact("course", Content(course), width))
    return Content("\n").join(lines)


def _times(view: CheckView, now: datetime) -> list[str]:
    times = []
    if view.since is not None:
        times.append(f"so since {view.since:%Y-%m-%d %H:%M:%S} UTC")
    if view.looked is not None:
        times.append(f"looked {took((now - view.looked).total_seconds())} ago")
    if view.next is not None:
        times.append(f"looks again in {took(max(0.0, (view.next - now).total_seconds()))}")
    return [*times, f"every {took(view.every)}"]


def _table(view: CheckView, room: int) -> Content:
    """Give the rows of a check under their heads; a cell gives way before the table gets too wide."""
    count = max(len(view.columns), *(len(row.cells) for row in view.rows))
    cells = [[untrusted_line(text) for text in (*row.cells, *[""] * (count - len(row.cells)))] for row in view.rows]
    heads = [untrusted_line(text, "$muted") for text in (*view.columns, *[""] * (count - len(view.columns)))]
    columns = zip(heads, *cells, strict=True)
    widths = [max(4, min(WIDEST, max(cell.cell_length for cell in column))) for column in columns]
    while sum(widths) + 2 * count + 2 > room and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    lines = [Content.assemble("  ", _row(heads, widths))]
    for row, texts in zip(view.rows, cells, strict=True):
        mark = CHECK[row.state] if row.state is not None else None
        lead = Content.styled(f"{mark.glyph} ", mark.style) if mark else Content("  ")
        lines.append(Content.assemble(lead, _row(texts, widths)))
    return Content("\n").join(lines)


def _row(cells: list[Content], widths: list[int]) -> Content:
    return Content("  ").join(
        cell.truncate(width, ellipsis=True, pad=True) for cell, width in zip(cells, widths, strict=True)
    )
