"""Finds a step by its number or by words of its title."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from runbook_tui.core.verbs import number_of
from runbook_tui.ui.describe import spot_sign
from runbook_tui.ui.screens.dialogs import Dialog, LineInput
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.widgets.fitted import hanging

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from runbook_tui.core.run import RunState
    from runbook_tui.ui.widgets.steps import Spot


SCROLLBAR = 2
"""Columns kept free at the right edge of the list."""


class GoToScreen(Dialog[str]):
    """Gives the id of the spot that was chosen, or None."""

    AUTO_FOCUS = "#filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, state: RunState, places: Sequence[Spot]) -> None:
        super().__init__("Go to a step")
        self._state = state
        self._places = places
        self._shown: list[Spot] = []

    def body(self) -> Iterable[Widget]:
        """Give the filter and the list."""
        yield LineInput(placeholder="number or words", id="filter")
        yield OptionList(id="places", markup=False)
        yield Static(id="problem")

    def on_mount(self) -> None:
        """List what fits the words typed by then, as soon as it is known how wide the list is."""
        self.call_after_refresh(self._fill)

    @on(Input.Changed, "#filter")
    def _fill(self) -> None:
        words = self.query_one("#filter", Input).value.lower().split()
        self._shown = [spot for spot in self._places if all(word in self._words(spot).lower() for word in words)]
        places = self.query_one("#places", OptionList)
        places.clear_options()
        places.add_options(Option(self._row(spot)) for spot in self._shown)
        places.highlighted = 0 if self._shown else None
        self.query_one("#problem", Static).update("" if self._shown else "No step has these words.")

    def _number(self, spot: Spot) -> str:
        return number_of(self._state, spot.action.id) if spot.action else spot.step.number

    def _words(self, spot: Spot) -> str:
        title = spot.action.title if spot.action and len(spot.step.actions) > 1 else ""
        return f"{self._number(spot)} {spot.step.title} {title}".strip()

    def _row(self, spot: Spot) -> Content:
        sign = spot_sign(self._state, spot.step, spot.action)
        lead = Content.styled(f"{sign.glyph} {sign.word:<13} ", sign.style)
        return hanging(lead, untrusted_line(self._words(spot)), self.query_one("#places").size.width - SCROLLBAR)

    def action_move(self, lines: int) -> None:
        """Move in the list while the focus stays in the field."""
        places = self.query_one("#places", OptionList)
        if places.option_count:
            places.highlighted = ((places.highlighted or 0) + lines) % places.option_count

    @on(Input.Submitted, "#filter")
    @on(OptionList.OptionSelected, "#places")
    def _take(self) -> None:
        index = self.query_one("#places", OptionList).highlighted
        if index is not None and index < len(self._shown):
            self.dismiss(self._shown[index].id)
