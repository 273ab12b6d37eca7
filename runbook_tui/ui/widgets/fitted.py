"""Text that is laid out for the width it gets: hanging indents need to know where a line ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.geometry import Size


class Fitted(Widget):
    """Shows what `build(width)` gives for its own width in columns."""

    DEFAULT_CSS = "Fitted { width: 1fr; height: auto; }"

    def __init__(
        self, build: Callable[[int], Content] | None = None, *, id: str | None = None, classes: str = ""  # noqa: A002
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self._build = build or (lambda _: Content(""))

    def update(self, build: Callable[[int], Content]) -> None:
        """Show something else; lay out anew only when its height changed."""
        width = max(1, self.size.width)
        before, after = self._build(width), build(width)
        self._build = build
        if before != after:
            self.refresh(layout=len(before.split("\n")) != len(after.split("\n")))

    def render(self) -> Content:
        """Give the text for the present width."""
        return self._build(max(1, self.size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Give how many lines it needs at this width."""
        del container, viewport
        return sum(max(1, len(line.wrap(max(1, width)))) for line in self._build(max(1, width)).split("\n"))


def hanging(lead: Content, value: Content, width: int) -> Content:
    """Put `lead` before the value; everything that goes on below stands under the value's first column."""
    room = max(8, width - lead.cell_length)
    pad = Content(" " * lead.cell_length)
    lines = [piece for line in value.split("\n") for piece in (line.wrap(room) or [Content("")])]
    return Content("\n").join(
        Content.assemble(lead if number == 0 else pad, line) for number, line in enumerate(lines)
    )
