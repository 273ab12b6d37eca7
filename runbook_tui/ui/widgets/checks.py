"""The live checks beside the step: one line a check, and all of them on one line where there is no room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content

from runbook_tui.ports import CheckState
from runbook_tui.ui.trend import sparkline
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.widgets.fitted import Fitted
from runbook_tui.ui.words import CHECK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from textual.app import ComposeResult

    from runbook_tui.engine import CheckView

LABEL = 24
"""Columns of a label at most."""
TREND = 16
"""Looks that are drawn in a line."""
ROOM_FOR_TREND = 72
"""Columns from which on the course of a check is drawn too."""


class ChecksPane(VerticalScroll, can_focus=True):
    """The live checks, one a line."""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Fitted(id="checks-text")

    def show(self, checks: Sequence[CheckView], now: datetime, *, consented: bool) -> None:
        """Draw them anew."""
        text = self.query_one("#checks-text", Fitted)
        if not checks:
            text.put(Content.styled("This runbook has no live checks.", "$muted"))
        elif not consented:
            text.put(Content.styled("The checks start when you agree to them on the start screen.", "$muted"))
        else:
            label = min(LABEL, max(len(c.label or c.name) for c in checks))
            width = self.scrollable_content_region.width
            text.put(Content("\n").join(check_line(c, label, width, now) for c in checks))


def check_line(check: CheckView, label: int, width: int, now: datetime) -> Content:
    """Give a check's line: glyph, word, label, value with its ETA, and its course where there is room."""
    lead = Content.assemble(
        sign(check.state), untrusted_line(check.label or check.name).truncate(label, ellipsis=True, pad=True), "  "
    )
    trend = TREND if width >= ROOM_FOR_TREND else 0
    room = max(8, width - lead.cell_length - (trend + 2 if trend else 0))
    value = untrusted_line(check.said(now) + eta(check))
    if value.cell_length > room:
        value = value.truncate(room, ellipsis=True)
    if not trend:
        return Content.assemble(lead, value)
    return Content.assemble(
        lead, value, " " * (room - value.cell_length + 2), (f"{sparkline(check.history, trend):>{trend}}", "$muted")
    )


def eta(check: CheckView) -> str:
    """Give until when it should be so, where the value does not say that itself."""
    if check.eta is None or f"{check.eta:%H:%M}" in check.value:
        return ""
    return f" · by {check.eta:%H:%M:%S} UTC"


def sign(state: CheckState) -> Content:
    """Give glyph and word of a state in a column of their own."""
    return Content.styled(f"{CHECK[state].glyph} {CHECK[state].word:<8}", CHECK[state].style)


def _brief_sign(state: CheckState) -> Content:
    return Content.styled(f"{CHECK[state].glyph} {CHECK[state].word} ", CHECK[state].style)


def _brief(check: CheckView) -> Content:
    """Give a check in a few words, with what it saw where that is not well."""
    seen = f": {check.value}" if check.state is not CheckState.PASS and check.value else ""
    name = untrusted_line(check.label or check.name)
    return Content.assemble(_brief_sign(check.state), name, untrusted_line(seen, "$muted"))


NAMED = 2
"""Up to so many checks that are well are named on the one line; more are counted."""


def checks_summary(checks: Sequence[CheckView]) -> Content:
    """Give all checks on one line: what is not well first and by name, what is well as a number."""
    if not checks:
        return Content.styled("no live checks", "$muted")
    order = ("FAIL", "UNKNOWN", "WARN", "PENDING", "PASS")
    ranked = sorted(checks, key=lambda c: order.index(c.state.value))
    well = [c for c in ranked if c.state is CheckState.PASS]
    parts = [_brief(check) for check in ranked if check not in well or len(well) <= NAMED]
    if len(well) > NAMED:
        count = f"all {len(well)}" if len(well) == len(ranked) else f"the other {len(well)}"
        parts.append(Content.assemble(_brief_sign(CheckState.PASS), count))
    return Content.styled(" · ", "$muted").join(parts)
