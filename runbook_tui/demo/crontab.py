"""A user's crontab: its lines, what cron refuses in them, and when they are due."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields of crontab(5): its values, and names for them from the smallest on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> frozenset[int] | None:
        """Give what `*`, lists, ranges, steps and names stand for; None for what is none of them."""
        values: set[int] = set()
        for part in text.split(","):
            span, slash, step = part.partition("/")
            first, dash, last = span.partition("-")
            begin = self.low if span == "*" else self._value(first)
            end = self.high if span == "*" or (slash and not dash) else self._value(last if dash else first)
            if begin is None or end is None or begin > end or (slash and not (step.isdecimal() and int(step))):
                return None
            values.update(range(begin, end + 1, int(step) if slash else 1))
        return frozenset(values)

    def _value(self, word: str) -> int | None:
        if word.lower() in self.names:
            return self.low + self.names.index(word.lower())
        return int(word) if word.isdecimal() and self.low <= int(word) <= self.high else None


FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day-of-month", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("day-of-week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_SETTING = re.compile(r"""\s*["']?[A-Za-z_]\w*["']?\s*=""")


class CrontabError(Exception):
    """A line that cron does not take; the text is crontab(1)'s, without the file's name."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"{line}: bad {what}")


@dataclass(frozen=True, slots=True)
class Job:
    """A command and when it is due; with `either_day` one of the two day fields is enough (crontab(5))."""

    line: str
    command: str
    fields: tuple[frozenset[int], ...]
    either_day: bool

    def due(self, minute: datetime) -> bool:
        """Say whether it is due in this minute."""
        minutes, hours, days, months, weekdays = self.fields
        if minute.minute not in minutes or minute.hour not in hours or minute.month not in months:
            return False
        in_month, in_week = minute.day in days, minute.isoweekday() % 7 in weekdays
        return in_month or in_week if self.either_day else in_month and in_week


def parse(text: str) -> tuple[Job, ...]:
    """Read a crontab; comments, settings and `@reboot` give no job.

    Raises:
        CrontabError: at the first line that is none.
    """
    jobs = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#") or _SETTING.match(words):
            continue
        job = _job(number, words)
        if job is not None:
            jobs.append(job)
    return tuple(jobs)


def _job(number: int, line: str) -> Job | None:
    if line.startswith("@"):
        nickname, _, command = line.partition(" ")
        if nickname != "@reboot" and nickname not in NICKNAMES:
            raise CrontabError(number, "time specifier")
        times = NICKNAMES.get(nickname, "").split()
    else:
        *times, command = (*line.split(None, 5), *[""] * 6)[:6]
    fields = []
    for time, field in zip(times, FIELDS, strict=False):
        values = field.values(time)
        if values is None:
            raise CrontabError(number, field.name)
        fields.append(values)
    if not command.strip():
        raise CrontabError(number, "command")
    if not fields:
        return None  # @reboot
    fields[4] = frozenset(day % 7 for day in fields[4])
    return Job(line, command, tuple(fields), not (times[2].startswith("*") or times[4].startswith("*")))
