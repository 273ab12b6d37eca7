"""The ledger of numbered mails: who took each one, where it lies now, and what was lost, doubled or sent back."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from runbook_tui.core.rehearsal import MailView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from runbook_tui.demo.clock import WorldClock
    from runbook_tui.demo.host import Host

HEADER = "X-Mailrunbook-Number"
HEAD = 16384
"""Octets of a mail that are searched for its number: more than any header that the world writes."""
_NUMBER = re.compile(rf"^{HEADER}: (\d+)\r?$".encode(), re.MULTILINE)
_ADDRESS = re.compile(r"<[^<>\s]*>:?\s*")


def number_in(content: bytes) -> int | None:
    """Give the number in a mail's header; None when it has none."""
    head = re.split(rb"\r?\n\r?\n", content[:HEAD], maxsplit=1)[0]
    found = _NUMBER.search(head)
    return int(found[1]) if found else None


class Stage(StrEnum):
    """Who answers for a mail, as far as the outside world knows."""

    SENDER = "at the sender"
    PROVIDER = "at the provider"
    ACCEPTED = "accepted by"  # a server said 250: it answers for the mail
    FETCHED = "fetched by"  # fetchmail took it and had the provider delete it
    BOUNCED = "bounced"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a mail at a moment of world time, Unix seconds."""

    when: float
    stage: Stage
    text: str


@dataclass(slots=True)
class Entry:
    """A numbered mail's story; the last happening says who answers for it."""

    story: list[Happening] = field(default_factory=list)
    bounces: list[str] = field(default_factory=list)

    @property
    def last(self) -> Happening:
        """What happened last but for bounces, which may come after somebody has accepted the mail."""
        return next((one for one in reversed(self.story) if one.stage != Stage.BOUNCED), self.story[-1])


@dataclass(frozen=True, slots=True)
class Group:
    """The numbers of mails that share a reason."""

    reason: str
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return f"{' '.join(map(str, self.numbers))} ({self.reason})"


CLASSES = ("lost", "twice", "bounced", "queued")


@dataclass(frozen=True, slots=True)
class Report:
    """Every numbered mail accounted for."""

    numbered: int
    lost: tuple[Group, ...] = ()
    twice: tuple[Group, ...] = ()
    bounced: tuple[Group, ...] = ()
    queued: tuple[Group, ...] = ()

    def numbers(self, kind: str) -> set[int]:
        """Give the numbers of a class, such as `lost`."""
        groups: tuple[Group, ...] = getattr(self, kind)
        return {number for group in groups for number in group.numbers}

    @property
    def settled(self) -> bool:
        """Whether every queue is empty: before that nobody can say that nothing is lost (MIGRATION.md 6.8)."""
        return not self.queued

    @property
    def clean(self) -> bool:
        """Whether every mail arrived, and once."""
        return self.settled and not (self.lost or self.twice or self.bounced)

    @property
    def verdict(self) -> str:
        """Give a sentence for the operator."""
        if self.clean:
            return "Every mail arrived, and once."
        if not self.settled:
            return "Mail still waits in queues: whether all of it arrives cannot be said yet."
        return "Not every mail arrived as it should."

    def lines(self) -> tuple[str, ...]:
        """Give a line for each class, and then the numbers of those that are not empty, by reason."""
        counts = (f"{kind} {len(self.numbers(kind))}" for kind in CLASSES)
        groups = (f"{kind}: {group}" for kind in CLASSES for group in getattr(self, kind))
        return (f"numbered {self.numbered}", *counts, *groups)

    def as_json(self) -> dict[str, Any]:
        """Give it as what JSON can carry."""
        return {"numbered": self.numbered} | {
            kind: [[group.reason, list(group.numbers)] for group in getattr(self, kind)] for kind in CLASSES
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Report:
        """Take back what `as_json` gave."""
        groups = {
            kind: tuple(Group(reason, tuple(numbers)) for reason, numbers in values[kind]) for kind in CLASSES
        }
        return cls(values["numbered"], **groups)


Queues = dict[str, set[int]]
Stores = dict[str, dict[int, list[str]]]


class Ledger:
    """Numbers mails and finds them again.

    `queues` gives the contents of every queued mail of each host, by host name: whatever a Postfix still answers for.
    """

    def __init__(
        self, clock: WorldClock, hosts: Mapping[str, Host], queues: Callable[[], Mapping[str, Iterable[bytes]]]
    ) -> None:
        self._clock = clock
        self._hosts = hosts
        self._queues = queues
        self._entries: dict[int, Entry] = {}
        self._known: dict[str, int | None] = {}

    # ---- what happens

    def number(self, stage: Stage) -> int:
        """Give the next number to a mail that begins its way."""
        number = len(self._entries) + 1
        self._entries[number] = Entry()
        self.note(number, stage)
        return number

    def note(self, number: int, stage: Stage, text: str = "") -> None:
        """Write down what happened to a mail: the host that accepted or fetched it, or why it still waits."""
        self._entries[number].story.append(Happening(self._clock.time(), stage, text))

    def bounced(self, number: int, host: str, text: str) -> None:
        """Write down that a mail was sent back, by which host and with which words."""
        reason = f"{host}: {' '.join(_ADDRESS.sub('', text).split())}"
        self._entries[number].bounces.append(reason)
        self.note(number, Stage.BOUNCED, reason)

    def bounced_mail(self, content: bytes, host: str, text: str) -> None:
        """Write down a bounce of a mail that may have no number, as a host's Postfix sees it."""
        number = number_in(content)
        if number in self._entries:
            self.bounced(number, host, text)

    def story(self, number: int) -> tuple[Happening, ...]:
        """Give all that happened to a mail."""
        return tuple(self._entries[number].story)

    # ---- where they are

    def view(self) -> MailView:
        """Give where the mails are now: `old` and `new` by the place they lie in, the rest by who answers for it."""
        queues, stores = self._in_queues(), self._in_stores()
        on_new = stores.get("new", {}).keys() & self._entries.keys()
        on_old = (stores.get("old", {}).keys() & self._entries.keys()) - on_new
        waiting = {n for n, e in self._entries.items() if e.last.stage in (Stage.SENDER, Stage.PROVIDER)}
        under_way = waiting.union(*queues.values()) - on_new - on_old
        bounced = {n for n, e in self._entries.items() if e.bounces}
        return MailView(len(self._entries), len(on_old), len(on_new), len(under_way - bounced), len(bounced))

    def report(self, *, final: bool = True) -> Report:
        """Account for every mail. At the end (`final`) only the new host counts; before, either one does."""
        # A mail moves from queue to queue to store; looking at queues first and last sees it somewhere.
        queues, stores = self._in_queues(), self._in_stores()
        for host, numbers in self._in_queues().items():
            queues[host] = queues.get(host, set()) | numbers
        found: dict[str, dict[str, list[int]]] = {kind: defaultdict(list) for kind in CLASSES}
        for number, entry in self._entries.items():
            for kind, reason in _judge(number, entry, queues, stores, final=final):
                found[kind][reason].append(number)
        groups = {
            kind: tuple(Group(reason, tuple(numbers)) for reason, numbers in sorted(reasons.items()))
            for kind, reasons in found.items()
        }
        return Report(len(self._entries), **groups)

    def _in_queues(self) -> Queues:
        contents = self._queues()
        return {
            host: {number for content in mails if (number := number_in(content)) is not None}
            for host, mails in contents.items()
        }

    def _in_stores(self) -> Stores:
        """Find every copy that IMAP would show: numbers with the folders they lie in, by host."""
        stores: Stores = {}
        for name, host in self._hosts.items():
            copies: dict[int, list[str]] = defaultdict(list)
            for user in host.users():
                maildir = host.maildir(user)
                for folder, path in _folders(maildir) if maildir else ():
                    number = self._number_of(path)
                    if number is not None:
                        copies[number].append(f"{user}'s {folder}")
            stores[name] = copies
        return stores

    def _number_of(self, path: Path) -> int | None:
        """Read a mail's number once: its name up to the flags is unique in the world and never changes."""
        unique = path.name.partition(":")[0]
        if unique not in self._known:
            try:
                with path.open("rb") as mail:
                    self._known[unique] = number_in(mail.read(HEAD))
            except FileNotFoundError:
                return None  # renamed or deleted since the folder was listed
        return self._known[unique]


def _folders(maildir: Path) -> Iterator[tuple[str, Path]]:
    """Give each mail of a Maildir++ with its folder; a Maildir within a Maildir is no folder and not shown by IMAP."""
    tops = [("INBOX", maildir)]
    if maildir.is_dir():
        tops += [(one.name[1:], one) for one in maildir.iterdir() if one.name.startswith(".")]
    for folder, top in tops:
        for part in ("new", "cur"):
            if (top / part).is_dir():
                yield from ((folder, path) for path in (top / part).iterdir())


def _judge(number: int, entry: Entry, queues: Queues, stores: Stores, *, final: bool) -> Iterator[tuple[str, str]]:
    """Give the classes a mail belongs to, with the reason; none for one that arrived once."""
    for reason in dict.fromkeys(entry.bounces):
        yield "bounced", reason
    copies = {host: stores.get(host, {}).get(number, []) for host in ("new", "old")}
    home = "old" if not final and not copies["new"] else "new"
    if len(copies[home]) > 1:
        yield "twice", f"on {home}: {', '.join(sorted(copies[home]))}"
    if copies[home] or entry.bounces:
        return
    holder = next((host for host, numbers in queues.items() if number in numbers), None)
    last = entry.last
    if holder is not None:
        yield "queued", f"in the queue of {holder}"
    elif last.stage == Stage.SENDER:
        yield "queued", f"{last.stage}: {last.text}" if last.text else f"{last.stage}"
    elif copies["old"]:
        yield "lost", "only on old"
    elif last.stage == Stage.PROVIDER:
        yield "queued", f"{last.stage}"
    else:
        yield "lost", f"{last.stage} {last.text}, then nowhere"
