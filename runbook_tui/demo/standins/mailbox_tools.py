"""Stand-ins of crontab(1) and fetchmail(1)."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from runbook_tui.demo.crontab import CrontabError, parse
from runbook_tui.demo.imap.delivery import deliver
from runbook_tui.demo.provider import SERVER, MailboxBusyError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runbook_tui.demo.provider import Kept
    from runbook_tui.demo.standins.call import Call, Command, Options

NOTHING, BAD_OPTIONS, BAD_MODE, LOCK_BUSY, SMTP_TROUBLE = 1, 5, 6, 9, 10
"""Exit statuses of fetchmail(1)."""
LONG = "check version all keep nokeep silent verbose mda= daemon= fetchmailrc="


def crontab(call: Call) -> None:
    """Show, replace or remove a user's crontab; a broken one is not taken."""
    options = call.options("u:lrif")
    user = options.value("u", call.user)
    if user not in call.machine.host.users():
        call.fail(f"crontab: user '{user}' unknown")
    path = call.machine.host.path(f"{call.machine.host.layout.crontabs}/{user}")
    if "l" in options.flags:
        if not path.exists():
            call.fail(f"no crontab for {user}")
        call.stdout.write(path.read_text(encoding="utf-8"))
    elif "r" in options.flags:
        if not path.exists():
            call.fail(f"no crontab for {user}")
        path.unlink()
    elif len(options.rest) == 1:
        _install(call, path, options.rest[0])
    else:
        call.fail("crontab: usage error: file name must be specified for replace")


def _install(call: Call, path: Path, source: str) -> None:
    try:
        content = call.stdin.read() if source == "-" else call.file(source).read_bytes()
    except FileNotFoundError:
        call.fail(f"{source}: No such file or directory")
    text = content.decode("utf-8", "replace")
    shown = "-" if source == "-" else source
    if text and not text.endswith("\n"):
        call.fail("new crontab file is missing newline before EOF, can't install.")
    try:
        parse(text)
    except CrontabError as error:
        call.warn(f'"{shown}":{error}')
        call.fail("errors in crontab file, can't install.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What fetchmail is to do: from its options and ~/.fetchmailrc."""

    account: str
    user: str
    keep: bool
    everything: bool
    delivery: str


def fetchmail(call: Call) -> int:
    """Take what the provider has for the caller and hand it to the mail system or the program of -m."""
    options = call.options("cVakKsvm:d:f:", long=LONG)
    if options.value("d", options.value("daemon", "0")) != "0":
        call.refuse("daemon mode")
    asks_version = bool(options.flags & {"V", "version"})
    if asks_version:
        call.say("This is fetchmail release 6.4.37+TLS+NLS (rehearsal).")
    if not _settings(call, options).exists():
        missing = "No mailservers set up -- perhaps ~/.fetchmailrc is missing?"
        if not asks_version:
            call.fail("fetchmail: no mailservers have been specified.", BAD_OPTIONS)
        call.say(f"Taking options from command line\n{missing}")
        return 0
    wish = _wish(call, options)
    if asks_version:
        call.say(f"Options for retrieving from {wish.account}@{SERVER}:")
        call.say(f"  Messages will {'' if wish.keep else 'not '}be kept on the server.")
        return 0
    try:
        with call.machine.world.provider.session(wish.account) as session:
            seen = _seen(call)
            mails = [mail for mail in session.mails if wish.everything or mail.uid not in seen]
            quiet = bool(options.flags & {"s", "silent"})
            if mails and not quiet:
                call.say(f"{len(mails)} messages for {wish.account} at {SERVER}.")
            if options.flags & {"c", "check"} or not mails:
                return 0 if mails else NOTHING
            for mail in mails:
                _hand_over(call, wish, mail)
                call.ask(lambda mail=mail: session.fetched(mail, call.machine.host.name, keep=wish.keep))  # type: ignore[misc]
                if wish.keep:
                    _remember(call, wish.account, mail)
    except MailboxBusyError:
        call.fail(f"fetchmail: {wish.account}@{SERVER}: mailbox is locked by another session", LOCK_BUSY)
    return 0


def _settings(call: Call, options: Options) -> Path:
    home = call.machine.host.users()[call.user].home
    return call.file(options.value("f", options.value("fetchmailrc", f"{home}/.fetchmailrc")))


def _wish(call: Call, options: Options) -> _Wish:
    """Read ~/.fetchmailrc and let the command line win."""
    home = call.machine.host.users()[call.user].home
    rc = _settings(call, options)
    if rc.stat().st_mode & 0o077:
        call.fail(f"File {home}/.fetchmailrc must have no more than -rwx------ (0700) permissions.", BAD_MODE)
    text = re.sub(r"^\s*#.*$", "", rc.read_text(encoding="utf-8"), flags=re.MULTILINE)
    words = shlex.split(text)
    if "poll" not in words and "server" not in words:
        call.fail("fetchmail: no mailservers have been specified.", BAD_OPTIONS)

    def after(*keys: str) -> str:
        return next((value for key, value in pairwise(words) if key in keys), "")

    if after("poll", "server") != SERVER:
        call.refuse(f"a server other than {SERVER}")
    keep = bool(options.flags & {"k", "keep"}) or ("keep" in words and not options.flags & {"K", "nokeep"})
    return _Wish(
        after("user", "username") or call.user, after("is") or call.user, keep,
        bool(options.flags & {"a", "all"}) or "fetchall" in words,
        options.value("m", options.value("mda", after("mda"))),
    )  # fmt: skip


def _hand_over(call: Call, wish: _Wish, mail: Kept) -> None:
    """Deliver a mail by procmail or dovecot-lda, or give it to the host's own Postfix as fetchmail does by default."""
    machine = call.machine
    if not wish.delivery:
        if not machine.postfix.running:
            call.fail("fetchmail: SMTP connect to localhost failed", SMTP_TROUBLE)
        recipient = f"{wish.user}@{machine.world.domain}"
        call.ask(lambda: machine.postfix.submit("sender@outside.test", [recipient], mail.content))
        return
    program, *arguments = (word.replace("%T", wish.user) for word in shlex.split(wish.delivery))
    if program.rpartition("/")[2] not in ("procmail", "dovecot-lda") or arguments[:1] != ["-d"]:
        call.refuse(f"-m {wish.delivery}")
    maildir = machine.host.maildir(arguments[1] if len(arguments) > 1 else wish.user)
    if maildir is None:
        call.fail(f"fetchmail: MDA returned nonzero status 67 for {wish.user}", SMTP_TROUBLE)
    if machine.host.full:
        call.fail("fetchmail: MDA returned nonzero status 75: No space left on device", SMTP_TROUBLE)
    try:
        deliver(maildir, mail.content, hostname=machine.host.fqdn)
    except OSError as error:
        call.fail(f"fetchmail: MDA returned nonzero status 75: {error.strerror}", SMTP_TROUBLE)


def _fetchids(call: Call) -> Path:
    return call.machine.host.path(f"{call.machine.host.users()[call.user].home}/.fetchids")


def _seen(call: Call) -> set[str]:
    """Read which kept mails were fetched before: without this file all of them come again (MIGRATION.md I13)."""
    path = _fetchids(call)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {line.split()[-1] for line in lines if line.strip()}


def _remember(call: Call, account: str, mail: Kept) -> None:
    with _fetchids(call).open("a", encoding="utf-8") as ids:
        ids.write(f"{account}@{SERVER} {mail.uid}\n")


COMMANDS: Mapping[str, Command] = {"crontab": crontab, "fetchmail": fetchmail}
