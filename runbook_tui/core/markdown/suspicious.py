"""Characters that make a command look like another one: controls, bidi, zero-width, look-alike letters."""

from __future__ import annotations

import re
import unicodedata

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e"
ZERO_WIDTH = re.compile(f"[{_ZERO_WIDTH}]")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    f"{_ZERO_WIDTH}"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2061-\u2064\u2066-\u206f\ufff9-\ufffb"  # bidi, separators
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_NOT_ASCII_WORD = re.compile(r"[\w.-]*[^\x00-\x7f\W][\w.-]*")
_ASCII_LETTER = re.compile("[A-Za-z]")
_NAMES = {"\x00": "a NUL byte", "\x1b": "an escape character", "\r": "a carriage return", "\x7f": "a DEL character"}


def hidden(line: str) -> list[tuple[int, str]]:
    """Give column (from 1) and name of every character in the line that a terminal hides or obeys."""
    return [(found.start() + 1, _name(found.group())) for found in _HIDDEN.finditer(line)]


def look_alikes(line: str) -> list[tuple[int, str]]:
    """Give column and text of every word that mixes ASCII letters with Greek, Cyrillic or full-width ones."""
    if line.isascii():
        return []
    found = []
    for word in _NOT_ASCII_WORD.finditer(line):
        text = word.group()
        if _ASCII_LETTER.search(text) and any(_is_foreign(char) for char in text if ord(char) > 127):
            found.append((word.start() + 1, text))
    return found


def _is_foreign(char: str) -> bool:
    if not char.isalpha():
        return False
    other = unicodedata.name(char, "").startswith(("GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE"))
    return other or unicodedata.normalize("NFKC", char).isascii()


def _name(char: str) -> str:
    if char in _NAMES:
        return _NAMES[char]
    name = unicodedata.name(char, "")
    return f"U+{ord(char):04X}" + (f" ({name.lower()})" if name else " (a control character)")
