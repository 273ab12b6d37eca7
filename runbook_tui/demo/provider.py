"""Somebody else's mail service, which keeps numbered mails until fetchmail takes them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.demo.ledger import Stage, number_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.demo.ledger import Ledger

SERVER = "provider.test"


class MailboxBusyError(Exception):
    """Another session has the mailbox open: POP3 lets one in at a time (RFC 1939 section 4)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail at the provider; `uid` stays with it as POP3's UIDL does."""

    uid: str
    content: bytes


@dataclass(slots=True)
class _Mailbox:
    mails: dict[str, Kept] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Provider:
    """Mailboxes by user name. Stand-ins use it from their threads, senders from the loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._boxes: dict[str, _Mailbox] = {}
        self._taken = 0

    def put(self, user: str, content: bytes) -> None:
        """Take a mail in."""
        self._taken += 1
        uid = f"UID{self._taken}-{number_in(content) or 0}"
        self._box(user).mails[uid] = Kept(uid, content)

    @contextmanager
    def session(self, user: str) -> Iterator[Session]:
        """Open a mailbox for as long as the context lasts.

        Raises:
            MailboxBusyError: it is open already.
        """
        box = self._box(user)
        if not box.lock.acquire(blocking=False):
            raise MailboxBusyError(user)
        try:
            yield Session(box, self._ledger)
        finally:
            box.lock.release()

    def count(self, user: str) -> int:
        """Give how many mails a mailbox holds."""
        return len(self._box(user).mails)

    def _box(self, user: str) -> _Mailbox:
        return self._boxes.setdefault(user, _Mailbox())


class Session:
    """An open mailbox."""

    def __init__(self, box: _Mailbox, ledger: Ledger) -> None:
        self._box = box
        self._ledger = ledger

    @property
    def mails(self) -> tuple[Kept, ...]:
        """All that is there now, oldest first."""
        return tuple(self._box.mails.values())

    def fetched(self, mail: Kept, host: str, *, keep: bool) -> None:
        """Say that a host has taken a mail over; without `keep` it is deleted here."""
        number = number_in(mail.content)
        if number is not None:
            self._ledger.note(number, Stage.PROVIDER if keep else Stage.FETCHED, host)
        if not keep:
            del self._box.mails[mail.uid]
