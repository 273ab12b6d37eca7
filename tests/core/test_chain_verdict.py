"""Seals and verdicts: what verifying a run says about every kind of damage, and what it lets pass."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.chain import GENESIS, ChainError, read_records, stamp
from runbook_tui.core.errors import ExitCode
from runbook_tui.core.seal import Seal, SealedFile, Signature, parse_seal, seal_text
from runbook_tui.core.verdict import FoundFile, Verdict, gaps, judge, missing_output
from tests.support.journals import BOOT, START, lines_of, opened, small_run

RUNBOOK = b"# Rotate the motd\n"
EVENTS = [opened(sha256=hashlib.sha256(RUNBOOK).hexdigest()), *small_run()[1:]]
LINES = lines_of(EVENTS)
WHOLE = b"".join(LINES)
HEAD = read_records(WHOLE).records[-1].hash


def sealed(name: str, data: bytes) -> SealedFile:
    """Make the seal's line for a file."""
    return SealedFile(name, len(data), hashlib.sha256(data).hexdigest())


def seal_of(journal: bytes) -> Seal:
    """Seal a journal with its runbook and variables."""
    records = read_records(journal).records
    files = (sealed("events.jsonl", journal), sealed("runbook.md", RUNBOOK), sealed("vars.json", b"{}\n"))
    return Seal(len(records), records[-1].hash, START, files)


def look(seal: Seal | None, files: dict[str, bytes]) -> dict[str, FoundFile]:
    """Give the files as verifying finds them: size, and the sum of what was sealed."""
    sizes = {file.name: file.size for file in seal.files} if seal else {}
    return {
        name: FoundFile(len(data), hashlib.sha256(data[: sizes.get(name, len(data))]).hexdigest())
        for name, data in files.items()
    }


def verdict(journal: bytes, seal: Seal | None, **changed: bytes | None) -> Verdict:
    """Judge a journal beside its runbook and variables, some of them changed or (None) gone."""
    files = {"events.jsonl": journal, "runbook.md": RUNBOOK, "vars.json": b"{}\n"}
    names = {"runbook": "runbook.md", "variables": "vars.json"}
    for key, data in changed.items():
        files.pop(names[key])
        if data is not None:
            files[names[key]] = data
    return judge(journal, seal, look(seal, files))


def test_a_sealed_run_is_verified() -> None:
    """An undamaged run agrees with its seal, ends with 0, and is said to be unsigned."""
    found = verdict(WHOLE, seal_of(WHOLE))
    assert (found.ok, found.exit_code, found.problems) == (True, ExitCode.OK, ())
    assert (found.count, found.head, found.sealed) == (len(LINES), HEAD, len(LINES))
    assert found.lines("r1")[:2] == ("r1: verified", f"8 records, head {HEAD}")
    assert any("not signed" in note for note in found.notes)


def test_a_run_killed_before_any_seal_is_verified_and_said_to_be_unsealed() -> None:
    """Without a seal an intact journal verifies, with a note that a missing tail would go unseen."""
    found = verdict(WHOLE, None)
    assert found.exit_code is ExitCode.OK
    assert any("not sealed" in note for note in found.notes)


def test_a_run_that_went_on_after_its_seal_is_verified() -> None:
    """Records behind the seal are fine, and counted."""
    found = verdict(WHOLE, seal_of(b"".join(LINES[:5])))
    assert found.ok
    assert any("sealed at record 5" in note and "3 records came after" in note for note in found.notes)


def test_an_unfinished_last_record_is_only_a_note() -> None:
    """A record that a kill left unfinished does not spoil the run behind its seal."""
    found = verdict(WHOLE + b'{"seq":9', seal_of(WHOLE))
    assert found.ok
    assert any("record 9 was never written whole" in note for note in found.notes)


def test_a_tail_cut_off_a_sealed_journal_is_missing() -> None:
    """Each number of records cut off the end is named as missing."""
    for kept in range(len(LINES)):
        found = verdict(b"".join(LINES[:kept]), seal_of(WHOLE))
        assert found.exit_code is ExitCode.NOT_GREEN
        assert found.missing == range(kept + 1, len(LINES) + 1)
        assert found.bad_seq is None
        assert f"{len(LINES)}" in found.problems[0]
        assert "missing" in found.problems[0]


def test_a_tail_cut_off_inside_a_line_is_missing_too() -> None:
    """A sealed record of which only a part is left is missing, not merely unfinished."""
    found = verdict(WHOLE[:-1], seal_of(WHOLE))
    assert found.problems == (
        "record 8 is missing: the last seal counted 8 records, the journal ends before",
    )


def test_a_tail_cut_off_and_continued_contradicts_the_seal() -> None:
    """A journal whose end was replaced by other valid records is not the sealed one."""
    other = b"".join(lines_of([*EVENTS[:5], *[ev.Noted(text="all is well", by="eve")] * 5]))
    assert read_records(other).problem is None
    found = verdict(other, seal_of(WHOLE))
    assert found.exit_code is ExitCode.NOT_GREEN
    assert "record 8 is not the one that was sealed" in found.problems[0]


def test_a_bad_record_is_named() -> None:
    """Damage in the middle is named by its record, sealed or not, and by what can still be trusted."""
    damaged = WHOLE.replace(b'"pgid":4711', b'"pgid":4712')
    for seal in (None, seal_of(WHOLE)):
        found = verdict(damaged, seal)
        assert (found.exit_code, found.bad_seq, found.count) == (ExitCode.NOT_GREEN, 5, 4)
        assert found.lines("r1")[0] == "r1: NOT verified"
        assert found.lines("r1")[1].startswith("problem: record 5 is bad")


@pytest.mark.parametrize("seal", [seal_of(WHOLE), seal_of(b"".join(LINES[:5]))])
def test_a_changed_file_is_named(seal: Seal) -> None:
    """A sealed file that was changed, lengthened, cut or removed is named, also after the run went on."""
    assert verdict(WHOLE, seal, runbook=RUNBOOK.upper()).problems == (
        "runbook.md was changed after it was sealed",
    )
    assert verdict(WHOLE, seal, runbook=RUNBOOK + b"\n").problems == (
        "runbook.md was changed after it was sealed",
    )
    assert verdict(WHOLE, seal, variables=b"{").problems == (
        "vars.json is shorter than it was sealed: 1 of 3 bytes",
    )
    assert verdict(WHOLE, seal, runbook=None).problems == ("runbook.md was sealed and is gone",)


def test_another_runbook_is_noticed_without_a_seal() -> None:
    """An unsealed run's copy of the runbook must be the one it was opened with."""
    assert verdict(WHOLE, None, runbook=b"# Other\n").problems == (
        "runbook.md is not the one that this run was opened with",
    )
    assert verdict(WHOLE, None, runbook=None).problems == ("runbook.md is gone",)


def test_output_may_grow_after_the_seal_but_not_change() -> None:
    """An output that a resumed run appended to agrees with the seal; one that was edited does not."""
    seal = seal_of(WHOLE)
    seal = replace(seal, files=(*seal.files, sealed("output/r1-1.log", b"one\n")))
    rest = {"events.jsonl": WHOLE, "runbook.md": RUNBOOK, "vars.json": b"{}\n"}
    assert judge(WHOLE, seal, look(seal, {**rest, "output/r1-1.log": b"one\ntwo\n"})).ok
    edited = judge(WHOLE, seal, look(seal, {**rest, "output/r1-1.log": b"0ne\ntwo\n"}))
    assert edited.problems == ("output/r1-1.log was changed after it was sealed",)


def test_output_that_the_journal_speaks_of_must_be_there() -> None:
    """Also without a seal, an output file shorter than the journal says is a problem."""
    told = ev.Output(attempt="r1-1", raw_offset=0, raw_length=9, text_offset=0, text_length=8, sha256="2" * 64)
    journal = b"".join(lines_of([*EVENTS, told]))
    found = look(None, {"events.jsonl": journal, "runbook.md": RUNBOOK, "output/r1-1.log": b"1234567"})
    assert judge(journal, None, found).problems == (
        "output/r1-1.log is shorter than the journal says: 7 of 8 bytes",
    )
    found["output/r1-1.log"] = FoundFile(8, "")  # the journal of a version that kept no sum of the text
    assert judge(journal, None, found).ok


def stored(*pieces: bytes, attempt: str = "r1-1") -> list[ev.Event]:
    """Give the segments of an output that was stored in these pieces, its text being its raw bytes."""
    told: list[ev.Event] = []
    at = 0
    for piece in pieces:
        total = hashlib.sha256(piece).hexdigest()
        told.append(
            ev.Output(
                attempt=attempt, raw_offset=at, raw_length=len(piece), text_offset=at, text_length=len(piece),
                sha256=total, text_sha256=total,
            )
        )  # fmt: skip
        at += len(piece)
    return told


def output_verdict(pieces: list[bytes], now: bytes) -> Verdict:
    """Judge an unsealed run whose output was stored in pieces and reads like this now."""
    journal = b"".join(lines_of([*EVENTS, *stored(*pieces)]))
    sums, at = {}, 0
    for piece in pieces:
        sums[at, at + len(piece)] = hashlib.sha256(now[at : at + len(piece)]).hexdigest()
        at += len(piece)
    found = look(None, {"events.jsonl": journal, "runbook.md": RUNBOOK})
    found["output/r1-1.log"] = FoundFile(len(now), hashlib.sha256(now).hexdigest(), sums)
    return judge(journal, None, found)


def test_an_output_that_was_edited_does_not_match_its_segments() -> None:
    """Also without a seal, output whose text is another than was recorded is named, with the stretch."""
    assert output_verdict([b"one\n", b"two\n"], b"one\ntwo\n").ok
    assert output_verdict([b"one\n", b"two\n"], b"one\ntw0\n").problems == (
        "output/r1-1.log is not what the journal recorded: bytes 4 to 7 were changed",
    )


def test_output_behind_its_last_segment_is_said() -> None:
    """Text that a kill left unrecorded, or that somebody added, is a note and not silently part of the run."""
    found = output_verdict([b"one\n"], b"one\nmore\n")
    assert found.ok
    assert "output/r1-1.log: its last 5 bytes are in no record" in found.notes


def test_output_that_was_not_stored_is_a_gap() -> None:
    """Raw bytes between two segments that nothing was stored of are stated, attempt by attempt."""
    first, second = stored(b"one\n", b"two\n")
    assert isinstance(second, ev.Output)
    late = replace(second, raw_offset=14)
    events = [*EVENTS, first, *stored(b"other", attempt="r1-2"), late]
    found = judge(b"".join(lines_of(events)), None, {})
    wanted = "attempt r1-1: bytes 4 to 13 of the output were not stored"
    assert [gap for gap in found.gaps if "stored" in gap] == [wanted]
    assert list(missing_output([])) == []


def test_a_lost_attempt_is_a_gap() -> None:
    """An attempt whose end was not seen is stated with its record and why."""
    lost = ev.Lost(action="greet", attempt="r1-1", why="the connection was cut")
    found = judge(b"".join(lines_of([*EVENTS, lost])), None, {})
    assert "record 9: how attempt r1-1 ended was not seen: the connection was cut" in found.gaps


def test_a_link_that_was_lost_and_mended_is_a_gap() -> None:
    """What the program noted of a broken link is stated; the operator's own words about one are no gap."""
    why = "r1-1: the link was lost: cut; 7 bytes of its output had come, and it goes on over there"
    mended = ev.Noted(action="greet", text=why, by="mailrunbook")
    found = judge(b"".join(lines_of([*EVENTS, mended, replace(mended, by="ada")])), None, {})
    assert [gap for gap in found.gaps if "link" in gap] == [f"record 9: {why}"]


def test_a_signature_is_told_with_its_key() -> None:
    """A good signature takes the place of the word that there is none; a bad one is a problem."""
    files = look(None, {"events.jsonl": WHOLE, "runbook.md": RUNBOOK})
    good = judge(WHOLE, None, files, signature=Signature(key="SHA256:abc (ssh-ed25519)"))
    assert good.ok
    assert any("signed with the key SHA256:abc" in note for note in good.notes)
    assert not any("not signed" in note for note in good.notes)
    bad = judge(WHOLE, None, files, signature=Signature(problem="the signature is odd"))
    assert bad.problems == ("the signature is odd",)
    assert bad.exit_code is ExitCode.NOT_GREEN


def test_a_closing_record_that_counts_wrong_is_a_problem() -> None:
    """The record that closes a run must count the records before it."""
    assert verdict(b"".join(lines_of([*EVENTS, ev.RunClosed(count=len(EVENTS))])), None).ok
    wrong = verdict(b"".join(lines_of([*EVENTS, ev.RunClosed(count=99)])), None)
    assert wrong.problems == ("record 9 closes a run of 99 records, but 8 are there",)


def test_a_seal_that_cannot_be_read_is_a_problem() -> None:
    """A run whose seal was garbled is not verified."""
    assert judge(WHOLE, None, look(None, {"runbook.md": RUNBOOK}), seal_problem="the seal is odd").problems == (
        "the seal is odd",
    )


def test_gaps_are_stated() -> None:
    """Sudden ends, restarts, sleeps and steps of the clock are each named between the right records."""
    moments: list[tuple[ev.Event, float, float, str]] = [
        (opened(), 0, 0, BOOT),
        (ev.Resumed(operator="ada", workstation="d", version="0.1"), 1, 1, BOOT),
        (ev.Paused(why="quit"), 2, 2, BOOT),
        (ev.LockTaken(owner="ada", pid=1), 3, 3, BOOT),
        (ev.Resumed(operator="ada", workstation="d", version="0.1"), 604_800, 604_799, BOOT),
        (ev.Noted(text="slept", by="ada"), 605_400, 604_800, BOOT),
        (ev.Noted(text="set back", by="ada"), 601_801, 604_801, BOOT),
        (ev.Noted(text="new boot", by="ada"), 601_800, 5, "other"),
    ]
    records, head = [], GENESIS
    for seq, (event, wall, mono, boot) in enumerate(moments, start=1):
        at = START + timedelta(seconds=wall)
        records.append(stamp(event, seq=seq, at=at, mono=mono, boot=boot, prev=head))
        head = records[-1].hash
    assert list(gaps(records)) == [
        "between records 1 and 2 the program ended without a word",
        "between records 5 and 6 this machine slept, or its clock was set forward, for 599 s",
        "between records 6 and 7 the clock was set back 3,600 s",
        "between records 7 and 8 this machine was restarted",
        "between records 7 and 8 the clock went back 1 s",
    ]


def test_a_suspend_that_was_noticed_is_told_once() -> None:
    """The record's own sentence stands for the drift between the times, also where another record came between."""
    moments: list[tuple[ev.Event, float, float]] = [
        (opened(), 0, 0),
        (ev.Suspended(seconds=600.2), 601, 1),
        (ev.Noted(text="woken", by="ada"), 4_202, 2),
        (ev.Suspended(seconds=3_600), 4_203, 3),
        (ev.ClockSet(seconds=-7_200), -2_900, 100),
        (ev.Noted(text="unseen", by="ada"), -2_000, 200),
    ]
    records, head = [], GENESIS
    for seq, (event, wall, mono) in enumerate(moments, start=1):
        at = START + timedelta(seconds=wall)
        records.append(stamp(event, seq=seq, at=at, mono=mono, boot=BOOT, prev=head))
        head = records[-1].hash
    assert list(gaps(records)) == [
        "record 2: this machine was suspended for 10 min 00 s; meanwhile nothing was watched from here",
        "record 4: this machine was suspended for 1 h 00 min; meanwhile nothing was watched from here",
        "record 5: the clock of this machine was set back by 2 h 00 min",
        "between records 5 and 6 this machine slept, or its clock was set forward, for 800 s",
    ]


def test_a_seal_survives_its_text() -> None:
    """Parsing the text of a seal gives the seal again."""
    seal = seal_of(WHOLE)
    text = seal_text(seal.count, seal.head, seal.at, seal.files)
    assert parse_seal(text.encode()) == replace(seal, files=tuple(sorted(seal.files, key=lambda f: f.name)))


def test_every_line_of_a_seal_is_needed_and_understood() -> None:
    """A seal with any line removed, doubled or garbled is refused, and so is one that is cut."""
    seal = seal_of(WHOLE)
    lines = seal_text(seal.count, seal.head, seal.at, seal.files).splitlines(keepends=True)
    for at in range(len(lines)):
        for damaged in ([*lines[:at], *lines[at + 1 :]], [*lines[: at + 1], *lines[at:]]):
            with pytest.raises(ChainError):
                parse_seal("".join(damaged).encode())
        with pytest.raises(ChainError):
            parse_seal("".join([*lines[:at], "garbage\n", *lines[at + 1 :]]).encode())
    whole = "".join(lines).encode()
    for length in range(len(whole)):
        with pytest.raises(ChainError):
            parse_seal(whole[:length])


@pytest.mark.parametrize("name", ["/etc/passwd", "output/../../x.log", "output/a b.log", "notes.txt"])
def test_a_seal_names_only_files_of_a_run(name: str) -> None:
    """A seal neither written nor read names anything outside the run."""
    with pytest.raises(ValueError, match="no file of a run"):
        seal_text(1, HEAD, START, [SealedFile(name, 1, "0" * 64)])
    seal = seal_of(WHOLE)
    text = seal_text(seal.count, seal.head, seal.at, seal.files)
    with pytest.raises(ChainError, match="not understood"):
        parse_seal(f"{text}{'0' * 64}  {name}\n".encode())


def test_a_seal_whose_sums_were_changed_does_not_agree() -> None:
    """A seal whose count and head fit but whose sum of the journal does not is no proof."""
    seal = seal_of(WHOLE)
    seal = replace(seal, files=(sealed("events.jsonl", WHOLE.replace(b"ada", b"eve")), *seal.files[1:]))
    assert verdict(WHOLE, seal).problems == ("events.jsonl was changed after it was sealed",)
