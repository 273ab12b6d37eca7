"""The redactor against a slow one that looks at the whole text: every split, every encoding, random texts."""

from __future__ import annotations

import base64
import html
import json
import quopri
import random
import re
import shlex
import subprocess
import urllib.parse
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.redact import LineRedactor, Redactor, RedactStream, mark, redact_event
from runbook_tui.core.redact.skeleton import skeleton
from runbook_tui.core.secret import Secret
from runbook_tui.core.text import LONGEST_LINE, Cleaner, CleanLine, clean

if TYPE_CHECKING:
    from collections.abc import Callable

HIDDEN = "\0\u200b\u2400\u202e\ufffd"
TOKEN = re.compile(r"<U\+[0-9A-F]{4,6}>")


def secrets(*values: str) -> list[Secret]:
    """Secrets named a, b, c …."""
    return [Secret(chr(ord("a") + number), value) for number, value in enumerate(values)]


def bared(text: str) -> tuple[str, list[int]]:
    """The text without hidden characters, and each kept character's place, one after the other."""
    kept, places, at = [], [], 0
    while at < len(text):
        if found := TOKEN.match(text, at):
            at = found.end()
            continue
        if text[at] not in HIDDEN:
            kept.append(text[at])
            places.append(at)
        at += 1
    return "".join(kept), places


def reference(redactor: Redactor, text: str, *, at_end: bool) -> str:
    """Redact a whole text the slow way: every place against every form, then character by character."""
    forms = redactor._names
    bare, places = bared(text)
    found = [
        (start, -len(form), name)
        for start in range(len(bare)) for form, name in forms.items() if bare.startswith(form, start)
    ]  # fmt: skip
    if at_end:
        for length in range(len(bare), 3, -1):
            whose = [name for form, name in forms.items() if len(form) > length and form.startswith(bare[-length:])]
            if whose:
                found.insert(0, (len(bare) - length, -length, whose[0]))
                break
    owner: list[tuple[int, str] | None] = [None] * len(text)
    group = end = -1
    name = ""
    for start, negative, whose_now in sorted(found, key=lambda hit: hit[:2]):
        if start >= end:
            group, name = start, whose_now
        end = max(end, start - negative)
        for at in range(places[start], places[end - 1] + 1):
            owner[at] = (group, name)
    given: list[str] = []
    before: tuple[int, str] | None = None
    for char, now in zip(text, owner, strict=True):
        if now is None or char == "\n":
            given.append(char)
            before = None
            continue
        if now != before:
            given.append(mark(now[1]))
        before = now
    return "".join(given)


def streamed(redactor: Redactor, *pieces: str) -> str:
    """What comes out of a stream, to its end."""
    stream = RedactStream(lambda: redactor)
    return "".join(map(stream.feed, pieces)) + stream.finish()


SETS = (
    ("hunter2!",), ("abcd", "cdef", "abcdefgh"), ("aaaa", "aabaa"), ("s3cr et\"'&<x>/",), ("first line\nsecond\nx",),
    ("pässwörd",), ("abab\nabab",), ("line one!\nabcdabcd\nzz", "abcd"),
)  # fmt: skip


@pytest.mark.parametrize("values", SETS, ids=repr)
def test_random_texts_are_redacted_as_the_slow_reference_does(values: tuple[str, ...]) -> None:
    """Pieces of secrets, hidden characters and newlines in any order, cut anywhere, give what the whole text gives."""
    redactor = Redactor(secrets(*values))
    chance = random.Random(repr(values))
    forms = list(redactor._names)
    for _ in range(250):
        text = ""
        for _ in range(chance.randint(1, 9)):
            form = chance.choice(forms)
            cut = sorted(chance.choices(range(len(form) + 1), k=2))
            piece = form if chance.random() < 0.4 else form[cut[0] : cut[1]]
            if chance.random() < 0.3 and piece:
                at = chance.randrange(len(piece))
                piece = piece[:at] + chance.choice([*HIDDEN, "<U+200B>", "<U+"]) + piece[at:]
            text += piece + chance.choice(["", "", "", " ", "\n", "<", "\0"])
        cuts = sorted(chance.choices(range(len(text) + 1), k=chance.randint(0, 12)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert redactor.redact(text) == reference(redactor, text, at_end=False), text
        assert streamed(redactor, *pieces) == reference(redactor, text, at_end=True), pieces


@pytest.mark.parametrize("values", SETS, ids=repr)
def test_no_split_lets_a_part_of_a_secret_out(values: tuple[str, ...]) -> None:
    """Every form, split at every place and fed character by character, leaves as its mark alone."""
    redactor = Redactor(secrets(*values))
    for form in redactor._names:
        text = f"[ {form} ]"
        wanted = reference(redactor, text, at_end=False)
        assert streamed(redactor, *text) == wanted
        for split in range(len(text) + 1):
            assert streamed(redactor, text[:split], text[split:]) == wanted
        stream = RedactStream(lambda: redactor)
        for end in range(1, len(form)):
            given = stream.feed(form[end - 1])
            assert form[:4] not in given


VALUE = "Tr0ub4 dor&3/x+é'\"$`\\!~=%"


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": urllib.parse.quote,
    "url-all": lambda text: urllib.parse.quote(text, safe=""),
    "url-plus": urllib.parse.quote_plus,
    "url-lower": lambda text: re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(text, safe="")),
    "json": json.dumps,
    "json-unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "html": html.escape,
    "html-text": lambda text: html.escape(text, quote=False),
    "shell": shlex.quote,
    "bash": lambda text: subprocess.run(
        ["bash", "-c", 'printf %q "$1"', "-", text], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    ).stdout.decode(),
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda text: repr(text.encode()),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "quoted-printable": lambda text: quopri.encodestring(text.encode(), quotetabs=False).decode(),
    "quoted-printable-all": lambda text: quopri.encodestring(text.encode(), quotetabs=True).decode(),
    "q-header": lambda text: quopri.encodestring(text.encode(), quotetabs=False, header=True).decode(),
    "latin-1": lambda text: text.encode("latin-1").decode("utf-8", "backslashreplace"),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_recognised(encoding: str) -> None:
    """What the standard library and a shell make of a secret is found inside other text."""
    text = f"before {ENCODINGS[encoding](VALUE)} after"
    given = Redactor(secrets(VALUE)).redact(text)
    assert mark("a") in given
    assert len(given) <= len("before '' after") + len(mark("a")) + len("b$")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_recognised_in_every_context(encode: Callable[[bytes], bytes]) -> None:
    """Whatever stands before and after it, at most the characters that depend on the neighbours stay."""
    chance = random.Random(7)
    redactor = Redactor(secrets(VALUE))
    for before in range(12):
        for after in range(6):
            text = encode(chance.randbytes(before) + VALUE.encode() + chance.randbytes(after)).decode()
            given = redactor.redact(text)
            assert given.count(mark("a")) == 1
            left = len(given) - len(mark("a"))
            assert left <= 4 * (before // 3 + after // 3 + 2)


def test_hits_that_overlap_leave_one_mark_and_no_tail() -> None:
    """Two secrets of which one begins inside the other are one stretch, named for the one that begins it."""
    redactor = Redactor(secrets("password12", "12-other-word"))
    assert redactor.redact("x password12-other-word y") == f"x {mark('a')} y"


@pytest.mark.parametrize("hidden", ["\0", "\u200b", "\u202e", "␀", "<U+200B>", "\x1b"])
def test_a_hidden_character_hides_no_tail(hidden: str) -> None:
    """What is not to be seen inside a secret goes with it, raw or as the cleaner shows it."""
    redactor = Redactor(secrets("the_Pass0Word"))
    assert redactor.redact(f"is the_Pass{hidden}0Word.") == f"is {mark('a')}."
    assert redactor.redact(clean(f"is the_Pass{hidden}0Word.")) == f"is {mark('a')}."


def test_a_prompt_is_not_kept_waiting() -> None:
    """What cannot be a secret leaves at once; what may be its first three characters after a while."""
    redactor = Redactor(secrets(": secret"))
    stream = RedactStream(lambda: redactor)
    assert stream.feed("Password: ") == "Password"
    assert stream.held
    assert stream.idle() == ": "
    assert not stream.held
    assert stream.feed("secret\n") == f"{mark('a')}\n"


def test_four_characters_of_a_secret_are_no_prompt() -> None:
    """They stay while nothing comes, and leave as the mark at the end."""
    redactor = Redactor(secrets("hunter2!"))
    stream = RedactStream(lambda: redactor)
    assert stream.feed("is hunt") == "is "
    assert stream.idle() == ""
    assert stream.finish() == mark("a")


def test_a_short_secret_is_named_and_not_searched_for() -> None:
    """Three characters would be found everywhere: their name says that output has to be withheld whole."""
    redactor = Redactor([Secret("pin", "123"), Secret("hidden", "ab\u200bc"), Secret("long", "long-enough")])
    assert redactor.too_short == ("pin", "hidden")
    assert redactor.redact("123 long-enough") == f"123 {mark('long')}"


def test_a_line_of_a_long_secret_is_one_too() -> None:
    """Of a secret of several lines each of eight characters or more is found alone."""
    redactor = Redactor([Secret("key", "-----BEGIN-----\nMIIEowIBAAK\nshort\n")])
    assert redactor.redact("+MIIEowIBAAK\n short") == f"+{mark('key')}\n short"


def test_lines_keep_the_raw_bytes_they_stand_for() -> None:
    """As many lines leave as came, each with its own raw length, also where a secret spans them."""
    redactor = Redactor(secrets("ab\ncd\nef"))
    lines = LineRedactor(lambda: redactor)
    assert lines.feed([CleanLine("one", 4), CleanLine("x ab", 5)]) == [CleanLine("one", 4)]
    assert lines.held
    assert lines.feed([CleanLine("cd", 3)]) == []
    assert lines.feed([CleanLine("ef y", 9), CleanLine("ab", 3)]) == [
        CleanLine(f"x {mark('a')}", 5), CleanLine(mark("a"), 3), CleanLine(f"{mark('a')} y", 9),
    ]  # fmt: skip
    assert lines.finish(None) == [CleanLine("ab", 3)]


def test_a_last_line_that_was_broken_off_keeps_no_beginning_of_a_secret() -> None:
    """The link may break inside a secret: four characters of it at the very end are its mark."""
    redactor = Redactor(secrets("hunter2!"))
    lines = LineRedactor(lambda: redactor)
    assert lines.partial("pw hunte") == "pw "
    assert lines.finish(CleanLine("pw hunte", 8)) == [CleanLine(f"pw {mark('a')}", 8)]


def test_the_fold_of_a_long_line_cuts_no_secret_in_two() -> None:
    """A line that the cleaner cut inside a secret shows none of it, and still says what is missing."""
    redactor = Redactor(secrets("hunter2!"))
    cleaner, lines = Cleaner(), LineRedactor(lambda: redactor)
    raw = b"." * (LONGEST_LINE - 5) + b"hunter2! and more\n"
    (line,) = lines.feed(cleaner.feed(raw))
    assert line.raw_length == len(raw)
    assert line.text == "." * (LONGEST_LINE - 5) + f"{mark('a')}… 12 more characters"


def test_a_secret_that_becomes_known_is_taken_out_from_there_on() -> None:
    """The stream asks for the redactor anew with each piece."""
    redactor = Redactor()
    stream = RedactStream(lambda: redactor)
    assert stream.feed("hunter2! ") == "hunter2! "
    redactor = Redactor(secrets("hunter2!"))
    assert stream.feed("hunter2! ") == f"{mark('a')} "


def test_text_without_secrets_is_given_as_it_is() -> None:
    """Nothing is copied where there is nothing to take out."""
    redactor = Redactor(secrets("hunter2!", "correct horse"))
    lines = [CleanLine("grüße", 8), CleanLine("plain", 6)]
    assert LineRedactor(lambda: redactor).feed(lines) is lines
    assert skeleton("plain") == "plain"


def test_nothing_known_shows_a_value() -> None:
    """What an error message or a debugger prints of the redactor has no secret in it."""
    redactor = Redactor(secrets("hunter2!"))
    assert "hunter2" not in repr(redactor) + str(redactor)
    assert "hunter2" not in repr(RedactStream(lambda: redactor))


def test_free_text_of_an_event_is_redacted_and_its_keys_are_not() -> None:
    """What somebody said loses the secret; the names by which a run is found stay, whatever they are."""
    redactor = Redactor([Secret("pw", "night-1")])
    event = ev.Finished(action="a", attempt="night-1", outcome="failed", reason="night-1 says", verifies=("night-1",))
    given = redact_event(event, redactor)
    assert given == replace(event, reason=f"{mark('pw')} says", verifies=(mark("pw"),))
    assert redact_event(given, redactor) is given
