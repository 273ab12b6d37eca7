"""The transcript, in Markdown and JSON, of runs that went well, badly, or were cut off."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from runbook_tui.core import events as ev
from runbook_tui.core.model import ActionKind
from runbook_tui.core.transcript import json_document, markdown
from runbook_tui.core.transcript.output import HEAD, LONGEST, TAIL
from tests.core.builders import (
    START,
    Stamper,
    a_literal,
    a_runbook,
    a_step,
    an_action,
    an_undo,
    begun,
    confirmed,
    ended,
    opened,
    ran,
)

if TYPE_CHECKING:
    from markdown_it.token import Token

    from runbook_tui.core.model import Action

TEXT = """\
---
runbook:
  version: 1
---
# Move the mail

Some *prose* of the author, with [a link](x).

1. Stop the old one.

   ```sh {.run host=old}
   service postfix stop
   ```

    - Look at the queue by hand.
2. Wait.

## Afterwards

Prose at the end.
"""
FIRST = an_action("a", "service postfix stop", step="s", undos=(an_undo("service postfix start"),))
SECOND = an_action("b", "postqueue -p", step="s")
HAND = an_action("hand", kind=ActionKind.MANUAL, host=None)
PAUSE = an_action("pause", kind=ActionKind.WAIT, host=None, wait_for=60.0)
RUNBOOK = a_runbook(
    a_step(FIRST, SECOND, number="1.1", title="Stop the old one", line=9, end_line=13),
    a_step(HAND, number="1.1.1", title="Look", line=15, end_line=15),
    a_step(PAUSE, number="1.2", title="Wait", line=16, end_line=17),
    text=TEXT,
    literals=(a_literal("domain.tld"),),
)
SEGMENT = ev.Output(attempt="mail-1-1", raw_offset=0, raw_length=6, text_offset=0, text_length=6, sha256="5eg")
LOST = ev.Lost(action="a", attempt="mail-1-1", why="the link broke")


class Told:
    """A run of events after its opening, and its transcripts."""

    def __init__(self, *events: ev.Event, outputs: dict[str, str] | None = None) -> None:
        self.stamper = Stamper()
        self.stamper(opened(RUNBOOK))
        self.outputs = outputs or {}
        self.add(*events)

    def add(self, *events: ev.Event) -> None:
        """Stamp more events."""
        self.stamper(*events)

    @property
    def md(self) -> str:
        """The Markdown transcript."""
        return markdown(self.stamper.state(RUNBOOK), self.stamper.records, lambda a: self.outputs.get(a, ""))

    @property
    def json(self) -> dict:  # type: ignore[type-arg]
        """The JSON transcript, once through JSON."""
        state = self.stamper.state(RUNBOOK)
        document = json_document(state, self.stamper.records, lambda a: self.outputs.get(a, ""))
        return json.loads(json.dumps(document))  # type: ignore[no-any-return]


def tokens(md: str) -> list[Token]:
    """Parse the transcript as a reader of Markdown would."""
    return MarkdownIt().parse(md)


def fences(md: str) -> list[tuple[str, str]]:
    """Give info and content of every fence."""
    return [(token.info, token.content) for token in tokens(md) if token.type == "fence"]


def assert_in_order(text: str, *parts: str) -> None:
    """Find the parts one after the other."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is not after position {at} in:\n{text}"
        at = found + len(part)


def test_the_authors_text_stays() -> None:
    """The runbook's own lines stay word for word and in order, its front matter left out."""
    lines = Told(*ran("a")).md.split("\n")
    author = TEXT.split("---\n")[2].rstrip("\n").split("\n")
    walked = iter(lines)
    assert all(line in walked for line in author)
    assert "runbook:" not in lines


def test_head_says_what_run_this_is() -> None:
    """The head names run, operator, workstation, version, file and digest, times, steps and the journal's head."""
    assert_in_order(
        Told(ev.Skipped(action="hand", reason="r", by="ada")).md,
        "# Transcript: Move the mail", "`mail-1`", "operator ada at desk", "mailrunbook 0.1", "`/home/ada/move.md`",
        RUNBOOK.sha256, "Opened 2026-03-01 02:00:01 UTC, last record 2026-03-01 02:00:02 UTC",
        "Steps settled: 1 of 3", "2 records, head `h2`",
    )  # fmt: skip


def test_done() -> None:
    """A done attempt shows who confirmed what where, the key, the output with its measure, status and duration."""
    told = Told(
        *begun("a", command="service postfix stop", typed="old", warnings=("the queue is not empty",)), SEGMENT,
        ended("a"), outputs={"mail-1-1": "bye.\n"},
    )  # fmt: skip
    assert_in_order(
        told.md,
        "1.1a · done", "Attempt `mail-1-1`", "confirmed 2026-03-01 02:00:02 UTC by **ada**",
        "on **old** as `root` (`192.0.2.10:22`, key `SHA256:abc`)", "Typed to confirm: `old`",
        "Warned: the queue is not empty", "service postfix stop", "Started 2026-03-01 02:00:04 UTC, process group 4711",
        "**Done** 2026-03-01 02:00:06 UTC after 12 s: exit status 0", "Output, 6 raw bytes", "bye.",
        "sha256 of raw bytes 0 to 5: `5eg`", "1.1b · to do",
    )  # fmt: skip
    assert ("sh", "service postfix stop\n") in fences(told.md)
    assert ("text", "bye.\n") in fences(told.md)


def test_failed_and_edited() -> None:
    """A failed attempt says what failed and shows both the edited command and the runbook's, then the proofs."""
    told = Told(
        *begun("a", command="service postfix stop -f", written="service postfix stop"),
        ev.Finished(
            action="a", attempt="mail-1-1", outcome="failed", exit=3, seconds=0.25, reason="exit status 3 (wanted 0)",
            verifies=("pgrep master: exit status 0\n4711",),
        ),
    )  # fmt: skip
    assert_in_order(
        told.md, "1.1a · failed", "service postfix stop -f", "Edited for this attempt", "service postfix stop",
        "**Failed** 2026-03-01 02:00:05 UTC after 0.2 s: exit status 3; exit status 3 (wanted 0)", "Proof:",
        "pgrep master: exit status 0", "4711", "No output is stored",
    )  # fmt: skip


def test_proof_comes_after_the_command() -> None:
    """While the proof is looked at the command has only ended; its output stands once, behind the verdict."""
    verifying = ev.Finished(action="a", attempt="mail-1-1", outcome="verifying", exit=0)
    told = Told(*begun("a"), verifying, SEGMENT, ended("a"), outputs={"mail-1-1": "bye...\n"})
    assert_in_order(told.md, "exit status 0. Its proof follows.", "**Done**", "bye...")
    assert told.md.count("bye...") == 1
    unseen = ev.Lost(action="a", attempt="mail-1-1", why="its proof could not be seen")
    assert_in_order(Told(*begun("a"), verifying, unseen).md, "Its proof follows.", "**Outcome unknown**")


def test_by_signal_and_stopped() -> None:
    """A signal is a signal and no exit status, and a stop says what happened over there."""
    killed = ev.Finished(action="a", attempt="mail-1-1", outcome="failed", signal="KILL", seconds=1, reason="killed")
    assert "signal KILL; killed" in Told(*begun("a"), killed).md
    stopped = ev.Stopped(action="a", attempt="mail-1-1", what="TERM was sent", signal="TERM", seconds=75)
    assert (
        "**Stopped** 2026-03-01 02:00:05 UTC after 1 min 15 s (signal TERM): TERM was sent"
        in Told(*begun("a"), stopped).md
    )


def test_unknown_then_retried() -> None:
    """An unknown outcome is said in the head and at its step, and the next attempt stands after it."""
    told = Told(*begun("a"), LOST)
    assert_in_order(told.md, "not finished", "1.1a is unknown: the link broke", "**Outcome unknown**", "the link broke")
    told.add(*ran("a", "mail-1-2", typed="rerun"))
    assert "is unknown" not in told.md
    assert_in_order(
        told.md, "1.1a · done", "**Outcome unknown**", "`mail-1-2`", "Typed to confirm: `rerun`", "**Done**"
    )


def test_undone() -> None:
    """The way back is an attempt of its own, and the action is undone."""
    told = Told(
        *ran("a"), *ran("a", "mail-1-2", role=ev.Role.UNDO, command="service postfix start"),
        ev.Undone(action="a", attempt="mail-1-2"),
    )  # fmt: skip
    assert_in_order(told.md, "1.1a · undone", "Attempt `mail-1-1`", "The way back `mail-1-2`", "service postfix start",
                    "Undone 2026-03-01")  # fmt: skip
    assert [a["id"] for a in told.json["steps"][0]["actions"][0]["attempts"]] == ["mail-1-1", "mail-1-2"]
    assert told.json["run"]["attempts"]["mail-1-2"]["role"] == "undo"


def test_reasons_notes_and_answers() -> None:
    """Reasons of skips, notes by hand, notes and answers stand under their step, those of the run at the end."""
    told = Told(
        ev.Settled(what="host", value="new", action="b"),
        ev.Settled(what="literal", subject="domain.tld", value="x.org"),
        ev.Noted(text="it is *late*", by="ada", action="a"), ev.Noted(text="shift change", by="ada"),
        ev.Skipped(action="b", reason="nothing queued", by="ada"),
        ev.MarkedDone(action="hand", note="looked <b>twice</b>", by="bob"),
    )  # fmt: skip
    assert_in_order(
        told.md, "1.1a · to do", "Note of ada", "it is \\*late\\*", "1.1b · skipped", "host is `new`",
        "**Skipped** 2026-03-01 02:00:06 UTC by ada: nothing queued", "1.1.1 · done by hand",
        "bob: looked \\<b>twice\\</b>", "## What happened to the run",
        "literal `domain.tld` is `x.org`", "shift change",
    )  # fmt: skip
    assert [(n["type"], n["text"]) for n in told.json["notes"]] == [
        ("noted", "it is *late*"), ("noted", "shift change"), ("skipped", "nothing queued"),
        ("marked_done", "looked <b>twice</b>"),
    ]  # fmt: skip


def test_waits() -> None:
    """A wait says until when, whether it ran out, and when it was left early why."""
    until = START + timedelta(minutes=10)
    start = [confirmed("pause", "w-1", host="", command=""),
             ev.Started(action="pause", attempt="w-1", until=until.isoformat())]  # fmt: skip
    waiting = Told(*start)
    assert "1.2 is open: it waits until 2026-03-01 02:10:00 UTC" in waiting.md
    waited = Told(*start, ev.Finished(action="pause", attempt="w-1", outcome="done"))
    assert_in_order(waited.md, "1.2 · done", "to last until 2026-03-01 02:10:00 UTC", "The wait was over")
    left = Told(*start, ev.Skipped(action="pause", reason="mail is through", by="ada"))
    assert_in_order(left.md, "mail is through", "left 9 min 56 s before its end")


def test_the_run_around_the_steps() -> None:
    """Pins, checks, pauses, a changed file and the lock stand at the end, in the order of their records."""
    told = Told(
        ev.LockTaken(owner="ada@desk", pid=12),
        ev.HostPinned(host="old", algorithm="ssh-ed25519", fingerprint="SHA256:abc", key="k", source="typed", by="ada"),
        ev.CheckTurned(check="mx", state="FAIL", value="[@click=x]"), ev.Paused(why="quit"),
        ev.Resumed(operator="bob", workstation="desk", version="2", runbook_sha256="other"),
    )  # fmt: skip
    assert_in_order(
        told.md, "opened by ada", "held by ada@desk, process 12",
        "old is trusted with its ssh-ed25519 key `SHA256:abc`",
        "check mx turned FAIL: \\[@click=x\\]", "paused: quit", "resumed by bob at desk", "file had changed",
    )  # fmt: skip
    assert told.json["checks"][0] | {"at": ""} == {
        "at": "", "check": "mx", "state": "FAIL", "value": "[@click=x]", "detail": "",
    }  # fmt: skip


STANDINGS: list[tuple[list[ev.Event], list[str]]] = [
    ([], ["not finished", "without a pause or a close"]),
    ([ev.Paused(why="end of input")], ["not finished", "paused (end of input) and can be resumed"]),
    ([ev.RunClosed(count=1)], ["This run is finished: every step is settled"]),
    ([confirmed("a")], ["1.1a is open", "no sign of its being sent"]),
    (begun("a")[:2], ["1.1a is open", "may or may not have run"]),
    (begun("a"), ["1.1a is open", "was started on old, and no end of it is recorded", "No end of attempt"]),
]


@pytest.mark.parametrize(("events", "said"), STANDINGS)
def test_standing_is_said_plainly(events: list[ev.Event], said: list[str]) -> None:
    """An unfinished or cut-off run says so, with what is open and how far it came."""
    assert_in_order(Told(*events).md, *said)


def test_a_crash_is_told_as_it_was_found() -> None:
    """After a crash the outcome is unknown, the gap is named, and the output so far is there."""
    told = Told(*begun("a"), SEGMENT, outputs={"mail-1-1": "half\n1"})
    assert "half" in told.md
    told.add(
        ev.Resumed(operator="ada", workstation="desk", version="1"),
        ev.Lost(action="a", attempt="mail-1-1", why="its processes are gone"),
    )
    assert_in_order(told.md, "1.1a is unknown", "Gaps:", "the program ended without a word", "half")


def test_every_gap_is_named() -> None:
    """Missing records, bytes, stored text and time are all named; a whole record says that nothing is missing."""
    whole = Told(*ran("a"))
    assert "No gaps were found" in whole.md
    later = ev.Output(attempt="mail-1-1", raw_offset=10, raw_length=5, text_offset=6, text_length=5, sha256="x")
    told = Told(*begun("a"), SEGMENT, later, outputs={"mail-1-1": "short\n"})
    told.stamper.mono -= 3600
    told.add(ended("a"))
    del told.stamper.records[1 + 3]
    for gap in (
        "between records 4 and 6 records are missing", "forward, for 3,600 s", "of 11 bytes of stored text only 6",
        "bytes 0 to 9 of the output were not stored",
    ):  # fmt: skip
        assert gap in told.md
    assert len(told.json["run"]["gaps"]) == 4


HOSTILE = "```\n````sh\n</details>\n# Heading\n<script>alert(1)</script>\n> quote\n---\n- item\n~~~\n  \x1b[31m\n"


@pytest.mark.parametrize("action", [SECOND, HAND], ids=["in a list item", "in a nested item"])
def test_output_does_not_break_out(action: Action) -> None:
    """Back-quotes, headings, HTML and rules in command, output, proof or edit stay letters inside their fence."""
    quiet = Told(*ran(action.id, command="x", written="x", detail="x"), outputs={"mail-1-1": "x\n"})
    loud = Told(*ran(action.id, command=HOSTILE, written=HOSTILE, detail=HOSTILE), outputs={"mail-1-1": HOSTILE})
    shape = [(t.type, t.tag, t.level) for t in tokens(quiet.md)]
    assert [(t.type, t.tag, t.level) for t in tokens(loud.md)] == shape
    assert [content for _, content in fences(loud.md)].count(HOSTILE.replace("\x1b", "␛")) == 4
    assert "\x1b" not in loud.md


@pytest.mark.parametrize(
    "value", ["*a* _b_ `c` [d](e)", "x` <b>`` *y*", "<img src=x onerror=y>", "a\n# b\n- c", "&lt;b&gt;", "\x1b]0;x\x07"]
)
def test_written_words_are_letters(value: str) -> None:
    """What somebody typed is shown as typed: no emphasis, link, image, heading or entity comes of it."""
    told = Told(
        ev.Noted(text=value, by=value, action="a"), ev.Skipped(action="a", reason=value, by=value),
        ev.Noted(text=value, by=value), ev.Settled(what="literal", subject="domain.tld", value=value),
    )  # fmt: skip
    inline = [child for token in tokens(told.md) for child in token.children or ()]
    allowed = {"text", "code_inline", "strong_open", "strong_close", "softbreak", "text_special"}
    author = {"em_open", "em_close", "link_open", "link_close"}
    found = [t.type for t in inline if t.type not in allowed]
    assert sorted(found) == sorted(author)
    assert all(char.isprintable() or char == "\n" for char in told.md)


def test_long_output_is_cut_honestly() -> None:
    """A very long output keeps its beginning and end and says what is left out and where it is."""
    just = "".join(f"line {n}\n" for n in range(LONGEST))
    assert "left out" not in Told(*ran("a"), outputs={"mail-1-1": just}).md
    much = just + "the last one\n"
    told = Told(*ran("a"), outputs={"mail-1-1": much})
    left_out = LONGEST + 1 - HEAD - TAIL
    note = f"… {left_out:,} lines left out here, the whole is in output/mail-1-1.log"
    assert_in_order(told.md, f"line {HEAD - 1}\n", note, "the last one")
    assert f"line {HEAD}\n" not in told.md
    shown = told.json["steps"][0]["actions"][0]["attempts"][0]["output"]
    assert shown.count("\n") == HEAD + TAIL + 1


def test_withheld_output_stays_out() -> None:
    """Of an action with `.no-log` no output is shown, and that is said."""
    secret = a_runbook(an_action("a", no_log=True), text="# x\n")
    stamper = Stamper()
    stamper(opened(secret), *begun("a"), SEGMENT, ended("a"))
    md = markdown(stamper.state(secret), stamper.records, lambda _: "hunter2\n")
    assert "hunter2" not in md
    assert "withheld" in md
    assert "hunter2" not in json.dumps(json_document(stamper.state(secret), stamper.records, lambda _: "hunter2\n"))


def test_records_stay_inside_their_list_item() -> None:
    """What is put under a list item does not end the list: the author's outline stays as it was."""

    def outline(md: str) -> list[str]:
        return [t.type for t in tokens(md) if t.type in {"ordered_list_open", "bullet_list_open", "list_item_open"}]

    body = Told(*ran("a")).md.split("\n---\n")[1]
    assert outline(body) == outline(TEXT.split("---\n")[2])


def test_records_follow_a_fence_that_ended_its_item() -> None:
    """A fence at the margin has ended the item it is meant for, so what follows it is not indented into code."""
    text = "- a\n    - Deep one\n\n```sh\ntrue\n```\n\nEnd.\n"
    runbook = a_runbook(a_step(an_action("a"), line=2, end_line=6), text=text)
    stamper = Stamper()
    stamper(opened(runbook), *ran("a"))
    md = markdown(stamper.state(runbook), stamper.records, lambda _: "out\n")
    assert [t.content for t in tokens(md) if t.type == "code_block"] == []
    assert ("text", "out\n") in fences(md)


def test_json_has_the_documented_shape() -> None:
    """The JSON transcript has exactly the keys of ARCHITECTURE.md, "A run on disk"."""
    document = Told(*begun("a"), SEGMENT, ended("a"), outputs={"mail-1-1": "bye.\n"}).json
    assert set(document) == {"run", "runbook", "steps", "notes", "checks"}
    assert document["runbook"] == {"title": "Move the mail", "sha256": RUNBOOK.sha256}
    step = document["steps"][0]
    assert {k: v for k, v in step.items() if k != "actions"} == {
        "id": "s", "number": "1.1", "title": "Stop the old one", "state": "todo",
    }  # fmt: skip
    done, untouched = step["actions"]
    assert {k: v for k, v in done.items() if k != "attempts"} == {
        "id": "a", "kind": "command", "host": "old", "address": "192.0.2.10:22", "fingerprint": "SHA256:abc",
    }  # fmt: skip
    assert untouched == {
        "id": "b", "kind": "command", "host": "old", "address": "", "fingerprint": "", "attempts": [],
    }  # fmt: skip
    assert done["attempts"] == [
        {
            "id": "mail-1-1", "confirmed_at": "2026-03-01T02:00:02+00:00", "confirmed_by": "ada", "command": "true",
            "sha256": begun("a")[1].sha256, "started_at": "2026-03-01T02:00:04+00:00",  # type: ignore[attr-defined]
            "ended_at": "2026-03-01T02:00:06+00:00", "exit": 0, "signal": "", "state": "done", "reason": "",
            "output": "bye.\n", "output_bytes": 6,
        }
    ]  # fmt: skip


def test_json_output_is_clean_too() -> None:
    """Output that slipped into the store with control characters in it is cleaned on its way out."""
    document = Told(*ran("a"), outputs={"mail-1-1": "\x1b]0;x\x07\u202e\n"}).json
    assert document["steps"][0]["actions"][0]["attempts"][0]["output"] == "␛]0;x␇<U+202E>\n"


def test_json_of_a_cut_off_run() -> None:
    """An attempt without an end has no time and no status, and the run says how it stands."""
    document = Told(*begun("a")).json
    attempt = document["steps"][0]["actions"][0]["attempts"][0]
    assert (attempt["ended_at"], attempt["exit"], attempt["state"]) == (None, None, "running")
    assert document["run"]["state"] == "open"
    assert any("no end of it is recorded" in line for line in document["run"]["standing"])
