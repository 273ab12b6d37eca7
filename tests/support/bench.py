"""A run on a real journal in a temporary folder, with an engine on real shells."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runbook_tui.adapters.clock import SystemClock
from runbook_tui.adapters.local import LocalShell
from runbook_tui.adapters.net import SystemNet
from runbook_tui.adapters.runs import create_run, open_run
from runbook_tui.adapters.source_file import SourceFile
from runbook_tui.checks import probes
from runbook_tui.checks.later import NotBuiltProbe
from runbook_tui.cli.stored import adopted
from runbook_tui.core.redact import KnownSecrets as Known
from runbook_tui.core.run import Status, Verb
from runbook_tui.engine import Engine, Opening
from runbook_tui.ports import Drift
from tests.support.sight import KnownSecrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from runbook_tui.adapters.run_folder import RunFolder
    from runbook_tui.checks import ProbeFactory
    from runbook_tui.core.model import CheckSpec, Host, Runbook
    from runbook_tui.core.run import RunState
    from runbook_tui.core.secret import Secret
    from runbook_tui.ports import Asker, Clock, HostKey, Probe, Shell, ShellFactory

RUN = "night"


def local_shells(host: Host, pin: HostKey | None) -> Shell:
    """Reach every host as this machine."""
    del pin
    return LocalShell(host)


def unmeasured(state: RunState) -> dict[str, tuple[CheckSpec, Probe]]:
    """Give checks that nothing measures: gates on them are questions."""
    return {spec.name: (spec, NotBuiltProbe(spec.type)) for spec in state.runbook.checks}


@dataclass
class HeldClock:
    """A wall clock that moves only when told; sleepers wake when it passes them."""

    wall: datetime = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    sleepers: list[tuple[datetime, asyncio.Event]] = field(default_factory=list)
    boot: str = "test-boot"
    drifted: Drift = field(default_factory=Drift)

    def now(self) -> datetime:
        """Give the held time."""
        return self.wall

    def monotonic(self) -> float:
        """Give the held time as seconds."""
        return self.wall.timestamp()

    def drift(self) -> Drift:
        """Give what was set."""
        return self.drifted

    def suspend(self, seconds: float) -> None:
        """Let the machine be suspended: the wall goes on without it."""
        self.drifted = self.drifted._replace(suspended=self.drifted.suspended + seconds)

    def set_by(self, seconds: float) -> None:
        """Set the clock; what is measured meanwhile stays as it was."""
        self.drifted = self.drifted._replace(wall=self.drifted.wall + seconds)

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock was advanced far enough."""
        woken = asyncio.Event()
        self.sleepers.append((self.wall + timedelta(seconds=seconds), woken))
        await woken.wait()

    async def nap(self, seconds: float) -> None:
        """Sleep as long."""
        await self.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move on and wake whoever is due."""
        self.wall += timedelta(seconds=seconds)
        due = [s for s in self.sleepers if s[0] <= self.wall]
        self.sleepers = [s for s in self.sleepers if s[0] > self.wall]
        for _, woken in due:
            woken.set()


@dataclass
class Bench:
    """Opens one run again and again, as an operator does."""

    runbook: Runbook
    state_dir: Path
    clock: Clock = field(default_factory=SystemClock)
    shells: ShellFactory = local_shells
    variables: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    make_probes: ProbeFactory = probes
    source_now: Runbook | None = None
    given: Sequence[Secret] = ()
    source_file: Path | None = None
    asker: Asker | None = None
    folder: RunFolder | None = None

    def engine(self) -> Engine:
        """Make the engine of a new sitting; the first makes the run."""
        self.leave()
        if (self.state_dir / "runs" / RUN).exists():
            self.folder = open_run(self.state_dir, RUN)
        else:
            title, now = self.runbook.title, datetime.now(UTC)
            self.folder = create_run(self.state_dir, self.runbook.text.encode(), title, self.variables, RUN, now=now)
        opening = Opening(
            run=RUN, runbook_path="move.md", version="0", operator="ada", workstation="desk", hosts={},
            variables=self.variables,
        )  # fmt: skip
        return Engine(
            runbook=self.runbook, opening=opening, journal=self.folder.journal(self.clock),
            outputs=self.folder.outputs(), shells=self.shells, clock=self.clock, read_only=self.read_only,
            net=SystemNet(), secrets=KnownSecrets(), make_probes=self.make_probes, source_now=self.source_now,
            known=Known(self.given),
            asker=self.asker,
            source=SourceFile(str(self.source_file), self.folder) if self.source_file else None,
            copies=adopted(self.folder, self.folder.journal(self.clock).records),
        )  # fmt: skip

    def leave(self) -> None:
        """Close the folder as the end of the program does."""
        if self.folder is not None:
            self.folder.close()
            self.folder = None


async def confirm(engine: Engine, action: str, verb: Verb = Verb.CONFIRM, edited: str | None = None) -> Status:
    """Confirm an action with what it wants, await its end, give its status."""
    proposal = await engine.propose(action, verb, edited)
    await engine.confirm(proposal, proposal.wants)
    await engine.idle()
    return engine.state.of(action).status


async def until(engine: Engine, predicate: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition that the engine's changes bring about."""
    changed = asyncio.Event()
    forget = engine.subscribe(changed.set)
    try:
        async with asyncio.timeout(seconds):
            while not predicate():
                changed.clear()
                await changed.wait()
    finally:
        forget()


async def eventually(predicate: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition that no change of the engine announces, such as output or a file."""
    async with asyncio.timeout(seconds):
        while not predicate():  # noqa: ASYNC110 -- files and output have no event to wait for
            await asyncio.sleep(0.01)
