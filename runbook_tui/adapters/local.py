"""The Shell of the operator's own machine, through the same stub as on every other host."""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from typing import TYPE_CHECKING, cast

from runbook_tui.adapters.detached import DetachedJobs
from runbook_tui.adapters.stream import Stream, StreamJob, answer_of, ask
from runbook_tui.adapters.stub import Answer, Call, identity_call, run_call, signal_call, who_answers
from runbook_tui.core.errors import HostError
from runbook_tui.ports import Ended, Identity, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.model import Host
    from runbook_tui.ports import ExpectedKeys, KeyRefusal

SILENCE = 0.3
ANSWER_TIMEOUT = 30.0
WHO = "This machine"


class LocalShell:
    """`/bin/sh` here; every job is a session of its own, so that its process group is its alone."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._link = Link.IDLE
        self._identity: Identity | None = None
        self._streams: set[Stream] = set()
        self._processes: dict[asyncio.Future[None], asyncio.SubprocessTransport] = {}
        self._jobs = DetachedJobs(self, WHO, ANSWER_TIMEOUT)

    @property
    def host(self) -> Host:
        """The host `local`."""
        return self._host

    @property
    def link(self) -> Link:
        """UP once the machine was asked who it is."""
        return self._link

    @property
    def jobs(self) -> DetachedJobs:
        """What runs here detached, and outlives this program."""
        return self._jobs

    @property
    def resting(self) -> None:
        """This machine is always there."""

    @property
    def refusal(self) -> KeyRefusal | None:
        """Always None: there is no key."""
        return None

    @property
    def session_limit(self) -> None:
        """Always None: there is no server."""
        return

    async def connect(self) -> Identity:
        """Say who runs commands here.

        Raises:
            HostError: there is no usable /bin/sh.
        """
        if self._identity is None:
            text = await self._ask(identity_call(), Answer.IDENTITY)
            user, name, system = who_answers(text)
            self._identity = Identity(self._host.name, user, name, system=system)
        self._link = Link.UP
        return self._identity

    async def start(self, script: str, sink: Callable[[bytes], None], stdin: bytes | None = None) -> StreamJob:
        """Run `script`; see `ports.Shell`."""
        try:
            call = run_call(script, stdin)
        except ValueError as error:
            raise HostError(f"{WHO} cannot run this: {error}.") from None
        stream, transport = await self._open(call, sink)
        try:
            pgid = int(await answer_of(stream, Answer.STARTED, ANSWER_TIMEOUT, WHO))
        except BaseException:
            stream.over("given up")
            transport.close()
            raise
        return StreamJob(pgid, stream, transport.close)

    async def signal_group(self, pgid: int, signal: str) -> int:
        """Send TERM or KILL to the process group, and count who lives; see `ports.Shell`."""
        try:
            call = signal_call(pgid, signal)
        except ValueError as error:
            raise HostError(f"{WHO} sends no such signal: {error}.") from None
        return int(await self.asked(call, Answer.ALIVE))

    async def opened(self, call: Call, sink: Callable[[bytes], None]) -> tuple[Stream, Callable[[], None]]:
        """Send the call to a shell of its own; see `detached.Carrier`."""
        stream, transport = await self._open(call, sink)
        exited = next((e for e, t in self._processes.items() if t is transport), None)
        return stream, partial(_let_go, transport, exited)

    async def asked(self, call: Call, expected: Answer) -> str:
        """Send a short call and wait for its answer; see `detached.Carrier`."""
        return await self._ask(call, expected)

    def rested(self) -> None:
        """It never rests."""

    def expect(self, keys: ExpectedKeys) -> None:
        """Nothing to expect: there is no key here."""

    async def close(self) -> None:
        """Let go of all jobs; the shells that run them are killed, what they started is not."""
        for stream in list(self._streams):
            stream.over("the shell was closed here")
        if self._processes:
            await asyncio.wait(self._processes, timeout=0.1)
        for transport in list(self._processes.values()):
            transport.close()
        if self._processes:
            await asyncio.wait(self._processes, timeout=1.0)
        self._link = Link.IDLE

    async def _ask(self, call: Call, expected: Answer) -> str:
        stream, transport = await self._open(call, lambda _: None)
        try:
            return await ask(stream, expected, ANSWER_TIMEOUT, WHO)
        finally:
            transport.close()

    async def _open(self, call: Call, sink: Callable[[bytes], None]) -> tuple[Stream, asyncio.SubprocessTransport]:
        stream = Stream(call.nonce, sink, SILENCE)
        loop = asyncio.get_running_loop()
        exited = loop.create_future()
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: _Pipes(stream, exited), "/bin/sh", "-c", call.line, start_new_session=True
            )
        except OSError as error:
            self._link = Link.DOWN
            raise HostError(f"{WHO} cannot start /bin/sh.", error.strerror or str(error)) from error
        self._processes[exited] = transport
        exited.add_done_callback(lambda done: self._processes.pop(done, None))
        self._streams.add(stream)
        stream.done.add_done_callback(lambda _: self._streams.discard(stream))
        given = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        given.write(call.payload)
        given.write_eof()
        return stream, transport


class _Pipes(asyncio.SubprocessProtocol):
    """Hands what a subprocess says to its stream."""

    def __init__(self, stream: Stream, exited: asyncio.Future[None]) -> None:
        self._stream = stream
        self._exited = exited
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._stream.output(data)
        else:
            self._stream.errors(data)

    def process_exited(self) -> None:
        self._exited.set_result(None)
        code = self._transport.get_returncode() if self._transport else None
        if code is None:
            self._stream.over("this machine did not tell how the process ended")
        elif code < 0:
            self._stream.ended(Ended(signal=signal_name(-code)))
        else:
            self._stream.ended(Ended(exit=code))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stream.over(str(exc or "the process ended without a status"))


def _let_go(transport: asyncio.SubprocessTransport, exited: asyncio.Future[None] | None) -> None:
    """Close a follower's pipes: it ends by itself. Closing its transport would race with the end for its status."""
    if exited is None or exited.done():
        transport.close()
        return
    for number in (0, 1, 2):
        if (pipe := transport.get_pipe_transport(number)) is not None:
            pipe.close()
    exited.add_done_callback(lambda _: transport.close())


def signal_name(number: int) -> str:
    """Name a signal as SSH does, without SIG; the number where it has no name."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)
