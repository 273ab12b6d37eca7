"""The verdict over a stored run: whether its journal is whole and agrees with its seal, and its gaps."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core import machine_time
from runbook_tui.core.chain import GENESIS, FlawKind, read_records, time_text
from runbook_tui.core.errors import ExitCode
from runbook_tui.core.machine_time import NOTICED
from runbook_tui.core.seal import JOURNAL_NAME, OUTPUT_FOLDER, RUNBOOK_NAME, SEAL_NAME, copy_name
from runbook_tui.core.witness import contradictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runbook_tui.core.seal import Seal, SealedFile, Signature
    from runbook_tui.core.witness import Witness

PROGRAM = "mailrunbook"
"""Who notes what the program itself saw."""

LINK_LOST = "link was lost"
"""What stands in a note of the program about a link that broke while something ran."""

CLOCK_STEP = NOTICED
"""Seconds by which wall and monotonic clock may drift apart between two records (PROMISES.md 3.3)."""

TOLD_WITHIN = 5.0
"""Seconds of the program's own time in which a suspend or a clock step is noticed and recorded at the latest."""

Stretch = tuple[int, int]
"""Where a segment's text begins in its file and where it ends, in bytes."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the run as it is now. `sha256` is of its first bytes, as many as were sealed; else of all.

    `stretches` are the sums of the stretches that were asked for.
    """

    size: int
    sha256: str
    stretches: Mapping[Stretch, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying a run found.

    `count` records can be trusted and `head` is the hash of the last; `bad_seq` is the first record that
    cannot, `missing` the records that the last seal counted and that are gone. `sealed` is the count of that
    seal, None when there is none. `problems` are why the run is not verified, `notes` what a reader must
    know all the same, `gaps` where time is not accounted for.
    """

    count: int
    head: str
    sealed: int | None = None
    bad_seq: int | None = None
    missing: range | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the run is verified; unsealed and unsigned runs are, when they are intact."""
        return not self.problems

    @property
    def exit_code(self) -> ExitCode:
        """What `mailrunbook verify` ends with."""
        return ExitCode.OK if self.ok else ExitCode.NOT_GREEN

    def lines(self, name: str) -> tuple[str, ...]:
        """Give what `mailrunbook verify` prints for the run or file called `name`."""
        head = f"{name}: {'verified' if self.ok else 'NOT verified'}"
        counted = f"{_records(self.count)}, head {self.head or 'none'}"
        return (
            head,
            *(f"problem: {text}" for text in self.problems),
            counted if self.ok else f"can be trusted: {counted}",
            *(f"note: {text}" for text in self.notes),
            *(f"gap: {text}" for text in self.gaps),
        )


def judge(
    data: bytes, seal: Seal | None, found: Mapping[str, FoundFile], *, seal_problem: str = "",
    signature: Signature | None = None, seen: Iterable[Witness] = (),
) -> Verdict:  # fmt: skip
    """Judge the journal's bytes by themselves, against the last seal, and against the files beside it.

    `found` are the files of the run by their name in the seal. Without a seal no file but the outputs can be
    judged: what the journal says was stored must be there. `seal_problem` says that there is a seal, but
    why it cannot be used. `signature` is what was found of it, None when there is none; `seen` is what hosts
    witnessed.
    """
    records, _, flaw = read_records(data)
    problems = [seal_problem] if seal_problem else []
    bad_seq = missing = None
    if flaw is not None and flaw.kind is not FlawKind.TORN:
        bad_seq = flaw.seq
        problems.append(flaw.why)
    elif seal is not None and seal.count > len(records):
        missing = range(len(records) + 1, seal.count + 1)
        problems.append(_missing_tail(missing))
    if seal is not None:
        problems += _against_seal(records, seal, found)
    if bad_seq is None:
        problems += _miscounted(records)
        problems += contradictions(records, _run_of(records), seen)
    problems += _changed_outputs(records, found)
    problems += _copies(records, found)
    if seal is None:
        problems += _other_runbook(records, found.get(RUNBOOK_NAME))
    if signature is not None and signature.problem:
        problems.append(signature.problem)
    notes = [flaw.why] if flaw is not None and flaw.kind is FlawKind.TORN else []
    return Verdict(
        count=len(records), head=records[-1].hash if records else GENESIS,
        sealed=seal.count if seal else None, bad_seq=bad_seq, missing=missing, problems=tuple(problems),
        notes=(*notes, *_standing(records, seal), *_beyond_segments(records, found), *_signed(signature)),
        gaps=(*gaps(records), *missing_output(records)),
    )  # fmt: skip


def _missing_tail(missing: range) -> str:
    first, last = missing[0], missing[-1]
    which = f"record {last} is missing" if first == last else f"records {first} to {last} are missing"
    return f"{which}: the last seal counted {_records(last)}, the journal ends before"


def _against_seal(records: Sequence[ev.Record], seal: Seal, found: Mapping[str, FoundFile]) -> Iterable[str]:
    if 0 < seal.count <= len(records) and records[seal.count - 1].hash != seal.head:
        cause = "the journal was cut and went on, or was rewritten"
        yield f"record {seal.count} is not the one that was sealed: {cause}"
        return
    whole = seal.count <= len(records)
    for file in seal.files:
        if file.name != JOURNAL_NAME or whole:
            yield from _changed(file, found.get(file.name))


def _changed(sealed: SealedFile, now: FoundFile | None) -> Iterable[str]:
    may_grow = sealed.name == JOURNAL_NAME or sealed.name.startswith(OUTPUT_FOLDER)
    if now is None:
        yield f"{sealed.name} was sealed and is gone"
    elif now.size < sealed.size:
        yield f"{sealed.name} is shorter than it was sealed: {now.size} of {sealed.size} bytes"
    elif now.sha256 != sealed.sha256 or (now.size > sealed.size and not may_grow):
        yield f"{sealed.name} was changed after it was sealed"


def _miscounted(records: Sequence[ev.Record]) -> Iterable[str]:
    for record in records:
        if isinstance(record.event, ev.RunClosed) and record.event.count != record.seq - 1:
            there = record.seq - 1
            yield f"record {record.seq} closes a run of {_records(record.event.count)}, but {there} are there"


def _other_runbook(records: Sequence[ev.Record], now: FoundFile | None) -> Iterable[str]:
    """Compare the run's copy with what the run was opened with; a seal, where there is one, does that better."""
    sums = [r.event.sha256 for r in records if isinstance(r.event, ev.RunOpened)]
    if sums and now is None:
        yield f"{RUNBOOK_NAME} is gone"
    elif sums and now is not None and now.sha256 != sums[-1]:
        yield f"{RUNBOOK_NAME} is not the one that this run was opened with"


def _copies(records: Sequence[ev.Record], found: Mapping[str, FoundFile]) -> Iterable[str]:
    """Compare each edited runbook that was adopted with its sum: without it, what came after cannot be read."""
    for record in records:
        if isinstance(event := record.event, ev.RunbookReloaded):
            name = copy_name(event.sha256)
            if (now := found.get(name)) is None:
                yield f"{name} is gone: record {record.seq} adopted it"
            elif now.sha256 != event.sha256:
                yield f"{name} is not the runbook that record {record.seq} adopted"


def _run_of(records: Sequence[ev.Record]) -> str:
    return next((record.event.run for record in records if isinstance(record.event, ev.RunOpened)), "")


def stretches(records: Iterable[ev.Record]) -> dict[str, dict[Stretch, str]]:
    """Give the sum that the journal has for each stretch of each output file; empty where it has none."""
    told: dict[str, dict[Stretch, str]] = {}
    for record in records:
        if isinstance(event := record.event, ev.Output):
            where = (event.text_offset, event.text_offset + event.text_length)
            told.setdefault(f"{OUTPUT_FOLDER}/{event.attempt}.log", {})[where] = event.text_sha256
    return told


def _changed_outputs(records: Sequence[ev.Record], found: Mapping[str, FoundFile]) -> Iterable[str]:
    for name, told in stretches(records).items():
        end = max(end for _, end in told)
        now = found.get(name, FoundFile(0, ""))
        if now.size < end:
            yield f"{name} is shorter than the journal says: {now.size} of {end} bytes"
            continue
        for (start, stop), sha256 in sorted(told.items()):
            if sha256 and now.stretches.get((start, stop), sha256) != sha256:
                yield f"{name} is not what the journal recorded: bytes {start} to {stop - 1} were changed"
                break


def _beyond_segments(records: Sequence[ev.Record], found: Mapping[str, FoundFile]) -> Iterable[str]:
    """Name text that no record vouches for: a kill between storing and recording leaves such text, too."""
    told = stretches(records)
    for name in sorted(found):
        if name.startswith(OUTPUT_FOLDER):
            end = max((end for _, end in told.get(name, ())), default=0)
            if found[name].size > end:
                yield f"{name}: its last {found[name].size - end} bytes are in no record"


def _standing(records: Sequence[ev.Record], seal: Seal | None) -> Iterable[str]:
    if seal is None:
        yield "not sealed: a tail that was cut off would not be noticed"
    elif seal.count < len(records):
        later = len(records) - seal.count
        yield f"sealed at record {seal.count} ({time_text(seal.at)}); {_records(later)} came after that"
    elif seal.count == len(records):
        yield f"sealed at record {seal.count} ({time_text(seal.at)})"


def _signed(signature: Signature | None) -> Iterable[str]:
    if signature is None:
        yield "not signed: who can write this folder could have rewritten all of it"
    elif signature.key:
        yield f"{SEAL_NAME} is signed with the key {signature.key}; whether that is the operator's, only you can say"


def missing_output(records: Iterable[ev.Record]) -> Iterable[str]:
    """Give a sentence for each stretch of raw output that was not stored."""
    reached: dict[str, int] = {}
    for record in records:
        if isinstance(event := record.event, ev.Output):
            so_far = reached.get(event.attempt, 0)
            if event.raw_offset > so_far:
                last = event.raw_offset - 1
                yield f"attempt {event.attempt}: bytes {so_far:,} to {last:,} of the output were not stored"
            reached[event.attempt] = max(so_far, event.raw_offset + event.raw_length)


def gaps(records: Sequence[ev.Record]) -> Iterable[str]:
    """Give a sentence for each place where the record has a hole.

    Restarts of this machine, suspends, clock steps (noticed while the run was open, else told by the records' times),
    sudden ends of the program, attempts whose end was not seen, links that were lost, also where their host was found
    again and nothing is missing.
    """
    left, spoken_of = False, set[int]()
    for place, (before, after) in enumerate(pairwise(records), 1):
        where = f"between records {before.seq} and {after.seq}"
        if isinstance(after.event, ev.Lost):
            yield f"record {after.seq}: how attempt {after.event.attempt} ended was not seen: {after.event.why}"
        if isinstance(after.event, ev.Noted) and after.event.by == PROGRAM and LINK_LOST in after.event.text:
            yield f"record {after.seq}: {after.event.text}"
        if isinstance(after.event, ev.Suspended | ev.ClockSet):
            yield f"record {after.seq}: {machine_time.told(after.event)}"
        if not isinstance(before.event, ev.LockTaken):
            left = isinstance(before.event, ev.Paused | ev.RunClosed)
        if isinstance(after.event, ev.Resumed) and not left:
            yield f"{where} the program ended without a word"
        if after.boot != before.boot:
            yield f"{where} this machine was restarted"
            if after.at < before.at:
                yield f"{where} the clock went back {_seconds((before.at - after.at).total_seconds())}"
            continue
        drift = (after.at - before.at).total_seconds() - (after.mono - before.mono)
        if abs(drift) > CLOCK_STEP:
            drift = _untold(drift, records, place, spoken_of)
        if drift > CLOCK_STEP:
            yield f"{where} this machine slept, or its clock was set forward, for {_seconds(drift)}"
        elif drift < -CLOCK_STEP:
            yield f"{where} the clock was set back {_seconds(-drift)}"


def _untold(drift: float, records: Sequence[ev.Record], place: int, spoken_of: set[int]) -> float:
    """Give what is left of a drift after the suspends and clock steps that a record here or soon after speaks of."""
    soon = records[place].mono + TOLD_WITHIN
    for record in itertools.takewhile(lambda r: r.mono <= soon, records[place:]):
        event = record.event
        if isinstance(event, ev.Suspended | ev.ClockSet) and record.seq not in spoken_of:
            spoken_of.add(record.seq)
            drift -= event.seconds
            if abs(drift) <= CLOCK_STEP:
                break
    return drift


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s"


def _records(count: int) -> str:
    return f"{count} record" if count == 1 else f"{count} records"
