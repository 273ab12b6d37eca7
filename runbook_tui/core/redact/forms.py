"""The forms in which one secret may turn up in output: as it is, and as programs encode or quote it."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Final

from runbook_tui.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: Final = 8
"""Characters from which a line of a secret of several lines is taken for a secret itself."""

_NEWLINES: Final = re.compile(r"\r\n?|\n")
_URL_KEEPS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SHELL_SPECIAL: Final = (
    re.compile(r"""([\s'"\\|&;()<>!{}*\[\]?^$`,]|\A[#~])"""),  # printf %q of bash
    re.compile(r"([^A-Za-z0-9_@%+=:,./\n-])"),
    re.compile(r'([\\"$`])'),
    re.compile(r'([\\"$`!])'),
)
_ANSI_C: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\E"})


def forms(value: str) -> Iterator[str]:
    """Give every form; some come twice, and none is cleaned."""
    whole = _NEWLINES.sub("\n", value).strip("\n")
    yield whole
    lines = whole.split("\n")
    for text in dict.fromkeys((whole, *(line for line in lines if len(line) >= LINE))):
        yield text
        yield from _quoted(text)
    for variant in dict.fromkeys((whole, value.strip("\r\n"))):
        yield from _of_bytes(variant.encode("utf-8", "surrogatepass"))


def _quoted(text: str) -> Iterator[str]:
    """Give the text as it stands inside the quotes of JSON, HTML, a shell or Python."""
    for dumped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield dumped
        yield dumped.replace("/", "\\/")
    yield from _html(text)
    yield from _shell(text)
    for python in (repr(text), ascii(text), repr(text.encode("utf-8", "surrogatepass"))[1:]):
        yield python[1:-1]
        yield python[1:-1].replace("\\'", "'")
    yield text.encode("latin-1", "ignore").decode("utf-8", "backslashreplace")


def _html(text: str) -> Iterator[str]:
    plain = text.translate(_ENTITIES)
    yield plain
    for apostrophe in ("'", "&#x27;", "&#39;", "&#039;", "&apos;"):
        for quote in ('"', "&quot;", "&#34;"):
            yield plain.replace("'", apostrophe).replace('"', quote)


def _shell(text: str) -> Iterator[str]:
    for apostrophe in ("'\"'\"'", "'\\''"):
        yield text.replace("'", apostrophe)
    for special in _SHELL_SPECIAL:
        yield special.sub(r"\\\1", text)
    yield text.translate(_ANSI_C)


def _of_bytes(data: bytes) -> Iterator[str]:
    """Give the encodings that go by byte: URL, base64, hexadecimal, quoted-printable."""
    for kept, blank in ((b"", "%20"), (b"/", "%20"), (b"", "+")):
        for form in ("%{:02X}", "%{:02x}"):
            yield "".join(
                blank if byte == 0x20 else chr(byte) if byte in _URL_KEEPS or byte in kept else form.format(byte)
                for byte in data
            )
    for form in ("%{:02X}", "%{:02x}", "{:02x}", "{:02X}", "\\x{:02x}", "={:02X}"):
        yield "".join(map(form.format, data))
    for blank in (" ", "=20", "_"):
        for form in ("={:02X}", "={:02x}"):
            yield _printable(data, blank, form)
    yield from _base64(data)


def _printable(data: bytes, blank: str, form: str) -> str:
    special = b"=" if blank == " " else b"=?_"
    return "".join(
        blank if byte == 0x20 else
        chr(byte) if (0x21 <= byte < 0x7F and byte not in special) or byte == 0x0A else
        form.format(byte)
        for byte in data
    )  # fmt: skip


def _base64(data: bytes) -> Iterator[str]:
    """Give what of the secret's base64 is the same whatever stands before and after it, at each of the alignments."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data)
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        core = encoded[first:last].decode()
        yield core
        yield core.replace("+", "-").replace("/", "_")


def shown_forms(value: str) -> Iterator[str]:
    """Give every form as it is, and as it looks once `core.text` has cleaned it."""
    for form in forms(value):
        yield form
        yield clean(form)
