"""A selected mailbox as one client sees it: numbers that only change when it is told, and the commands on mails."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING

from runbook_tui.demo.imap import mutf7
from runbook_tui.demo.imap.fetch import Section, answer, items
from runbook_tui.demo.imap.mailbox import SYSTEM_FLAGS
from runbook_tui.demo.imap.maildir import MailboxError
from runbook_tui.demo.imap.search import Candidate, Criteria
from runbook_tui.demo.imap.wire import Command, Numbers, Value, bad, listing, no

if TYPE_CHECKING:
    from runbook_tui.demo.imap.mailbox import Mailbox, Message
    from runbook_tui.demo.imap.maildir import Store

Answer = Generator[bytes, None, str]
"""What a command gives: untagged lines, and in the end the text behind OK."""


class DisconnectError(Exception):
    """The client must start anew; the text is why."""


class Selected:
    r"""A mailbox of a store between SELECT (or EXAMINE: `read_only`) and CLOSE.

    EXAMINE leaves new mails in `new`: the next rsync of the Maildir finds the files where they were, and no \Recent
    is used up.
    """

    def __init__(self, store: Store, mailbox: Mailbox, hostname: str, *, read_only: bool) -> None:
        self.mailbox = mailbox
        self.read_only = read_only
        self._store = store
        self._hostname = hostname
        self._recent: set[int] = set()
        self._claim()
        self._uids = [message.uid for message in mailbox.messages]
        self._told = {message.uid: message.letters for message in mailbox.messages}
        self._validity = mailbox.uidvalidity
        self._version = mailbox.version

    def opening(self) -> Answer:
        """Tell what SELECT tells: flags, numbers, UIDVALIDITY."""
        flags = (*SYSTEM_FLAGS, *self.mailbox.keywords)
        yield b"* FLAGS " + listing(flags)
        if self.read_only:
            yield b"* OK [PERMANENTFLAGS ()] Read-only mailbox."
        else:
            yield b"* OK [PERMANENTFLAGS %s] Flags permitted." % listing((*flags, "\\*"))
        yield b"* %d EXISTS" % len(self._uids)
        yield b"* %d RECENT" % len(self._recent)
        unseen = (number for number, uid in enumerate(self._uids, 1) if "S" not in self._told[uid])
        if first := next(unseen, 0):
            yield b"* OK [UNSEEN %d] First unseen." % first
        yield b"* OK [UIDVALIDITY %d] UIDs valid" % self._validity
        yield b"* OK [UIDNEXT %d] Predicted next UID" % self.mailbox.uidnext
        return "[READ-ONLY] Examine completed." if self.read_only else "[READ-WRITE] Select completed."

    def news(self, *, expunges: bool = True) -> Generator[bytes, None, None]:
        """Tell what others did to the mailbox; numbers may change only with `expunges` (RFC 3501 section 7.4.1).

        Raises:
            DisconnectError: the mailbox is not the one that was selected any more.
        """
        self.mailbox.sync()
        self._claim()
        if self.mailbox.uidvalidity != self._validity:
            raise DisconnectError("Mailbox UIDVALIDITY changed")
        if self.mailbox.version == self._version:
            return
        if expunges:
            yield from self._expunged()
            self._version = self.mailbox.version
        for number, uid in enumerate(self._uids, 1):
            message = self.mailbox.get(uid)
            if message and self._told[uid] != message.letters:
                self._told[uid] = message.letters
                yield b"* %d FETCH (UID %d FLAGS %s)" % (number, uid, listing(self._flags(message)))
        last = self._uids[-1] if self._uids else 0
        if fresh := [message for message in self.mailbox.messages if message.uid > last]:
            self._uids += [message.uid for message in fresh]
            self._told |= {message.uid: message.letters for message in fresh}
            yield b"* %d EXISTS" % len(self._uids)
            yield b"* %d RECENT" % len(self._recent)

    def fetch(self, command: Command) -> Answer:
        """FETCH and UID FETCH."""
        if len(command.arguments) != 2:
            raise bad("Invalid arguments")
        wanted = items(command.arguments[1])
        if command.uid and b"UID" not in wanted:
            wanted.insert(0, b"UID")
        reads = any(isinstance(item, Section) and not item.peek for item in wanted)
        missing = False
        for number, uid in self._picked(command):
            message = self.mailbox.get(uid)
            shown = wanted
            if message and reads and not self.read_only and "S" not in message.letters:
                message = self._set(message, {*message.letters, "S"})
                shown = wanted if b"FLAGS" in wanted else [b"FLAGS", *wanted]
            try:
                if message:
                    found = answer(message, shown, self._flags(message), self.mailbox.content)
                    yield b"* %d FETCH (%s)" % (number, found)
            except FileNotFoundError:
                message = None
            missing = missing or message is None
        if missing and not command.uid:  # a UID that is gone is none, a number that is gone is a mail
            raise no("[EXPUNGEISSUED] Some of the requested messages no longer exist.")
        return "Fetch completed."

    def store(self, command: Command) -> Answer:
        """STORE and UID STORE."""
        how = command.text(1).upper()
        if how.removesuffix(".SILENT").lstrip("+-") != "FLAGS" or len(command.arguments) < 3:
            raise bad("Invalid arguments")
        if self.read_only:
            return "Store ignored with read-only mailbox"
        known = len(self.mailbox.keywords)
        letters = self.mailbox.letters(_flag_names(command.arguments[2:]))
        if len(self.mailbox.keywords) != known:
            yield b"* FLAGS " + listing((*SYSTEM_FLAGS, *self.mailbox.keywords))
        for number, uid in self._picked(command):
            if message := self.mailbox.get(uid):
                old = set(message.letters)
                new = old | letters if how[0] == "+" else old - letters if how[0] == "-" else letters
                message = self._set(message, new)
                if not how.endswith(".SILENT"):
                    label = b"UID %d " % uid if command.uid else b""
                    yield b"* %d FETCH (%sFLAGS %s)" % (number, label, listing(self._flags(message)))
        return "Store completed."

    def search(self, command: Command) -> Answer:
        """SEARCH and UID SEARCH."""
        words = list(command.arguments)
        if words and words[0] in {b"CHARSET", b"charset"}:
            del words[:2]
        if not words:
            raise bad("Missing search parameters")
        test = Criteria(words, len(self._uids), self._uids[-1] if self._uids else 0).every()
        found = []
        for number, uid in enumerate(self._uids, 1):
            message = self.mailbox.get(uid)
            try:
                if message and test(Candidate(message, number, uid in self._recent, self.mailbox.content)):
                    found.append(uid if command.uid else number)
            except FileNotFoundError:
                continue  # expunged meanwhile: the client is told after this
        yield b"* SEARCH" + b"".join(b" %d" % hit for hit in found)
        return "Search completed."

    def copy(self, command: Command) -> Answer:
        """COPY and UID COPY."""
        yield from ()
        _, code = self._copied(command)
        return f"{code}Copy completed."

    def move(self, command: Command) -> Answer:
        """MOVE and UID MOVE, RFC 6851."""
        if self.read_only:
            raise no("[READ-ONLY] Mailbox is read-only")
        uids, code = self._copied(command)
        if uids:
            yield f"* OK {code}Moved UIDs.".encode()
        self.mailbox.expunge(uids)
        yield from self._expunged()
        return "Move completed."

    def expunge(self, command: Command) -> Answer:
        """EXPUNGE, and UID EXPUNGE of RFC 4315."""
        if self.read_only:
            return "Expunge ignored with read-only mailbox"
        self.remove_deleted({uid for _, uid in self._picked(command)} if command.uid else None)
        yield from self._expunged()
        return "Expunge completed."

    def check(self, _command: Command) -> Answer:
        """CHECK: everything is on disk at any time."""
        yield from ()
        return "Check completed."

    def remove_deleted(self, among: set[int] | None = None) -> None:
        r"""Delete the mails that are flagged \Deleted, as CLOSE and EXPUNGE do; nothing in a read-only mailbox."""
        if not self.read_only:
            doomed = {message.uid for message in self.mailbox.messages if "T" in message.letters}
            self.mailbox.expunge(doomed if among is None else doomed & among)

    def _claim(self) -> None:
        if self.read_only:
            self._recent |= {message.uid for message in self.mailbox.messages if message.recent}
        else:
            self._recent |= self.mailbox.claim()

    def _expunged(self) -> Generator[bytes, None, None]:
        for index in reversed(range(len(self._uids))):
            if self.mailbox.get(self._uids[index]) is None:
                uid = self._uids.pop(index)
                del self._told[uid]
                self._recent.discard(uid)
                yield b"* %d EXPUNGE" % (index + 1)

    def _flags(self, message: Message) -> tuple[str, ...]:
        recent = ("\\Recent",) if message.uid in self._recent else ()
        return (*message.flags, *recent, *message.keywords)

    def _set(self, message: Message, letters: set[str]) -> Message:
        self.mailbox.set_letters(message.uid, letters)
        message = self.mailbox.get(message.uid) or message
        self._told[message.uid] = message.letters
        return message

    def _picked(self, command: Command) -> list[tuple[int, int]]:
        count = len(self._uids)
        text = command.text(0).encode()
        numbered = enumerate(self._uids, 1)
        if command.uid:
            uids = Numbers.read(text, self._uids[-1] if count else 0)
            return [(number, uid) for number, uid in numbered if uid in uids]
        numbers = Numbers.read(text, count)
        if numbers.lasts[-1] > count:
            raise bad("Invalid messageset")
        return [(number, uid) for number, uid in numbered if number in numbers]

    def _copied(self, command: Command) -> tuple[list[int], str]:
        try:
            target = self._store.mailbox(mutf7.decode(command.text(1)))
        except (MailboxError, ValueError):
            raise no(f"[TRYCREATE] Mailbox doesn't exist: {command.text(1)}") from None
        found = [message for _, uid in self._picked(command) if (message := self.mailbox.get(uid))]
        new = [
            target.add(
                self.mailbox.content(message), (*message.flags, *message.keywords),
                hostname=self._hostname, when=message.internal_date.timestamp(),
            )
            for message in found
        ]  # fmt: skip
        uids = [message.uid for message in found]
        listed = [",".join(map(str, numbers)) for numbers in (uids, [message.uid for message in new])]
        return uids, f"[COPYUID {target.uidvalidity} {' '.join(listed)}] " if uids else ""


def _flag_names(arguments: tuple[Value, ...]) -> list[str]:
    words = [word for value in arguments for word in (value if isinstance(value, list) else [value])]
    names = [word.decode("utf-8", "replace") for word in words if isinstance(word, bytes)]
    check_flags(names)
    return names


def check_flags(names: list[str]) -> None:
    r"""Refuse what begins with a backslash and is no flag a client may set.

    Raises:
        ReplyError: one is such a flag.
    """
    known = {flag.lower() for flag in SYSTEM_FLAGS}
    for name in names:
        if name.startswith("\\") and name.lower() not in known:
            raise bad(f"Invalid system flag {name.upper()}")


COMMANDS: Mapping[bytes, Callable[[Selected, Command], Answer]] = {
    b"FETCH": Selected.fetch,
    b"STORE": Selected.store,
    b"SEARCH": Selected.search,
    b"COPY": Selected.copy,
    b"MOVE": Selected.move,
    b"EXPUNGE": Selected.expunge,
    b"CHECK": Selected.check,
}
"""The commands that need a selected mailbox; of these and no others there is a UID form."""
