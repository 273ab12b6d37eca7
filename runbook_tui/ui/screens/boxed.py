"""Keeps a dialog's buttons on the screen: what does not fit scrolls in the body between heading and buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import ModalScreen, ScreenResultType

if TYPE_CHECKING:
    from textual import events


class Boxed(ModalScreen[ScreenResultType]):
    """A modal screen with a `#box` that holds an `#ask-body` among other things."""

    VERTICAL_BREAKPOINTS = [(0, "-flat"), (30, "-tall")]  # noqa: RUF012 -- as Textual declares it

    def on_screen_resume(self) -> None:
        """Fit the body when the dialog comes to the front."""
        self.call_after_refresh(self.fit)

    def on_resize(self, event: events.Resize) -> None:
        """Fit it anew when the terminal changes."""
        del event
        self.call_after_refresh(self.fit)

    def _fit_when_made(self) -> None:
        """Try again: a screen can come to the front before its widgets are made, and leave before that too."""
        if self.is_attached and self.is_running:
            self.set_timer(0.01, self.fit)

    def fit(self) -> None:
        """Give the body the height that is left in the box."""
        if not self.query("#box"):
            self._fit_when_made()
            return
        box, body = self.query_one("#box"), self.query_one("#ask-body")
        taken = 2
        for child in box.children:
            if child is not body:
                taken += child.outer_size.height + child.styles.margin.height
        body.styles.max_height = max(1, int(self.size.height * 0.96) - taken)
