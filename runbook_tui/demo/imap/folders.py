"""The commands on a user's mailboxes: which there are, their numbers, making and removing them, saving a mail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.demo.imap import mutf7
from runbook_tui.demo.imap.maildir import SEPARATOR, MailboxError
from runbook_tui.demo.imap.selected import Answer, check_flags
from runbook_tui.demo.imap.wire import Command, ReplyError, Value, bad, listing, moment, no, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runbook_tui.demo.imap.mailbox import Mailbox
    from runbook_tui.demo.imap.maildir import Store

_RETURNS = (b"CHILDREN", b"SUBSCRIBED", b"SPECIAL-USE")
_SELECTIONS = (b"SUBSCRIBED",)
STATUS_ITEMS: Mapping[str, Callable[[Mailbox], int]] = {
    "MESSAGES": len,
    "RECENT": lambda mailbox: sum(message.recent for message in mailbox.messages),
    "UIDNEXT": lambda mailbox: mailbox.uidnext,
    "UIDVALIDITY": lambda mailbox: mailbox.uidvalidity,
    "UNSEEN": lambda mailbox: sum("S" not in message.letters for message in mailbox.messages),
}
"""What STATUS can tell of a mailbox, in the order Dovecot tells it."""


def name_in(command: Command, index: int = 0) -> str:
    """Give the real name of the mailbox that a command names.

    Raises:
        ReplyError: there is no name, or it is no modified UTF-7.
    """
    try:
        return mutf7.decode(command.text(index))
    except ValueError:
        raise no("Mailbox name is not valid mUTF-7") from None


def refused(error: MailboxError) -> ReplyError:
    """Spell what a store refuses, as NO."""
    return no(f"[{error.code}] {error}" if error.code else str(error))


class Folders:
    """A logged-in user's mailboxes."""

    def __init__(self, store: Store, hostname: str) -> None:
        self._store = store
        self._hostname = hostname

    def list(self, command: Command) -> Answer:
        """LIST, with the options of RFC 5258 that a client of Dovecot gives most."""
        selections, arguments = set(), command.arguments
        if arguments and isinstance(arguments[0], list):
            selections = _options(arguments[0], _SELECTIONS)
            arguments = arguments[1:]
        returns = set()
        if len(arguments) > 3 and arguments[2] in {b"RETURN", b"return"}:
            returns = _options(arguments[3], _RETURNS)
        patterns = _patterns(arguments)
        if patterns == [""]:
            yield b'* LIST (\\Noselect) "." ""'
            return "List completed."
        names = self._store.names()
        subscribed = set(self._store.subscriptions())
        for name in _matching(subscribed if b"SUBSCRIBED" in selections else _with_parents(names), patterns):
            attributes = [] if name in names else ["\\Noselect"]
            if name in subscribed and b"SUBSCRIBED" in selections | returns:
                attributes.append("\\Subscribed")
            below = any(other.startswith(name + SEPARATOR) for other in names)
            attributes.append("\\HasChildren" if below else "\\HasNoChildren")
            yield b'* LIST %s "." %s' % (listing(attributes), string(mutf7.encode(name)))
        return "List completed."

    def lsub(self, command: Command) -> Answer:
        r"""LSUB; with `%` a mailbox above a subscribed one shows as \Noselect."""
        patterns = _patterns(command.arguments)
        subscribed = self._store.subscriptions()
        names = _with_parents(subscribed) if any("%" in pattern for pattern in patterns) else subscribed
        for name in _matching(names, patterns):
            attributes = () if name in subscribed else ("\\Noselect",)
            yield b'* LSUB %s "." %s' % (listing(attributes), string(mutf7.encode(name)))
        return "Lsub completed."

    def namespace(self, _command: Command) -> Answer:
        """NAMESPACE, RFC 2342: all mailboxes are personal, without a prefix."""
        yield b'* NAMESPACE (("" ".")) NIL NIL'
        return "Namespace completed."

    def status(self, command: Command) -> Answer:
        """STATUS."""
        name = name_in(command)
        asked = command.arguments[1] if len(command.arguments) > 1 else None
        if not isinstance(asked, list):
            raise bad("Missing arguments")
        wanted = {word.decode("utf-8", "replace").upper() for word in asked if isinstance(word, bytes)}
        if unknown := wanted - STATUS_ITEMS.keys():
            raise bad(f"Invalid status item {min(unknown)}")
        mailbox = self._store.mailbox(name)
        found = [f"{item} {count(mailbox)}" for item, count in STATUS_ITEMS.items() if item in wanted]
        yield b"* STATUS %s %s" % (string(command.text(0)), listing(found))
        return "Status completed."

    def create(self, command: Command) -> Answer:
        """CREATE."""
        yield from ()
        self._store.create(name_in(command))
        return "Create completed."

    def delete(self, command: Command) -> Answer:
        """DELETE."""
        yield from ()
        self._store.delete(name_in(command))
        return "Delete completed."

    def rename(self, command: Command) -> Answer:
        """RENAME."""
        yield from ()
        self._store.rename(name_in(command), name_in(command, 1))
        return "Rename completed."

    def subscribe(self, command: Command) -> Answer:
        """SUBSCRIBE."""
        yield from ()
        self._store.subscribe(name_in(command))
        return "Subscribe completed."

    def unsubscribe(self, command: Command) -> Answer:
        """UNSUBSCRIBE, also from what does not exist."""
        yield from ()
        self._store.subscribe(name_in(command), wanted=False)
        return "Unsubscribe completed."

    def append(self, command: Command) -> Answer:
        """APPEND, with flags and date if they are given."""
        yield from ()
        rest = list(command.arguments[1:])
        flags = rest.pop(0) if rest and isinstance(rest[0], list) else []
        if not 1 <= len(rest) <= 2 or not isinstance(content := rest.pop(), bytes):
            raise bad("Invalid arguments")
        when = moment(rest[0].decode("ascii", "replace")).timestamp() if rest and isinstance(rest[0], bytes) else None
        names = [flag.decode("utf-8", "replace") for flag in flags if isinstance(flag, bytes)]
        check_flags(names)
        if not self._store.exists(name := name_in(command)):
            raise no(f"[TRYCREATE] Mailbox doesn't exist: {command.text(0)}")
        mailbox = self._store.mailbox(name)
        message = mailbox.add(content, names, hostname=self._hostname, when=when)
        return f"[APPENDUID {mailbox.uidvalidity} {message.uid}] Append completed."


def _options(value: Value, known: tuple[bytes, ...]) -> set[bytes]:
    words = {word.upper() for word in value if isinstance(word, bytes)} if isinstance(value, list) else {b""}
    if unknown := words.difference(known):
        raise bad(f"LIST option {min(unknown).decode('utf-8', 'replace')}: not in the rehearsal")
    return words


def _patterns(arguments: tuple[Value, ...]) -> list[str]:
    if len(arguments) < 2 or not isinstance(arguments[0], bytes):
        raise bad("Missing arguments")
    reference, asked = arguments[0].decode("utf-8", "replace"), arguments[1]
    words = [word for word in (asked if isinstance(asked, list) else [asked]) if isinstance(word, bytes)]
    return [word and reference + word for word in (word.decode("utf-8", "replace") for word in words)]


def _with_parents(names: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        parts = name.split(SEPARATOR)
        found |= {SEPARATOR.join(parts[:end]): None for end in range(1, len(parts) + 1)}
    return list(found)


def _matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Give the names that a pattern fits; `*` is any text, `%` any without a separator, INBOX has no case."""
    wild = {"*": ".*", "%": rf"[^{re.escape(SEPARATOR)}]*"}
    tests = []
    for pattern in patterns:
        parts = re.split(r"([*%])", pattern)
        text = "".join(wild.get(part, re.escape(part)) for part in parts)
        tests.append(re.compile(text, re.DOTALL | (re.IGNORECASE if pattern.upper() == "INBOX" else 0)))
    return [name for name in names if any(test.fullmatch(mutf7.encode(name)) for test in tests)]


COMMANDS: Mapping[bytes, Callable[[Folders, Command], Answer]] = {
    b"LIST": Folders.list,
    b"LSUB": Folders.lsub,
    b"NAMESPACE": Folders.namespace,
    b"STATUS": Folders.status,
    b"CREATE": Folders.create,
    b"DELETE": Folders.delete,
    b"RENAME": Folders.rename,
    b"SUBSCRIBE": Folders.subscribe,
    b"UNSUBSCRIBE": Folders.unsubscribe,
    b"APPEND": Folders.append,
}
"""The commands that need a login and no selected mailbox."""
