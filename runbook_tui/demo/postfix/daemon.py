"""Postfix of one host: its SMTP port, its queue, and who is delivered to when, on world time (master(8), qmgr(8))."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.postfix import headers
from runbook_tui.demo.postfix.access import Access
from runbook_tui.demo.postfix.delivery import Delivery
from runbook_tui.demo.postfix.maps import TableError, Tables
from runbook_tui.demo.postfix.outcome import Outcome, Status
from runbook_tui.demo.postfix.queue import Queue, QueuedMail, QueueName
from runbook_tui.demo.postfix.routing import Router
from runbook_tui.demo.postfix.settings import ConfigurationError, Settings
from runbook_tui.demo.postfix.smtpd import Conversation

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.postfix.local import Pipe
    from runbook_tui.demo.postfix.smtp import MailNames

AT_ONCE = 20
"""Deliveries under way at the same time (default_destination_concurrency_limit)."""
DOWN = "fatal: the Postfix mail system is not running"


class Postfix:
    """A `machine.Service`. main.cf is read at start and reload, tables whenever they changed."""

    def __init__(
        self, host: Host, names: MailNames, tls: ssl.SSLContext, *, ports: Callable[[int], int],
        bounced: Callable[[QueuedMail, str, str], None], pipe: Pipe | None = None,
    ) -> None:  # fmt: skip
        """Take the host and its resolver.

        `ports` maps a well-known port to the world's; `bounced` hears of every mail given up, with the recipient and
        why; `pipe` runs mailbox_command, None plays procmail without recipes.
        """
        self.host = host
        self.queue = Queue(host.path("/var/spool/postfix"))
        self._names = names
        self._tls = tls
        self._ports = ports
        self._bounced = bounced
        self._pipe = pipe
        stale_after = 100 / host.clock.face.factor
        self._tables = Tables(host.path, lambda text: self._log("trivial-rewrite", f"warning: {text}"), stale_after)
        self._use(Settings.of(host, {}))
        self._server: asyncio.Server | None = None
        self._manager: asyncio.Task[None] | None = None
        self._conversations: set[Conversation] = set()
        self._attempts: dict[str, asyncio.Task[None]] = {}
        self._flushed: set[str] = set()
        self._wake = asyncio.Event()
        host.clock.on_jump(self._wake.set)

    @property
    def disk_full(self) -> bool:
        """Whether the host's disk is full: clients hear 452, deliveries are put off."""
        return self.host.full

    @property
    def running(self) -> bool:
        """Whether master(8) runs; with master_service_disable=inet it does without listening."""
        return self._manager is not None

    async def start(self) -> None:
        """Read main.cf and the queue, listen, deliver.

        Raises:
            ServiceError: main.cf is broken, or the port is taken.
        """
        if self.running:
            return
        self._read()
        self.queue.load()
        for mail in [mail for mail in self.queue if mail.queue is QueueName.MAILDROP]:
            self.queue.move(mail, QueueName.INCOMING)
        await self._listen()
        self._manager = asyncio.create_task(self._manage())
        self._log("master", f"daemon started -- {self._version()}")

    async def stop(self) -> None:
        """End everything at once: what is under way is cut off, and tried again after the next start."""
        if self._manager is None:
            return
        manager, self._manager = self._manager, None
        await self._close()
        for conversation in tuple(self._conversations):
            conversation.abort()
        under_way = [manager, *self._attempts.values()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        self._attempts.clear()
        self._log("master", "terminating on signal 15")

    async def reload(self) -> None:
        """Read main.cf again and open or close the port; conversations under way go on.

        Raises:
            ServiceError: Postfix does not run, or main.cf is broken and the old one stays in use.
        """
        if not self.running:
            raise ServiceError(DOWN)
        self._read()
        await self._listen()
        self._log("master", f"reload -- {self._version()}")
        self._wake.set()

    def lookup(self, spec: str, key: str) -> str | None:
        """Look a key up in a table, such as `hash:/etc/aliases`.

        Raises:
            TableError: there is no such table.
        """
        return self._tables.lookup(spec, key)

    async def verify(self, address: str) -> str:
        """Find out what would become of a mail, without sending one; give the log's words from the status on."""
        mail = QueuedMail(self.new_id(), "", (), b"", self.host.clock.time())
        mail = replace(mail, recipients=tuple(self._delivery.virtual(address)))
        begun = self.host.clock.time()
        outcomes = await self._delivery.probe(mail)
        for one in outcomes:
            self._log(one.agent, one.line(mail.queue_id, *[self.host.clock.time() - begun] * 2))
        return f"{outcomes[0].status} ({outcomes[0].text})"

    def submit(self, sender: str, recipients: Sequence[str], content: bytes) -> str:
        """Queue a mail from this host, as sendmail(1) does, and give its queue id; headers it lacks are added.

        Raises:
            OSError: the disk is full.
        """
        queue_id = self.new_id()
        sender = self._router.complete(sender) if sender else ""
        self._log("pickup", f"{queue_id}: uid=0 from=<{sender}>")
        hostname = self._settings.get("myhostname")
        content = headers.completed(content, queue_id, sender, hostname, self.host.clock.time())
        self.accept(queue_id, sender, list(recipients), content)
        return queue_id

    def flush(self, site: str = "") -> None:
        """Try deferred mail now: all of it, or what goes to a domain."""
        for mail in self.queue:
            if site and not any(to.address.endswith(f"@{site}") for to in mail.recipients):
                continue
            self.try_now(mail.queue_id)

    def try_now(self, queue_id: str) -> None:
        """Try one deferred mail now."""
        mail = self.queue.get(queue_id)
        if mail is not None and mail.queue is QueueName.DEFERRED and queue_id not in self._attempts:
            self._flushed.add(queue_id)
            self.queue.move(mail, QueueName.INCOMING)
            self._wake.set()

    def release(self, mail: QueuedMail) -> None:
        """Take a mail back into the flow: off hold, or requeued."""
        if mail.queue_id not in self._attempts:
            self.queue.move(mail, QueueName.INCOMING)
            self._wake.set()

    @property
    def settings(self) -> Settings:
        """main.cf as it was read last."""
        return self._settings

    @property
    def access(self) -> Access:
        """Who may send what to whom."""
        return self._access

    def new_id(self) -> str:
        """Make a queue id."""
        return self.queue.unused_id()

    def accept(self, queue_id: str, sender: str, recipients: list[str], content: bytes) -> None:
        """Put a mail into the queue: incoming, or maildrop while Postfix is down.

        Raises:
            OSError: the disk is full.
        """
        try:
            expanded = {to.address: to for name in recipients for to in self._delivery.virtual(name)}
        except TableError as error:
            raise OSError(0, str(error)) from None
        queue = QueueName.INCOMING if self.running else QueueName.MAILDROP
        now = self.host.clock.time()
        self.queue.put(QueuedMail(queue_id, sender, tuple(expanded.values()), content, now, queue))
        self._log("cleanup", f"{queue_id}: message-id={headers.message_id(content)}")
        self._wake.set()

    def _read(self) -> None:
        try:
            self._use(Settings.read(self.host))
        except ConfigurationError as error:
            raise ServiceError(f"fatal: {error}") from None

    def _use(self, settings: Settings) -> None:
        """Take settings into use, all of them or none."""
        backoff = (settings.seconds("minimal_backoff_time"), settings.seconds("maximal_backoff_time"))
        lifetimes = (settings.seconds("maximal_queue_lifetime"), settings.seconds("bounce_queue_lifetime"))
        for name in ("message_size_limit", "hopcount_limit", "relay_domains_reject_code"):
            settings.number(name)
        router = Router(settings, self.lookup, self.host.users, self.host.address)
        delivery = Delivery(
            self.host, settings, router, names=self._names, ports=self._ports, pipe=self._pipe,
            full=lambda: self.host.full,
        )  # fmt: skip
        self._settings, self._router, self._delivery = settings, router, delivery
        self._access = Access(settings, router)
        self._backoff, self._lifetimes = backoff, lifetimes

    async def _listen(self) -> None:
        disabled = {"inet", "smtp/inet"} & {*self._settings.words("master_service_disable")}
        outside = {*self._settings.words("inet_interfaces")} - {"loopback-only", "localhost", "127.0.0.1", "[::1]"}
        if disabled or not outside:
            await self._close()
        elif self._server is None:
            loop = asyncio.get_running_loop()
            port = self.host.port(25)
            try:
                self._server = await loop.create_server(self._conversation, self.host.address, port, backlog=256)
            except OSError as error:
                reason = (error.strerror or "").rpartition(": ")[2]
                raise ServiceError(f"fatal: bind {self.host.address} port {port}: {reason}") from None

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)

    def _conversation(self) -> asyncio.Protocol:
        if unsafe := self._access.unsafe():
            self._log("smtpd", f"fatal: {unsafe}")
            return _Closed()
        level = self._settings.get("smtpd_tls_security_level")
        return Conversation(self, self._tls if level in {"may", "encrypt"} else None, self._conversations)

    async def _manage(self) -> None:
        clock = self.host.clock
        while True:
            self._wake.clear()
            now = clock.time()
            for mail in self.queue.due(now):
                if len(self._attempts) >= AT_ONCE:
                    break
                if mail.queue_id not in self._attempts:
                    self._attempts[mail.queue_id] = asyncio.create_task(self._attempt(mail))
            wait = max(self.queue.next_try(now + 3600) - now, 0) / clock.face.factor
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wait, 0.01)):
                    await self._wake.wait()

    async def _attempt(self, mail: QueuedMail) -> None:
        try:
            mail = self.queue.move(mail, QueueName.ACTIVE)
            size, many = len(mail.content), len(mail.recipients)
            self._log("qmgr", f"{mail.queue_id}: from=<{mail.sender}>, size={size}, nrcpt={many} (queue active)")
            begun = time.monotonic()
            flushed = mail.queue_id in self._flushed
            self._flushed.discard(mail.queue_id)
            outcomes = await self._delivery.attempt(mail, flushed=flushed)
            self._settle(mail, outcomes, time.monotonic() - begun)
        except FileNotFoundError:
            self._log("qmgr", f"warning: open active {mail.queue_id}: No such file or directory")
            self.queue.remove(mail.queue_id)
        except OSError as error:
            self._log("qmgr", f"warning: {mail.queue_id}: {error.strerror}")
            self.queue.put_off(mail.queue_id, self.host.clock.time() + self._backoff[0])
        finally:
            self._attempts.pop(mail.queue_id, None)
            self._wake.set()

    def _settle(self, mail: QueuedMail, outcomes: list[Outcome], took: float) -> None:
        now = self.host.clock.time()
        age = now - mail.arrival
        for one in outcomes:
            self._log(one.agent, one.line(mail.queue_id, max(age, took), took))
            if one.status is Status.BOUNCED:
                self._bounced(mail, one.recipient.address, one.text)
        left = tuple(replace(one.recipient, reason=one.text) for one in outcomes if one.left)
        current = self.queue.get(mail.queue_id)
        if current is None:
            return
        if left and age > self._lifetimes[0 if mail.sender else 1]:
            self._log("qmgr", f"{mail.queue_id}: from=<{mail.sender}>, status=expired, returned to sender")
            for recipient in left:
                self._bounced(mail, recipient.address, recipient.reason)
            left = ()
        if not left:
            self.queue.remove(mail.queue_id)
            self._log("qmgr", f"{mail.queue_id}: removed")
            return
        queue = QueueName.HOLD if current.queue is QueueName.HOLD else QueueName.DEFERRED
        again = now + min(max(age, self._backoff[0]), self._backoff[1])
        self.queue.put(replace(mail, recipients=left, queue=queue, next_try=again))

    def _version(self) -> str:
        return f"version {self._settings.get('mail_version')}, configuration {self.host.layout.postfix}"

    def _log(self, daemon: str, text: str) -> None:
        self.host.log(f"postfix/{daemon}", text)


class _Closed(asyncio.Protocol):
    """A port whose smtpd dies at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

