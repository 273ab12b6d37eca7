"""Check `queue`: listings as Postfix prints them, and what is made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.listing import MOST_GROUPS, QUEUES, JsonListing, Listing, PlainListing
from runbook_tui.checks.queue import ABOUT, HELD, LIST_JSON, Look, QueueProbe, judge, look_of
from runbook_tui.checks.reasons import alike, is_softened, kind_of
from runbook_tui.ports import CheckState, Reading
from tests.checks.onhosts import answer, commands, heard, sight_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
ARRIVED = int(NOW.timestamp()) - 300
NO_FILES = dict.fromkeys(QUEUES, 0)

FIXTURE = (
    '{"queue_name": "deferred", "queue_id": "EA649282951", "arrival_time": 1795435271, "message_size": 397, '
    '"forced_expire": false, "sender": "sender@remote.test", '
    '"recipients": [{"address": "nosuch@example.test", "delay_reason": "..."}]}'
)
PLAIN = """\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
4WTZ3s0mzz9*     397 Mon Nov 23 17:55:00  sender@remote.test
                                         alice@example.test

EA649282951      397 Mon Nov 23 17:15:00  MAILER-DAEMON
       (connect to old.example.test[10.77.0.1]:25: Connection refused)
                                         nosuch@example.test
                                         bob@example.test

EA649282952!    1397 Thu Dec 31 23:59:59  sender@remote.test
                                         bob@example.test

-- 2 Kbytes in 3 Requests.
"""


def entry(reason: str = "", queue: str = "deferred", arrived: int = ARRIVED, **more: object) -> str:
    """Give a line of `postqueue -j`."""
    recipient = {"address": "bob@example.test", **({"delay_reason": reason} if reason else {})}
    known = {"queue_name": queue, "queue_id": "EA649282951", "arrival_time": arrived, "message_size": 397}
    return json.dumps({**known, "sender": "MAILER-DAEMON", "recipients": [recipient], **more})


def listed(*lines: str) -> JsonListing:
    """Read a listing."""
    listing = JsonListing()
    for line in lines:
        listing.line(line)
    return listing


def plain(text: str) -> PlainListing:
    """Read what `postqueue -p` printed."""
    listing = PlainListing(NOW)
    for line in text.splitlines():
        listing.line(line)
    return listing


def judged(listing: Listing, expected: object = 0, **changes: object) -> Reading:
    """Judge a look with this listing of a Postfix that runs, asked as root."""
    return judge(replace(Look(listing, 0), **changes), expected, {}, NOW)  # type: ignore[arg-type]


class TestListings:
    """What is read from a listing."""

    def test_a_mail_of_postfix_3_7(self) -> None:
        """Queue, arrival and reason are read."""
        listing = listed(FIXTURE)
        assert (listing.mails, listing.strange) == (1, "")
        assert listing.queues["deferred"].oldest == 1795435271
        assert [group.sample for group in listing.groups.values()] == ["..."]

    def test_members_of_later_versions_are_left_alone(self) -> None:
        """Postfix 3.11 adds bounce_reason and orig_address; a recipient may lack its reason."""
        listing = listed(entry(bounce_reason="x", recipients=[{"address": "a", "orig_address": "b"}, 7]))
        assert (listing.mails, listing.groups, listing.strange) == (1, {}, "")

    @pytest.mark.parametrize("line", [
        "Mail queue is empty", FIXTURE[:-1], "[]", "null", '{"queue_name": "deferred"}', "[" * 50_000,
        '{"queue_name": "deferred", "arrival_time": 1e400}', '{"queue_name": "x", "arrival_time": 1}',
        '{"queue_name": "deferred", "arrival_time": "1"}', '{"queue_name": "deferred", "arrival_time": -1}',
        f'{{"queue_name": "deferred", "arrival_time": {"9" * 400}}}',
    ])  # fmt: skip
    def test_a_line_that_is_not_understood_is_never_green(self, line: str) -> None:
        """It is UNKNOWN and says what it saw."""
        reading = judged(listed(line))
        assert reading.state is CheckState.UNKNOWN
        assert line[:200] in reading.error

    def test_a_mail_with_thousands_of_recipients_counts(self) -> None:
        """Its line is longer than what is kept of one, and its reasons are read as far as they came."""
        recipients = [{"address": f"u{n}@example.test", "delay_reason": "User unknown"} for n in range(5000)]
        taken = JsonListing()
        heard(answer({"list": (entry(recipients=recipients).encode(), 0)}), {"list": taken.line})
        assert (taken.mails, taken.strange) == (1, "")
        assert taken.groups["User unknown"].waiting.mails == 1

    def test_a_listing_of_old_postfix(self) -> None:
        """Marks, times without a year, and the count at the end are read."""
        listing = plain(PLAIN)
        assert {queue: waiting.mails for queue, waiting in listing.queues.items()} == {
            "active": 1, "deferred": 1, "hold": 1,
        }  # fmt: skip
        assert listing.queues["deferred"].oldest == datetime(2026, 11, 23, 17, 15, tzinfo=UTC).timestamp()
        assert listing.queues["hold"].oldest == datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
        assert [*listing.groups] == ["connect to HOST: Connection refused"]
        assert (listing.ended, listing.strange) == (True, "")

    def test_an_empty_listing_of_old_postfix(self) -> None:
        """It says so in words; nothing at all is not empty."""
        assert judged(plain("Mail queue is empty\n")).state is CheckState.PASS
        assert judged(plain("")).state is CheckState.UNKNOWN

    def test_a_listing_of_old_postfix_cut_anywhere_is_never_green(self) -> None:
        """The count at its end must be there, and agree, whatever number of mails is allowed."""
        for length in range(len(PLAIN) - 2):
            assert judged(plain(PLAIN[:length]), 9).state is CheckState.UNKNOWN

    @pytest.mark.parametrize("text", [
        PLAIN.replace("3 Requests", "4 Requests"), PLAIN + PLAIN, PLAIN.replace("Nov 23 17:55", "Nov 31 17:55"),
        "-- 0 Kbytes in 0 Requests.\n" + PLAIN, "Mail queue is empty\n" + PLAIN, "postqueue: what\n",
    ])  # fmt: skip
    def test_a_listing_that_contradicts_itself_is_never_green(self, text: str) -> None:
        """It is UNKNOWN."""
        assert judged(plain(text), 9).state is CheckState.UNKNOWN

    def test_a_recipient_that_looks_like_the_end_is_none(self) -> None:
        """What is indented comes from outside and ends nothing."""
        text = PLAIN.replace("bob@example.test", "-- 0 Kbytes in 0 Requests.")
        assert plain(text).mails == 3

    def test_ten_thousand_reasons_are_bounded(self) -> None:
        """All mails are counted, in few groups."""
        listing = listed(*(entry(f"reason {'x' * number}") for number in range(1000)))
        assert listing.mails == 1000
        assert len(listing.groups) == MOST_GROUPS + 1
        assert sum(group.waiting.mails for group in listing.groups.values()) == 1000


class TestReasons:
    """Reasons that are alike, and what they mean."""

    @pytest.mark.parametrize(("one", "other"), [
        ("connect to old.example.test[10.77.0.1]:25: Connection refused",
         "connect to mx.other.test[2001:db8::1]:25: Connection refused"),
        ("host a.test[10.0.0.1] said: 454 4.7.1 <bob@x.test>: Relay access denied (in reply to RCPT TO command)",
         "host b.test[10.0.0.2] said: 454 4.7.1 <ann@y.test>: Relay access denied (in reply to RCPT TO command)"),
        ("maildir delivery failed: create maildir file /home/a/Maildir/tmp/1795435271.P33.new: Permission denied",
         "maildir delivery failed: create maildir file /home/a/Maildir/tmp/1795435299.P7.new: Permission denied"),
        ("451 4.3.0 queue file EA649282951 gone", "451 4.3.0 queue file 0B649282977 gone"),
        ("Greylisted, see http://postgrey.schweikert.ch/help/a.test.html: wait 300 seconds",
         "Greylisted, see http://postgrey.schweikert.ch/help/b.test.html: wait 299 seconds"),
    ])  # fmt: skip
    def test_what_differs_from_mail_to_mail_is_left_out(self, one: str, other: str) -> None:
        """Both are one group."""
        assert alike(one) == alike(other)

    def test_what_matters_stays(self) -> None:
        """Codes and words tell reasons apart."""
        assert alike("host a.test[10.0.0.1] said: 550 5.1.1 <a@b.test>: User unknown") == (
            "host HOST said: 550 5.1.1 <…>: User unknown"
        )

    @pytest.mark.parametrize(("reason", "state"), [
        ("host x.test[10.0.0.1] said: 554 5.4.0 Error: too many hops (in reply to end of DATA command)", "FAIL"),
        ("mail for example.test loops back to myself", "FAIL"),
        ("host x.test[10.0.0.1] said: 454 4.7.1 <a@b.test>: Relay access denied", "FAIL"),
        ('unknown user: "nosuch"', "FAIL"),
        ("maildir delivery failed: create maildir file /home/a/Maildir/tmp/1: Permission denied", "FAIL"),
        ("cannot update mailbox /var/mail/a for user a. error writing message: No space left on device", "FAIL"),
        ("host x.test[10.0.0.1] said: 450 4.2.0 <a@b.test>: Recipient address rejected: Greylisted", "PENDING"),
        ("connect to old.example.test[10.77.0.1]:25: Connection refused", "PENDING"),
        ("Host or domain name not found. Name service error for name=x.test type=MX: Host not found", "WARN"),
        ("something new", "PENDING"),
    ])  # fmt: skip
    def test_what_they_mean(self, reason: str, state: str) -> None:
        """A reason that no waiting heals fails the check; each known one says what to do."""
        assert kind_of(reason).state == state
        assert bool(kind_of(reason).hint) == (reason != "something new")
        assert judged(listed(entry(reason))).state == state

    @pytest.mark.parametrize("reason", [
        "dsn=4.2.0, status=SOFTBOUNCE (maildir delivery failed: create maildir file x: Permission denied)",
        'unknown user: "nosuch"', "host a.test[10.0.0.1] said: 554 5.7.1 <a@b.test>: Relay access denied",
    ])  # fmt: skip
    def test_what_would_have_bounced_is_counted(self, reason: str) -> None:
        """soft_bounce keeps mail that was refused for good."""
        assert is_softened(reason)
        assert "SOFTBOUNCE: 1 would" in judged(listed(entry(reason)), soft_bounce=True).detail
        assert not is_softened("connect to old.example.test[10.77.0.1]:25: Connection refused")


class TestJudge:
    """What a look means."""

    def test_an_empty_queue_is_green(self) -> None:
        """Nothing listed, status 0, Postfix runs."""
        assert judged(listed(), files=NO_FILES) == Reading(CheckState.PASS, "empty", level=0.0)

    def test_mail_that_waits_is_pending(self) -> None:
        """It says how many, where and why."""
        reading = judged(listed(entry("connect to a.test[10.0.0.1]:25: Connection refused"), entry(queue="active")))
        assert reading.state is CheckState.PENDING
        assert reading.value == (
            "2 waiting (1 active, 1 deferred) · connect to a.test[10.0.0.1]:25: Connection refused (1)"
        )
        assert reading.level == 2
        assert [row.cells[:3] for row in reading.rows] == [
            ("active", "1", "5 min"), ("deferred", "1", "5 min"),
            ("connect to HOST: Connection refused", "1", "5 min"),
        ]  # fmt: skip

    def test_as_many_as_are_allowed_are_green(self) -> None:
        """`max` is an allowance, one more is not."""
        assert judged(listed(entry(), entry()), 2).state is CheckState.PASS
        assert judged(listed(entry(), entry(), entry()), 2).state is CheckState.PENDING

    def test_held_on_purpose(self) -> None:
        """In the freeze mail waits on purpose, however long, in deferred or hold; broken delivery is still told."""
        old = int(NOW.timestamp()) - 7200
        refused = "connect to old.test[10.0.0.1]:25: Connection refused"
        reading = judged(listed(entry(refused, arrived=old), entry(queue="hold")), HELD)
        assert reading.state is CheckState.PENDING
        assert reading.value.startswith("held on purpose: 2 (1 deferred, 1 hold)")
        assert judged(listed(), HELD).state is CheckState.PASS
        assert judged(listed(entry("No space left on device")), HELD).state is CheckState.FAIL

    def test_an_expectation_that_is_none(self) -> None:
        """A slip in the runbook is UNKNOWN with a sentence."""
        assert judged(listed(), "hold") == Reading(
            CheckState.UNKNOWN, "hold is neither a number of mails nor held"
        )

    def test_old_mail_warns_and_then_fails(self) -> None:
        """More than an hour is a warning, 80 % of maximal_queue_lifetime is the end; hold does not count."""
        def aged(seconds: int, queue: str = "deferred") -> CheckState:
            return judged(listed(entry(queue=queue, arrived=int(NOW.timestamp()) - seconds)), lifetime=86400.0).state

        assert [aged(3500), aged(3700), aged(69_000), aged(69_200)] == ["PENDING", "WARN", "WARN", "FAIL"]
        assert aged(69_200, "hold") is CheckState.WARN

    def test_hold_and_corrupt_warn(self) -> None:
        """What never leaves by itself does, and corrupt is in no listing."""
        assert judged(listed(entry(queue="hold")), 5).state is CheckState.WARN
        assert judged(listed(), 5, files={**NO_FILES, "corrupt": 1}).state is CheckState.WARN

    def test_a_maildrop_that_grows_warns(self) -> None:
        """Nobody picks it up."""
        look = Look(listed(), 0, files={**NO_FILES, "maildrop": 3})
        assert judge(look, 9, {"maildrop": 2}, NOW).state is CheckState.WARN
        assert judge(look, 9, {"maildrop": 3}, NOW).state is CheckState.PASS

    def test_files_that_are_not_listed_count(self) -> None:
        """A listing may miss mails (postqueue(1)); what is on disk waits too."""
        assert judged(listed(), files={**NO_FILES, "incoming": 1}).state is CheckState.PENDING

    def test_a_postfix_that_is_down_is_never_taken_for_an_empty_one(self) -> None:
        """Without root nothing was looked at; with root the files must say it too."""
        down = "postqueue: warning: Mail system is down -- accessing queue directly"
        assert judged(listed(), exit=69, root=False, down=True, said=down).state is CheckState.UNKNOWN
        assert judged(listed(), root=True, down=True).state is CheckState.UNKNOWN
        assert judged(listed(), root=True, down=True, files=NO_FILES).value == "empty, Postfix is down"
        waiting = judged(listed(), root=True, down=True, files={**NO_FILES, "maildrop": 1})
        assert waiting.state is CheckState.PENDING

    @pytest.mark.parametrize("expected", [0, 5, HELD])
    def test_a_postfix_that_is_down_is_said_beside_what_waits(self, expected: object) -> None:
        """Mail that waits in a Postfix that is down waits for nobody: the value says so, whatever is expected."""
        look = {"root": True, "down": True, "files": {**NO_FILES, "deferred": 1}}
        assert "1 deferred" in judged(listed(entry()), expected, **look).value
        assert ", Postfix is down" in judged(listed(entry()), expected, **look).value
        assert "down" not in judged(listed(entry()), expected).value

    @pytest.mark.parametrize("status", [1, 69, 127, None])
    def test_a_status_other_than_zero_is_never_green(self, status: int | None) -> None:
        """It is UNKNOWN, whatever was listed."""
        assert judged(listed(), exit=status).state is CheckState.UNKNOWN

    def test_an_answer_cut_anywhere_is_never_green(self) -> None:
        """The probe takes only what arrived to its end; what arrived wholly is judged."""
        about = b"0\nqueue_directory = /var/spool/postfix\nmaximal_queue_lifetime = 5\nsoft_bounce = yes\nfiles hold 2"
        data = answer({"list": (entry("x").encode() + b"\n\n-said-\n\n", 0), "about": (about, 0)})
        for length in range(len(data) + 1):
            listing = JsonListing()
            taken = heard(data[:length], {"list": lambda line, to=listing: line == "-said-" or to.line(line)})  # type: ignore[misc]
            if taken.whole:
                look = look_of(listing, taken.parts, "")
                assert (look.root, look.lifetime, look.soft_bounce, look.files) == (True, 432000.0, True, {"hold": 2})
                assert judge(look, 9, {}, NOW).state is CheckState.WARN
                assert length == len(data)
                return
        pytest.fail("it never was whole")

    def test_hostile_text_is_kept_short(self) -> None:
        """A reason of any length and content is a state and a sentence."""
        reading = judged(listed(entry("\x1b]0;x\x07[/red]" + "A" * 50_000)))
        assert reading.state is CheckState.PENDING
        assert all(len(cell) < 500 for row in reading.rows for cell in row.cells)
        assert len(reading.value) < 400


OLD_POSTQUEUE = """case $1 in
-j) echo "postqueue: invalid option -- 'j'" >&2; echo "postqueue: fatal: usage: postqueue -f | -p" >&2; exit 69;;
-p) [ "$TZ" = UTC0 ] && cat "$LISTING";;
esac"""


class TestProbe:
    """The probe and its script, in the machine's own shell."""

    async def test_old_postfix_is_asked_in_its_own_way(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without -j the plain listing is read, at the first look and after it."""
        (tmp_path / "listing").write_text(PLAIN)
        monkeypatch.setenv("LISTING", str(tmp_path / "listing"))
        commands(monkeypatch, tmp_path / "bin", postqueue=OLD_POSTQUEUE, postconf="exit 1")
        probe, sight = QueueProbe("old", 5), sight_of("old")
        sight.at = NOW
        for _ in range(2):
            reading = await probe.read(sight)
            assert reading.value.startswith("3 waiting (1 active, 1 deferred, 1 hold), 5 allowed")
            assert reading.state is CheckState.WARN

    async def test_files_are_counted_in_all_queues(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Folders within folders too; a queue that is not there is not counted."""
        for name in QUEUES[:5]:
            (tmp_path / "spool" / name / "A").mkdir(parents=True)
        for name in ("deferred/A/A1", "deferred/A2", "hold/B1"):
            (tmp_path / "spool" / name).touch()
        commands(monkeypatch, tmp_path / "bin", postqueue="true", postconf=(
            f'[ "$1" = -h ] && echo {tmp_path}/spool || echo "queue_directory = {tmp_path}/spool"'
        ))  # fmt: skip
        probe = QueueProbe("old")
        reading = await probe.read(sight_of("old"))
        assert reading.value.startswith("3 waiting (2 deferred, 1 hold)")
        assert "corrupt" not in probe._before or probe._before["corrupt"] == 0

    async def test_the_phase_says_what_is_expected(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """`phases:` replaces the number of mails."""
        commands(monkeypatch, tmp_path / "bin", postqueue=f"echo '{entry()}'", postconf="exit 1")
        probe, sight = QueueProbe("new", phases={"downtime": HELD, "after": 3}), sight_of("new")
        sight.at = NOW
        told = []
        for phase in ("", "downtime", "after"):
            sight.phase = phase
            told.append((await probe.read(sight)).value.partition(" (")[0])
        assert told == ["1 waiting", "held on purpose: 1", "1 waiting"]

    async def test_ten_thousand_mails(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """They are counted to the last, well within the time of a check."""
        reason = "connect to old.example.test[10.77.0.1]:25: Connection refused"
        (tmp_path / "listing").write_text("".join(f"{entry(reason)}\n" for _ in range(10_000)))
        commands(monkeypatch, tmp_path / "bin", postqueue=f"cat {tmp_path}/listing", postconf="exit 1")
        sight = sight_of("old")
        sight.at = NOW
        reading = await QueueProbe("old").read(sight)
        assert reading.level == 10_000
        assert [row.cells[1] for row in reading.rows] == ["10000", "10000"]

    async def test_no_postfix_at_all(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A host without postqueue says so."""
        commands(monkeypatch, tmp_path / "bin", postqueue="exit 127", postconf="exit 127")
        reading = await QueueProbe("old").read(sight_of("old"))
        assert (reading.state, reading.value) == (CheckState.UNKNOWN, "there is no postqueue")

    def test_nothing_that_is_sent_changes_anything(self) -> None:
        """The scripts list and count."""
        assert not {"rm", "mv", "kill", ">"} & {*LIST_JSON.split(), *ABOUT.split()}
