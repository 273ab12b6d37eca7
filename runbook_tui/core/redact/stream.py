"""Text that arrives in pieces leaves without its secrets, and no beginning of one leaves before it is known for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.redact.redactor import SHORTEST, Hit, mark
from runbook_tui.core.redact.skeleton import Skeleton, unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runbook_tui.core.redact.redactor import Redactor


class RedactStream:
    """What `feed`, `idle` and `finish` gave, put together, is what the whole text looks like redacted.

    Held back is only the end that may still become a secret. `redactor` is asked for each piece anew: a secret that
    becomes known is taken out from there on.
    """

    def __init__(self, redactor: Callable[[], Redactor]) -> None:
        self._redactor = redactor
        self._held = ""
        self._given = 0  # characters of `_held` that left because nothing came for a while
        self._cover: Hit | None = None  # a secret that began before `_held` and ends in it
        self._marked = False  # whether the line's part of the secret that is being left out has its mark

    @property
    def held(self) -> bool:
        """Whether something is held back."""
        return len(self._held) > self._given

    def feed(self, text: str) -> str:
        """Take what arrived; give what can no longer be the beginning of a secret."""
        redactor = self._redactor()
        if not self._held and self._cover is None:
            shape = Skeleton(text)
            if not redactor.suspects(shape.text) and not redactor.begun(shape.text)[0]:
                return text if not unfinished(text) else self._decide(redactor, text)
            return self._decide(redactor, text, shape)
        return self._decide(redactor, self._held + text)

    def peek(self, text: str, *, idle: bool = False) -> str:
        """Give what `feed`, and `idle` after it, would give, and take nothing."""
        copy = RedactStream(self._redactor)
        copy._held, copy._given, copy._cover, copy._marked = self._held, self._given, self._cover, self._marked
        return copy.feed(text) + (copy.idle() if idle else "")

    def idle(self) -> str:
        """Give what is held, since nothing came for a while: a prompt is not kept waiting.

        SHORTEST characters of a secret stay: those are hardly there by chance. What was given is remembered, so the
        rest of a secret that goes on after it is found.
        """
        redactor, begun = self._redactor(), unfinished(self._held)
        shape = Skeleton(self._held)
        without = Skeleton(self._held[: len(self._held) - len(begun)])
        if max(redactor.begun(shape.text)[0], redactor.begun(without.text)[0]) >= SHORTEST:
            return ""
        given = self._release(self._held, self._hits(redactor, shape), len(self._held))
        self._given = len(self._held)
        return given

    def finish(self) -> str:
        """Give what is held at the end, or before a gap; SHORTEST characters of a secret become its mark."""
        redactor = self._redactor()
        shape = Skeleton(self._held)
        hits = self._hits(redactor, shape)
        length, name = redactor.begun(shape.text)
        if length >= SHORTEST:
            start = shape.shown_at(len(shape.text) - length)
            hits = _joined((Hit(start, shape.shown_at(len(shape.text) - 1) + 1, name), *hits))
        given = self._release(self._held, hits, len(self._held))
        self._held, self._given, self._cover, self._marked = "", 0, None, False
        return given

    def _decide(self, redactor: Redactor, text: str, shape: Skeleton | None = None) -> str:
        shape = shape or Skeleton(text)
        hits = self._hits(redactor, shape)
        border = self._border(redactor, text, shape)
        given = self._release(text, hits, border)
        first = -1 if self._cover is not None else 0  # a cover began before all that is here
        over = next((hit for hit in hits if (hit.start or first) < border < hit.end), None)
        self._cover = Hit(0, over.end - border, over.name) if over is not None else None
        self._held = text[border:]
        self._given = max(0, self._given - border)
        return given

    def _hits(self, redactor: Redactor, shape: Skeleton) -> list[Hit]:
        found = redactor.hits(shape)
        return _joined((self._cover, *found)) if self._cover is not None else found

    def _border(self, redactor: Redactor, text: str, shape: Skeleton) -> int:
        """Give the place up to which nothing can be the beginning of a secret any more."""
        border = _begins(redactor, shape, len(text))
        if begun := unfinished(text):
            without = Skeleton(text[: -len(begun)])
            border = min(border, _begins(redactor, without, len(text)))
        return border

    def _release(self, text: str, hits: Iterable[Hit], border: int) -> str:
        """Give the text up to the border without its secrets and without what was given before."""
        pieces, end = [], self._given
        for hit in hits:
            if hit.start >= border:
                break
            pieces.append(text[end : hit.start])
            stop = min(hit.end, border)
            pieces.append(self._covered(text[max(end, hit.start) : stop], hit))
            end = max(end, stop)
            if hit.end <= border:
                self._marked = False
        return "".join((*pieces, text[end:border]))

    def _covered(self, part: str, hit: Hit) -> str:
        """Give a mark for every line of the part; a line's part that has its mark already gets none."""
        if self._cover is None or hit.start > 0:
            self._marked = False
        given = []
        for number, line in enumerate(part.split("\n")):
            if number:
                given.append("\n")
                self._marked = False
            if line and not self._marked:
                given.append(mark(hit.name))
                self._marked = True
        return "".join(given)


def _begins(redactor: Redactor, shape: Skeleton, length: int) -> int:
    begun, _ = redactor.begun(shape.text)
    return shape.shown_at(len(shape.text) - begun) if begun else length


def _joined(hits: Iterable[Hit]) -> list[Hit]:
    """Give hits in order with those that overlap as one."""
    joined: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if joined and hit.start < joined[-1].end:
            before = joined[-1]
            joined[-1] = Hit(before.start, max(before.end, hit.end), before.name)
        else:
            joined.append(hit)
    return joined
