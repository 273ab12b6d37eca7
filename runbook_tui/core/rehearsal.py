"""What a rehearsal's world looks like from outside: resolvers, queues, numbered mails, faults. All frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What can be broken on purpose; the same word again mends it."""

    RESOLVER = "resolver down"
    DISK = "disk full on new"
    HOST_KEY = "changed host key of new"
    OLD_SSH = "old SSH gone"
    IMAP_PASSWORD = "wrong IMAP password"  # noqa: S105 -- the name of a fault
    LINK = "link cut"


@dataclass(frozen=True, slots=True)
class ResolverView:
    """A caching resolver: what each of its back-ends holds for the domain's MX, and for how many world seconds."""

    name: str
    manner: str
    running: bool
    caches: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class QueueView:
    """A host's mail queue: mails by queue name, and the oldest one's age in world seconds."""

    host: str
    running: bool
    counts: tuple[tuple[str, int], ...]
    oldest: float = 0.0

    @property
    def total(self) -> int:
        """All mails in it."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class MailView:
    """The ledger at a glance: numbered mails by where they are now."""

    numbered: int
    old: int
    new: int
    under_way: int
    bounced: int


@dataclass(frozen=True, slots=True)
class WorldView:
    """The world at one moment. `now` is world time in Unix seconds, `factor` world seconds per real one.

    `next_expiry` is how many world seconds it is to the end of the next cached MX; None when nothing is cached.
    `rate` is numbered mails a real second, 0 when the stream is stopped.
    """

    now: float
    factor: float
    rate: float
    resolvers: tuple[ResolverView, ...]
    queues: tuple[QueueView, ...]
    mails: MailView
    faults: frozenset[Fault] = frozenset()
    next_expiry: float | None = None
