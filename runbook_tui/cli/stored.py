"""Runs as they lie on disk, for the commands that only look: no lock is taken and nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.run_folder import is_locked
from runbook_tui.adapters.runs import RunFolder, RunStanding, find_run, list_runs, open_run, state_dir
from runbook_tui.core.brief import brief
from runbook_tui.core.chain import FlawKind
from runbook_tui.core.errors import StateDirError, UsageError
from runbook_tui.core.events import RunbookReloaded, RunOpened
from runbook_tui.core.fold import ForeignEventError, fold
from runbook_tui.core.markdown.reader import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.events import Record
    from runbook_tui.core.model import Runbook
    from runbook_tui.core.run import RunState


@dataclass(frozen=True, slots=True)
class Stored:
    """A run as its journal tells it up to the first record that is torn or bad; `flaw` says what is wrong there."""

    folder: RunFolder
    records: Sequence[Record]
    state: RunState
    flaw: str = ""


def load(run: str) -> Stored:
    """Read a run by its id, the beginning of it, or (empty) the last one that was worked on.

    Raises:
        UsageError: there is no such run, or several.
        StateDirError: it cannot be read, nothing of its journal can be, or another version wrote it: half of such
            a run would look like all of it.
    """
    folder = open_run(state_dir(), run or last_run(), lock=False)
    records, _, flaw = folder.read()
    if flaw is not None and flaw.kind is FlawKind.FOREIGN:
        title = "This run was written by another version of mailrunbook."
        raise StateDirError(title, f"{folder.path}: {flaw.why}", "Read it with that version.")
    if not records:
        raise StateDirError("Nothing of this run's journal can be read.", flaw.why if flaw else str(folder.path))
    runbook = own_runbook(folder, records)
    try:
        state = fold(runbook, records, adopted(folder, records))
    except ForeignEventError as error:
        raise StateDirError("This run's journal does not fit its runbook.", f"{folder.path}: {error}") from None
    return Stored(folder, records, state, flaw.why if flaw else "")


def own_runbook(folder: RunFolder, records: Sequence[Record]) -> Runbook:
    """Give the run's own copy of its runbook."""
    opened = records[0].event if records else None
    name, hosts = (opened.runbook, tuple(opened.hosts)) if isinstance(opened, RunOpened) else ("", ())
    return read(folder.runbook_bytes, name=name, hosts=hosts)


def adopted(folder: RunFolder, records: Sequence[Record]) -> dict[str, Runbook]:
    """Give the edited runbooks that the run adopted, by their sum."""
    opened = records[0].event if records else None
    name, hosts = (opened.runbook, tuple(opened.hosts)) if isinstance(opened, RunOpened) else ("", ())
    sums = {record.event.sha256 for record in records if isinstance(record.event, RunbookReloaded)}
    return {sha256: read(folder.copy(sha256), name=name, hosts=hosts) for sha256 in sums}


def last_run(*, unfinished: bool = False) -> str:
    """Give the id of the run that was last worked on.

    Raises:
        UsageError: there is none.
    """
    infos = [i for i in list_runs(state_dir()) if not i.problem]
    if unfinished:
        infos = [i for i in infos if i.state is not RunStanding.CLOSED and not i.rehearsal]
    if not infos:
        what = "no unfinished run" if unfinished else "no run yet"
        raise UsageError(f"There is {what}.", hint="Begin one: mailrunbook run RUNBOOK.")
    return max(infos, key=lambda info: info.last).id


def in_brief(run: str) -> list[str]:
    """Give where a run stands in a few lines; of the last unfinished one when none is named, nothing if there is none.

    Raises:
        UsageError: there is no such run, or several.
        StateDirError: it cannot be read.
    """
    if not run:
        open_ones = [i for i in list_runs(state_dir()) if i.state is not RunStanding.CLOSED and not i.rehearsal]
        if not open_ones:
            return []
        run = max(open_ones, key=lambda info: info.last).id
    stored = load(run)
    lines = brief(stored.state, datetime.now(UTC), at_work=is_locked(stored.folder.path))
    return [*lines, f"damaged: {stored.flaw}"] if stored.flaw else lines


def folder_of(target: str) -> Path:
    """Give what `verify` looks at: a path as it stands, else the folder of the run of that name."""
    path = Path(target)
    return path if path.exists() and ("/" in target or not _is_run(target)) else find_run(state_dir(), target)


def _is_run(name: str) -> bool:
    try:
        find_run(state_dir(), name)
    except UsageError:
        return False
    return True
