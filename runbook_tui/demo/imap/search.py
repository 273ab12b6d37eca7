"""What SEARCH finds: a client's criteria as a test of one mail; RFC 3501 section 6.4.4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runbook_tui.demo.imap.fetch import fields
from runbook_tui.demo.imap.mailbox import SYSTEM_FLAGS
from runbook_tui.demo.imap.wire import Numbers, ReplyError, Value, bad, day

if TYPE_CHECKING:
    from datetime import date

    from runbook_tui.demo.imap.mailbox import Message

_LETTERS = {flag[1:].upper().encode(): letter for flag, letter in SYSTEM_FLAGS.items()}
_FIELDS = (b"FROM", b"TO", b"CC", b"BCC", b"SUBJECT")
_LEFT_OUT = (b"SENTON", b"SENTSINCE", b"SENTBEFORE", b"RETURN", b"MODSEQ", b"YOUNGER", b"OLDER")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mail as a search looks at it; `read` gives its text only if a criterion asks for it."""

    message: Message
    number: int
    recent: bool
    read: Callable[[Message], bytes]

    def has_field(self, name: bytes, wanted: bytes) -> bool:
        """Tell whether a header field is there and contains a text, unfolded, whatever its case."""
        found = fields(self.read(self.message), [name])
        return bool(found) and wanted.lower() in found.partition(b":")[2].replace(b"\r\n", b"").lower()


Test = Callable[[Candidate], bool]


@dataclass(slots=True)
class Criteria:
    """The criteria not read yet, and the largest number and UID, which `*` stands for."""

    words: list[Value]
    last_number: int
    last_uid: int

    def every(self) -> Test:
        """Read all criteria: a mail must meet each.

        Raises:
            ReplyError: one is not understood.
        """
        tests = []
        while self.words:
            tests.append(self._one())
        return lambda mail: all(test(mail) for test in tests)

    def _word(self) -> bytes:
        word = self.words.pop(0) if self.words else b""
        if not word or isinstance(word, list):
            raise bad("Missing argument")
        return word

    def _text(self) -> bytes:
        word = self.words.pop(0) if self.words else []
        if isinstance(word, list):
            raise bad("Missing argument")
        return word

    def _one(self) -> Test:
        if self.words and isinstance(inner := self.words[0], list):
            del self.words[0]
            return Criteria([*inner], self.last_number, self.last_uid).every()
        match key := self._word().upper():
            case b"ALL":
                return lambda _: True
            case b"NOT":
                refused = self._one()
                return lambda mail: not refused(mail)
            case b"OR":
                left, right = self._one(), self._one()
                return lambda mail: left(mail) or right(mail)
            case b"RECENT" | b"OLD" | b"NEW":
                return _RECENT[key]
            case b"KEYWORD" | b"UNKEYWORD":
                return partial(_keyword, self._word().decode("utf-8", "replace").lower(), key == b"KEYWORD")
            case b"UID":
                return partial(_uid, Numbers.read(self._word(), self.last_uid))
            case b"LARGER" | b"SMALLER":
                return partial(_size, self._number(), key == b"LARGER")
            case b"SINCE" | b"BEFORE" | b"ON":
                return partial(_date, day(self._word().decode("ascii", "replace")), key)
            case _:
                return self._flag(key) or self._content(key)

    def _flag(self, key: bytes) -> Test | None:
        name = key.removeprefix(b"UN")
        letter = _LETTERS.get(name)
        return partial(_letter, letter, name == key) if letter else None

    def _content(self, key: bytes) -> Test:
        match key:
            case b"HEADER":
                name, wanted = self._word(), self._text()
                return lambda mail: mail.has_field(name, wanted)
            case b"BODY" | b"TEXT":
                return partial(_text, self._text().lower(), key == b"BODY")
            case _ if key in _FIELDS:
                wanted = self._text()
                return lambda mail: mail.has_field(key, wanted)
            case _ if key[0] in b"0123456789*":
                numbers = Numbers.read(key, self.last_number)
                return lambda mail: mail.number in numbers
            case _ if key in _LEFT_OUT:
                raise ReplyError("BAD", f"SEARCH {key.decode()}: not in the rehearsal")
            case _:
                raise bad(f"Unknown argument {key.decode('utf-8', 'replace')}")

    def _number(self) -> int:
        word = self._word()
        if not word.isdigit():
            raise bad("Invalid number")
        return int(word)


def _keyword(name: str, wanted: bool, mail: Candidate) -> bool:
    return (name in (keyword.lower() for keyword in mail.message.keywords)) == wanted


def _letter(letter: str, wanted: bool, mail: Candidate) -> bool:
    return (letter in mail.message.letters) == wanted


def _uid(uids: Numbers, mail: Candidate) -> bool:
    return mail.message.uid in uids


def _size(size: int, larger: bool, mail: Candidate) -> bool:
    return mail.message.size > size if larger else mail.message.size < size


def _date(wanted: date, key: bytes, mail: Candidate) -> bool:
    arrived = mail.message.internal_date.date()
    match key:
        case b"SINCE":
            return arrived >= wanted
        case b"BEFORE":
            return arrived < wanted
        case _:
            return arrived == wanted


def _text(wanted: bytes, body_only: bool, mail: Candidate) -> bool:
    content = mail.read(mail.message)
    return wanted in (content.partition(b"\r\n\r\n")[2] if body_only else content).lower()


_RECENT: dict[bytes, Test] = {
    b"RECENT": lambda mail: mail.recent,
    b"OLD": lambda mail: not mail.recent,
    b"NEW": lambda mail: mail.recent and "S" not in mail.message.letters,
}
