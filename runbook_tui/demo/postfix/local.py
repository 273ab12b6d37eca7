"""Delivery to a user of the host, as local(8) does it: into a Maildir, a mailbox file or a command."""

from __future__ import annotations

import errno
import shlex
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from runbook_tui.demo.imap.delivery import deliver
from runbook_tui.demo.postfix.headers import delivered_to
from runbook_tui.demo.postfix.outcome import Outcome, outcome

if TYPE_CHECKING:
    from runbook_tui.demo.host import Host, User
    from runbook_tui.demo.postfix.queue import QueuedMail, Recipient
    from runbook_tui.demo.postfix.routing import Router
    from runbook_tui.demo.postfix.settings import Settings

Pipe = Callable[["User", str, bytes], Awaitable[tuple[int, str]]]
"""Runs a command as a user with a mail on its standard input; gives exit status and output."""

AGENT = "local"
EX_TEMPFAIL = 75
_WAITS = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ESTALE}
"""Errors that pass: the mail waits (mbox_dsn in Postfix's mbox_open.c)."""


class LocalAgent:
    """Delivers to the users of one host under one configuration."""

    def __init__(
        self, host: Host, settings: Settings, router: Router, pipe: Pipe | None, full: Callable[[], bool]
    ) -> None:
        """Take what runs mailbox_command (None: procmail without recipes), and whether the disk plays full."""
        self._host = host
        self._router = router
        self._pipe = pipe
        self._full = full
        self._command = settings.raw("mailbox_command")
        self._transport = settings.get("mailbox_transport")
        self._home_mailbox = settings.get("home_mailbox")
        self._spool = settings.get("mail_spool_directory")

    async def deliver(self, mail: QueuedMail, recipient: Recipient) -> Outcome:
        """Deliver to one recipient: an address in mydestination, a file or a command."""
        refused, user = self._account(recipient)
        if refused or user is None:
            return refused or outcome(recipient, AGENT, "2.0.0", "delivered to file: /dev/null", AGENT)
        if delivered_to(mail.content, recipient.address):
            return outcome(recipient, AGENT, "5.4.6", f"mail forwarding loop for {recipient.address}", AGENT)
        head = f"Return-Path: <{mail.sender}>\nX-Original-To: {recipient.original}\nDelivered-To: {recipient.address}\n"
        content = head.encode() + mail.content
        if self._command:
            return await self._to_command(recipient, user, mail.sender, content)
        return self._to_file(recipient, user, mail.sender, content)

    def probe(self, recipient: Recipient) -> Outcome:
        """Say what delivery would do, for `sendmail -bv`."""
        refused, _ = self._account(recipient)
        if refused:
            return refused
        how = "maildir" if self._home_mailbox.endswith("/") else "mailbox"
        text = f"delivers to command: {self._command}" if self._command else f"delivers to {how}"
        return outcome(recipient, AGENT, "2.0.0", text, AGENT)

    def _account(self, recipient: Recipient) -> tuple[Outcome | None, User | None]:
        """Give a refusal, or the user, or neither for a mail that is thrown away."""
        address = recipient.address
        if address == "/dev/null":
            return None, None
        if address.startswith(("/", "|", ":")):
            return outcome(recipient, AGENT, "4.3.0", f"{address}: not in the rehearsal", AGENT), None
        if self._transport:
            text = f"mailbox_transport={self._transport}: not in the rehearsal"
            return outcome(recipient, AGENT, "4.3.0", text, AGENT), None
        user = self._router.user(address)
        if user is None:
            return outcome(recipient, AGENT, "5.1.1", f'unknown user: "{address.rpartition("@")[0]}"', AGENT), None
        return None, user

    def _to_file(self, recipient: Recipient, user: User, sender: str, content: bytes) -> Outcome:
        name = f"{user.home}/{self._home_mailbox}" if self._home_mailbox else f"{self._spool}/{user.name}"
        path = self._host.path(name)
        how = "maildir" if name.endswith("/") else "mailbox"
        try:
            if self._full():
                raise OSError(errno.ENOSPC, "No space left on device", str(path))  # noqa: TRY301 -- as the disk would
            if how == "maildir":
                deliver(path, content, hostname=self._host.fqdn)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as mailbox:
                    mailbox.write(_mbox(sender, content, self._host.clock.time()))
        except OSError as error:
            dsn = "4.2.0" if error.errno in _WAITS else "5.2.0"
            what = f"create maildir file {name}tmp/" if how == "maildir" else f"open {name}"
            if how == "maildir" and dsn == "5.2.0":
                self._host.log(
                    "postfix/local", f"warning: maildir access problem for UID/GID={user.uid}/{user.gid}: "
                    f"{what}: {error.strerror}",
                )  # fmt: skip
            text = f"{how} delivery failed: {what}: {error.strerror}"
            return outcome(recipient, AGENT, dsn, text, AGENT)
        return outcome(recipient, AGENT, "2.0.0", f"delivered to {how}", AGENT)

    async def _to_command(self, recipient: Recipient, user: User, sender: str, content: bytes) -> Outcome:
        if self._pipe is None:
            return self._as_procmail_would(recipient, user, sender, content)
        status, output = await self._pipe(user, self._command, content)
        if not status:
            return outcome(recipient, AGENT, "2.0.0", f"delivered to command: {self._command}", AGENT)
        said = f". Command output: {' '.join(output.split())}" if output.strip() else ""
        if status == EX_TEMPFAIL:
            return outcome(recipient, AGENT, "4.3.0", f"temporary failure{said}", AGENT)
        return outcome(
            recipient, AGENT, "5.3.0", f'Command died with status {status}: "{self._command}"{said}', AGENT
        )

    def _as_procmail_would(self, recipient: Recipient, user: User, sender: str, content: bytes) -> Outcome:
        """Deliver where procmail without a procmailrc does, /var/mail/USER: out of IMAP's sight (MIGRATION.md 0.8)."""
        recipes = [self._host.layout.procmailrc, f"{user.home}/.procmailrc"]
        if shlex.split(self._command)[0].rpartition("/")[2] != "procmail" or any(
            self._host.path(name).exists() for name in recipes
        ):
            return outcome(recipient, AGENT, "4.3.0", f"{self._command}: not in the rehearsal", AGENT)
        path = self._host.path(f"{self._spool}/{user.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as mailbox:
            mailbox.write(_mbox(sender, content, self._host.clock.time()))
        return outcome(recipient, AGENT, "2.0.0", f"delivered to command: {self._command}", AGENT)


def _mbox(sender: str, content: bytes, now: float) -> bytes:
    stamp = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(now))
    quoted = content.replace(b"\nFrom ", b"\n>From ")
    return f"From {sender or 'MAILER-DAEMON'}  {stamp}\n".encode() + quoted.rstrip(b"\n") + b"\n\n"
