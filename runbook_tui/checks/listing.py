"""A listing of Postfix's queue, line by line as it comes: how many wait in each queue, since when, and why."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from runbook_tui.checks.reasons import alike, is_softened

if TYPE_CHECKING:
    from collections.abc import Iterable

QUEUES = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")
"""All queues that hold mail."""

LISTED = frozenset(QUEUES) - {"corrupt"}
"""Those that a listing shows (showq(8)); the other may be missing on disk until it is needed."""

MOST_GROUPS = 200
"""Different reasons that are told apart."""
OTHERS = "other reasons"
LONGEST_SAMPLE = 200
"""Characters of a reason that are shown."""

LATEST = 32_503_680_000
"""Seconds since 1970 of the year 3000: what is later was not understood."""

_CUT_ENTRY = re.compile(r'\{"queue_name": "(\w{1,20})", .{0,99}?"arrival_time": (\d{1,12}),')
_CUT_REASON = re.compile(r'"delay_reason": ("(?:[^"\\]|\\.)*")')
_ENTRY = re.compile(
    r"[0-9A-Za-z]{6,40}([*!#]{0,2})\s+\d+\s+([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?:\s.*)?"
)
_SUMMARY = re.compile(r"-- \d+ [A-Z]?[a-z]+ in (\d+) Requests?\.")
_MARKS = {"*": "active", "!": "hold"}


@dataclass(slots=True)
class Waiting:
    """Mails that wait: how many, and when the oldest arrived (seconds since 1970)."""

    mails: int = 0
    oldest: float | None = None

    def add(self, arrived: float) -> None:
        """Count one."""
        self.mails += 1
        self.oldest = arrived if self.oldest is None else min(self.oldest, arrived)


@dataclass(slots=True)
class Group:
    """The mails that wait for reasons that are alike. `sample` is one of them as it was said."""

    sample: str
    waiting: Waiting = field(default_factory=Waiting)


@dataclass(slots=True)
class Listing:
    """What a listing said. `strange` is the first line not understood; `ended` is False while more must come."""

    queues: dict[str, Waiting] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    softened: int = 0
    strange: str = ""
    ended: bool = True

    @property
    def mails(self) -> int:
        """How many mails it lists."""
        return sum(waiting.mails for waiting in self.queues.values())

    def add(self, queue: str, arrived: float, reasons: Iterable[str]) -> None:
        """Count a mail. It counts once for each kind of reason its recipients have."""
        self.queues.setdefault(queue, Waiting()).add(arrived)
        softened = False
        for told, reason in {alike(reason): reason for reason in reasons if reason}.items():
            softened = softened or is_softened(reason)
            name = told if told in self.groups or len(self.groups) < MOST_GROUPS else OTHERS
            self.groups.setdefault(name, Group(reason[:LONGEST_SAMPLE])).waiting.add(arrived)
        self.softened += softened

    def not_understood(self, line: str) -> None:
        """Remember the first strange line."""
        self.strange = self.strange or line[:200] or "an empty line"


class JsonListing(Listing):
    """`postqueue -j`: an object a line (postqueue(1)). Members it does not know are left alone."""

    def line(self, line: str) -> None:
        """Take a line."""
        if not line.strip():
            return
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            self._begun(line)
            return
        match entry:
            case {"queue_name": str(queue), "arrival_time": int(arrived), **others} if (
                queue in QUEUES and 0 <= arrived < LATEST
            ):
                self.add(queue, arrived, _reasons(others.get("recipients")))
            case _:
                self.not_understood(line)

    def _begun(self, line: str) -> None:
        """Take a mail with so many recipients that its line was not kept to the end."""
        found = _CUT_ENTRY.match(line)
        if found is None or len(line) < 60_000 or found[1] not in QUEUES:
            self.not_understood(line)
            return
        self.add(found[1], int(found[2]), (str(json.loads(text, strict=False)) for text in _cut_reasons(line)))


def _cut_reasons(line: str) -> Iterable[str]:
    for found in _CUT_REASON.finditer(line):
        try:
            json.loads(found[1], strict=False)
        except ValueError:
            continue
        yield found[1]


def _reasons(recipients: object) -> Iterable[str]:
    if not isinstance(recipients, list):
        return
    for recipient in cast("list[object]", recipients):
        match recipient:
            case {"delay_reason": str(reason)}:
                yield reason


class PlainListing(Listing):
    """`postqueue -p`, with TZ=UTC0: for a Postfix before 3.1, which has no -j.

    It does not tell deferred mail from what has just come in, and ends with a line that counts, which must agree.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__(ended=False)
        self._now = now
        self._queue = ""
        self._arrived = 0.0
        self._reasons: list[str] = []
        self._reason = ""

    def line(self, line: str) -> None:
        """Take a line."""
        if not line.strip():
            self._end_entry()
        elif line.startswith("-Queue ID-"):
            return
        elif line.startswith("Mail queue is empty"):
            self._end(0)
        elif found := _SUMMARY.fullmatch(line):
            self._end(int(found[1]))
        elif line[0].isspace():
            self._within(line.strip())
        elif found := _ENTRY.fullmatch(line):
            self._begin(found[1], found[2], line)
        else:
            self.not_understood(line)

    def _begin(self, marks: str, stamp: str, line: str) -> None:
        self._end_entry()
        arrived = self._time(stamp)
        if arrived is None or self.ended:
            self.not_understood(line)
            return
        self._queue = next((_MARKS[mark] for mark in marks if mark in _MARKS), "deferred")
        self._arrived = arrived

    def _within(self, text: str) -> None:
        if self._reason or text.startswith("("):
            self._reason = f"{self._reason} {text}"[:1000]
            if text.endswith(")"):
                self._reasons = [*self._reasons, self._reason.strip()[1:-1]][-100:]
                self._reason = ""

    def _time(self, stamp: str) -> float | None:
        """Give when it arrived: the year is not said, so it is the last one in which that was not to come."""
        for year in (self._now.year + 1, self._now.year, self._now.year - 1):
            try:
                found = datetime.strptime(f"{year} {stamp[4:]}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
            except ValueError:
                continue
            if found <= self._now + timedelta(days=1):
                return found.timestamp()
        return None

    def _end_entry(self) -> None:
        if self._queue:
            self.add(self._queue, self._arrived, [*self._reasons, self._reason])
        self._queue, self._reasons, self._reason = "", [], ""

    def _end(self, mails: int) -> None:
        self._end_entry()
        self.ended = True
        if mails != self.mails:
            self.not_understood(f"{mails} mails announced, {self.mails} listed")
