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
        self._built: dict[int, Content] = {}

    def update(self, build: Callable[[int], Content]) -> None:
        """Show something else; lay out anew only when its height changed."""
        width = self._width
        before = self._at(width)
        self._build = build
        self._built = {}
        if before != (after := self._at(width)):
            self.refresh(layout=_height(before, width) != _height(after, width))

    def put(self, text: Content) -> None:
        """Show a text that is the same at every width."""
        self.update(lambda _: text)

    def render(self) -> Content:
        """Give the text for the present width."""
        return self._at(self._width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Give how many lines it needs at this width."""
        del container, viewport
        return _height(self._at(max(1, width)), max(1, width))

    @property
    def _width(self) -> int:
        return max(1, self.size.width)

    def _at(self, width: int) -> Content:
        """Give the text for a width; a layout asks for it several times."""
        if width not in self._built:
            self._built[width] = self._build(width)
        return self._built[width]


def _height(text: Content, width: int) -> int:
    return sum(max(1, len(line.wrap(width))) for line in text.split("\n"))


def hanging(lead: Content, value: Content, width: int) -> Content:
    """Put `lead` before the value; everything that goes on below stands under the value's first column."""
    room = max(8, width - lead.cell_length)
    pad = Content(" " * lead.cell_length)
    lines = [piece for line in value.split("\n") for piece in (line.wrap(room) or [Content("")])]
    return Content("\n").join(
        Content.assemble(lead if number == 0 else pad, line) for number, line in enumerate(lines)
    )
