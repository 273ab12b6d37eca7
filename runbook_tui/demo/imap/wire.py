"""IMAP's own spelling: commands read from a client, and the values that go back; RFC 3501 section 9."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from runbook_tui.demo.imap.mailbox import Message

Value = bytes | list["Value"]
"""An argument of a command: a word, string or literal as bytes, a parenthesised list as a list."""

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_WORD = re.compile(rb'(?:[^\s(){"\[]|\[[^\]]*\])+')
_PLAIN = re.compile(rb"[A-Za-z0-9.&+,:$_=/-]+")
_LARGEST_LITERAL = 64 * 2**20
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r" ?(\d{1,2})-(\w{3})-(\d{4})(?: (\d\d:\d\d:\d\d [+-]\d{4}))?")


class ReplyError(Exception):
    """A command ends with NO (it cannot be done) or BAD (it is no such command)."""

    def __init__(self, word: str, text: str) -> None:
        super().__init__(text)
        self.word = word


def no(text: str) -> ReplyError:
    """Refuse what cannot be done."""
    return ReplyError("NO", text)


def bad(text: str) -> ReplyError:
    """Refuse what is not understood, in Dovecot's words."""
    return ReplyError("BAD", f"Error in IMAP command: {text}")


@dataclass(frozen=True, slots=True)
class Command:
    """A client's command; `uid` tells `UID FETCH` from `FETCH`. `problem` is why the rest could not be read."""

    tag: bytes
    name: bytes
    uid: bool = False
    arguments: tuple[Value, ...] = ()
    problem: str = ""

    def text(self, index: int) -> str:
        """Give an argument that is a string.

        Raises:
            ReplyError: there is none there.
        """
        value = self.arguments[index] if index < len(self.arguments) else []
        if isinstance(value, list):
            raise bad("Missing arguments")
        return value.decode("utf-8", "replace")


async def read_command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Command:
    """Read a command with its literals, asking for those that wait to be asked for.

    Raises:
        EOFError: the client is gone.
        ValueError: a line is longer than the reader's limit, or a literal is too large.
    """
    pieces: list[bytes | Literal] = []
    while True:
        line = (await reader.readline()).rstrip(b"\r\n") if not reader.at_eof() else b""
        if not line and reader.at_eof():
            raise EOFError
        literal = _LITERAL.search(line)
        if literal is None:
            pieces.append(line)
            return _command(pieces)
        if int(literal[1]) > _LARGEST_LITERAL:
            raise ValueError("Literal too large")
        if not literal[2]:
            writer.write(b"+ OK\r\n")
            await writer.drain()
        pieces += [line[: literal.start()], Literal(await reader.readexactly(int(literal[1])))]


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that were announced by their number and are not to be taken apart."""

    content: bytes


def _command(pieces: list[bytes | Literal]) -> Command:
    first = pieces[0] if isinstance(pieces[0], bytes) else b""
    tag, _, rest = first.partition(b" ")
    name, _, rest = rest.partition(b" ")
    uid = name.upper() == b"UID"
    if uid:
        name, _, rest = rest.partition(b" ")
    try:
        arguments = tuple(values([rest, *pieces[1:]]))
    except ReplyError as error:
        return Command(tag, name.upper(), uid, problem=str(error))
    return Command(tag, name.upper(), uid, arguments, "" if name else "Error in IMAP command: Invalid command name")


def values(pieces: Iterable[bytes | Literal]) -> list[Value]:
    """Take arguments apart.

    Raises:
        ReplyError: a parenthesis or a quote is not closed.
    """
    stack: list[list[Value]] = [[]]
    for piece in pieces:
        if isinstance(piece, Literal):
            stack[-1].append(piece.content)
            continue
        at = 0
        while at < len(piece):
            character = piece[at : at + 1]
            if character == b"(":
                stack.append([])
            elif character == b")":
                if len(stack) == 1:
                    raise bad("Unexpected ')'")
                inner = stack.pop()
                stack[-1].append(inner)
            elif quoted := _QUOTED.match(piece, at):
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted[1]))
                at = quoted.end() - 1
            elif word := _WORD.match(piece, at):
                stack[-1].append(word[0])
                at = word.end() - 1
            elif not character.isspace():
                raise bad("Invalid characters")
            at += 1
    if len(stack) > 1:
        raise bad("Missing ')'")
    return stack[0]


def string(text: str | bytes) -> bytes:
    """Spell a mailbox name or other text: bare where that is allowed, else quoted, else as a literal."""
    content = text if isinstance(text, bytes) else text.encode()
    if _PLAIN.fullmatch(content):
        return content
    if all(32 <= byte < 127 for byte in content):
        return b'"' + re.sub(rb'(["\\])', rb"\\\1", content) + b'"'
    return b"{%d}\r\n%s" % (len(content), content)


def listing(words: Iterable[str]) -> bytes:
    """Spell a parenthesised list of words, such as flags."""
    return b"(" + " ".join(words).encode() + b")"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A set of message numbers or UIDs; whether one is in it is known at once, however many there are."""

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]

    @classmethod
    def read(cls, text: bytes, largest: int) -> Numbers:
        """Read a set such as `1,3:5,7:*`; `*` is the largest number in use.

        Raises:
            ReplyError: it is none.
        """
        firsts: list[int] = []
        lasts: list[int] = []
        for first, last in sorted(_range(part, largest) for part in text.split(b",")):
            if lasts and first <= lasts[-1] + 1:
                lasts[-1] = max(last, lasts[-1])
            else:
                firsts.append(first)
                lasts.append(last)
        return cls(tuple(firsts), tuple(lasts))

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self.firsts, number) - 1
        return index >= 0 and number <= self.lasts[index]


def _range(part: bytes, largest: int) -> tuple[int, int]:
    low, colon, high = part.partition(b":")
    ends = [low, high if colon else low]
    if not all(end == b"*" or (end.isdigit() and int(end)) for end in ends):
        raise bad("Invalid messageset")
    first, last = sorted(largest if end == b"*" else int(end) for end in ends)
    return first, last


def internal_date(message: Message) -> str:
    """Spell a mail's internal date."""
    moment = message.internal_date
    return f'"{moment.day:02d}-{_MONTHS[moment.month - 1]}-{moment:%Y %H:%M:%S +0000}"'


def moment(text: str) -> datetime:
    """Read a date with time, `01-Jan-2020 10:00:00 +0100`.

    Raises:
        ReplyError: it is none.
    """
    match = _DATE.fullmatch(text)
    if not match or not match[4] or match[2].title() not in _MONTHS:
        raise bad("Invalid date")
    numbers = f"{match[3]}-{_MONTHS.index(match[2].title()) + 1}-{match[1]} {match[4]}"
    try:
        return datetime.strptime(numbers, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        raise bad("Invalid date") from None


def day(text: str) -> date:
    """Read a date without time, `1-Jan-2020`.

    Raises:
        ReplyError: it is none.
    """
    match = _DATE.fullmatch(text)
    if not match or match[4]:
        raise bad("Invalid search date parameter")
    return moment(f"{text} 00:00:00 +0000").date()
