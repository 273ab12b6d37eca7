"""A text without what nobody sees, and the way back: a NUL or a zero-width character must not hide a secret."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

_PLAIN: Final = bytes(range(0x20, 0x7F)) + b"\t\n"

_DROPPED: Final = re.compile(
    "(?:"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2400-\u2426\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffd\U000e0000-\U000e0fff]"
    "|<U\\+[0-9A-F]{4,6}>"
    ")+"
)
"""What is not to be seen, and what `core.text` shows in its place: pictures, `<U+200B>`, the replacement character."""

_BEGUN: Final = re.compile(r"<(?:U(?:\+[0-9A-F]{0,6})?)?\Z")
"""What may still become a `<U+200B>` when more arrives."""


class Skeleton:
    """The text that is searched, and from each of its places the place in the text as it is shown."""

    __slots__ = ("_skeleton_starts", "_text_starts", "text")

    def __init__(self, shown: str) -> None:
        self.text = shown
        self._skeleton_starts: list[int] | None = None
        self._text_starts: list[int] = []
        if (shown.isascii() and not shown.encode().translate(None, _PLAIN) and "<U+" not in shown) or not shown:
            return
        kept, end = [], 0
        starts, targets, length = [0], [0], 0
        for gap in _DROPPED.finditer(shown):
            kept.append(shown[end : gap.start()])
            length += gap.start() - end
            end = gap.end()
            starts.append(length)
            targets.append(end)
        if end or kept:
            kept.append(shown[end:])
            self.text = "".join(kept)
            self._skeleton_starts, self._text_starts = starts, targets

    def shown_at(self, place: int) -> int:
        """Give the place, in the text as it is shown, of the skeleton's character at `place`."""
        if self._skeleton_starts is None:
            return place
        run = bisect_right(self._skeleton_starts, place) - 1
        return self._text_starts[run] + place - self._skeleton_starts[run]


def skeleton(text: str) -> str:
    """Give a text without what is not to be seen."""
    return Skeleton(text).text


def unfinished(text: str) -> str:
    """Give the end of the text that may still become something not to be seen; mostly empty."""
    begun = _BEGUN.search(text, max(0, len(text) - 9))
    return begun.group() if begun else ""
