"""A user's Maildir with its folders, laid out as Maildir++: INBOX at the root, `A.B` in `.A.B`, names in mUTF-7."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from runbook_tui.demo.imap import mutf7
from runbook_tui.demo.imap.delivery import deliver, ensure
from runbook_tui.demo.imap.mailbox import Mailbox, Message
from runbook_tui.demo.imap.uidlist import replace_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Mailbox", "MailboxError", "Message", "Store", "deliver", "ensure"]

SEPARATOR = "."
_SUBSCRIPTIONS_2 = "V\t2"


class MailboxError(Exception):
    """A mailbox cannot be had, made, renamed or deleted. `code` is IMAP's response code, RFC 5530."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Store:
    """The Maildir at `path`, which is made when the first mailbox is opened. Mailboxes go by their real names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[str, Mailbox] = {}

    def names(self) -> list[str]:
        """List the mailboxes: INBOX, then the others by name."""
        found = []
        for folder in self.path.glob(".*") if self.path.is_dir() else ():
            if folder.name.startswith("..") or not folder.is_dir():
                continue
            try:
                found.append(mutf7.decode(folder.name[1:]))
            except ValueError:
                continue  # no IMAP client could name it, Dovecot hides it too
        return ["INBOX", *sorted(found)]

    def exists(self, name: str) -> bool:
        """Tell whether there is such a mailbox; INBOX always is."""
        return name.upper() == "INBOX" or (_allowed(name) and self._folder(name).is_dir())

    def mailbox(self, name: str) -> Mailbox:
        """Give a mailbox, synced.

        Raises:
            MailboxError: there is none of this name.
        """
        name = "INBOX" if name.upper() == "INBOX" else name
        if not self.exists(name):
            self._open.pop(name, None)
            raise MailboxError("NONEXISTENT", f"Mailbox doesn't exist: {name}")
        if name == "INBOX":
            ensure(self.path)
        if name not in self._open:
            self._open[name] = Mailbox(self._folder(name), self.path)
        self._open[name].sync()
        return self._open[name]

    def create(self, name: str) -> Mailbox:
        """Make a mailbox.

        Raises:
            MailboxError: it exists, or the name is not allowed.
        """
        if self.exists(name := name.removesuffix(SEPARATOR)):
            raise MailboxError("ALREADYEXISTS", "Mailbox already exists")
        if not _allowed(name):
            raise MailboxError("CANNOT", "Invalid mailbox name")
        folder = self._folder(name)
        ensure(self.path)
        ensure(folder)
        (folder / "maildirfolder").touch()
        return self.mailbox(name)

    def delete(self, name: str) -> None:
        """Delete a mailbox with its mails, not those below it.

        Raises:
            MailboxError: there is none of this name, or it is INBOX.
        """
        if name.upper() == "INBOX":
            raise MailboxError("", "INBOX can't be deleted")
        self.mailbox(name)
        self._open.pop(name)
        shutil.rmtree(self._folder(name))

    def rename(self, name: str, new: str) -> None:
        """Rename a mailbox and those below it; INBOX stays.

        Raises:
            MailboxError: there is none of this name, it is INBOX, or the new name is taken.
        """
        if name.upper() == "INBOX":
            raise MailboxError("CANNOT", "Renaming INBOX isn't supported.")
        if self.exists(new):
            raise MailboxError("ALREADYEXISTS", "Target mailbox already exists")
        if not _allowed(new):
            raise MailboxError("CANNOT", "Invalid mailbox name")
        self.mailbox(name)
        for old in self.names():
            if old == name or old.startswith(name + SEPARATOR):
                self._open.pop(old, None)
                self._folder(old).rename(self._folder(new + old[len(name) :]))

    def subscriptions(self) -> list[str]:
        """List the subscribed mailboxes in the order of the file, whether they exist or not."""
        lines = self._subscription_lines()
        if lines[:1] == [_SUBSCRIPTIONS_2]:
            lines = [line.replace("\t", SEPARATOR) for line in lines[1:]]
        return [mutf7.decode(line) for line in lines if line]

    def subscribe(self, name: str, *, wanted: bool = True) -> None:
        """Subscribe to a mailbox, or no longer; a file in the old format stays in it.

        Raises:
            MailboxError: a mailbox to subscribe to does not exist.
        """
        if wanted and not self.exists(name):
            raise MailboxError("", f"Mailbox doesn't exist: {name}")
        names = [known for known in self.subscriptions() if known != name] + [name] * wanted
        lines = [mutf7.encode(known) for known in names]
        if self._subscription_lines()[:1] in ([], [_SUBSCRIPTIONS_2]):
            lines = [_SUBSCRIPTIONS_2, "", *(line.replace(SEPARATOR, "\t") for line in lines)]
        ensure(self.path)
        replace_file(self.path / "subscriptions", "\n".join(lines) + "\n")

    def file(
        self, name: str, content: bytes, flags: tuple[str, ...] = (), *, hostname: str, when: float | None = None
    ) -> Message:
        r"""Put a mail with flags and keywords (`\Seen`, `Junk`) into a mailbox, made if missing.

        `when` is its internal date in Unix seconds. Without flags it is \Recent for the next client.
        """
        mailbox = self.mailbox(name) if self.exists(name) else self.create(name)
        return mailbox.add(content, flags, hostname=hostname, when=when)

    def _folder(self, name: str) -> Path:
        return self.path if name.upper() == "INBOX" else self.path / f".{mutf7.encode(name)}"

    def _subscription_lines(self) -> list[str]:
        path = self.path / "subscriptions"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _allowed(name: str) -> bool:
    return all(name.split(SEPARATOR)) and "/" not in name
