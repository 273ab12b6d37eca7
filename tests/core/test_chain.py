"""The journal's records: round trips, and every damage to its bytes found at the right record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook_tui.core import events as ev
from runbook_tui.core.chain import (
    GENESIS,
    STAMP,
    ChainError,
    FlawKind,
    UnknownRecordError,
    canonical,
    decode,
    encode,
    read_records,
    stamp,
)
from tests.support.journals import BOOT, START, any_event, foreign_line, lines_of, opened, small_run

LINES = lines_of(small_run())
WHOLE = b"".join(LINES)
ODD_TEXT = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=20)
"""Text with lone surrogates, as a file name that is no UTF-8 has them, and with pairs of them."""


def record_of(event: ev.Event) -> ev.Record:
    """Stamp an event as the seventh record."""
    return stamp(event, seq=7, at=START, mono=1.5, boot=BOOT, prev="ab" * 32)


@settings(deadline=None)
@given(any_event(ODD_TEXT))
@example(ev.Paused(why="\udc80"))
@example(ev.Paused(why="\ud83d\ude00"))
def test_a_record_survives_its_line(event: ev.Event) -> None:
    """Decoding an encoded record of any type, with any text in it, gives an equal record."""
    record = record_of(event)
    assert decode(encode(record)) == record


@settings(deadline=None)
@given(any_event(st.text(max_size=20)))
def test_ordinary_text_is_kept_as_it_was(event: ev.Event) -> None:
    """Text without lone surrogates comes back as the very event that was recorded."""
    assert decode(encode(record_of(event))).event == event


@settings(deadline=None)
@given(any_event(ODD_TEXT))
def test_a_record_is_one_line_of_utf8(event: ev.Event) -> None:
    """Whatever an event holds, its line has one line end and is valid UTF-8."""
    line = encode(record_of(event))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    line.decode("utf-8")


def test_no_event_has_a_field_that_a_record_uses() -> None:
    """The names of a record's own keys are free in every event."""
    for cls in ev.EVENTS.values():
        assert not {f.name for f in fields(cls)} & set(STAMP), cls


def test_the_hash_can_be_recomputed_from_the_description() -> None:
    """The hash is sha256 of `prev` and the body with sorted keys, no white space, UTF-8, without `hash`."""
    head = GENESIS
    for line in LINES:
        body = json.loads(line)
        stated = body.pop("hash")
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert stated == hashlib.sha256((head + text).encode()).hexdigest()
        assert body["prev"] == head
        head = stated


def test_canonical_form_sorts_and_leaves_the_hash_out() -> None:
    """The canonical form is sorted at every depth, has no white space and keeps letters beyond ASCII."""
    assert canonical({"b": {"z": 1, "a": "ü"}, "hash": "x", "a": 2}) == '{"a":2,"b":{"a":"ü","z":1}}'.encode()


def test_a_line_begins_with_what_a_reader_looks_for() -> None:
    """Number, time and type come first on the line, the links last."""
    assert list(json.loads(LINES[0]))[:5] == ["seq", "at", "mono", "boot", "type"]
    assert list(json.loads(LINES[0]))[-2:] == ["prev", "hash"]


def test_times_are_written_in_utc() -> None:
    """A time in another zone is recorded as the same moment in UTC; a naive one is refused."""
    local = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=1)))
    record = stamp(opened(), seq=1, at=local, mono=0, boot="b", prev=GENESIS)
    assert b'"at":"2026-01-01T00:00:00.000000Z"' in encode(record)
    assert record.at == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="aware"):
        stamp(opened(), seq=1, at=datetime(2026, 1, 1), mono=0, boot="b", prev=GENESIS)  # noqa: DTZ001


def test_a_mapping_that_cannot_be_changed_is_recorded() -> None:
    """Events may hold read-only mappings; they are recorded as their content."""
    record = record_of(ev.VarsSet(values=MappingProxyType({"a": "b"})))
    assert decode(encode(record)).event == ev.VarsSet(values={"a": "b"})


def test_a_whole_journal_is_read() -> None:
    """An undamaged journal gives all its records and no problem."""
    records, good, problem = read_records(WHOLE)
    assert [r.event for r in records] == small_run()
    assert good == len(WHOLE)
    assert problem is None


def test_a_journal_torn_at_any_byte_keeps_every_record_before() -> None:
    """Cut at every byte, a journal gives exactly the records that were finished, and at most a torn tail."""
    ends = [0]
    for line in LINES:
        ends.append(ends[-1] + len(line))
    for length in range(len(WHOLE) + 1):
        records, good, problem = read_records(WHOLE[:length])
        finished = sum(end <= length for end in ends) - 1
        assert (len(records), good) == (finished, ends[finished])
        assert (problem is None) == (length == good)
        if problem is not None:
            assert (problem.kind, problem.seq) == (FlawKind.TORN, finished + 1)


@pytest.mark.parametrize("tail", [b"\0" * 4096, b'{"seq":9,' + b"\0" * 100])
def test_zeroes_after_a_power_cut_are_a_torn_tail(tail: bytes) -> None:
    """Blocks that never reached the disk read as zeroes; they are no damage to what came before."""
    records, good, problem = read_records(WHOLE + tail)
    assert (len(records), good) == (len(LINES), len(WHOLE))
    assert problem is not None
    assert problem.kind is FlawKind.TORN


def test_a_flipped_bit_anywhere_is_found_in_its_record() -> None:
    """Whichever byte has a bit turned, reading stops at that record and keeps those before it."""
    at = 0
    for seq, line in enumerate(LINES, start=1):
        for offset in range(len(line)):
            for bit in {0, offset % 8}:
                data = bytearray(WHOLE)
                data[at + offset] ^= 1 << bit
                records, good, problem = read_records(bytes(data))
                assert problem is not None, (seq, offset, bit)
                assert (problem.seq, len(records), good) == (seq, seq - 1, at), (offset, bit)
        at += len(line)


@pytest.mark.parametrize("gone", range(len(LINES) - 1))
def test_a_removed_line_is_named(gone: int) -> None:
    """A line taken out of the middle is the first bad record."""
    *_, problem = read_records(b"".join(LINES[:gone] + LINES[gone + 1 :]))
    assert problem is not None
    assert (problem.kind, problem.seq) == (FlawKind.BAD, gone + 1)
    assert f"record {gone + 2} stands in its place, and record {gone + 1} is nowhere" in problem.why


@pytest.mark.parametrize("first", range(len(LINES) - 1))
def test_two_swapped_lines_are_named_at_the_first(first: int) -> None:
    """Two lines that changed places make the earlier place bad."""
    lines = [*LINES]
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    *_, problem = read_records(b"".join(lines))
    assert problem is not None
    assert (problem.kind, problem.seq) == (FlawKind.BAD, first + 1)
    assert f"record {first + 2} stands in its place, and record {first + 1} behind it" in problem.why


@pytest.mark.parametrize("again", range(len(LINES) - 1))
def test_a_line_that_comes_twice_is_named(again: int) -> None:
    """A line that was copied behind itself is bad where it stands the second time."""
    *_, problem = read_records(b"".join(LINES[: again + 1] + LINES[again:]))
    assert problem is not None
    assert (problem.kind, problem.seq) == (FlawKind.BAD, again + 2)
    assert f"record {again + 1} stands in its place, for the second time" in problem.why


def test_a_record_of_another_journal_does_not_fit() -> None:
    """A record with the right number but from another run does not follow."""
    other = lines_of([opened("r2"), *small_run()[1:]])
    *_, problem = read_records(LINES[0] + other[1])
    assert problem is not None
    assert "does not follow" in problem.why


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":1,', b'"seq": 1,'),
        (b'"seq":1,', b'"seq":1,"seq":1,'),
        (b'"mono":101.0', b'"mono":101.00'),
        ("ë".encode(), b"\\u00eb"),
    ],
)
def test_another_spelling_of_the_same_values_is_not_the_record(old: bytes, new: bytes) -> None:
    """A line that means the same but is written otherwise was not written by the journal."""
    line = next(line for line in LINES if old in line)
    with pytest.raises(ChainError, match="way a record is written"):
        decode(line.replace(old, new, 1))


@pytest.mark.parametrize(
    "line",
    [
        b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"seq":1e999}', b'{"seq":NaN}', b"1" * 5000,
        b'{"seq":1,"at":"x","mono":0,"boot":"b","type":"noted","prev":"\\udc80","hash":"h"}',
        b'{"seq":1,"at":"x","mono":0,"boot":"b","type":"noted","prev":"","hash":"h"}',
        b'{"seq":true,"at":"2026-01-01T00:00:00.000000Z","mono":0,"boot":"b","type":"x","prev":"","hash":"h"}',
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused_with_a_sentence(line: bytes) -> None:
    """Bytes that are no record at all raise ChainError and nothing else."""
    with pytest.raises(ChainError):
        decode(line)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(data: bytes) -> None:
    """Reading never raises, and what it calls good is a prefix that reads the same again."""
    records, good, _ = read_records(WHOLE + data)
    assert good >= len(WHOLE)
    assert read_records((WHOLE + data)[:good]) == (records, good, None)




def test_an_event_of_a_newer_version_is_refused_with_the_version() -> None:
    """An intact record of an unknown event is told apart from damage, and the writer's version is named."""
    line = foreign_line(LINES[0])
    with pytest.raises(UnknownRecordError, match="teleported"):
        decode(line)
    records, _, problem = read_records(LINES[0] + line)
    assert len(records) == 1
    assert problem is not None
    assert problem.kind is FlawKind.FOREIGN
    assert "opened by version 0.1" in problem.why


def test_an_opening_of_another_version_names_it_itself() -> None:
    """Where the very first record is not understood, the version it names is said."""
    body = json.loads(LINES[0]) | {"ship": "", "version": "7.1"}
    body["hash"] = hashlib.sha256(body["prev"].encode() + canonical(body)).hexdigest()
    records, _, problem = read_records(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    assert records == ()
    assert problem is not None
    assert problem.kind is FlawKind.FOREIGN
    assert "opened by version 7.1" in problem.why


def test_a_journal_of_an_older_version_is_read() -> None:
    """A record from before a field was there reads as if that were empty, and its hash still fits."""
    segment = ev.Output(attempt="r1-1", raw_offset=0, raw_length=4, text_offset=0, text_length=4, sha256="1" * 64)
    body = json.loads(encode(record_of(segment)))
    del body["text_sha256"]
    body["hash"] = hashlib.sha256(body["prev"].encode() + canonical(body)).hexdigest()
    line = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    assert decode(line).event == segment


def test_a_field_of_the_wrong_kind_is_refused() -> None:
    """A record whose field is of another kind than the event's is not half understood."""
    record = record_of(replace(ev.RunClosed(count=1), count="many"))  # type: ignore[arg-type]
    with pytest.raises(UnknownRecordError, match="count"):
        decode(encode(record))


def test_a_forged_record_cannot_write_to_the_terminal() -> None:
    """The names in a record that is not known are shown without control characters."""
    line = foreign_line(LINES[0], "zap\x1b]0;title\x07")
    *_, problem = read_records(LINES[0] + line)
    assert problem is not None
    assert problem.kind is FlawKind.FOREIGN
    assert problem.why.isprintable()
