"""The outside world: senders who look the MX up, speak SMTP, wait and try again, and bounce at last."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from typing import TYPE_CHECKING

import aiosmtplib

from runbook_tui.demo.dns.names import NameNotFoundError, Names
from runbook_tui.demo.ledger import HEADER, Stage
from runbook_tui.demo.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from runbook_tui.demo.clock import WorldClock
    from runbook_tui.demo.ledger import Ledger

__all__ = ["Outside", "Provider", "Way"]

SENDERS = 7
"""Each with an address of its own, from .200 on, and a resolver."""
RETRY_AFTER = (300, 600, 1200, 1800)
"""World seconds to the next attempts, the last one again and again (RFC 5321 section 4.5.4.1)."""
GIVE_UP_AFTER = 5 * 86400
"""World seconds after which a sender bounces: Postfix's maximal_queue_lifetime."""
AT_ONCE = 100
"""Connections at the same time."""
SMTP_PATIENCE = 20.0
"""Real seconds for a server's answer."""


class Way(StrEnum):
    """How a mail comes to the domain (MIGRATION.md section 6)."""

    MX = "by MX"
    STRAIGHT = "straight to old"  # senders with the old address in their configuration
    PROVIDER = "through another provider"


STRAIGHT_SHARE = 0.05
PROVIDER_SHARE = 0.05


class _BouncedError(Exception):
    """A server, or the lack of one, leaves no hope: who said it, and the words."""

    def __init__(self, host: str, text: str) -> None:
        super().__init__(f"{host}: {text}")
        self.host = host
        self.text = text


@dataclass(frozen=True, slots=True)
class _Mail:
    number: int
    recipient: str
    content: bytes
    straight: bool


class Outside:
    """A stream of numbered mails, `rate` of them each real second.

    `network` is the first three numbers of the world's addresses; `resolvers` are (address, port); `old` is the
    address stragglers use; `users` get the mails in turn, the first of them those that go through the provider.
    """

    def __init__(
        self, network: str, domain: str, *, clock: WorldClock, resolvers: Sequence[tuple[str, int]], old: str,
        smtp_port: int, ledger: Ledger, provider: Provider, users: Sequence[str] = ("plop", "alice", "bob"),
        seed: int = 0,
    ) -> None:
        self._network = network
        self._domain = domain
        self._clock = clock
        self._names = [Names(address, port) for address, port in resolvers]
        self._old = old
        self._port = smtp_port
        self._ledger = ledger
        self._provider = provider
        self._users = users
        self._chance = random.Random(seed)  # noqa: S311 -- a rehearsal must be repeatable
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._rate = 0.0
        self._rate_changed = asyncio.Event()
        self._stream: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def rate(self) -> float:
        """Mails each real second; 0 while the stream is stopped."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = max(0.0, rate)
        self._rate_changed.set()

    @property
    def waiting(self) -> int:
        """How many mails are still at their senders."""
        return len(self._sending)

    async def start(self, rate: float) -> None:
        """Let the stream begin."""
        self.rate = rate
        if self._stream is None:
            self._stream = asyncio.ensure_future(self._flow())

    async def stop(self) -> None:
        """End the stream, and every sender where it is."""
        tasks = {*self._sending, *([self._stream] if self._stream else [])}
        self._stream = None
        while tasks:
            # Again and again: before Python 3.12 a connection that fails at this very moment swallows the first one.
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.1)

    async def idle(self, timeout: float) -> bool:  # noqa: ASYNC109 -- an answer, not an exception, is wanted
        """Wait until every sender has got rid of its mail, at most `timeout` real seconds; give whether it is so."""
        try:
            async with asyncio.timeout(timeout):
                while self._sending:
                    await asyncio.wait(tuple(self._sending))
        except TimeoutError:
            return False
        return True

    def send(self, user: str | None = None, way: Way | None = None) -> int:
        """Let one mail set out and give its number; chance decides the way when none is given."""
        way = way or self._way()
        number = self._ledger.number(Stage.PROVIDER if way is Way.PROVIDER else Stage.SENDER)
        user = user or self._users[0 if way is Way.PROVIDER else number % len(self._users)]
        recipient = f"{user}@{self._domain}"
        content = self._write(number, recipient)
        if way is Way.PROVIDER:
            self._provider.put(user, content)
        else:
            self._spawn(self._deliver(_Mail(number, recipient, content, way is Way.STRAIGHT)))
        return number

    def _way(self) -> Way:
        dice = self._chance.random()
        if dice < STRAIGHT_SHARE:
            return Way.STRAIGHT
        return Way.PROVIDER if dice < STRAIGHT_SHARE + PROVIDER_SHARE else Way.MX

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _flow(self) -> None:
        """Send at the rate wanted; a moment's delay is made up for, a stopped stream is not."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._rate_changed.clear()
            if self._rate == 0:
                await self._rate_changed.wait()
                due = loop.time()
                continue
            due += 1 / self._rate
            try:
                async with asyncio.timeout_at(due):
                    await self._rate_changed.wait()
                due = loop.time()
            except TimeoutError:
                if self._rate:
                    self.send()

    async def _deliver(self, mail: _Mail) -> None:
        """Try until somebody takes the mail, refuses it for good, or patience is at its end."""
        give_up = self._clock.time() + GIVE_UP_AFTER
        attempt = 0
        while True:
            try:
                async with self._at_once:
                    taker = await self._attempt(mail)
            except _BouncedError as error:
                self._ledger.bounced(mail.number, error.host, error.text)
                return
            except (OSError, LookupError, aiosmtplib.SMTPException) as error:
                why = _words(error)
            else:
                self._ledger.note(mail.number, Stage.ACCEPTED, taker)
                return
            self._ledger.note(mail.number, Stage.SENDER, why)
            pause = RETRY_AFTER[min(attempt, len(RETRY_AFTER) - 1)] * self._chance.uniform(0.9, 1.1)
            attempt += 1
            if self._clock.time() + pause > give_up:
                self._ledger.bounced(mail.number, "sender", f"gave up after 5 days: {why}")
                return
            await self._clock.sleep(pause)

    async def _attempt(self, mail: _Mail) -> str:
        """Try each mail host in turn, best first (RFC 5321 section 5.1); give the one that took the mail."""
        sender = mail.number % SENDERS
        names = self._names[sender % len(self._names)]
        last: Exception = OSError("no mail host")
        for name, addresses in await self._hosts(mail, names):
            for address in addresses:
                try:
                    await self._speak(mail, address, f"{self._network}.{200 + sender}")
                except (aiosmtplib.SMTPException, OSError) as error:
                    code, text = _reply(error)
                    if code >= 500:
                        raise _BouncedError(name, text) from error
                    last = error
                else:
                    return name
        raise last

    async def _hosts(self, mail: _Mail, names: Names) -> list[tuple[str, list[str]]]:
        """Give the mail hosts by short name with their addresses.

        Whoever has old's address in a configuration of their own keeps to it until the MX names old no more.
        """
        if mail.straight and await self._still_named(names):
            return [("old", [self._old])]
        try:
            hosts = [host for _, host in await names.mx(self._domain)]
            return [(host.removesuffix(f".{self._domain}"), await names.addresses(host)) for host in hosts]
        except NameNotFoundError as error:
            raise _BouncedError("sender", str(error)) from error

    async def _still_named(self, names: Names) -> bool:
        """Whether old is among the domain's mail hosts; it is as long as nobody answers otherwise."""
        try:
            return f"old.{self._domain}" in [host for _, host in await names.mx(self._domain)]
        except LookupError:
            return True

    async def _speak(self, mail: _Mail, address: str, source: str) -> None:
        """Hand the mail over in one SMTP session."""
        client = aiosmtplib.SMTP(
            hostname=address, port=self._port, timeout=SMTP_PATIENCE, start_tls=False,
            local_hostname="mx.outside.test", source_address=(source, 0),
        )  # fmt: skip
        await client.connect()
        try:
            await client.sendmail(_address(mail.number), [mail.recipient], mail.content)
        finally:
            client.close()

    def _write(self, number: int, recipient: str) -> bytes:
        return (
            f"From: {_address(number)}\r\nTo: {recipient}\r\nSubject: Numbered mail {number}\r\n"
            f"Message-ID: <{number}.mailrunbook@outside.test>\r\nDate: {formatdate(self._clock.time())}\r\n"
            f"{HEADER}: {number}\r\n\r\nThis is mail number {number} of the rehearsal.\r\n"
        ).encode()


def _address(number: int) -> str:
    return f"sender{number % SENDERS}@outside.test"


def _reply(error: Exception) -> tuple[int, str]:
    """Give an SMTP reply as code and line; code 0 for trouble without a reply."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code, f"{error.code} {error.message}"
    return 0, ""


def _words(error: Exception) -> str:
    """Say why a mail still waits."""
    if isinstance(error, aiosmtplib.SMTPConnectError) and not isinstance(error, aiosmtplib.SMTPResponseException):
        return "connection refused" if isinstance(error.__cause__, ConnectionRefusedError) else "no connection"
    return _reply(error)[1] or str(error) or type(error).__name__
