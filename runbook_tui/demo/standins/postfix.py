"""The commands that come with Postfix; they act on the host's real files, queue and daemon."""

from __future__ import annotations

import email
import email.utils
import json
import time
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.postfix.queue import QueueName
from runbook_tui.demo.standins.call import NOT_IN_THE_REHEARSAL
from runbook_tui.demo.standins.postconf import postconf
from runbook_tui.demo.standins.postmap import newaliases, postmap, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.demo.postfix.daemon import Postfix
    from runbook_tui.demo.postfix.queue import QueuedMail
    from runbook_tui.demo.standins.call import Call, Command, Options

EX_UNAVAILABLE = 69
_SHOWN = (QueueName.MAILDROP, QueueName.ACTIVE, QueueName.INCOMING, QueueName.DEFERRED, QueueName.HOLD)
_DOWN = (
    "Mail system is down -- accessing queue directly (Connect to the Postfix showq service: Connection refused)"
)
_NO_FLUSH = "postqueue: fatal: Cannot flush mail queue - mail system is down"
_SITUATIONS: Mapping[str, str] = {
    "start": "starting the Postfix mail system",
    "stop": "stopping the Postfix mail system",
    "abort": "aborting the Postfix mail system",
    "reload": "refreshing the Postfix mail system",
}
_DEEDS: Mapping[str, tuple[str, str]] = {
    "d": ("removed", "Deleted"),
    "h": ("placed on hold", "Placed on hold"),
    "H": ("released from hold", "Released from hold"),
    "r": ("requeued", "Requeued"),
}


def _postfix(call: Call) -> Postfix:
    return call.machine.postfix


def postqueue(call: Call) -> None:
    """Show the queue (-p, -j), or try deferred mail again (-f all, -s a site, -i one mail)."""
    options = call.options("c:fjps:i:")
    if options.rest or not (options.flags or {"s", "i"} & {*options.values}):
        call.fail(
            "postqueue: fatal: usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p "
            "| postqueue -s site", EX_UNAVAILABLE,
        )  # fmt: skip
    if {"p", "j"} & options.flags:
        _show_queue(call, as_json="j" in options.flags)
    else:
        _flush(call, options)


def mailq(call: Call) -> None:
    """Show the queue."""
    call.options("")
    _show_queue(call, as_json=False)


def _flush(call: Call, options: Options) -> None:
    postfix = _postfix(call)
    if not call.ask(lambda: postfix.running):
        call.fail(_NO_FLUSH, EX_UNAVAILABLE)
    if "i" in options.values:
        call.ask(lambda: postfix.try_now(options.value("i")))
    else:
        call.ask(lambda: postfix.flush(options.value("s")))


def _look(call: Call) -> tuple[bool, list[QueuedMail]]:
    """Give whether Postfix runs, and the queue; when it does not, what is on disk now."""
    postfix = _postfix(call)

    def look() -> tuple[bool, list[QueuedMail]]:
        if not postfix.running:
            postfix.queue.load()
        return postfix.running, list(postfix.queue)

    return call.ask(look)


def _show_queue(call: Call, *, as_json: bool) -> None:
    running, mails = _look(call)
    if not running and call.user != "root":
        call.fail("postqueue: fatal: Queue report unavailable - mail system is down", EX_UNAVAILABLE)
    if not running:
        call.warn(f"postqueue: warning: {_DOWN}")
    mails.sort(key=lambda mail: _SHOWN.index(mail.queue))
    if as_json:
        for mail in mails:
            call.say(json.dumps(_as_object(mail), ensure_ascii=False))
    elif not mails:
        call.say("Mail queue is empty")
    else:
        call.say("-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------")
        for mail in mails:
            call.say(_as_lines(mail))
        size = sum(len(mail.content) for mail in mails) // 1024
        call.say(f"-- {size} Kbytes in {len(mails)} Request{'s' if len(mails) > 1 else ''}.")


def _as_object(mail: QueuedMail) -> dict[str, object]:
    return {
        "queue_name": str(mail.queue),
        "queue_id": mail.queue_id,
        "arrival_time": int(mail.arrival),
        "message_size": len(mail.content),
        "forced_expire": False,
        "sender": mail.sender or "MAILER-DAEMON",
        "recipients": [
            {"address": to.address, "delay_reason": to.reason} if to.reason else {"address": to.address}
            for to in mail.recipients
        ],
    }


def _as_lines(mail: QueuedMail) -> str:
    mark = {QueueName.ACTIVE: "*", QueueName.HOLD: "!"}.get(mail.queue, "")
    stamp = time.strftime("%a %b %e %H:%M:%S", time.localtime(mail.arrival))
    lines = [f"{mail.queue_id + mark:<11} {len(mail.content):7} {stamp}  {mail.sender or 'MAILER-DAEMON'}"]
    for reason, recipients in groupby(mail.recipients, key=lambda to: to.reason):
        lines += [f"({reason})".rjust(78)] if reason else []
        lines += [f"{'':41}{to.address}" for to in recipients]
    return "\n".join([*lines, ""])


def postsuper(call: Call) -> None:
    """Delete (-d), hold (-h), release (-H) or requeue (-r) mails: an id, `ALL` [queue], or `-` for ids on stdin."""
    options = call.options("c:d:h:H:r:")
    if call.user != "root":
        call.fail("postsuper: fatal: use of this command is reserved for the superuser")
    _look(call)
    for letter, (deed, heading) in _DEEDS.items():
        if letter not in options.values:
            continue
        ids = list(options.values[letter])
        if "-" in ids:
            ids = call.stdin.read().decode().split()
        done = call.ask(partial(_change, _postfix(call), letter, ids, options.rest))
        if "ALL" not in ids:
            for queue_id in done:
                _tell(call, f"{queue_id}: {deed}")
        _tell(call, f"{heading}: {len(done)} message{'' if len(done) == 1 else 's'}")


def _change(postfix: Postfix, letter: str, ids: Sequence[str], queues: Sequence[str]) -> list[str]:
    done = []
    for mail in postfix.queue:
        chosen = mail.queue_id in ids or ("ALL" in ids and (not queues or mail.queue in queues))
        held = mail.queue is QueueName.HOLD
        if not chosen or (letter == "h" and held) or (letter == "H" and not held):
            continue
        match letter:
            case "d":
                postfix.queue.remove(mail.queue_id)
            case "h":
                postfix.queue.move(mail, QueueName.HOLD)
            case _:
                postfix.release(mail)
        done.append(mail.queue_id)
    return done


def _tell(call: Call, text: str) -> None:
    call.warn(f"postsuper: {text}")
    call.machine.host.log("postfix/postsuper", text)


def postfix(call: Call) -> int:
    """Start, stop and reload the mail system; status and check. It speaks to a terminal and to the log alone."""
    verbs = call.options("c:").rest
    verb = verbs[0] if len(verbs) == 1 else ""
    daemon = _postfix(call)
    running = call.ask(lambda: daemon.running)
    if verb != "stop":
        settings_of(call)
    match verb:
        case "status":
            _report(call, f"the Postfix mail system is {'running: PID: 1' if running else 'not running'}")
            return 0 if running else 1
        case "check":
            return 0
        case "flush":
            _flush(call, call.options("c:"))
            return 0
        case _ if verb not in _SITUATIONS:
            call.refuse()
    if running == (verb == "start"):
        _report(call, f"fatal: the Postfix mail system is {'already' if running else 'not'} running")
        return 1
    _report(call, _SITUATIONS[verb])
    work = {"start": daemon.start, "reload": daemon.reload}.get(verb, daemon.stop)
    try:
        call.wait(work())
    except ServiceError as error:
        call.fail(f"postfix: {error}")
    return 0


def _report(call: Call, text: str) -> None:
    if call.stderr.isatty():
        call.warn(f"postfix/postfix-script: {text}")
    call.machine.host.log("postfix/postfix-script", text)


def sendmail(call: Call) -> None:
    """Queue a mail from standard input, or: -bv where would it go, -bp show the queue, -q flush it."""
    options = call.options("b:f:F:r:io:tqB:")
    match options.value("b", "m"):
        case "p":
            _show_queue(call, as_json=False)
        case "v":
            _verify(call, options.rest)
        case "i":
            newaliases(call)
        case "m" if "q" in options.flags:
            _flush(call, options)
        case "m":
            _submit(call, options)
        case mode:
            call.refuse(f"-b{mode}")


def _submit(call: Call, options: Options) -> None:
    content = call.stdin.read()
    recipients = list(options.rest)
    if "t" in options.flags:
        headers = email.message_from_bytes(content)
        fields = [value for name in ("To", "Cc", "Bcc") for value in headers.get_all(name, [])]
        recipients += [address for _, address in email.utils.getaddresses([str(field) for field in fields]) if address]
    if not recipients:
        call.fail(
            f"sendmail: fatal: {call.user}: Recipient addresses must be specified on the command line "
            "or via the -t option", 75,
        )  # fmt: skip
    sender = options.value("f", options.value("r", call.user)).strip("<>")
    try:
        call.ask(lambda: _postfix(call).submit(sender, recipients, content))
    except OSError as error:
        call.fail(f"sendmail: fatal: {call.user}: queue file write error: {error.strerror}", 75)


def _verify(call: Call, addresses: Sequence[str]) -> None:
    daemon = _postfix(call)
    if not call.ask(lambda: daemon.running):
        call.fail("sendmail: -bv while Postfix is down: not in the rehearsal", NOT_IN_THE_REHEARSAL)
    for address in addresses:
        call.wait(daemon.verify(address))
    call.say(f"Mail Delivery Status Report will be mailed to <{call.user}>.")


COMMANDS: Mapping[str, Command] = {
    "mailq": mailq,
    "newaliases": newaliases,
    "postalias": postmap,
    "postconf": postconf,
    "postfix": postfix,
    "postmap": postmap,
    "postqueue": postqueue,
    "postsuper": postsuper,
    "sendmail": sendmail,
}
