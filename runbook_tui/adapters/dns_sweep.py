"""Asks many name servers at once: a few UDP sockets for all questions, TCP for what does not fit into a datagram."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.adapters.dns_wire import (
    BadQuestionError,
    Chance,
    Memo,
    Template,
    is_truncated,
    repeats,
    template,
    wants_no_edns,
)
from runbook_tui.core.lookup import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runbook_tui.core.lookup import Question

RESEND = (0.4, 1.0)
"""Seconds after the first sending at which what has no answer yet is sent again (SPEED.md d)."""
DEADLINE = 3.0
SOCKETS = 16
"""Of a family, each with a port of its own: a forger must guess the port as well (RFC 5452 9.2)."""
AT_ONCE = 2048
"""Questions under way at a time."""
BREATH = 250
"""Questions sent, in about 5 ms, before everything else may have its turn."""
RECEIVE_BUFFER = 1 << 20
"""Octets a socket: a thousand answers may come within a millisecond."""
FULL = 0.002
"""Seconds until a sending that the kernel had no room for is tried again."""
AT_A_TIME = 32
"""Datagrams taken from a socket before everything else may have its turn."""
LARGEST_DATAGRAM = 4096
CONVERSATIONS = 16
"""TCP connections at a time."""

Address = tuple[str, int]


@dataclass(slots=True, eq=False)
class _Asked:
    """A question under way."""

    place: int
    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]
    asked: Template
    sent: bytes = b""
    port: _Port | None = None
    edns: bool = True
    talking: bool = False
    note: str = ""


class _Port:
    """One socket. Only what answers a question sent from here, from where it was sent to, is looked at.

    It is no transport of the event loop's, which takes a quarter of a megabyte from the heap for each datagram.
    """

    def __init__(self, bound: socket.socket, sweep: _Round) -> None:
        self._socket = bound
        self._round = sweep
        self._waiting: dict[tuple[str, int, int], _Asked] = {}

    def admit(self, asked: _Asked) -> bool:
        """Take a question over, unless another one to that server has the same id here."""
        key = _key(asked.sockaddr, asked.sent)
        if self._waiting.setdefault(key, asked) is not asked:
            return False
        asked.port = self
        return True

    def send(self, asked: _Asked) -> bool:
        """Send it, for the first time or again; False: the kernel takes no more at this moment."""
        try:
            self._socket.sendto(asked.sent, asked.sockaddr)
        except BlockingIOError:
            return False
        except OSError as error:
            self._round.fail(asked, f"cannot be reached from here: {error.strerror}", unsent=True)
        return True

    def listen(self) -> None:
        """Take what has come and what will come."""
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        for _ in range(AT_A_TIME):
            try:
                data, address = self._socket.recvfrom(LARGEST_DATAGRAM + 1)
            except OSError:  # nothing more; or of a sending long ago, which says nothing of any one question
                return
            if 2 <= len(data) <= LARGEST_DATAGRAM:
                asked = self._waiting.get(_key(address, data))
                if asked is not None:
                    self._round.received(asked, data)

    def forget(self, asked: _Asked) -> None:
        """Drop what still comes for it."""
        self._waiting.pop(_key(asked.sockaddr, asked.sent), None)

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


@dataclass(slots=True)
class _Round:
    """One sweep: everything is asked, asked again, and over by the deadline."""

    questions: Sequence[Question]
    deadline: float
    memo: Memo
    chance: Chance = field(default_factory=Chance)
    answers: dict[int, Answer] = field(default_factory=dict)
    open: dict[int, _Asked] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = field(default_factory=time.monotonic)
    conversations: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONVERSATIONS))

    async def run(self) -> tuple[Answer, ...]:
        """Ask; give an answer for each question."""
        ports: dict[socket.AddressFamily, list[_Port]] = {}
        try:
            self._prepare()
            self._open(ports)
            await self._send(self.open.values(), ports)
            # Only now, as all answers can wait in the kernel: understanding the first ones would hold up the last ones.
            for port in itertools.chain(*ports.values()):
                port.listen()
            for moment in (*RESEND, self.deadline):
                await self._until(min(moment, self.deadline))
                if moment < self.deadline:
                    await self._send([a for a in self.open.values() if not a.talking], ports)
        finally:
            for task in self.conversations.values():
                task.cancel()
            await asyncio.gather(*self.conversations.values(), return_exceptions=True)
            for port in itertools.chain(*ports.values()):
                port.close()
        for asked in tuple(self.open.values()):
            self.fail(asked, f"no answer within {self.deadline:g} s{'; ' if asked.note else ''}{asked.note}")
        return tuple(self.answers[place] for place in range(len(self.questions)))

    def _prepare(self) -> None:
        made: dict[tuple[str, str, bool], Template] = {}
        for place, question in enumerate(self.questions):
            key = (question.name, question.rdtype, question.recurse)
            try:
                asked = made.get(key) or made.setdefault(
                    key, template(question.name, question.rdtype, recurse=question.recurse)
                )
                family, sockaddr = sockaddr_of(question.server, question.port)
            except (BadQuestionError, OSError) as error:
                self.answers[place] = Answer(trouble=str(error), unsent=True)
                continue
            self.open[place] = _Asked(place, family, sockaddr, asked)
        self._check_over()

    def _families(self) -> dict[socket.AddressFamily, int]:
        wanted: dict[socket.AddressFamily, int] = {}
        for asked in self.open.values():
            wanted[asked.family] = min(SOCKETS, wanted.get(asked.family, 0) + 1)
        return wanted

    def _open(self, ports: dict[socket.AddressFamily, list[_Port]]) -> None:
        for family, count in self._families().items():
            opened = ports.setdefault(family, [])
            for _ in range(count):
                try:
                    opened.append(_Port(_bound(family), self))
                except OSError:
                    break

    async def _send(self, questions: Iterable[_Asked], ports: Mapping[socket.AddressFamily, Sequence[_Port]]) -> None:
        for count, asked in enumerate(tuple(questions), 1):
            port = asked.port or self._placed(asked, ports[asked.family])
            if port is not None and asked.place in self.open and not port.send(asked):
                await asyncio.sleep(FULL)
                port.send(asked)  # what is refused again is lost, as it may be anywhere on its way
            if not count % BREATH:
                await asyncio.sleep(0)

    def _placed(self, asked: _Asked, ports: Sequence[_Port]) -> _Port | None:
        if not ports:
            self.fail(asked, "no socket could be opened for it", unsent=True)
            return None
        while True:
            chance = self.chance.draw(4 + len(asked.asked.wire))
            asked.sent = asked.asked.outgoing(chance >> 32)
            port = ports[(chance & 0xFFFF_FFFF) % len(ports)]
            if port.admit(asked):
                return port

    async def _until(self, moment: float) -> None:
        """Wait for the end of all, at most until `moment` seconds after the start."""
        left = self.started + moment - time.monotonic()
        if self.open and left > 0:
            try:
                async with asyncio.timeout(left):
                    await self.over.wait()
            except TimeoutError:
                return

    def received(self, asked: _Asked, data: bytes) -> None:
        """Take a datagram from the right address with the right id."""
        match repeats(data, asked.sent, asked.asked.end):
            case False:
                asked.note = "what came was no answer to the question"
            case None:
                asked.note = "its answer changes the case of the question"
                self._talk(asked)
            case True if is_truncated(data):
                asked.note = ""
                self._talk(asked)
            case True if asked.edns and wants_no_edns(data, asked.asked.end):
                asked.edns = False
                bare = asked.asked.bare
                asked.asked, asked.sent = bare, asked.sent[:2] + bare.wire[2:12] + asked.sent[12 : bare.end]
                if asked.port is not None:
                    asked.port.send(asked)
            case True:
                self._finish(asked, data)

    def _finish(self, asked: _Asked, data: bytes) -> None:
        said = self.memo.reply(data, asked.asked.end)
        if isinstance(said, str):
            self.fail(asked, said)
        else:
            self._close(asked, Answer(said, seconds=time.monotonic() - self.started))

    def fail(self, asked: _Asked, why: str, *, unsent: bool = False) -> None:
        """End a question without a reply."""
        self._close(asked, Answer(trouble=why, seconds=time.monotonic() - self.started, unsent=unsent))

    def _close(self, asked: _Asked, answer: Answer) -> None:
        if self.open.pop(asked.place, None) is None:
            return
        self.answers[asked.place] = answer
        if asked.port is not None:
            asked.port.forget(asked)
        self._check_over()

    def _check_over(self) -> None:
        if not self.open:
            self.over.set()

    def _talk(self, asked: _Asked) -> None:
        """Go on over TCP, once."""
        if not asked.talking:
            asked.talking = True
            self.conversations[asked.place] = asyncio.ensure_future(self._converse(asked))

    async def _converse(self, asked: _Asked) -> None:
        try:
            async with self.gate:
                data = await over_tcp(asked.sockaddr, asked.sent)
        except (OSError, EOFError) as error:
            if asked.note:
                asked.talking = False  # whoever sent that, the true answer may still come over UDP
            else:
                why = str(error) or type(error).__name__
                self.fail(asked, f"its answer is too long for UDP, and over TCP none came ({why})")
            return
        # TCP itself proves where the answer comes from: the letter case is not asked for there.
        if repeats(data, asked.sent, asked.asked.end) is False:
            self.fail(asked, "what came over TCP was no answer to the question")
        else:
            self._finish(asked, data)


class DnsSweep:
    """Implements `ports.Dns.sweep`. Every sweep has fresh ports, ids and letter cases."""

    async def sweep(self, questions: Sequence[Question], deadline: float = DEADLINE) -> tuple[Answer, ...]:
        """Ask all at once; an answer for each question, in their order, within `deadline` seconds.

        More than `AT_ONCE` questions go in groups, each with its own deadline. What a server does wrong is the
        trouble of its own answer; nothing raises.
        """
        answers: list[Answer] = []
        for start in range(0, len(questions), AT_ONCE):
            answers += await _Round(questions[start : start + AT_ONCE], deadline, Memo()).run()
        return tuple(answers)


def sockaddr_of(
    server: str, port: int
) -> tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]:
    """Give family and socket address of a numeric address, as the kernel will show it in what it receives.

    Raises:
        OSError: it is no numeric address.
    """
    if ":" not in server:
        try:
            return socket.AF_INET, (socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, server)), port)
        except OSError as error:
            raise OSError(f"{server} is no address") from error
    host, _, zone = server.partition("%")
    scope = (int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)) if zone else 0
    return socket.AF_INET6, (socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host)), port, 0, scope)


async def over_tcp(address: tuple[str, int] | tuple[str, int, int, int], message: bytes) -> bytes:
    """Send a message and give the one that comes back (RFC 1035 4.2.2).

    Raises:
        OSError: no connection.
        EOFError: it ended early.
    """
    reader, writer = await asyncio.open_connection(address[0], address[1])
    try:
        writer.write(struct.pack("!H", len(message)) + message)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(length)
    finally:
        writer.close()


def _bound(family: socket.AddressFamily) -> socket.socket:
    """Open a socket on a port that the kernel draws at random."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        made.bind(("", 0))
    except OSError:
        made.close()
        raise
    return made


def _key(address: tuple[str, int] | tuple[str, int, int, int], message: bytes) -> tuple[str, int, int]:
    return address[0], address[1], message[0] << 8 | message[1]
