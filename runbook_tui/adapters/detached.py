"""Detached jobs on one host, over whatever carries a call there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from runbook_tui.adapters.job_text import (
    claim_call,
    clean_call,
    end_call,
    feed_call,
    fence_call,
    follow_call,
    launch_call,
    refuse_call,
    release_call,
)
from runbook_tui.adapters.stream import answer_of
from runbook_tui.adapters.stub import Answer
from runbook_tui.core.errors import HostError
from runbook_tui.core.preflight import size
from runbook_tui.ports import NOTHING, Ask, Cleaned, Fed, LinkLostError, OutcomeUnknownError, Owner, Stand, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.adapters.stream import Stream
    from runbook_tui.adapters.stub import Call
    from runbook_tui.ports import JobId, Needs

HEAD_LIMIT = 128
"""Bytes of a frame's first line; a longer one is none of ours."""


class Carrier(Protocol):
    """What brings a call to the host."""

    async def opened(self, call: Call, sink: Callable[[bytes], None]) -> tuple[Stream, Callable[[], None]]:
        """Send the call; give its stream, and what lets go of its channel.

        Raises:
            HostError: nothing was sent.
        """

    async def asked(self, call: Call, expected: Answer) -> str:
        """Send the call and wait for its answer.

        Raises:
            HostError: it did not come.
        """


class DetachedJobs:
    """The jobs of one host; see `ports.Jobs`. `patience` are the seconds an answer may take."""

    def __init__(self, carrier: Carrier, who: str, patience: float, sh: str = "/bin/sh") -> None:
        self._carrier = carrier
        self._who = who
        self._patience = patience
        self._sh = sh

    async def launch(
        self,
        job: JobId,
        script: str,
        sink: Callable[[bytes], None],
        stdin: bytes | None = None,
        *,
        needs: Needs = NOTHING,
        asked: Callable[[Ask], None] | None = None,
        warned: Callable[[str], None] | None = None,
    ) -> Followed:
        """Start the job, and follow it; see `ports.Jobs`."""
        try:
            call = launch_call(job, script, stdin, fed=needs.fed, sudo=needs.sudo, sh=self._sh)
        except ValueError as error:
            raise HostError(f"{self._who} cannot run this: {error}.") from None
        return await self._followed(call, Frames(0, sink, asked, warned))

    async def follow(
        self,
        job: JobId,
        offset: int,
        sink: Callable[[bytes], None],
        asked: Callable[[Ask], None] | None = None,
        warned: Callable[[str], None] | None = None,
    ) -> Followed:
        """Follow it from this byte on; see `ports.Jobs`."""
        try:
            return await self._followed(follow_call(job, offset, sh=self._sh), Frames(offset, sink, asked, warned))
        except OutcomeUnknownError as error:
            raise HostError(f"{self._who} does not answer.", str(error)) from None

    async def feed(self, job: JobId, place: str, value: bytes) -> Fed:
        """Give the job what it waits for; see `ports.Jobs`."""
        try:
            call = feed_call(job, place, value, sh=self._sh)
        except ValueError as error:
            raise HostError(f"The secret cannot be sent to {self._who}: {error}.") from None
        return fed_of(await self._carrier.asked(call, Answer.FED))

    async def refuse(self, job: JobId, place: str) -> Fed:
        """Tell it that nobody gives one; see `ports.Jobs`."""
        return fed_of(await self._carrier.asked(refuse_call(job, place, sh=self._sh), Answer.FED))

    async def claim(self, job: JobId, over: Owner | None = None) -> Owner:
        """Leave the run's mark and take the lock; see `ports.Jobs`."""
        expected = Answer.OWNER if job.claim else Answer.STAND
        text = await self._carrier.asked(claim_call(job, over, sh=self._sh), expected)
        return owner_of(text) if job.claim else Owner()

    async def release(self, job: JobId) -> bool:
        """Give the lock back; see `ports.Jobs`."""
        return await self._carrier.asked(release_call(job, sh=self._sh), Answer.RELEASED) == "yes"

    async def fence(self, job: JobId) -> Stand:
        """Make sure that it never starts if it has not; see `ports.Jobs`."""
        return stand_of(await self._carrier.asked(fence_call(job, sh=self._sh), Answer.STAND))

    async def clean(self, job: JobId) -> Cleaned:
        """Remove its folder; see `ports.Jobs`."""
        return cleaned_of(await self._carrier.asked(clean_call(job, sh=self._sh), Answer.CLEANED))

    async def signal(self, job: JobId, signal: str) -> int:
        """Signal its processes; see `ports.Jobs`."""
        return int(await self._carrier.asked(end_call(job, signal, sh=self._sh), Answer.ALIVE))

    async def _followed(self, call: Call, frames: Frames) -> Followed:
        stream, let_go = await self._carrier.opened(call, frames.feed)
        try:
            stand = stand_of(await answer_of(stream, Answer.STARTED, self._patience, self._who))
        except BaseException:
            stream.over("given up")
            let_go()
            raise
        return Followed(stand, stream, frames, let_go)


class Followed:
    """A follower's channel; see `ports.Following`."""

    def __init__(self, stand: Stand, stream: Stream, frames: Frames, let_go: Callable[[], None]) -> None:
        self._stand = stand
        self._stream = stream
        self._frames = frames
        frames.when_ended = lambda: stream.over("")
        stream.done.add_done_callback(lambda _: let_go())
        if frames.last is not None or frames.wrong:
            stream.over("")

    @property
    def stand(self) -> Stand:
        """How it stood when the look began."""
        return self._stand

    async def end(self) -> Stand:
        """Wait for the job's end; see `ports.Following`."""
        ended = await self._stream.wait()
        if self._frames.last is not None:
            return self._frames.last
        raise LinkLostError(self._frames.wrong or ended.lost or "the far side stopped sending")

    def close(self) -> None:
        """Look no more."""
        self._stream.over("the look was ended here")


class Frames:
    """Takes a follower's bytes apart; what is out of order ends the look, and the next begins where this one stood."""

    def __init__(
        self,
        offset: int,
        sink: Callable[[bytes], None],
        asked: Callable[[Ask], None] | None = None,
        warned: Callable[[str], None] | None = None,
    ) -> None:
        self._offset = offset
        self._sink = sink
        self._asked = asked
        self._warned = warned
        self._full: set[str] = set()
        self._head = bytearray()
        self._due = 0
        self._question = 0
        self._prompt = bytearray()
        self.last: Stand | None = None
        self.wrong = ""
        self.when_ended: Callable[[], None] = lambda: None

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        view = memoryview(data)
        while view and self.last is None and not self.wrong:
            view = view[self._payload(view) :] if self._due else view[self._first_line(view) :]
        if self.last is not None or self.wrong:
            self.when_ended()

    def _payload(self, view: memoryview) -> int:
        taken = min(self._due, len(view))
        self._due -= taken
        if self._question:
            self._prompt += view[:taken]
            if not self._due:
                self._tell()
            return taken
        self._offset += taken
        self._sink(bytes(view[:taken]))
        return taken

    def _tell(self) -> None:
        asker, _, prompt = self._prompt.decode("utf-8", "backslashreplace").strip().partition(" ")
        ask = Ask(self._question, prompt, int(asker[:18]) if asker.isascii() and asker.isdecimal() else 0)
        self._question, self._prompt = 0, bytearray()
        if self._asked is not None:
            self._asked(ask)

    def _tell_of_space(self, kib: int, mount: str) -> None:
        if mount not in self._full:
            self._full.add(mount)
            self._warn(f"only {size(kib)} are free on {mount} over there")

    def _warn(self, text: str) -> None:
        if self._warned is not None:
            self._warned(text)

    def _first_line(self, view: memoryview) -> int:
        end = bytes(view[:HEAD_LIMIT]).find(b"\n")
        taken = len(view[:HEAD_LIMIT]) if end < 0 else end + 1
        self._head += view[:taken]
        if end >= 0 or len(self._head) > HEAD_LIMIT:
            line, self._head = self._head.decode("utf-8", "backslashreplace").rstrip("\n"), bytearray()
            self._frame(line)
        return taken

    def _frame(self, line: str) -> None:
        if found := re.fullmatch(r"D (\d{1,18}) (\d{1,9})", line):
            if int(found[1]) != self._offset:
                self.wrong = f"the output went on at byte {found[1]} instead of {self._offset}"
            self._due = int(found[2])
        elif found := re.fullmatch(r"A (\d{1,2}) (\d{1,3})", line):
            self._question, self._due = int(found[1]), int(found[2])
            if not self._due:
                self._tell()
        elif line.startswith("X "):
            try:
                self.last = stand_of(line[2:])
            except HostError as error:
                self.wrong = error.title
        elif found := re.fullmatch(r"W space (-?\d{1,18}) (\S+)", line):
            self._tell_of_space(int(found[1]), found[2])
        elif line == "W orphan":
            self._warn("its supervisor over there is gone: it runs on, but its exit status will not be known")
        elif not re.fullmatch(r"H \d+", line):
            self.wrong = f"the far side sent {line[:60]!r} instead of output"


def fed_of(text: str) -> Fed:
    """Read what became of a value.

    Raises:
        HostError: it is none of the words for it.
    """
    try:
        return Fed(text.strip())
    except ValueError:
        raise HostError("The host gave an answer about a secret that makes no sense here.", text[:60]) from None


def cleaned_of(text: str) -> Cleaned:
    """Read what became of a folder.

    Raises:
        HostError: it is none of the words for it.
    """
    try:
        return Cleaned(text.strip())
    except ValueError:
        raise HostError("The host gave an answer about a folder that makes no sense here.", text[:60]) from None


def owner_of(text: str) -> Owner:
    """Read an owner in words: `MARK OPERATOR@WORKSTATION SINCE`; none where nobody left a name.

    Raises:
        HostError: it is none.
    """
    words = text.split()
    if len(words) > 3 or not re.fullmatch(r"[A-Za-z0-9._@: -]*", text, re.ASCII):
        raise HostError("The host gave an answer about its lock that makes no sense here.", text[:200])
    return Owner(*words)


def stand_of(text: str) -> Stand:
    """Read a stand in words: `done EXIT SIZE PGID SECONDS`, `running PGID`, `orphan PGID COUNT`, else one word.

    Raises:
        HostError: it is none.
    """
    match text.split():
        case ["done", code, size, pgid, seconds] if (code + size + pgid + seconds.removeprefix("-")).isdecimal():
            return Stand(Standing.DONE, int(code), int(size), int(pgid), max(0, int(seconds)))
        case ["running" | "orphan" as word, pgid, *_] if pgid.isdecimal():
            return Stand(Standing(word), pgid=int(pgid))
        case [word] if word in {s.value for s in Standing} - {"done", "running", "orphan"}:
            return Stand(Standing(word))
        case _:
            raise HostError("The host gave an answer about a job that makes no sense here.", text[:200])
