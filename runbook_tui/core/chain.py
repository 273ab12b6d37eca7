"""The hash chain of a run's journal: a record's canonical form, its hash, and reading damaged lines."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from runbook_tui.core.events import Event, Record, from_fields, to_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GENESIS = ""
"""What stands in `prev` of the first record."""

STAMP = ("seq", "at", "mono", "boot", "type", "prev", "hash")
"""The keys a record has beside its event's own fields."""


class ChainError(ValueError):
    """A line is not the record it should be; `str()` says why, without naming its place."""


class UnknownRecordError(ChainError):
    """The line is intact, but this version does not know its event or one of its fields.

    `version` is the one that the record itself names; only a run's opening and resuming do.
    """

    def __init__(self, why: str, version: str = "") -> None:
        super().__init__(why)
        self.version = version


class MisplacedError(ChainError):
    """The line is intact, but another record should stand there; `seq` is the one that does."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"record {seq} stands in its place")
        self.seq = seq


class FlawKind(StrEnum):
    """Why reading a journal stopped. Only `torn` may be cut off: such a record was never acknowledged."""

    TORN = "torn"
    BAD = "bad"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first thing wrong in a journal: the number of the record that should stand there, and why."""

    kind: FlawKind
    seq: int
    why: str


class Journaled(NamedTuple):
    """What can be trusted of a journal: its first `good_length` bytes are `records`, `problem` is after."""

    records: tuple[Record, ...]
    good_length: int
    problem: Flaw | None


def canonical(body: Mapping[str, Any]) -> bytes:
    """Give the bytes that are hashed: sorted keys, no white space, UTF-8, without `hash`.

    A lone surrogate (a file name that is no UTF-8) is written as its JSON escape, the only form UTF-8 leaves.

    Raises:
        ValueError: a number is not finite.
    """
    return _dump({key: value for key, value in body.items() if key != "hash"}, sort=True)


def _dump(value: Mapping[str, Any], *, sort: bool = False) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(str(body["prev"]).encode() + canonical(body)).hexdigest()


def time_text(at: datetime) -> str:
    """Give an aware time as the journal writes it: UTC, microseconds, `Z`.

    Raises:
        ValueError: the time is naive.
    """
    if at.tzinfo is None:
        raise ValueError("a record's time must be aware")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def stamp(event: Event, *, seq: int, at: datetime, mono: float, boot: str, prev: str) -> Record:
    """Make the record of an event; what `decode(encode(record))` gives is equal to it.

    Raises:
        ValueError: the event holds what JSON cannot, or the time is naive.
    """
    # Through JSON once: two surrogates that make a pair come back as one character, and the hash must know.
    values = json.loads(_dump(to_fields(event)))
    when = datetime.fromisoformat(time_text(at))
    record = Record(seq, when, mono, boot, from_fields(event.type, values), prev, hash="")
    return Record(seq, when, mono, boot, record.event, prev, _hash(_body(record)))


def _body(record: Record) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "at": time_text(record.at),
        "mono": record.mono,
        "boot": record.boot,
        "type": record.event.type,
        **to_fields(record.event),
        "prev": record.prev,
        "hash": record.hash,
    }


def encode(record: Record) -> bytes:
    r"""Give the record's line, with its final ``\n``."""
    return _dump(_body(record)) + b"\n"


def decode(line: bytes) -> Record:
    """Read one line, with or without its line end.

    Raises:
        UnknownRecordError: it is intact, but of an event this version does not know.
        ChainError: it is not a record, or not the one its hash was made of.
    """
    body = _parse(line.removesuffix(b"\n"))
    _check_stamp(body)
    if _hash(body) != body["hash"]:
        raise ChainError("its content does not match its hash")
    values = {key: value for key, value in body.items() if key not in STAMP}
    try:
        event = from_fields(body["type"], values)
    except ValueError as error:
        raise UnknownRecordError(str(error), str(values.get("version", ""))) from None
    if misfit := _misfit(event):
        raise UnknownRecordError(f"event {event.type!r}: {misfit} is not of the kind this version knows")
    at = datetime.fromisoformat(body["at"])
    return Record(body["seq"], at, body["mono"], body["boot"], event, body["prev"], body["hash"])


def _parse(line: bytes) -> dict[str, Any]:
    """Read a line that must be exactly what `encode` writes, so that no change of a byte goes unseen."""
    try:
        body = json.loads(line.decode("utf-8"))
        if not isinstance(body, dict):
            raise ChainError("it is no JSON object")
        same = _dump(body) == line
    except (ValueError, RecursionError) as error:
        if isinstance(error, ChainError):
            raise
        raise ChainError("it is not readable as JSON") from None
    if not same:
        raise ChainError("it is not written the way a record is written")
    return body


def _check_stamp(body: Mapping[str, Any]) -> None:
    if missing := [key for key in STAMP if key not in body]:
        raise ChainError(f"it has no {missing[0]!r}")
    for key in ("at", "boot", "type", "prev", "hash"):
        if not isinstance(body[key], str):
            raise ChainError(f"its {key!r} is no text")
    if not re.fullmatch("([0-9a-f]{64})?", body["prev"], re.ASCII):
        raise ChainError("its 'prev' is no hash")
    if not _fits("int", body["seq"]) or not _fits("float", body["mono"]):
        raise ChainError("its 'seq' or 'mono' is no number")
    try:
        exact = time_text(datetime.fromisoformat(body["at"])) == body["at"]
    except ValueError:
        exact = False
    if not exact:
        raise ChainError("its 'at' is no time in UTC")


def _misfit(event: Event) -> str:
    """Give the name of the first field whose value is not of its declared type; empty when all fit."""
    return next((f.name for f in fields(event) if not _fits(str(f.type), getattr(event, f.name))), "")


def _fits(kind: str, value: object) -> bool:
    match kind:
        case "str":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "int | None":
            return value is None or _fits("int", value)
        case "float":
            return isinstance(value, float) or _fits("int", value)
        case "tuple[str, ...]":
            return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        case "Mapping[str, str]":
            return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
        case _:
            return False


def read_records(data: bytes, before: Sequence[Record] = ()) -> Journaled:
    """Read a journal's bytes up to the first line that is torn, bad, out of order or of a newer version.

    `before` are the records whose bytes were read earlier; they stand in front of what is given.
    """
    records: list[Record] = list(before)
    good = 0
    while good < len(data):
        end = data.find(b"\n", good)
        seq = len(records) + 1
        if end < 0:
            return Journaled(tuple(records), good, _torn(seq, len(data) - good))
        try:
            records.append(_next(data[good:end], seq, records[-1].hash if records else GENESIS))
        except MisplacedError as error:
            return Journaled(tuple(records), good, _misplaced(seq, error, data[end + 1 :]))
        except ChainError as error:
            return Journaled(tuple(records), good, _flaw(error, seq, records))
        good = end + 1
    return Journaled(tuple(records), good, None)


def _next(line: bytes, seq: int, head: str) -> Record:
    record = decode(line)
    if record.seq != seq:
        raise MisplacedError(record.seq)
    if record.prev != head:
        raise ChainError("it does not follow the record before it")
    return record


def _torn(seq: int, length: int) -> Flaw:
    why = f"record {seq} was never written whole: the last {length} bytes are the beginning of one"
    return Flaw(FlawKind.TORN, seq, why)


def _misplaced(seq: int, error: MisplacedError, behind: bytes) -> Flaw:
    if error.seq < seq:
        where = "for the second time"
    elif seq in map(_seq_of, behind.split(b"\n")):
        where = f"and record {seq} behind it"
    else:
        where = f"and record {seq} is nowhere"
    return Flaw(FlawKind.BAD, seq, f"record {seq} is bad: {error}, {where}")


def _seq_of(line: bytes) -> int:
    """Give the number of an intact record, 0 for anything else."""
    try:
        return decode(line).seq
    except ChainError:
        return 0


def _flaw(error: ChainError, seq: int, before: list[Record]) -> Flaw:
    if not isinstance(error, UnknownRecordError):
        return Flaw(FlawKind.BAD, seq, f"record {seq} is bad: {error}")
    versions = [v for r in before if (v := getattr(r.event, "version", ""))]
    versions += [error.version] if error.version else []
    written = f"; the run was last opened by version {versions[-1]}" if versions else ""
    why = f"record {seq} was written by another version: {error}{written}"
    # An intact line may have been forged: its names go to a terminal.
    return Flaw(FlawKind.FOREIGN, seq, "".join(c if c.isprintable() else "�" for c in why))
