"""The ledger: every numbered mail in its class, by number and with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.host import DEBIAN, FREEBSD, Host, Tier
from runbook_tui.demo.imap.delivery import deliver
from runbook_tui.demo.ledger import HEADER, Ledger, Report, Stage, number_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def mail(number: int | None) -> bytes:
    """Write a mail with this number, or without one."""
    header = f"{HEADER}: {number}\r\n" if number else ""
    return f"From: a@outside.test\r\n{header}\r\n{HEADER}: 999\r\nbody\r\n".encode()


class Bench:
    """Two hosts with a user each, queues as plain lists, and the ledger over them."""

    def __init__(self, folder: Path) -> None:
        self.clock = WorldClock.start(60)
        self.hosts = {
            name: Host(
                name, "example.test", address="127.0.0.1", layout=layout, root=folder / name, tier=Tier.PLAIN,
                clock=self.clock,
            )
            for name, layout in (("old", FREEBSD), ("new", DEBIAN))
        }  # fmt: skip
        for host in self.hosts.values():
            host.path("/etc").mkdir(parents=True)
            host.path("/etc/passwd").write_text("plop:x:1001:1001::/home/plop:/bin/sh\n", encoding="ascii")
        self.queued: dict[str, list[bytes]] = {"old": [], "new": []}
        self.ledger = Ledger(self.clock, self.hosts, self.queues)

    def queues(self) -> Mapping[str, list[bytes]]:
        """Give what the hosts' queues hold."""
        return self.queued

    def accepted(self, host: str = "old") -> int:
        """Let a mail be numbered and taken by a host."""
        number = self.ledger.number(Stage.SENDER)
        self.ledger.note(number, Stage.ACCEPTED, host)
        return number

    def arrive(self, number: int, host: str, folder: str = "", letters: str = "") -> Path:
        """Put a mail into plop's Maildir."""
        maildir = self.hosts[host].maildir("plop")
        assert maildir is not None
        return deliver(maildir / folder, mail(number), hostname=host, letters=letters)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A ledger with two hosts."""
    return Bench(tmp_path)


def test_a_number_is_read_from_the_header_alone() -> None:
    """A number in the body is no number, whatever the line ends are."""
    assert number_in(mail(7)) == 7
    assert number_in(mail(7).replace(b"\r\n", b"\n")) == 7
    assert number_in(mail(None)) is None


def test_all_arrived_once_is_clean(bench: Bench) -> None:
    """Mails in any folder of new, seen or not, count as arrived; copies left on old do not matter."""
    for folder, letters in (("", ""), ("", "S"), (".spam", ""), (".Entw&APw-rfe", "D")):
        number = bench.accepted()
        bench.arrive(number, "new", folder, letters)
        bench.arrive(number, "old")
    report = bench.ledger.report()
    assert report.lines() == ("numbered 4", "lost 0", "twice 0", "bounced 0", "queued 0")
    assert report.clean
    assert report.verdict == "Every mail arrived, and once."


def test_each_class_names_its_mails_by_reason(bench: Bench) -> None:
    """Lost, twice, bounced and queued are told apart, with where and why."""
    only_old, nowhere, twice, bounced, also_bounced, queued = (bench.accepted("new") for _ in range(6))
    waiting = bench.ledger.number(Stage.SENDER)
    bench.ledger.note(waiting, Stage.SENDER, "connection refused")
    kept = bench.ledger.number(Stage.PROVIDER)
    bench.arrive(only_old, "old")
    bench.arrive(twice, "new")
    bench.arrive(twice, "new", ".spam")
    for number in (bounced, also_bounced):
        bench.ledger.bounced(number, "new", f"554 5.7.1 <u{number}@example.test>: Relay access denied")
    bench.queued["old"].append(mail(queued))
    report = bench.ledger.report()
    assert report.lines() == (
        "numbered 8", "lost 2", "twice 1", "bounced 2", "queued 3",
        f"lost: {nowhere} (accepted by new, then nowhere)",
        f"lost: {only_old} (only on old)",
        f"twice: {twice} (on new: plop's INBOX, plop's spam)",
        f"bounced: {bounced} {also_bounced} (new: 554 5.7.1 Relay access denied)",
        f"queued: {kept} (at the provider)",
        f"queued: {waiting} (at the sender: connection refused)",
        f"queued: {queued} (in the queue of old)",
    )  # fmt: skip
    assert not report.clean
    assert Report.from_json(json.loads(json.dumps(report.as_json()))) == report


def test_nothing_lost_is_not_said_while_a_queue_holds_mail(bench: Bench) -> None:
    """With one mail on its way the verdict is open, and the report not clean."""
    bench.queued["new"].append(mail(bench.accepted("new")))
    report = bench.ledger.report()
    assert not report.lost
    assert not report.clean
    assert report.verdict == "Mail still waits in queues: whether all of it arrives cannot be said yet."


def test_before_the_end_mail_on_old_has_arrived(bench: Bench) -> None:
    """In the middle of the migration old is a good place to be; two copies there are two all the same."""
    one, two = bench.accepted(), bench.accepted()
    bench.arrive(one, "old")
    bench.arrive(two, "old")
    assert bench.ledger.report(final=False).clean
    bench.arrive(two, "old")
    assert bench.ledger.report(final=False).numbers("twice") == {two}
    assert bench.ledger.report().numbers("lost") == {one, two}


def test_a_maildir_within_a_maildir_is_no_place_for_mail(bench: Bench) -> None:
    """The copy that a wrong slash in rsync makes is not seen by IMAP, nor by the ledger."""
    number = bench.accepted()
    bench.arrive(number, "new", "Maildir")
    assert bench.ledger.report().numbers("lost") == {number}


def test_flags_and_folders_may_change_between_two_looks(bench: Bench) -> None:
    """A mail that is read and moved is still one mail; a deleted one is lost."""
    number = bench.accepted()
    path = bench.arrive(number, "new")
    assert bench.ledger.report().clean
    moved = path.parent.parent / "cur" / f"{path.name}:2,S"
    path.rename(moved)
    assert bench.ledger.report().clean
    moved.unlink()
    assert bench.ledger.report().numbers("lost") == {number}


def test_a_bounce_counts_even_when_the_mail_arrived(bench: Bench) -> None:
    """The sender was told that it failed: both is said."""
    number = bench.accepted()
    bench.arrive(number, "new")
    bench.ledger.bounced_mail(mail(number), "old", "5.4.6 too many hops")
    bench.ledger.bounced_mail(mail(None), "old", "5.1.1 unknown")
    lines = bench.ledger.report().lines()
    assert lines[3:] == ("bounced 1", "queued 0", f"bounced: {number} (old: 5.4.6 too many hops)")


def test_the_view_tells_where_mails_are_now(bench: Bench) -> None:
    """Mails are counted by the host they lie on, on the way, or bounced; and each has a story."""
    on_old, on_new, queued, bounced = (bench.accepted() for _ in range(4))
    bench.ledger.number(Stage.PROVIDER)
    bench.arrive(on_old, "old")
    bench.arrive(on_new, "old")
    bench.arrive(on_new, "new")
    bench.queued["new"].append(mail(queued))
    bench.ledger.bounced(bounced, "old", "550 no")
    view = bench.ledger.view()
    assert (view.numbered, view.old, view.new, view.under_way, view.bounced) == (5, 1, 1, 2, 1)
    assert [one.stage for one in bench.ledger.story(bounced)] == [Stage.SENDER, Stage.ACCEPTED, Stage.BOUNCED]
