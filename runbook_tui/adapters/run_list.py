"""What the list of runs says about one run, however damaged its folder is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from runbook_tui.adapters.run_folder import is_locked
from runbook_tui.core.chain import FlawKind, time_text
from runbook_tui.core.errors import RunbookTuiError
from runbook_tui.core.events import RunbookReloaded, RunOpened
from runbook_tui.core.fold import fold
from runbook_tui.core.verbs import progress

if TYPE_CHECKING:
    from runbook_tui.adapters.run_folder import RunFolder
    from runbook_tui.core.chain import Journaled
    from runbook_tui.core.run import RunState


class RunStanding(StrEnum):
    """The `state` of `runs --json`."""

    OPEN = "open"
    CLOSED = "closed"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run as the list shows it. Times are aware UTC; `problem` says what is wrong with it, mostly nothing.

    A `rehearsal` cannot be gone on with: its world is gone.
    """

    id: str
    title: str
    runbook: str
    opened: datetime
    last: datetime
    state: RunStanding
    steps: int = 0
    settled: int = 0
    problem: str = ""
    rehearsal: bool = False

    def fields(self) -> dict[str, str | int]:
        """Give the object of `runs --json` (ARCHITECTURE.md, "A run on disk"); `problem` only where there is one."""
        shown: dict[str, str | int] = {
            "id": self.id,
            "title": self.title,
            "runbook": self.runbook,
            "opened": time_text(self.opened),
            "last": time_text(self.last),
            "state": self.state.value,
            "steps": self.steps,
            "settled": self.settled,
        }
        return shown | ({"problem": self.problem} if self.problem else {})


def inspect(folder: RunFolder) -> RunInfo | None:
    """Look at one run without locking it; None when it never began. Never raises for what it finds there."""
    locked = is_locked(folder.path)
    try:
        if folder.never_begun:
            return None
        journaled = folder.read()
    except RunbookTuiError as error:
        return _unreadable(folder, locked=locked, problem=error.title)
    records, _, flaw = journaled
    problem = flaw.why if flaw is not None and flaw.kind is not FlawKind.TORN else ""
    if not records:
        return _unreadable(folder, locked=locked, problem=problem or "its journal is gone")
    opened = records[0].event
    if not isinstance(opened, RunOpened):
        return _unreadable(folder, locked=locked, problem="its first record does not open a run")
    try:
        state = _fold(folder, journaled, opened)
    except (RunbookTuiError, ValueError) as error:
        state, problem = None, problem or str(error).partition("\n")[0]
    settled, steps = progress(state) if state else (0, 0)
    return RunInfo(
        id=folder.id, title=opened.title, runbook=opened.runbook, opened=records[0].at, last=records[-1].at,
        state=_standing(locked=locked, closed=state is not None and state.closed), steps=steps, settled=settled,
        problem=problem, rehearsal=bool(opened.rehearsal),
    )  # fmt: skip


def _fold(folder: RunFolder, journaled: Journaled, opened: RunOpened) -> RunState:
    from runbook_tui.core.markdown.reader import read  # noqa: PLC0415 -- the reader loads the Markdown parser

    hosts = tuple(opened.hosts)
    sums = {r.event.sha256 for r in journaled.records if isinstance(r.event, RunbookReloaded)}
    copies = {sha256: read(folder.copy(sha256), name=opened.runbook, hosts=hosts) for sha256 in sums}
    return fold(read(folder.runbook_bytes, name=opened.runbook, hosts=hosts), journaled.records, copies)


def _standing(*, locked: bool, closed: bool) -> RunStanding:
    if locked:
        return RunStanding.LOCKED
    return RunStanding.CLOSED if closed else RunStanding.OPEN


def _unreadable(folder: RunFolder, *, locked: bool, problem: str) -> RunInfo:
    """Give what little can be said: the folder's name and when it was last changed."""
    try:
        changed = datetime.fromtimestamp(folder.path.stat().st_mtime, tz=UTC)
    except OSError:
        changed = datetime.fromtimestamp(0, tz=UTC)
    standing = _standing(locked=locked, closed=False)
    return RunInfo(folder.id, folder.id, "", changed, changed, standing, problem=problem)
