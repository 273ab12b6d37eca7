"""The footer: the keys that make sense now, and those that are refused dimmed in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widgets import Static

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual import events

    from runbook_tui.ui.keys import Key


class KeyBar(Static):
    """One line of keys. A click presses the key."""

    ALLOW_SELECT = False

    class Pressed(Message):
        """A key was clicked."""

        def __init__(self, id_: str) -> None:
            super().__init__()
            self.id = id_

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's own name
        super().__init__(id=id)
        self._places: list[tuple[int, int, str]] = []

    def show(self, keys: Iterable[Key], refused: Mapping[str, str], names: Mapping[str, str]) -> None:
        """Draw the keys that fit: open verbs first, at most eight; `names` are the keys as they are bound now."""
        chosen = pick(keys, refused, names, self.size.width)
        parts: list[Content | str | tuple[str, str]] = [" "]
        self._places, at = [], 1
        for key in chosen:
            off = bool(refused.get(key.id))
            name, label = names.get(key.id, key.shown), key.label
            parts += [(name, "$muted" if off else "bold $primary"), (f" {label}", "$muted dim" if off else ""), "  "]
            size = len(name) + 1 + len(label)
            self._places.append((at, at + size, key.id))
            at += size + 2
        self.update(Content.assemble(*parts), layout=False)

    def on_click(self, event: events.Click) -> None:
        """Press what was clicked."""
        for start, end, key in self._places:
            if start <= event.x < end:
                self.post_message(self.Pressed(key))


def pick(keys: Iterable[Key], refused: Mapping[str, str], names: Mapping[str, str], width: int) -> list[Key]:
    """Choose up to eight keys that fit: what is allowed comes before what is refused; help and pause always."""
    ranked = sorted((k for k in keys if k.footer), key=lambda k: k.footer)
    always = [k for k in ranked if k.id in {"goto", "help", "pause"}]
    rest = sorted((k for k in ranked if k not in always), key=lambda k: (bool(refused.get(k.id)), k.footer))
    chosen: list[Key] = []
    room = width - 1
    for key in [always[1], always[2], rest[0], always[0], *rest[1:]] if rest else always:
        size = len(names.get(key.id, key.shown)) + len(key.label) + 3
        if len(chosen) < 8 and size <= room:
            chosen.append(key)
            room -= size
    return sorted(chosen, key=lambda k: k.footer)
