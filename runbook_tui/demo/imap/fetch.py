"""What FETCH gives of a mail: flags, numbers, dates, and the sections of its text; RFC 3501 section 6.4.5."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.demo.imap.wire import ReplyError, Value, bad, internal_date, listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runbook_tui.demo.imap.mailbox import Message

_MACROS = {b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE")}
_ATTRIBUTES = (b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE")
_OLD_NAMES = {
    b"RFC822": b"BODY[]",
    b"RFC822.HEADER": b"BODY.PEEK[HEADER]",
    b"RFC822.TEXT": b"BODY[TEXT]",
}
_SECTION = re.compile(rb"BODY(\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?")
_FIELDS = re.compile(rb"HEADER\.FIELDS(\.NOT)? \(([^)]*)\)")
_LEFT_OUT = (b"ALL", b"FULL", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"MODSEQ", b"PREVIEW")


@dataclass(frozen=True, slots=True)
class Section:
    r"""A part of a mail's text that is asked for; one that is not only peeked at makes the mail \Seen."""

    label: bytes
    part: bytes
    peek: bool
    start: int | None = None
    length: int = 0

    def cut(self, content: bytes) -> bytes:
        """Give the answer's label and this section of a mail."""
        text = _part(content, self.part)
        if self.start is None:
            return b"%s {%d}\r\n%s" % (self.label, len(text), text)
        text = text[self.start : self.start + self.length]
        return b"%s<%d> {%d}\r\n%s" % (self.label, self.start, len(text), text)


Item = bytes | Section
"""Something to fetch: the name of an attribute, or a section."""


def items(asked: Value) -> list[Item]:
    """Read what a client asks for.

    Raises:
        ReplyError: it asks for what no server has, or this one has not.
    """
    names = [name.upper() for name in (asked if isinstance(asked, list) else [asked]) if isinstance(name, bytes)]
    single = [item for name in names for item in _MACROS.get(name, (name,))]
    return [item if item in _ATTRIBUTES else _section(item) for item in single]


def _section(name: bytes) -> Section:
    match = _SECTION.fullmatch(_OLD_NAMES.get(name, name))
    if match is None:
        if name in _LEFT_OUT:
            raise ReplyError("BAD", f"{name.decode()}: not in the rehearsal")
        raise bad(f"Unknown parameter: {name.decode('utf-8', 'replace')}")
    peek, part, start, length = match.groups()
    if part not in {b"", b"HEADER", b"TEXT"} and not _FIELDS.fullmatch(part):
        if part[:1].isdigit():
            raise ReplyError("BAD", f"BODY[{part.decode()}]: not in the rehearsal")
        raise bad("Invalid BODY[..] section")
    label = name if name in _OLD_NAMES else b"BODY[%s]" % part
    return Section(label, part, bool(peek), int(start) if start else None, int(length or 0))


def answer(
    message: Message, wanted: Iterable[Item], flags: Iterable[str], read: Callable[[Message], bytes]
) -> bytes:
    """Give the list that a FETCH answer has in parentheses; `read` gives a mail's text, once if at all.

    Raises:
        FileNotFoundError: the mail was expunged.
    """
    content: bytes | None = None
    parts = []
    for item in wanted:
        match item:
            case b"FLAGS":
                parts.append(b"FLAGS " + listing(flags))
            case b"UID":
                parts.append(b"UID %d" % message.uid)
            case b"INTERNALDATE":
                parts.append(b"INTERNALDATE " + internal_date(message).encode())
            case b"RFC822.SIZE":
                parts.append(b"RFC822.SIZE %d" % message.size)
            case Section():
                content = read(message) if content is None else content
                parts.append(item.cut(content))
    return b" ".join(parts)


def header(content: bytes) -> bytes:
    """Give a mail's header with the empty line that ends it."""
    head, end, _ = content.partition(b"\r\n\r\n")
    return head + end


def fields(content: bytes, names: Iterable[bytes], *, others: bool = False) -> bytes:
    """Give the header lines of these fields, or of all others, as they stand."""
    wanted = {name.lower() for name in names}
    kept = []
    keep = False
    for line in header(content).splitlines(keepends=True):
        if not line.startswith((b" ", b"\t")):
            keep = (line.partition(b":")[0].strip().lower() in wanted) != others
        if keep and line.strip():
            kept.append(line)
    return b"".join(kept)


def _part(content: bytes, part: bytes) -> bytes:
    if not part:
        return content
    if part == b"HEADER":
        return header(content)
    if part == b"TEXT":
        return content.partition(b"\r\n\r\n")[2]
    match = _FIELDS.fullmatch(part)
    names = [name.strip(b'"') for name in match[2].split()] if match else []
    return fields(content, names, others=bool(match and match[1])) + b"\r\n"
