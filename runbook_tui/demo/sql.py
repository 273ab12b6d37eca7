"""SQL as text: a script taken apart into statements and the data of COPY, and a dump as pg_dump writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOKEN = re.compile(
    r"(?P<skip>--[^\n]*|/\*.*?\*/)|(?P<quoted>'(?:[^']|'')*'|\"[^\"]*\"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)|(?P<end>;)"
    r"|(?P<text>[^-/'\"$;]+|.)",
    re.DOTALL,
)
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


class DatabaseError(Exception):
    """What the server answers: the text after `ERROR:` or `FATAL:`."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement gave: its command tag (`UPDATE 2`), or columns and rows when it has any."""

    tag: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class CopyData:
    """The rows that follow `COPY ... FROM stdin;`; None is SQL's NULL."""

    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without its semicolon, and the line of the script it begins on."""

    text: str
    data: CopyData | None = None
    line: int = 1


def split(script: str) -> Iterator[Statement]:
    """Take a script apart; what follows the last semicolon is a statement too."""
    at, begun, parts = 0, 0, list[str]()
    while at < len(script):
        found = _TOKEN.match(script, at)
        if found is None:  # an unclosed quote: the rest is one piece
            parts.append(script[at:])
            break
        at = found.end()
        if found["skip"] is not None:
            continue
        if found["end"] is None:
            if not "".join(parts).strip():
                begun = found.start() + len(found[0]) - len(found[0].lstrip())
            parts.append(found[0])
            continue
        text, parts = "".join(parts).strip(), []
        line = script.count("\n", 0, begun) + 1
        if re.match(r"COPY\b.*FROM\s+stdin\b", text, re.IGNORECASE | re.DOTALL):
            data, at = _copy_data(script, at)
            yield Statement(text, data, line)
        elif text:
            yield Statement(text, None, line)
    if text := "".join(parts).strip():
        yield Statement(text, None, script.count("\n", 0, begun) + 1)


def _copy_data(script: str, at: int) -> tuple[CopyData, int]:
    start = script.find("\n", at) + 1
    end = script.find("\n\\.", start - 1)
    lines = script[start:end].splitlines() if end >= start else []
    rows = tuple(tuple(_cell(cell) for cell in line.split("\t")) for line in lines)
    return CopyData(rows), len(script) if end < 0 else end + 3


def _cell(text: str) -> str | None:
    if text == r"\N":
        return None
    back = {"t": "\t", "n": "\n", "r": "\r"}
    return re.sub(r"\\(.)", lambda found: back.get(found[1], found[1]), text)


def unqualified(text: str) -> str:
    """Leave out `public.` before names, but not inside of quotes."""
    tokens = _TOKEN.finditer(text)
    return "".join(t[0] if t["quoted"] else re.sub(r"\bpublic\.", "", t[0]) for t in tokens).strip()


def write(statements: Iterable[Statement]) -> Iterator[str]:
    """Give the lines of a dump."""
    yield from ("--", "-- PostgreSQL database dump", "--", "", "SET client_encoding = 'UTF8';")
    for statement in statements:
        yield f"\n{statement.text};"
        if statement.data is not None:
            for row in statement.data.rows:
                yield "\t".join(r"\N" if cell is None else _escaped(str(cell)) for cell in row)
            yield r"\."
    yield from ("", "--", "-- PostgreSQL database dump complete", "--")


def _escaped(cell: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in cell)
