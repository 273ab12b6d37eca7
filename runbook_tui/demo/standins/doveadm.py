"""The stand-in for doveadm: users, mailboxes and mails of the host, printed and refused as Dovecot 2.3 does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runbook_tui.demo.imap import settings
from runbook_tui.demo.imap.fetch import fields
from runbook_tui.demo.imap.folders import STATUS_ITEMS
from runbook_tui.demo.imap.maildir import MailboxError
from runbook_tui.demo.imap.search import Candidate, Criteria
from runbook_tui.demo.imap.wire import ReplyError
from runbook_tui.demo.machine import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runbook_tui.demo.imap.mailbox import Mailbox, Message
    from runbook_tui.demo.imap.maildir import Store
    from runbook_tui.demo.standins.call import Call, Options

NOT_RUNNING = 75
NO_USER = 67
NOT_FOUND = 68
WRONG_PASSWORD = 77
SOCKETS = "/run/dovecot"


def doveadm(call: Call) -> int | None:
    """Run the administrator's command: users, mailboxes, mails, clients."""
    options = call.options("f:u:Ats")
    for words in (2, 1):
        action = _ACTIONS.get(" ".join(options.rest[:words]))
        if action:
            unknown = (options.flags | options.values.keys()) - set(action.letters)
            if unknown:
                call.refuse(f"-{min(unknown)}")
            return action.run(call, options, options.rest[words:])
    return call.refuse()


def _auth_test(call: Call, _options: Options, rest: Sequence[str]) -> int | None:
    if len(rest) != 2:
        call.refuse()
    _need_server(call, "auth-client", WRONG_PASSWORD)
    user, password = rest
    good = call.ask(lambda: call.machine.imap.open_store(user, password)) is not None
    call.say(f"passdb: {user} auth {'succeeded' if good else 'failed'}")
    call.say("extra fields:")
    call.say(f"  user={user}")
    return None if good else WRONG_PASSWORD


def _user(call: Call, options: Options, rest: Sequence[str]) -> int | None:
    if not rest:
        call.refuse()
    _need_server(call, "auth-userdb")
    users = call.machine.host.users()
    if rest[0] == "*":
        for user in _mail_users(call):
            call.say(user)
        return None
    status = None
    for name in rest:
        found = {}
        if name in users:
            account = users[name]
            found = {"uid": str(account.uid), "gid": str(account.gid), "home": account.home}
            found["mail"] = settings.read(call.machine.host).value("mail_location")
        if wanted := options.value("f"):
            if wanted in found:
                call.say(found[wanted])
        else:
            call.say("field\tvalue")
            for key, value in found.items():
                call.say(f"{key}\t{value}")
            call.say()
        if not found:
            call.warn(f"userdb lookup: user {name} doesn't exist")
            status = NO_USER
    return status


def _mailbox_list(call: Call, options: Options, rest: Sequence[str]) -> int | None:
    for user, store in _stores(call, options):
        names = call.ask(store.subscriptions if "s" in options.flags else store.names)
        for name in _matching(names, rest or ["*"]):
            call.say(f"{user} {name}" if "A" in options.flags else name)
    return None


def _mailbox_status(call: Call, options: Options, rest: Sequence[str]) -> int | None:
    if len(rest) < 2:
        call.refuse()
    wanted = set(rest[0].split())
    if unknown := wanted - _STATUS.keys():
        call.refuse(f"mailbox status {min(unknown)}")
    every = "A" in options.flags
    rows: list[dict[str, str]] = []
    status = None
    for user, store in _stores(call, options):
        for name in _matching(call.ask(store.names), rest[1:], literally=True):
            numbers = call.ask(partial(_numbers, store, name, wanted))
            if numbers is None:
                call.warn(
                    f"doveadm({user}): Error: Mailbox {name}: Failed to lookup mailbox status: "
                    f"Mailbox doesn't exist: {name}"
                )
                status = NOT_FOUND
                continue
            rows.append({**({"username": user} if every else {}), "mailbox": name, **numbers})
    if "t" in options.flags:
        rows = [{field: str(sum(int(row[field]) for row in rows)) for field in _STATUS if field in wanted - {"guid"}}]
    _print(call, options.value("f", "flow"), rows)
    return status


def _search(call: Call, options: Options, rest: Sequence[str]) -> int | None:
    rows = [{"mailbox-guid": box.guid, "uid": str(mail.uid)} for _, box, mail in _found(call, options, rest)]
    if options.value("f", "flow") == "flow":
        for row in rows:
            call.say(" ".join(row.values()))
    else:
        _print(call, options.value("f"), rows)
    return None


def _fetch(call: Call, options: Options, rest: Sequence[str]) -> int | None:
    names = rest[0].split() if rest else []
    for name in names:
        if name not in _FETCH and not name.startswith("hdr."):
            call.refuse(f"fetch {name}")
    rows = [
        {name: call.ask(partial(_field, name, title, box, mail)) for name in names}
        for title, box, mail in _found(call, options, rest[1:])
    ]
    _print(call, options.value("f", "pager"), rows)
    return None


def _who(call: Call, options: Options, rest: Sequence[str]) -> int | None:
    _need_server(call, "anvil")
    sessions = call.ask(lambda: [(session.user, session.peer) for session in call.machine.imap.sessions])
    wanted = _matching({user for user, _ in sessions}, rest or ["*"])
    rows = []
    for user in sorted(wanted):
        peers = sorted(peer for name, peer in sessions if name == user)
        rows.append({"username": user, "#": str(len(peers)), "proto": "imap", "(ips)": f"({' '.join(peers)})"})
    if options.value("f", "table") == "table":
        for row in [{key: key for key in ("username", "#", "proto", "(ips)")}, *rows]:
            call.say("{username:<8} {#} {proto:<5} {(ips)}".format_map(row))
    else:
        _print(call, options.value("f"), rows)
    return None


def _kick(call: Call, _options: Options, rest: Sequence[str]) -> int | None:
    if len(rest) != 1:
        call.refuse()
    _need_server(call, "anvil")
    users = call.wait(call.machine.imap.kick(rest[0]))
    if not users:
        call.say("no users kicked")
        return NOT_FOUND
    call.say(f"{' '.join(users)} kicked connections from the following users:")
    call.say()
    return None


def _daemon(call: Call, options: Options, rest: Sequence[str]) -> int | None:
    """`doveadm reload` and `doveadm stop`."""
    if rest:
        call.refuse()
    _need_server(call, "master.pid")
    server = call.machine.imap
    try:
        call.wait(server.stop() if options.rest[0] == "stop" else server.reload())
    except ServiceError as error:
        call.fail(str(error), NOT_RUNNING)
    return None


@dataclass(frozen=True, slots=True)
class _Action:
    """A command of doveadm, with the option letters it takes."""

    run: Callable[[Call, Options, Sequence[str]], int | None]
    letters: str


_ACTIONS: Mapping[str, _Action] = {
    "auth test": _Action(_auth_test, ""),
    "user": _Action(_user, "f"),
    "mailbox list": _Action(_mailbox_list, "uAs"),
    "mailbox status": _Action(_mailbox_status, "fuAt"),
    "search": _Action(_search, "fuA"),
    "fetch": _Action(_fetch, "fuA"),
    "who": _Action(_who, "f"),
    "kick": _Action(_kick, ""),
    "reload": _Action(_daemon, ""),
    "stop": _Action(_daemon, ""),
}

_STATUS: Mapping[str, Callable[[Mailbox], object]] = {
    **{name.lower(): count for name, count in STATUS_ITEMS.items()},
    "vsize": lambda mailbox: sum(message.size for message in mailbox.messages),
    "guid": lambda mailbox: mailbox.guid,
}
_FETCH: Mapping[str, Callable[[Message], object]] = {
    "uid": lambda mail: mail.uid,
    "guid": lambda mail: mail.guid,
    "flags": lambda mail: " ".join((*mail.flags, *(("\\Recent",) if mail.recent else ()), *mail.keywords)),
    "size.virtual": lambda mail: mail.size,
    "size.physical": lambda mail: mail.path.stat().st_size,
    "date.received": lambda mail: mail.internal_date.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
    "date.received.unixtime": lambda mail: int(mail.internal_date.timestamp()),
    "mailbox": lambda _: "",
    "mailbox-guid": lambda _: "",
}


def _need_server(call: Call, socket: str, status: int = NOT_RUNNING) -> None:
    """End as doveadm does that finds nobody behind its socket."""
    if not call.ask(lambda: call.machine.imap.running):
        call.fail(f"Fatal: net_connect_unix({SOCKETS}/{socket}) failed: Connection refused", status)


def _mail_users(call: Call) -> list[str]:
    """Name the users that have mail: those that first_valid_uid lets in."""
    users = call.machine.host.users()
    return [name for name, user in users.items() if call.machine.host.layout.first_uid <= user.uid < 60000]


def _stores(call: Call, options: Options) -> list[tuple[str, Store]]:
    _need_server(call, "auth-userdb")
    every = "A" in options.flags
    if not every and not options.value("u"):
        call.refuse(f"{options.rest[0]} without -u")
    found = []
    for user in _mail_users(call) if every else [options.value("u")]:
        store = call.ask(partial(call.machine.imap.store, user))
        if store is None:
            call.fail(f"doveadm({user}): Error: User doesn't exist", NO_USER)
        found.append((user, store))
    return found


def _numbers(store: Store, name: str, wanted: set[str]) -> dict[str, str] | None:
    try:
        mailbox = store.mailbox(name)
    except MailboxError:
        return None
    return {field: str(look(mailbox)) for field, look in _STATUS.items() if field in wanted}


def _matching(names: Iterable[str], masks: Sequence[str], *, literally: bool = False) -> list[str]:
    """Give the names that a mask with `*` or `%` fits; `literally`, a mask without stays what it is."""
    known = list(names)
    found = []
    for mask in masks:
        if literally and not re.search(r"[*%]", mask):
            found.append(mask)
            continue
        parts = re.split(r"([*%])", mask)
        test = re.compile("".join({"*": ".*", "%": "[^.]*"}.get(part, re.escape(part)) for part in parts))
        found += [name for name in known if test.fullmatch(name) and name not in found]
    return found


def _found(call: Call, options: Options, query: Sequence[str]) -> list[tuple[str, Mailbox, Message]]:
    """Give the mails that a query finds: `mailbox NAME` first if at all, then criteria as in IMAP."""
    masks = [query[1]] if len(query) > 1 and query[0] == "mailbox" else ["*"]
    criteria = list(query[2:] if masks != ["*"] or query[:1] == ["mailbox"] else query)

    def look(store: Store) -> list[tuple[str, Mailbox, Message]]:
        found = []
        for name in _matching(store.names(), masks):
            mailbox = store.mailbox(name)
            mails = mailbox.messages
            test = Criteria([word.encode() for word in criteria], len(mails), mails[-1].uid if mails else 0).every()
            for number, mail in enumerate(mails, 1):
                if test(Candidate(mail, number, mail.recent, mailbox.content)):
                    found.append((name, mailbox, mail))
        return found

    try:
        return [hit for _, store in _stores(call, options) for hit in call.ask(partial(look, store))]
    except ReplyError as error:
        call.refuse(f"{' '.join(query)}: {error}")


def _field(name: str, title: str, mailbox: Mailbox, mail: Message) -> str:
    if name.startswith("hdr."):
        lines = fields(mailbox.content(mail), [name.removeprefix("hdr.").encode()])
        return lines.decode("utf-8", "replace").partition(":")[2].strip().replace("\r\n", "\n")
    return {"mailbox": title, "mailbox-guid": mailbox.guid}.get(name) or str(_FETCH[name](mail))


def _print(call: Call, style: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows as doveadm -f does; what a row is about goes without its field's name in style flow."""
    match style:
        case "flow":
            for row in rows:
                bare = [row[field] for field in ("username", "mailbox") if field in row]
                call.say(" ".join([*bare, *(f"{k}={v}" for k, v in row.items() if k not in {"username", "mailbox"})]))
        case "tab":
            for line in [list(rows[0]), *(row.values() for row in rows)] if rows else []:
                call.say("\t".join(line))
        case "json":
            call.stdout.write(json.dumps([dict(row) for row in rows], ensure_ascii=False, separators=(",", ":")))
        case "pager":
            pages = ["\n".join(f"{field}: {value}" for field, value in row.items()) for row in rows]
            if pages:
                call.say("\n\f\n".join(pages))
        case _:
            call.refuse(f"-f {style}")
