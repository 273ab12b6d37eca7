"""Cleaning bytes and values from outside (PROMISES.md 3.6, P8, rows 32 and 33)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_tui.core.text import LONGEST_LINE, Cleaner, CleanLine, clean, clean_line

HOSTILE = [
    ("title", b"a\x1b]0;owned\x07b", "ab"),
    ("title ended by ST", b"a\x1b]2;owned\x1b\\b", "ab"),
    ("title ended by a C1 ST in UTF-8", b"a\x1b]2;owned\xc2\x9cb", "ab"),
    ("link", b"\x1b]8;;http://evil.example/\x1b\\click\x1b]8;;\x1b\\", "click"),
    ("clipboard", b"\x1b]52;c;cm0gLXJmIC8=\x07done", "done"),
    ("clear and home", b"\x1b[2J\x1b[Hhello", "hello"),
    ("colour", b"\x1b[1;31mred\x1b[0m", "red"),
    ("CSI with intermediates", b"\x1b[0 qx\x1b[!p", "x"),
    ("status report", b"\x1b[6nwho", "who"),
    ("DCS", b"\x1bPq#0;2;0\x1b\\picture", "picture"),
    ("APC, PM, SOS", b"\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\x", "x"),
    ("reset, charset, keypad", b"\x1bc\x1b(0\x1b=x", "x"),
    ("C1 raw", b"\x9b2J", "\\x9b2J"),
    ("C1 in UTF-8", b"\xc2\x9b2J\xc2\x85", "\ufffd2J\ufffd"),
    ("NUL and friends", b"a\x00b\x07c\x0e", "a␀b␇c␎"),
    ("DEL", b"a\x7fb", "a␡b"),
    ("bidi", "user\u202etxt.exe\u2066".encode(), "user<U+202E>txt.exe<U+2066>"),
    ("zero width", "a\u200bb\ufeffc\u00add".encode(), "a<U+200B>b<U+FEFF>c<U+00AD>d"),
    ("invisible letters and selectors", "a\u3164b\ufe0fc\u2800".encode(), "a<U+3164>b<U+FE0F>c<U+2800>"),
    ("line separators", "a\u2028b\u2029".encode(), "a<U+2028>b<U+2029>"),
    ("odd blanks", "a\u00a0b\u3000c".encode(), "a b c"),
    ("unassigned and private", "\u0378\ue000".encode(), "<U+0378><U+E000>"),
    ("surrogate in UTF-8", b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
    ("invalid bytes", b"\xff\xfe ok", "\\xff\\xfe ok"),
    ("UTF-16", "hi".encode("utf-16-le"), "h␀i␀"),
    ("cut character", b"gr\xc3", "gr\\xc3"),
    ("real text", "Größe 5 €, 日本, 👍".encode(), "Größe 5 €, 日本, 👍"),
    ("unterminated OSC", b"x\x1b]0;rest of the line", "x␛]0;rest of the line"),
    ("unterminated CSI", b"x\x1b[31", "x␛[31"),
    ("ESC alone", b"x\x1b", "x␛"),
    ("OSC broken by another sequence", b"\x1b]0;a\x1b[31mb", "␛]0;ab"),
    ("OSC broken by CAN", b"\x1b]0;a\x18b\x07", "␛]0;a␘b␇"),
    ("sequence put together from two", b"\x1b\x1b[0m[31mx", "␛[31mx"),
    ("tab", b"a\tb", "a\tb"),
    ("markup", b"[@click=app.pwn]x[/] [TLS]", "[@click=app.pwn]x[/] [TLS]"),
    ("CR LF", b"a\r", "a"),
    ("progress", b" 10%\r 50%\r100%", "100%"),
    ("progress, CR last", b" 10%\r 50%\r", " 50%"),
    ("progress with erase", b"\r\x1b[K10%\r\x1b[K20%", "20%"),
    ("shorter last state", b"downloading\rdone", "done"),
    ("spinner", b"wait |\x08/\x08-", "wait -"),
    ("man page", b"N\x08NA\x08A", "NA"),
    ("BS beyond the start", b"\x08\x08a", "a"),
    ("BS beyond the start of a text", b"ab\x08\x08\x08\x08cd", "cd"),
    ("BS over part", b"abc\x08\x08X", "aXc"),
]


def lines_of(chunks: list[bytes]) -> tuple[list[CleanLine], str]:
    """Feed the chunks; give all lines, the last one included, and what the partial line was at the end."""
    cleaner = Cleaner()
    lines = [line for chunk in chunks for line in cleaner.feed(chunk)]
    partial = cleaner.partial
    last = cleaner.finish()
    return lines + ([last] if last else []), partial


def is_safe(text: str) -> bool:
    """Whether a terminal shows every character and acts on none."""
    return all(char.isprintable() or char == "\t" for char in text)


@pytest.mark.parametrize(("raw", "shown"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_bytes(raw: bytes, shown: str) -> None:
    """Each hostile line comes out as its harmless text, whole, with a newline, and cut at every byte."""
    assert lines_of([raw])[0] == [CleanLine(shown, len(raw))]
    assert lines_of([raw + b"\n"])[0] == [CleanLine(shown, len(raw) + 1)]
    assert lines_of([b"\n" + raw + b"\n"])[0][1] == CleanLine(shown, len(raw) + 1)
    for cut in range(len(raw) + 1):
        assert lines_of([raw[:cut], raw[cut:] + b"\n"])[0] == [CleanLine(shown, len(raw) + 1)], cut
    assert lines_of([raw[i : i + 1] for i in range(len(raw))])[0] == [CleanLine(shown, len(raw))]


PIECES = st.sampled_from(
    [
        b"\x1b", b"[", b"]", b"P", b"0;31", b"m", b"\x07", b"\\", b"\r", b"\n", b"\x08", b"a", b"text ", b"\xc3",
        b"\xa9", b"\xc2\x9c", b"\x18", b"\xe2\x80\xae", b"\t", b"\x00", b"A" * 4090, b"0" * 4097,
    ]
)  # fmt: skip
HOSTILE_BYTES = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=25).map(b"".join))


@given(data=HOSTILE_BYTES, cuts=st.lists(st.integers(0, 20_000), max_size=8))
@example(data=b"abc\r\x08", cuts=[4])
@example(data=b"\x1b]" + b"A" * 4096 + b"\x07x\n", cuts=[4098])
@example(data=b"\x1b]" + b"A" * 4097 + b"\x07x\n", cuts=[4098])
def test_any_split_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    """However the bytes are split over reads, the lines and the partial line are the same, and safe."""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    lines, partial = lines_of([data])
    assert lines_of(chunks) == (lines, partial)
    assert sum(line.raw_length for line in lines) == len(data)
    assert len(lines) == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    assert all(is_safe(line.text) for line in lines)
    assert is_safe(partial)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_values_are_safe(text: str) -> None:
    """Any string, lone surrogates included, is shown with printable characters, newline and tab only."""
    assert all(is_safe(line) for line in clean(text).split("\n"))
    assert clean(clean(text)) == clean(text)
    assert clean(text).count("\n") == text.count("\n")
    assert clean_line(text).isprintable()


@pytest.mark.parametrize(
    ("value", "shown", "line"),
    [
        ("plain\nvalue\t", "plain\nvalue\t", "plain⏎value "),
        ("rm \x1b[8m-rf /\x1b[0m", "rm ␛[8m-rf /␛[0m", "rm ␛[8m-rf /␛[0m"),
        ("a\rb\x08", "a␍b␈", "a␍b␈"),
        ("\ud800", "<U+D800>", "<U+D800>"),
    ],
)
def test_values_hide_nothing(value: str, shown: str, line: str) -> None:
    """A value's control sequences are shown, not taken out: a command may not hide what it holds."""
    assert clean(value) == shown
    assert clean_line(value) == line


def test_long_line_is_folded() -> None:
    """A line of ten million bytes keeps its beginning and says how much more there was."""
    cleaner = Cleaner()
    for _ in range(100):
        assert cleaner.feed(b"x" * 100_000) == []
    assert cleaner.partial == "x" * LONGEST_LINE + "… 9995904 more characters"
    assert cleaner.feed(b"\n") == [CleanLine("x" * LONGEST_LINE + "… 9995904 more characters", 10_000_001)]
    assert cleaner.partial == ""


def test_unterminated_sequence_ends_at_the_cap() -> None:
    """An OSC that never ends hides nothing: past 4 KiB it is shown as text."""
    cleaner = Cleaner()
    cleaner.feed(b"\x1b]0;" + b"a" * 4000)
    assert cleaner.partial == ""
    cleaner.feed(b"a" * 200)
    assert cleaner.partial.startswith("␛]0;aaaa")


def test_removed_sequences_are_counted() -> None:
    """What was taken out is counted, what is shown is not."""
    cleaner = Cleaner()
    cleaner.feed(b"\x1b[31mred\x1b[0m\n\x1b]0;t\x07\x1b[9")
    cleaner.finish()
    assert cleaner.removed == 3


def test_nothing_fed_gives_no_last_line() -> None:
    """An empty stream, or one that ended with a newline, has no last line."""
    cleaner = Cleaner()
    assert cleaner.finish() is None
    assert cleaner.feed(b"a\n") == [CleanLine("a", 2)]
    assert cleaner.finish() is None
