"""`mailrunbook watch`: follows a run from its journal alone, on the screen or line by line."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from runbook_tui.adapters.followed import FollowedRun
from runbook_tui.cli.faults import Faults
from runbook_tui.cli.sitting import attend
from runbook_tui.cli.stage import Stage, life, wants_plain
from runbook_tui.cli.stored import adopted, load, own_runbook
from runbook_tui.core.errors import ExitCode
from runbook_tui.core.events import RunOpened
from runbook_tui.core.markdown.reader import read
from runbook_tui.engine import Follower, Opening

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.cli.stage import FrontEnd
    from runbook_tui.cli.wishes import Wishes
    from runbook_tui.core.model import Runbook
    from runbook_tui.engine import Engine


def watch(run: str, wishes: Wishes) -> ExitCode:
    """Follow a run until it is closed or the operator leaves.

    Raises:
        UsageError: there is no such run, or several.
        StateDirError: it cannot be read.
    """
    stored = load(run)
    clock = life(wishes).clock
    opening = Opening(
        run=stored.state.run, runbook_path=stored.state.runbook_path, version="", operator="", workstation="",
        hosts={}, variables={},
    )  # fmt: skip
    opened = stored.records[0].event
    hosts = tuple(opened.hosts) if isinstance(opened, RunOpened) else ()

    def read_copy(sha256: str) -> Runbook:
        return read(stored.folder.copy(sha256), name=stored.state.runbook_path, hosts=hosts)

    followed = FollowedRun(stored.folder)
    runbook, copies = own_runbook(stored.folder, stored.records), adopted(stored.folder, followed.records)
    follower = Follower(runbook, opening, followed, clock, copies=copies, read_copy=read_copy)
    stage = Stage(clock, life(wishes).shells, _front_end, life(wishes).secrets)
    with Faults(str) as faults:
        code = asyncio.run(attend(follower, stage, wishes, faults))
    return ExitCode.OK if code is ExitCode.NOT_GREEN else code


def _front_end(engine: Engine, wishes: Wishes, hung_up: Callable[[], None]) -> FrontEnd:
    if wants_plain(wishes, os.environ):
        from runbook_tui.plain.following import FollowingFrontEnd  # noqa: PLC0415

        return FollowingFrontEnd(engine, 1, hung_up)
    from runbook_tui.cli.screen import ScreenFrontEnd  # noqa: PLC0415 -- textual only when it is drawn

    return ScreenFrontEnd(engine, mouse=wishes.mouse)
