"""A file's bytes to text with LF line ends, and what was wrong with them (FORMAT.md, Reading bare Markdown, 1)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from runbook_tui.core.model import Problem, Severity

LONGEST_FILE = 2_000_000
"""Bytes. A runbook is written by hand; anything longer is not one, and would only make the reader slow."""

_FRONT_KEY = re.compile(rb"^runbook:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file; `encoding` is what its bytes were read as."""

    text: str
    encoding: str
    problems: tuple[Problem, ...] = ()


def decode(data: bytes) -> Decoded:
    """Decode by byte order mark, then UTF-8, then cp1252 with a diagnostic. Never raises.

    A file that is not UTF-8 is an error where it has a `runbook:` key, a warning in a bare post.
    """
    if len(data) > LONGEST_FILE:
        message = f"the file is {len(data):,} bytes long; at most {LONGEST_FILE:,} are read"
        return Decoded("", "utf-8", (Problem(1, 1, Severity.ERROR, "too-long", message),))
    text, encoding, problems = _decode(data)
    if not text.strip("\ufeff \t\r\n"):
        hint = "" if data else "the file has no bytes at all"
        problems = (*problems, Problem(1, 1, Severity.ERROR, "empty", "the runbook is empty", hint))
    return Decoded(_line_ends(text), encoding, problems)


def _decode(data: bytes) -> tuple[str, str, tuple[Problem, ...]]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not data.startswith(codecs.BOM_UTF32_LE):
        return _with_encoding(data, "utf-16")
    if data.startswith(codecs.BOM_UTF32_LE):
        return _with_encoding(data, "utf-32")
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode("utf-8"), "utf-8", ()
    except UnicodeDecodeError as error:
        before, wrong = body[: error.start], body[error.start]
    line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8")) + 1
    severity = Severity.ERROR if _FRONT_KEY.search(body) else Severity.WARNING
    text = body.decode("cp1252", errors="replace")
    message = f"the file is not UTF-8 (byte 0x{wrong:02X}); it was read as Windows-1252"
    hint = "save it as UTF-8: iconv -f cp1252 -t utf-8"
    return text, "cp1252", (Problem(line, column, severity, "not-utf8", message, hint),)


def _with_encoding(data: bytes, encoding: str) -> tuple[str, str, tuple[Problem, ...]]:
    try:
        return data.decode(encoding), encoding, ()
    except UnicodeDecodeError:
        text = data.decode(encoding, errors="replace")
        message = f"the file begins as {encoding.upper()} and then breaks off or goes wrong"
        return text, encoding, (Problem(1, 1, Severity.ERROR, "not-utf8", message, "save it as UTF-8"),)


def _line_ends(text: str) -> str:
    """Give CRLF as LF, and a lone CR as LF in a file that has no other line ends.

    A lone CR among LF line ends stays: in a command it would hide what stands before it.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")
