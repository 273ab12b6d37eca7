"""One folder of a Maildir as a mailbox: messages with UIDs and flags, read from the files and kept in them.

Nothing is kept elsewhere, so what another program does to the files (a delivery, an rsync) is seen at the next sync.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.demo.imap.delivery import arrival, deliver, ensure, with_crlf
from runbook_tui.demo.imap.uidlist import Keywords, Stamp, UidList, stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

SYSTEM_FLAGS: Mapping[str, str] = {
    "\\Answered": "R", "\\Flagged": "F", "\\Deleted": "T", "\\Seen": "S", "\\Draft": "D",
}  # fmt: skip
"""Every IMAP flag that a client may set, with its letter in a Maildir file name, in the order Dovecot lists them."""

_SIZE_IN_NAME = re.compile(r",W=(\d+)")
_TICK = 20_000_000
"""Nanoseconds in which two changes of a folder may leave the same time on it: kernel timestamps are that coarse."""


@dataclass(frozen=True, slots=True)
class Message:
    """A mail as it stood at the last sync. `guid` is what Dovecot calls so: its first file name up to `:2,`."""

    uid: int
    folder: str
    part: str
    name: str
    guid: str
    listed_size: int = field(compare=False)
    keyword_names: Keywords = field(compare=False, repr=False)

    @property
    def base(self) -> str:
        """The file name without flags."""
        return self.name.partition(":2,")[0]

    @property
    def letters(self) -> str:
        """The flags and keywords as the file name has them."""
        return self.name.partition(":2,")[2]

    @property
    def path(self) -> Path:
        """Where the mail is."""
        return Path(self.folder, self.part, self.name)

    @property
    def recent(self) -> bool:
        r"""Whether no client has had the mail as \Recent yet."""
        return self.part == "new"

    @property
    def flags(self) -> tuple[str, ...]:
        r"""The system flags, without \Recent."""
        return tuple(flag for flag, letter in SYSTEM_FLAGS.items() if letter in self.letters)

    @property
    def keywords(self) -> tuple[str, ...]:
        """The flags that users and programs invented, such as `Junk`."""
        return self.keyword_names.of(self.letters)

    @property
    def internal_date(self) -> datetime:
        """When the mail arrived: the file's time of change."""
        return datetime.fromtimestamp(int(self.path.stat().st_mtime), UTC)

    @property
    def size(self) -> int:
        """The size with CRLF line ends, from the file name or the uidlist where they have it."""
        if named := _SIZE_IN_NAME.search(self.base):
            return int(named[1])
        return self.listed_size or len(with_crlf(self.path.read_bytes()))


class Mailbox:
    """A folder `path` of the Maildir `root`; messages are as fresh as the last `sync`.

    `version` is another number after everything that may have changed them.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self._uidlist = UidList(path, root)
        self._keywords = Keywords(path)
        self._messages: dict[int, Message] = {}
        self._settled: tuple[Stamp, ...] | None = None
        self.version = 0

    @property
    def uidvalidity(self) -> int:
        """UIDVALIDITY, RFC 3501 section 2.3.1.1."""
        return self._uidlist.validity

    @property
    def uidnext(self) -> int:
        """The UID that the next mail will have."""
        return self._uidlist.next

    @property
    def guid(self) -> str:
        """Dovecot's name of the mailbox: 32 hex digits."""
        return self._uidlist.guid

    @property
    def keywords(self) -> tuple[str, ...]:
        """Every keyword the mailbox knows."""
        return tuple(name for name in self._keywords.names if name)

    @property
    def messages(self) -> list[Message]:
        """All mails by UID."""
        return list(self._messages.values())

    def __len__(self) -> int:
        return len(self._messages)

    def get(self, uid: int) -> Message | None:
        """Give the mail with a UID, None when there is none any more."""
        return self._messages.get(uid)

    def sync(self) -> None:
        """See what changed on disk; four looks at the file system when nothing did.

        Mails without a UID get theirs, in the order of arrival; nothing moves from new to cur.
        """
        before = self._stamps()
        if before == self._settled:
            return
        self._uidlist.load()
        self._keywords.load()
        files = self._files()
        if not self._uidlist.uids.keys() <= files.keys():
            # A file that is renamed while the folder is listed can be missed: a second look finds it.
            files |= self._files()
        if fresh := sorted(files.keys() - self._uidlist.uids.keys(), key=arrival):
            self._uidlist.add(fresh)
        uids = self._uidlist.uids
        found = sorted((uids[base], *file) for base, file in files.items())
        self.version += 1
        self._messages = {uid: self._message(uid, part, name) for uid, part, name in found}
        young = time.time_ns() - max(before[0][0], before[1][0]) < _TICK
        self._settled = None if young else (*before[:2], self._uidlist.seen, before[3])

    def claim(self) -> set[int]:
        r"""Move new mails to cur as the first client that may change them does; give their UIDs: \Recent for it."""
        claimed = set()
        for message in self.messages:
            if message.recent:
                self._rename(message, message.letters)
                claimed.add(message.uid)
        return claimed

    def content(self, message: Message) -> bytes:
        """Read a mail, with CRLF line ends.

        Raises:
            FileNotFoundError: it was expunged.
        """
        try:
            return with_crlf(message.path.read_bytes())
        except FileNotFoundError:
            self._settled = None
            self.sync()
            renamed = self.get(message.uid)
            if renamed is None or renamed == message:
                raise
            return with_crlf(renamed.path.read_bytes())

    def letters(self, flags: Iterable[str]) -> set[str]:
        """Give the letters of flags and keywords; new keywords are put into dovecot-keywords."""
        system = {flag.lower(): letter for flag, letter in SYSTEM_FLAGS.items()}
        self._keywords.load()
        return {system.get(flag.lower()) or self._keywords.letter(flag) for flag in flags} - {""}

    def set_letters(self, uid: int, letters: Iterable[str]) -> None:
        """Give a mail these flags and no others."""
        message = self._messages[uid]
        wanted = "".join(sorted(letters))
        if message.letters != wanted or message.recent:
            self._rename(message, wanted)

    def add(
        self, content: bytes, flags: Collection[str] = (), *, hostname: str, when: float | None = None
    ) -> Message:
        """Save a mail with flags and keywords; `when` is its internal date, Unix seconds.

        Raises:
            OSError: the disk is full or the folder is not writable.
        """
        letters = "".join(sorted(self.letters(flags)))
        path = deliver(self.path, content, hostname=hostname, letters=letters, when=when)
        self._settled = None
        self.sync()
        return self._messages[self._uidlist.uids[path.name.partition(":2,")[0]]]

    def expunge(self, uids: Collection[int]) -> None:
        """Delete mails for good."""
        gone = [message for uid in uids if (message := self._messages.pop(uid, None))]
        for message in gone:
            message.path.unlink(missing_ok=True)
        if gone:
            self.version += 1
            self._uidlist.load()
            self._uidlist.forget([message.base for message in gone])

    def _stamps(self) -> tuple[Stamp, ...]:
        return (
            stamp(self.path / "new"), stamp(self.path / "cur"), stamp(self._uidlist.path), stamp(self._keywords.path)
        )  # fmt: skip

    def _files(self) -> dict[str, tuple[str, str]]:
        found = {}
        for part in ("new", "cur"):
            try:
                names = os.listdir(self.path / part)  # noqa: PTH208 -- a Path for each of 20,000 mails is slow
            except FileNotFoundError:
                continue
            found.update({name.partition(":2,")[0]: (part, name) for name in names if not name.startswith(".")})
        return found

    def _message(self, uid: int, part: str, name: str) -> Message:
        old = self._messages.get(uid)
        if old and old.name == name and old.part == part:
            return old
        base = name.partition(":2,")[0]
        listed = self._uidlist.extension(base, "W")
        guid = self._uidlist.extension(base, "G") or base
        return Message(uid, str(self.path), part, name, guid, int(listed or 0), self._keywords)

    def _rename(self, message: Message, letters: str) -> None:
        name = f"{message.base}:2,{letters}"
        ensure(self.path)
        try:
            message.path.rename(self.path / "cur" / name)
        except FileNotFoundError:
            self._settled = None  # somebody else was faster; the next sync finds out
            return
        self.version += 1
        self._messages[message.uid] = self._message(message.uid, "cur", name)
