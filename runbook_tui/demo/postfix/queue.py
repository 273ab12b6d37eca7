"""The mail queue: one file a mail in incoming, active, deferred, hold or maildrop; it survives a stop."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class QueueName(StrEnum):
    """The folders of the queue, as `postqueue -j` names them."""

    MAILDROP = "maildrop"  # dropped by sendmail(1) while Postfix is down
    INCOMING = "incoming"
    ACTIVE = "active"
    DEFERRED = "deferred"
    HOLD = "hold"


_PARKED = frozenset({QueueName.MAILDROP, QueueName.HOLD})


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a mail is for: the address to deliver to, the one it was sent to, and why it is still here."""

    address: str
    original: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail in the queue. `arrival` and `next_try` are world time in Unix seconds; `content` has LF line ends."""

    queue_id: str
    sender: str
    recipients: tuple[Recipient, ...]
    content: bytes = field(repr=False)
    arrival: float
    queue: QueueName = QueueName.INCOMING
    next_try: float = 0.0


class Queue:
    """The mails of one Postfix, in memory and on disk alike; every change is on disk before it counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mails: dict[str, QueuedMail] = {}

    def __len__(self) -> int:
        return len(self._mails)

    def __iter__(self) -> Iterator[QueuedMail]:
        """Go through all mails, oldest first."""
        return iter(sorted(self._mails.values(), key=lambda mail: (mail.arrival, mail.queue_id)))

    def __contains__(self, queue_id: str) -> bool:
        return queue_id in self._mails

    def get(self, queue_id: str) -> QueuedMail | None:
        """Give a mail by its queue id."""
        return self._mails.get(queue_id)

    def due(self, now: float) -> list[QueuedMail]:
        """Give the mails whose turn has come, in the order they were queued."""
        return [mail for mail in self._mails.values() if mail.next_try <= now and mail.queue not in _PARKED]

    def next_try(self, latest: float) -> float:
        """Give when the next mail is due that was put off, but no later than `latest`."""
        moments = (mail.next_try for mail in self._mails.values() if mail.next_try and mail.queue not in _PARKED)
        return min(moments, default=latest)

    def put_off(self, queue_id: str, moment: float) -> None:
        """Defer a mail in memory alone, for when the disk does not take it."""
        if mail := self._mails.get(queue_id):
            self._mails[queue_id] = replace(mail, next_try=moment)

    def unused_id(self) -> str:
        """Make a queue id that no mail here has: hexadecimal, as with enable_long_queue_ids=no."""
        while (queue_id := f"{secrets.randbits(44):011X}") in self._mails:
            pass
        return queue_id

    def load(self) -> None:
        """Read what is on disk; what was under way when Postfix ended starts anew."""
        self._mails.clear()
        for queue in QueueName:
            folder = self._folder / queue
            folder.mkdir(parents=True, exist_ok=True)
            for file in folder.iterdir():
                if not file.name.startswith("."):
                    mail = _parse(file.name, queue, file.read_bytes())
                    self._mails[mail.queue_id] = mail
                    if queue is QueueName.ACTIVE:
                        self.move(mail, QueueName.INCOMING)

    def put(self, mail: QueuedMail) -> None:
        """Write a mail that is new or has changed.

        Raises:
            OSError: the disk is full; the mail stays as it was.
        """
        file = self._file(mail)
        draft = file.with_name(f".{file.name}")
        try:
            draft.write_bytes(_text(mail))
            draft.replace(file)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        before = self._mails.get(mail.queue_id)
        if before is not None and before.queue is not mail.queue:
            self._file(before).unlink(missing_ok=True)
        self._mails[mail.queue_id] = mail

    def move(self, mail: QueuedMail, queue: QueueName) -> QueuedMail:
        """Move a mail to another folder and give it as it is there, to be tried at once."""
        moved = replace(mail, queue=queue, next_try=0.0)
        self._file(mail).rename(self._file(moved))
        self._mails[mail.queue_id] = moved
        return moved

    def remove(self, queue_id: str) -> None:
        """Forget a mail."""
        mail = self._mails.pop(queue_id, None)
        if mail is not None:
            self._file(mail).unlink(missing_ok=True)

    def _file(self, mail: QueuedMail) -> Path:
        return self._folder / mail.queue / mail.queue_id


def _text(mail: QueuedMail) -> bytes:
    head = {
        "sender": mail.sender,
        "recipients": [[to.address, to.original, to.reason] for to in mail.recipients],
        "arrival": mail.arrival,
        "next_try": mail.next_try,
    }
    return json.dumps(head).encode() + b"\n" + mail.content


def _parse(queue_id: str, queue: QueueName, data: bytes) -> QueuedMail:
    line, _, content = data.partition(b"\n")
    head = json.loads(line)
    recipients = tuple(Recipient(*fields) for fields in head["recipients"])
    return QueuedMail(queue_id, head["sender"], recipients, content, head["arrival"], queue, head["next_try"])
