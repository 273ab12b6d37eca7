"""The real engine with its real journal for screens whose every second is fixed: only the far sides are scripted."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runbook_tui.adapters.local import LocalShell
from runbook_tui.adapters.net import SystemNet
from runbook_tui.adapters.runs import create_run, open_run
from runbook_tui.checks import probes
from runbook_tui.core import events as ev
from runbook_tui.core import preflight
from runbook_tui.core.cksum import cksum
from runbook_tui.core.markdown.reader import read
from runbook_tui.core.model import LOCAL, HostName
from runbook_tui.core.run import Verb
from runbook_tui.engine import Engine, Opening
from runbook_tui.engine.preflight import HELD_OPEN
from runbook_tui.ports import (
    NOTHING,
    CheckState,
    Cleaned,
    Ended,
    ExpectedKeys,
    Fed,
    HostKey,
    Identity,
    KeyRefusal,
    Link,
    Owner,
    Stand,
    Standing,
)
from tests.support.bench import HeldClock, eventually
from tests.support.sight import KnownSecrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from runbook_tui.checks import ProbeFactory
    from runbook_tui.core.errors import HostError
    from runbook_tui.core.model import Host, Runbook
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.ports import Ask, JobId, Needs, Shell

E = TypeVar("E", bound=ev.Event)

RUN = "move"
OLD, NEW = HostName("old"), HostName("new")
BOOK = Path(__file__).with_name("move.md")
GOOD = Ended(exit=0)
FILE_ASKED = re.compile(r"f=(.+)\n")
IDENTITIES = {
    OLD: Identity(
        OLD, "root", "old.plop.example", "198.51.100.10:22", "SHA256:4xGmXh0vVYkTnq0yq8bS3v1uJq5l0aZ9cP2dE7fRwQk",
        "ssh-ed25519",
    ),
    NEW: Identity(
        NEW, "root", "new.plop.example", "203.0.113.20:22", "SHA256:9kTz1mB6uW0rLhQy2sVnE4pXcA8dGf3oJi5tYb7eUlM",
        "ssh-ed25519",
    ),
}  # fmt: skip


def migration(change: Callable[[str], str] = str) -> Runbook:
    """Read the migration, changed as given."""
    runbook = read(change(BOOK.read_text(encoding="utf-8")).encode(), name=BOOK.name)
    assert not runbook.problems
    return runbook


@dataclass(frozen=True, slots=True)
class Answer:
    """What a script prints, and how it ends; `ended` None holds it open until the test ends it."""

    output: bytes = b""
    ended: Ended | None = GOOD


HELD = Answer(ended=None)
CHECKED = {"df -h /home": Answer(b"66% used, 33G free\n"), "deferred": Answer(b"0\n")}
"""What the runbook's own checks are answered."""


class FarJob:
    """A script that runs on a far side until somebody ends it."""

    def __init__(self, script: str, pgid: int, sink: Callable[[bytes], None]) -> None:
        self.script = script
        self.pgid = pgid
        self.noise = ""
        self.say = sink
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    def end(self, ended: Ended = GOOD) -> None:
        """Let it end."""
        if not self._ended.done():
            self._ended.set_result(ended)

    async def wait(self) -> Ended:
        """Wait for the end."""
        return await asyncio.shield(self._ended)

    def close(self) -> None:
        """Let go of it."""


@dataclass
class FarJobs:
    """The detached jobs of a far side: its scripts, which end as the test says."""

    far: FarSide

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
    ) -> Look:
        """Answer the script; `asked` and `warned` are kept for the test that asks or warns."""
        del needs
        self.far.asked, self.far.warned = asked, warned
        made = await self.far.start(script, sink, stdin)
        self.far.detached[job] = made
        return Look(made)

    async def follow(
        self,
        job: JobId,
        offset: int,
        sink: Callable[[bytes], None],
        asked: Callable[[Ask], None] | None = None,
        warned: Callable[[str], None] | None = None,
    ) -> Look:
        """Look at it again."""
        del offset
        self.far.asked, self.far.warned = asked, warned
        await self.far.connect()
        self.far.detached[job].say = sink
        return Look(self.far.detached[job])

    async def feed(self, job: JobId, place: str, value: bytes) -> Fed:
        """Take the value."""
        del job
        self.far.fed[place] = value
        return Fed.FED

    async def refuse(self, job: JobId, place: str) -> Fed:
        """Take it that there is none."""
        del job
        self.far.fed[place] = None
        return Fed.REFUSED

    async def claim(self, job: JobId, over: Owner | None = None) -> Owner:
        """Say whose it is: the run's own, unless the test says another's."""
        if over is not None and over == self.far.held:
            self.far.held = None
        return self.far.held or (job.claim.owner if job.claim else Owner())

    async def release(self, job: JobId) -> bool:
        """Give back nothing."""
        del job
        return self.far.held is None

    async def fence(self, job: JobId) -> Stand:
        """Say how it stands: what was begun here was begun whole."""
        await self.far.connect()
        return Stand(Standing.RUNNING if job in self.far.detached else Standing.FENCED)

    async def clean(self, job: JobId) -> Cleaned:
        """Forget it."""
        return Cleaned.REMOVED if self.far.detached.pop(job, None) is not None else Cleaned.GONE

    async def signal(self, job: JobId, signal: str) -> int:
        """Signal it."""
        return await self.far.signal_group(self.far.detached[job].pgid, signal)


@dataclass
class Look:
    """A look at a detached job."""

    job: FarJob

    @property
    def stand(self) -> Stand:
        """It runs."""
        return Stand(Standing.RUNNING, pgid=self.job.pgid)

    async def end(self) -> Stand:
        """Wait for the end."""
        ended = await self.job.wait()
        if ended.lost or ended.signal == "KILL":
            return Stand(Standing.VANISHED, pgid=self.job.pgid)
        return Stand(Standing.DONE, 143 if ended.signal else ended.exit, pgid=self.job.pgid)

    def close(self) -> None:
        """Look no more."""


@dataclass
class FarSide:
    """One host behind the Shell port. `answers` is by a part of the script, the newest first; else it just ends well.

    `files` are the files it has; `problem` is why it is not reached; `gate` holds a connection up; `survives`
    are the signals a group outlives; `held` is who else has its lock.
    """

    host: Host
    identity: Identity
    answers: dict[str, Answer] = field(default_factory=lambda: dict(CHECKED))
    files: dict[str, bytes] = field(default_factory=dict)
    problem: HostError | None = None
    gate: asyncio.Event | None = None
    survives: frozenset[str] = frozenset()
    link: Link = Link.IDLE
    refusal: KeyRefusal | None = None
    resting: HostError | None = None
    expected: ExpectedKeys | None = None
    ran: list[FarJob] = field(default_factory=list)
    connects: int = 0
    held: Owner | None = None
    session_limit: int | None = None
    preflight: bytes = b"whole\n"
    detached: dict[JobId, FarJob] = field(default_factory=dict)
    asked: Callable[[Ask], None] | None = None
    warned: Callable[[str], None] | None = None
    fed: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def jobs(self) -> FarJobs:
        """What runs there detached."""
        return FarJobs(self)

    async def connect(self) -> Identity:
        """Say who is there."""
        if self.gate is not None:
            await self.gate.wait()
        if self.problem is not None:
            self.link = Link.REFUSED if self.refusal else Link.DOWN
            raise self.problem
        self.connects += self.link is not Link.UP
        self.link = Link.UP
        return self.identity

    async def start(self, script: str, sink: Callable[[bytes], None], stdin: bytes | None = None) -> FarJob:
        """Answer the script."""
        del stdin
        await self.connect()
        if preflight.is_script(script) or script == HELD_OPEN:
            job = FarJob(script, 4241, sink)
            sink(self.preflight)
            job.end()
            return job
        answer = self._answer(script)
        job = FarJob(script, 4242 + len(self.ran), sink)
        self.ran.append(job)
        if answer.output:
            sink(answer.output)
        if answer.ended is not None:
            job.end(answer.ended)
        return job

    def _answer(self, script: str) -> Answer:
        asked = FILE_ASKED.match(script)
        if asked and "MRB file" in script:
            return Answer(self._file(shlex.split(asked[1])[0]))
        return next((a for part, a in reversed(self.answers.items()) if part in script), Answer())

    def _file(self, path: str) -> bytes:
        """Print what the script of `filestep.read_script` prints."""
        content = self.files.get(path)
        if content is None:
            return f"MRB absent {path}\n".encode()
        return f"MRB file {cksum(content)} -rw-r--r-- 0 0 {path}\n".encode() + content

    def rested(self) -> None:
        """Let anybody try."""

    async def signal_group(self, pgid: int, signal: str) -> int:
        """Signal a job."""
        if signal in self.survives:
            return 1
        next(job for job in self.ran if job.pgid == pgid).end(Ended(signal=signal))
        return 0

    def expect(self, keys: ExpectedKeys) -> None:
        """Take the key that was refused once it is the one that is expected."""
        self.expected = keys
        if self.refusal is not None and keys.pin is not None and keys.pin == self.refusal.key:
            self.refusal, self.problem = None, None

    async def close(self) -> None:
        """Close the connection."""
        self.link = Link.IDLE


@dataclass
class Stage:
    """An open run: its engine, its clock, its far sides."""

    engine: Engine
    clock: HeldClock
    far: dict[HostName, FarSide]

    def events(self, kind: type[E]) -> list[E]:
        """Give what was recorded of one kind."""
        return [r.event for r in self.engine._recorder.journal.records if isinstance(r.event, kind)]

    async def start(self, action: str, verb: Verb = Verb.CONFIRM, answer: Answer = HELD) -> FarJob:
        """Confirm an action with what it wants; give what runs for it over there."""
        engine = self.engine
        proposal = await engine.propose(action, verb)
        far = self.far[proposal.host or LOCAL]
        far.answers[proposal.command] = answer
        before = len(far.ran)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.activity is None or engine.activity.stage != "starting")
        return next(job for job in far.ran[before:] if job.script == proposal.command)

    async def run(self, action: str, code: int = 0, output: bytes = b"") -> None:
        """Run an action to its end."""
        await self.start(action, answer=Answer(output, Ended(exit=code)))
        await self.engine.idle()

    async def skip(self, *actions: str) -> None:
        """Skip actions."""
        for action in actions:
            await self.engine.skip(action, "elsewhere")

    async def propose(self, action: str, verb: Verb = Verb.CONFIRM) -> Proposal:
        """Give what would be confirmed."""
        return await self.engine.propose(action, verb)

    async def agree(self) -> None:
        """Agree to what is contacted, and let every check look, twice where it was green."""
        await self.engine.consent()
        for _ in range(5):  # until every check but the first waits for its turn
            await asyncio.sleep(0)
        self.clock.advance(1.0)
        await eventually(lambda: all(check.looked for check in self.engine.checks()))
        for check in self.engine.checks():
            if check.state is CheckState.PENDING:
                await self.engine._live.watch.look(check.name)


@contextlib.asynccontextmanager
async def open_stage(
    folder: Path, clock: HeldClock, runbook: Runbook | None = None, *,
    identities: dict[HostName, Identity] | None = None, agreed: bool = True, read_only: bool = False,
    source_now: Runbook | None = None, make_probes: ProbeFactory = probes, rehearsal: str = "",
) -> AsyncIterator[Stage]:  # fmt: skip
    """Open the run in `folder`, which the first opening makes; leaving it pauses it."""
    book = runbook or migration()
    who = identities or IDENTITIES
    far = {name: FarSide(host, who.get(name, Identity(name, "root", name))) for name, host in book.hosts.items()}

    def shells(host: Host, pin: HostKey | None) -> Shell:
        del pin
        return LocalShell(host) if host.name == LOCAL else far[host.name]

    if (folder / "runs" / RUN).exists():
        run = open_run(folder, RUN)
    else:
        run = create_run(folder, book.text.encode(), book.title, {}, RUN, now=clock.now())
    opening = Opening(
        run=RUN, runbook_path="move.md", version="0.1", operator="anna", workstation="desk", hosts={}, variables={},
        rehearsal=rehearsal,
    )  # fmt: skip
    engine = Engine(
        runbook=book, opening=opening, journal=run.journal(clock), outputs=run.outputs(), shells=shells, clock=clock,
        net=SystemNet(), secrets=KnownSecrets(), make_probes=make_probes, source_now=source_now, read_only=read_only,
    )  # fmt: skip
    try:
        async with engine:
            stage = Stage(engine, clock, far)
            if agreed:
                await stage.agree()
            yield stage
    finally:
        run.close()
