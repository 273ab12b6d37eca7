"""The Shell of a remote host: `/bin/sh` over one kept SSH connection."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import asyncssh

from runbook_tui.adapters.detached import DetachedJobs
from runbook_tui.adapters.ssh_connection import Connection, open_connection
from runbook_tui.adapters.ssh_credentials import Person
from runbook_tui.adapters.ssh_errors import ConnectError
from runbook_tui.adapters.ssh_rest import Rest
from runbook_tui.adapters.ssh_target import SshSettings, Target, resolve
from runbook_tui.adapters.stream import Stream, StreamJob, answer_of, ask
from runbook_tui.adapters.stub import Answer, Call, identity_call, run_call, signal_call, who_answers
from runbook_tui.core.errors import HostError
from runbook_tui.ports import Ended, ExpectedKeys, Identity, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.model import Host
    from runbook_tui.ports import Asker, HostKey, KeyRefusal

SILENCE = 1.0
"""Seconds without output, after its end, that end a job whose output a daemon keeps open; a slow link needs time."""

MAX_JOBS = 8
"""Channels for scripts; sshd allows 10 sessions a connection unless told otherwise, and signals need one more."""

REFUSED_PAUSES = (0.05, 0.2, 0.5)
"""Seconds between the tries to open a session that is refused."""


class SshShell:
    """`/bin/sh` on one host. Nothing is contacted before the first `connect`, `start` or `signal_group`.

    `asker` gives what a login wants beside keys; without one the keys must do.
    """

    def __init__(self, host: Host, pin: HostKey | None, settings: SshSettings, asker: Asker | None = None) -> None:
        self._host = host
        self._expected = ExpectedKeys(pin)
        self._settings = settings
        self._link = Link.IDLE
        self._refusal: KeyRefusal | None = None
        self._connection: Connection | None = None
        self._identity: Identity | None = None
        self._person = Person(asker, host.name)
        self._connecting: asyncio.Task[Identity] | None = None
        self._waiting = 0
        self._open_sessions = 0
        self._session_limit: int | None = None
        self._rest = Rest()
        self._slots = asyncio.Semaphore(MAX_JOBS)
        self._jobs = DetachedJobs(self, f"{host.name} ({host.ssh})", settings.answer_timeout, settings.sh)
        self._signals = asyncio.Semaphore(1)

    @property
    def host(self) -> Host:
        """The host this shell reaches."""
        return self._host

    @property
    def link(self) -> Link:
        """The state of the connection as last seen."""
        return Link.ASKING if self._person.asking else self._link

    @property
    def refusal(self) -> KeyRefusal | None:
        """Why the last connection was refused for a host key."""
        return self._refusal

    @property
    def session_limit(self) -> int | None:
        """How many sessions were open when one more was refused; see `ports.Shell`."""
        return self._session_limit

    @property
    def resting(self) -> HostError | None:
        """The failure after which nobody who can wait should try again yet."""
        return self._rest.why

    def rested(self) -> None:
        """Let anybody try at once."""
        self._rest.end()

    @property
    def jobs(self) -> DetachedJobs:
        """What runs there detached."""
        return self._jobs

    def expect(self, keys: ExpectedKeys) -> None:
        """Judge host keys by these from the next connection on."""
        self._expected = keys

    async def connect(self) -> Identity:
        """Connect if not connected, and say who is there; see `ports.Shell`.

        Who comes while a connection is being made waits for that one, and gets what becomes of it: nobody is asked
        twice. Given up by all who waited, it ends, unless the person is being asked: their answer is not lost.
        """
        if self._connection and self._identity and self._link is Link.UP:
            return self._identity
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(_seen)
        connecting = self._connecting
        self._waiting += 1
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise HostError(f"The connection to {self._who} was closed before it was made.") from None
        finally:
            self._waiting -= 1
            if not self._waiting and not self._person.asking and not connecting.done():
                await _end(connecting)

    async def _connect(self) -> Identity:
        await self._drop(Link.CONNECTING)
        self._refusal = self._session_limit = None
        try:
            self._connection = await self._open_connection()
            self._identity = await self._identify(self._connection)
        except BaseException as error:
            if isinstance(error, HostError):
                self._rest.failed(error)
            await self._drop(self._link if self._link is not Link.CONNECTING else Link.DOWN)
            raise
        self._rest.end()
        self._link = Link.UP
        return self._identity

    async def start(self, script: str, sink: Callable[[bytes], None], stdin: bytes | None = None) -> StreamJob:
        """Run `script`; see `ports.Shell`."""
        try:
            call = run_call(script, stdin, sh=self._settings.sh)
        except ValueError as error:
            raise HostError(f"{self._who} cannot run this: {error}.") from None
        stream, let_go = await self.opened(call, sink)
        try:
            pgid = int(await answer_of(stream, Answer.STARTED, self._settings.answer_timeout, self._who))
        except BaseException:
            stream.over("given up")
            let_go()
            raise
        return StreamJob(pgid, stream, let_go)

    async def opened(self, call: Call, sink: Callable[[bytes], None]) -> tuple[Stream, Callable[[], None]]:
        """Send the call on a channel of its own; see `detached.Carrier`."""
        await self.connect()
        await self._take_slot()
        try:
            stream, channel = await self._open(call, sink)
        except BaseException:
            self._slots.release()
            raise
        stream.done.add_done_callback(lambda _: self._slots.release())
        return stream, channel.close

    async def asked(self, call: Call, expected: Answer) -> str:
        """Send a short call and wait for its answer; see `detached.Carrier`."""
        await self.connect()
        async with self._signals:
            return await self._ask(call, expected)

    async def signal_group(self, pgid: int, signal: str) -> int:
        """Send TERM or KILL to the process group, and count who lives; see `ports.Shell`."""
        try:
            call = signal_call(pgid, signal, sh=self._settings.sh)
        except ValueError as error:
            raise HostError(f"{self._who} is sent no such signal: {error}.") from None
        return int(await self.asked(call, Answer.ALIVE))

    async def close(self) -> None:
        """Close the connection; what runs over there is not stopped by it."""
        self._rest.end()
        if self._connecting is not None:
            await _end(self._connecting)
        await self._drop(Link.IDLE)

    @property
    def _who(self) -> str:
        return f"{self._host.name} ({self._host.ssh})"

    async def _open_connection(self) -> Connection:
        target: Target = resolve(self._host.ssh, self._settings)
        lost: list[bool] = []

        def on_lost() -> None:
            lost.append(True)
            if self._connection is opened and self._link is Link.UP:
                self._link = Link.DOWN

        opened: Connection | None = None
        try:
            opened = await open_connection(target, self._expected, self._settings, on_lost, self._person)
        except ConnectError as failed:
            self._link = failed.link
            self._refusal = failed.refusal
            raise failed.error from failed
        if lost:
            await opened.close()
            raise HostError(f"{self._who} closed the connection right after the login.")
        return opened

    async def _identify(self, connection: Connection) -> Identity:
        user, name, system = who_answers(await self._ask(identity_call(sh=self._settings.sh), Answer.IDENTITY))
        key, keys = connection.key.key, (*(hop.key for hop in connection.hops), connection.key)
        return Identity(self._host.name, user, name, connection.address, key.fingerprint, key.algorithm, system, keys)

    async def _take_slot(self) -> None:
        try:
            async with asyncio.timeout(self._settings.answer_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise HostError(
                f"{self._who} is busy: {MAX_JOBS} commands are running there. Nothing was run.",
                hint="Wait for one of them to end.",
            ) from None

    async def _ask(self, call: Call, expected: Answer) -> str:
        stream, channel = await self._open(call, lambda _: None)
        try:
            return await ask(stream, expected, self._settings.answer_timeout, self._who)
        finally:
            channel.close()

    async def _open(self, call: Call, sink: Callable[[bytes], None]) -> tuple[Stream, asyncssh.SSHClientChannel[bytes]]:
        """Open a channel and send the call; until the channel is open nothing of the script has been sent."""
        connection = self._connection
        if connection is None:
            raise HostError(f"The connection to {self._who} is closed. Nothing was run.")
        try:
            async with asyncio.timeout(self._settings.login_timeout):
                stream, channel = await self._open_session(connection, call, sink)
        except TimeoutError:
            connection.client.abort()
            raise HostError(f"{self._who} does not answer any more. Nothing was run.") from None
        except asyncssh.ChannelOpenError as error:
            hint = "The server's MaxSessions may be too low." if not connection.client.is_closed() else ""
            raise HostError(f"{self._who} opens no session. Nothing was run.", error.reason, hint) from error
        except (OSError, asyncssh.DisconnectError) as error:
            raise HostError(f"The connection to {self._who} is lost. Nothing was run.", str(error)) from error
        try:
            channel.write(call.payload)
            channel.write_eof()
        except OSError:
            stream.over("the connection was lost while the command was being sent")
        return stream, channel

    async def _open_session(
        self, connection: Connection, call: Call, sink: Callable[[bytes], None]
    ) -> tuple[Stream, asyncssh.SSHClientChannel[bytes]]:
        """Ask for a session, again when it is refused: sshd counts one that has just ended for a moment longer."""
        for pause in (*REFUSED_PAUSES, None):
            stream = Stream(call.nonce, sink, SILENCE)
            try:
                channel, _ = await connection.client.create_session(
                    partial(_Session, stream), call.line, encoding=None, request_pty=False
                )
            except asyncssh.ChannelOpenError:
                self._session_limit = self._open_sessions
                if pause is None or connection.client.is_closed():
                    raise
                await asyncio.sleep(pause)
            else:
                self._open_sessions += 1
                stream.done.add_done_callback(self._session_ended)
                return stream, channel
        raise AssertionError("the last try returns or raises")

    def _session_ended(self, _: object) -> None:
        self._open_sessions -= 1

    async def _drop(self, link: Link) -> None:
        connection, self._connection, self._identity = self._connection, None, None
        self._link = link
        if connection:
            await connection.close()


def _seen(task: asyncio.Task[Identity]) -> None:
    if not task.cancelled():
        task.exception()  # told to those who wait for it, if any still do


async def _end(task: asyncio.Task[Identity]) -> None:
    task.cancel()
    await asyncio.wait({task})


class _Session(asyncssh.SSHClientSession[bytes]):
    """Hands what a channel delivers to its stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self._stream.output(data)
        else:
            self._stream.errors(data)

    def exit_status_received(self, status: int) -> None:
        self._stream.ended(Ended(exit=status))

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: ARG002
        self._stream.ended(Ended(signal=signal))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stream.over(
            f"the connection was lost: {exc}" if exc else "the server closed the channel without a status"
        )
