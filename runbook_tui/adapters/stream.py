"""One call's stream of bytes, whatever carries it: the answer first, then output, then how it ended."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from runbook_tui.adapters.stub import Answer, AnswerReader, Said
from runbook_tui.core.errors import HostError, UnansweredError
from runbook_tui.ports import Ended, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE_LIMIT = 10.0
"""Seconds after its end for which output of a job is still taken while it keeps coming."""

_NOTHING_RAN = "Nothing was run."


class Stream:
    """Collects what one channel delivers. `silence` are the seconds without output that end the wait for more.

    A daemon that a script leaves behind keeps its output open for ever, so the end of the script's own process
    counts, not the end of the output.
    """

    def __init__(self, nonce: str, sink: Callable[[bytes], None], silence: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = AnswerReader(nonce)
        self._sink = sink
        self._silence = silence
        self._timer: asyncio.TimerHandle | None = None
        self._ended: Ended | None = None
        self._latest = 0.0
        self._deadline = 0.0
        self._is_script_running = False
        self._early_errors = bytearray()
        self.said: asyncio.Future[Said | None] = self._loop.create_future()
        """The answer; None when the stream was over without one."""
        self.done: asyncio.Future[Ended] = self._loop.create_future()

    async def wait(self) -> Ended:
        """Wait for the end."""
        return await asyncio.shield(self.done)

    @property
    def noise(self) -> str:
        """What the login shell said on its own, for an error's detail."""
        return (self._reader.noise + self._early_errors.decode("utf-8", "backslashreplace")).strip()

    def output(self, data: bytes) -> None:
        """Take bytes of standard output."""
        if self.done.done():
            return
        self._latest = self._loop.time()
        if self._is_script_running:
            self._sink(data)
        elif not self.said.done() and (said := self._reader.feed(data)):
            self._is_script_running = said.answer is Answer.STARTED
            self.said.set_result(said)
            if self._is_script_running and said.rest:
                self._sink(said.rest)

    def errors(self, data: bytes) -> None:
        """Take bytes of standard error, which the stub merges into standard output once it runs."""
        if self._is_script_running:
            self.output(data)
        elif len(self._early_errors) < 4096:
            self._early_errors += data

    def ended(self, ended: Ended) -> None:
        """The process ended; what it wrote may still be under way."""
        if self._ended is None:
            self._ended = ended
            self._latest = self._loop.time()
            self._deadline = self._latest + GRACE_LIMIT
            self._timer = self._loop.call_later(self._silence, self._look)

    def over(self, why: str) -> None:
        """Nothing more will come. Without a status before it the outcome is lost, for this reason."""
        if self._timer:
            self._timer.cancel()
        if not self.said.done():
            self.said.set_result(None)
        if not self.done.done():
            self.done.set_result(self._ended or Ended(lost=why))

    def _look(self) -> None:
        quiet_until = self._latest + self._silence
        now = self._loop.time()
        if now >= min(quiet_until, self._deadline):
            self.over("")
        else:
            self._timer = self._loop.call_later(min(quiet_until, self._deadline) - now, self._look)


async def _end_of(stream: Stream) -> None:
    """Let the process end by itself after its answer, which takes it a moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await asyncio.shield(stream.done)


async def answer_of(stream: Stream, expected: Answer, patience: float, who: str) -> str:
    """Wait for the answer's text.

    Raises:
        HostError: the answer, or an end without one, proves that nothing ran.
        OutcomeUnknownError: no answer came in `patience` seconds, or the link broke before one.
    """
    try:
        async with asyncio.timeout(patience):
            said = await asyncio.shield(stream.said)
    except TimeoutError:
        raise OutcomeUnknownError(f"{who} did not answer within {patience:.0f} s") from None
    if said is not None:
        if said.answer is not expected:
            await _end_of(stream)
            raise _refusal(said, who)
        return said.text
    ended = stream.done.result()
    if ended.lost:
        raise OutcomeUnknownError(f"{who} did not say whether it started: {ended.lost}")
    status = f"exit status {ended.exit}" if ended.exit is not None else f"signal {ended.signal}"
    raise HostError(
        f"{who} does not run commands as asked. {_NOTHING_RAN}",
        f"It ended with {status} and said: {stream.noise[:400] or 'nothing'}",
        "Look for a forced command, a restricted or nologin shell, or a login file that ends the shell.",
    )


def _refusal(said: Said, who: str) -> HostError:
    match said.answer:
        case Answer.TRUNCATED | Answer.NO_PROGRAM:
            return HostError(f"The command did not reach {who} whole. {_NOTHING_RAN}", said.text)
        case Answer.NO_HOME:
            return HostError(f"The home folder on {who} cannot be entered. {_NOTHING_RAN}", f"HOME is {said.text}")
        case Answer.NO_SPOOL:
            return HostError(
                f"The folder for running commands on {who} cannot be written. {_NOTHING_RAN}", said.text,
                "Look whether its disk is full, or the folder belongs to somebody else.",
            )
        case Answer.HELD:
            _, operator, since = (*said.text.split(), "", "", "")[:3]
            return HostError(
                f"{who} is held by another run of this runbook now. {_NOTHING_RAN}",
                f"It is {operator or 'a run that left no name'}{', since ' if since else ''}{since}.",
                "Ask who took it over; what this run still had to do there may be done.",
            )
        case Answer.MISSING:
            return HostError(f"A program that is needed is missing on {who}.", said.text, "Install it there.")
        case Answer.NO_GROUP:
            return HostError(
                f"The process group of the command is not known on {who}. {_NOTHING_RAN}",
                hint="`ps -o pgid= -p $$` must work there.",
            )
        case _:
            return HostError(f"{who} gave an answer that makes no sense here. {_NOTHING_RAN}", said.answer.value)


class StreamJob:
    """A script that runs; `let_go` is called once, when its channel is not needed any more."""

    def __init__(self, pgid: int, stream: Stream, let_go: Callable[[], None]) -> None:
        self._pgid = pgid
        self._stream = stream
        stream.done.add_done_callback(lambda _: let_go())

    @property
    def pgid(self) -> int:
        """The process group over there."""
        return self._pgid

    @property
    def noise(self) -> str:
        """What the login shell said by itself; see `ports.Job`."""
        return self._stream.noise

    async def wait(self) -> Ended:
        """Wait for the end; see `ports.Job`."""
        return await asyncio.shield(self._stream.done)

    def close(self) -> None:
        """Let go; a `wait` under way ends with no status."""
        self._stream.over("the channel was closed here")


async def ask(stream: Stream, expected: Answer, patience: float, who: str) -> str:
    """Wait for the answer of a call that runs no script, and let its process end.

    Raises:
        UnansweredError: none came, so it is not known whether it was carried out.
        HostError: it was another; nothing was done.
    """
    try:
        text = await answer_of(stream, expected, patience, who)
        await _end_of(stream)
    except OutcomeUnknownError as error:
        raise UnansweredError(f"{who} does not answer.", str(error)) from None
    finally:
        stream.over("asked and answered")
    return text
