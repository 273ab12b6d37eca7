"""Which panes are on the screen and which has the focus: side by side, collapsed, or one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen
from textual.widgets import Static

from runbook_tui.ui.widgets.output_pane import OutputPane

if TYPE_CHECKING:
    from textual.geometry import Size

LEAST = (40, 10)
"""Columns and lines below which nothing can be read."""
PANES = ("steps", "step", "outpane", "checks")
NARROW, ABREAST = 80, 100
"""Columns below which one pane fills the screen, and from which on all stand side by side."""


class Panes(Screen[None]):
    """The main screen's way of fitting into the terminal. `solo` is the pane that fills it, empty when none does."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 -- as Textual declares it

        (0, "-cramped-wide"), (40, "-narrow"), (80, "-compact"), (100, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [(0, "-cramped-high"), (10, "-low"), (30, "-high")]  # noqa: RUF012 -- the same
    solo = ""

    def fit_panes(self, size: Size) -> None:
        """Show one pane or all, as the size asks for; say what is needed when nothing fits."""
        narrow = LEAST[0] <= size.width < NARROW
        if narrow and not self.solo:
            self.show_solo("step")
        elif size.width >= ABREAST or (not narrow and self.solo == "step"):
            self.show_solo("")
        self.query_one("#room", Static).update(
            f"mailrunbook needs more room: {LEAST[0]} by {LEAST[1]} at least, this is {size.width} by {size.height}."
        )

    def action_pane(self, by: int) -> None:
        """Give the next pane the focus; where they do not fit side by side it fills the screen."""
        wide = self.has_class("-wide")
        order = PANES if self.has_class("-narrow") else ("", *PANES)
        focused = next((p for p in PANES if self.focused is not None and self.focused.id == p), "")
        if self.focused is not None and self.focused.id == "output":
            focused = "outpane"
        now = focused if wide else self.solo
        target = order[(order.index(now) + by) % len(order)] if now in order else order[0]
        self.show_solo("" if wide else target)
        self._focus_pane(target)

    def _focus_pane(self, target: str) -> None:
        self.set_focus(None)
        if target == "outpane":
            self.query_one(OutputPane).view.focus()
        elif target:
            self.query_one(f"#{target}").focus()

    def show_solo(self, pane: str) -> None:
        """Let one pane fill the screen, or none."""
        self.solo = pane
        for name in PANES:
            self.set_class(name == pane, f"-solo-{name}")
        self.set_class(bool(pane), "-solo")

    def action_unfocus(self) -> None:
        """Go back to the whole."""
        self.show_solo("step" if self.has_class("-narrow") else "")
        self.set_focus(None)
