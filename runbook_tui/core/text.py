"""Bytes from outside become lines that are safe to show: printable characters, newline and tab, nothing else.

`Cleaner` is for output that streams in, `clean` and `clean_line` for single values (PROMISES.md 3.6 and P8).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

LONGEST_LINE = 4096
"""Characters of a line that are kept; the rest is counted."""

LONGEST_SEQUENCE = 4096
"""Characters of a control sequence's body; a longer one is no sequence, and what it held is shown."""

_BODY = rf"[^\x00-\x1f\x7f-\x9f]{{0,{LONGEST_SEQUENCE}}}"
_SEQUENCE = re.compile(
    rf"\x1b\[[0-?]{{0,{LONGEST_SEQUENCE}}}[ -/]{{0,8}}[@-~]"  # CSI
    rf"|\x1b[\]PX^_]{_BODY}(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]{0,8}[0-OQ-WYZ\\`-~]"  # everything else that ESC begins
)
_UNFINISHED = re.compile(
    rf"\x1b(?:\[[0-?]{{0,{LONGEST_SEQUENCE}}}[ -/]{{0,8}}|[\]PX^_]{_BODY}\x1b?|[ -/]{{0,8}})\Z"
)
"""What may still become a sequence when more arrives."""

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Unicode calls these letters, marks or symbols, and nothing of them is to be seen."""

_SUSPECT = re.compile(r"[^\t\n -~]+")
_PLAIN_BYTES = bytes(range(0x20, 0x7F)) + b"\n"
_BACKSPACES = re.compile(r"(\x08+)")


class CleanLine(NamedTuple):
    """A finished line without its newline, and how many raw bytes it stands for, the newline's included."""

    text: str
    raw_length: int


def clean(text: str) -> str:
    """Give the text with everything visible that a terminal would act on or not show.

    Newlines and tabs stay. Nothing is taken out: a command shown for confirmation must not hide what it
    holds, so ESC is shown as `␛`, CR as `␍`, and what follows them as text. Any `str` will do, never raises.
    """
    return _visible(text)


def clean_line(text: str) -> str:
    """Give the text on one line: newlines as `⏎`, tabs as a blank, everything else as `clean` does."""
    return clean(text).replace("\n", "⏎").replace("\t", " ")


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return _SUSPECT.sub(_stand_ins, text)


def _stand_ins(found: re.Match[str]) -> str:
    run = found.group()
    if run.isprintable() and not _INVISIBLE.search(run):
        return run
    return "".join(map(_stand_in, run))


@lru_cache(maxsize=4096)
def _stand_in(char: str) -> str:
    """Give what is shown for one character; a harmless one stands for itself."""
    code = ord(char)
    match unicodedata.category(char):
        case "Cc" if code < 0x20:
            return chr(0x2400 + code)
        case "Cc":
            return "\u2421" if code == 0x7F else "\ufffd"
        case "Zs":
            return " "
        case _ if char.isprintable() and not _INVISIBLE.match(char):
            return char
        case _:
            return f"<U+{code:04X}>"


class Cleaner:
    r"""Raw output in, however it is split, clean lines out.

    - UTF-8; bytes that are not are shown as `\xNN`.
    - Complete control sequences are taken out and counted in `removed`. One that is broken off by the line's
      end, by a control character or by its length is shown instead, so none can hide what follows it.
    - Of a line rewritten with CR the last state stays; BS moves back as on a terminal.
    - Tabs are kept (the pane expands them), other control and invisible characters are shown as `clean` does.
    - A line keeps its first 4096 characters and says how many more there were.
    """

    def __init__(self) -> None:
        self.removed = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._line = _Line()
        self._pending = ""
        self._raw = 0

    @property
    def partial(self) -> str:
        """The unfinished line as it would be shown now."""
        return self._line.shown()

    def feed(self, data: bytes) -> list[CleanLine]:
        """Take what arrived; give the lines that it finished, oldest first."""
        parts = data.split(b"\n")
        if not data.translate(None, _PLAIN_BYTES):
            return self._feed_plain(data, parts)
        texts = self._decoder.decode(data).split("\n")
        # A newline byte is never part of another character, so both splits have the same number of parts.
        lines = []
        if len(parts) > 1:
            self._raw += len(parts[0]) + 1
            self._write(texts[0])
            lines.append(self._end_line())
            lines += map(self._whole, texts[1:-1], parts[1:-1])
        self._raw += len(parts[-1])
        self._write(texts[-1])
        return lines

    def finish(self) -> CleanLine | None:
        """Give the last line when it had no newline; None when there is none."""
        self._write(self._decoder.decode(b"", final=True))
        return self._end_line() if self._raw else None

    def _feed_plain(self, data: bytes, parts: list[bytes]) -> list[CleanLine]:
        """Take printable ASCII and newlines: nothing in it needs a look, but the line it goes on may."""
        if len(parts) == 1:
            self._raw += len(data)
            self._write(self._decoder.decode(data))
            return []
        self._raw += len(parts[0]) + 1
        self._write(self._decoder.decode(parts[0] + b"\n")[:-1])
        lines = [self._end_line()]
        for text in data.decode("ascii").split("\n")[1:-1]:
            length = len(text)
            lines.append(CleanLine(text if length <= LONGEST_LINE else _folded(text, length), length + 1))
        self._raw = len(parts[-1])
        self._write(parts[-1].decode("ascii"))
        return lines

    def _whole(self, text: str, raw: bytes) -> CleanLine:
        """Take a line that arrived in one piece: the short way to what `_write` and `_end_line` would give."""
        if "\x1b" in text:
            text, removed = _SEQUENCE.subn("", text)
            self.removed += removed
        text = text.rstrip("\r")
        if "\r" in text or "\x08" in text:
            line = _Line()
            line.write(text)
            return CleanLine(line.shown(), len(raw) + 1)
        text = _visible(text)
        length = len(text)
        return CleanLine(text if length <= LONGEST_LINE else _folded(text, length), len(raw) + 1)

    def _write(self, text: str) -> None:
        """Take the text of the current line as far as it can be decided; the rest stays pending."""
        text = self._pending + text
        self._pending = ""
        if "\x1b" in text:
            unfinished = _UNFINISHED.search(text)
            if unfinished:
                self._pending = unfinished.group()
                text = text[: unfinished.start()]
            text, removed = _SEQUENCE.subn("", text)
            self.removed += removed
        self._line.write(text)

    def _end_line(self) -> CleanLine:
        self._line.write(self._pending)
        line = CleanLine(self._line.shown(), self._raw)
        self._line = _Line()
        self._pending = ""
        self._raw = 0
        return line


def _folded(text: str, length: int) -> str:
    return f"{text[:LONGEST_LINE]}… {length - LONGEST_LINE} more characters"


class _Line:
    """One line being written, with a cursor; `length` counts what is beyond the kept characters too."""

    __slots__ = ("cursor", "length", "returned", "text")

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self.length = 0
        self.returned = False

    def shown(self) -> str:
        return self.text if self.length <= LONGEST_LINE else _folded(self.text, self.length)

    def write(self, text: str) -> None:
        """Write text that may hold CR and BS, but no newline and no complete sequence."""
        if not text:
            return
        if "\r" not in text:
            self._overwrite(text)
            return
        segment = text.rstrip("\r")
        start = segment.rfind("\r") + 1
        if start:
            self.returned = True
        if segment:
            self._overwrite(segment[start:])
        self.returned = self.returned or len(segment) < len(text)

    def _overwrite(self, text: str) -> None:
        if self.returned:
            self.text, self.cursor, self.length, self.returned = "", 0, 0, False
        if "\x08" not in text:
            self._put(_visible(text))
            return
        for run in _BACKSPACES.split(text):
            if run.startswith("\x08"):
                self.cursor = max(0, self.cursor - len(run))
            else:
                self._put(_visible(run))

    def _put(self, text: str) -> None:
        end = self.cursor + len(text)
        if self.cursor == self.length:
            self.text += text[: max(0, LONGEST_LINE - self.length)]
        else:
            self.text = (self.text[: self.cursor] + text + self.text[end:])[:LONGEST_LINE]
        self.cursor = end
        self.length = max(self.length, end)
