"""`mailrunbook check`: the live checks of a runbook outside any run, with an exit code fit for monitoring."""

from __future__ import annotations

import asyncio
import difflib
import signal
from typing import TYPE_CHECKING, Self

from runbook_tui import __version__
from runbook_tui.checks import probes
from runbook_tui.checks.watch import Watch
from runbook_tui.cli.console import say, say_json
from runbook_tui.cli.sitting import check_hosts, check_variables
from runbook_tui.core import events as ev
from runbook_tui.core.chain import time_text
from runbook_tui.core.errors import ExitCode, RunbookError, UsageError
from runbook_tui.core.text import clean, clean_line
from runbook_tui.engine.connections import Connections
from runbook_tui.engine.recorder import Recorder
from runbook_tui.engine.secrets import RunSecrets
from runbook_tui.engine.sight import RunSight
from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from runbook_tui.checks.view import CheckView
    from runbook_tui.cli.stage import Stage
    from runbook_tui.core.model import Runbook
    from runbook_tui.ports import Clock

BETWEEN = 1.0
"""Seconds between the two looks of a check that is asked once."""


class Nowhere:
    """A journal that is kept nowhere: a look at a runbook's checks is no run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.head = ""
        self.records: list[ev.Record] = []

    def append(self, event: ev.Event, *, durable: bool = True) -> ev.Record:
        """Take the event in; nothing is written."""
        del durable
        self.records.append(
            ev.Record(len(self.records) + 1, self._clock.now(), self._clock.monotonic(), "", event, "", "")
        )
        return self.records[-1]

    def seal(self) -> None:
        """Seal nothing."""


class Looking:
    """The checks of a runbook with their connections, for as long as the block lasts."""

    def __init__(
        self, runbook: Runbook, stage: Stage, hosts: Mapping[str, str], variables: Mapping[str, str],
        names: Sequence[str],
    ) -> None:  # fmt: skip
        recorder = Recorder(runbook, Nowhere(stage.clock))
        recorder.intend(
            ev.RunOpened(
                run="", runbook="", title=runbook.title, sha256=runbook.sha256, version=__version__, operator="",
                workstation="", hosts=dict(hosts),
            )
        )  # fmt: skip
        recorder.intend(ev.VarsSet(values=dict(variables)))
        self.turns: asyncio.Queue[str] = asyncio.Queue()
        self._clock = stage.clock
        self._connections = Connections(recorder, stage.shells)
        secrets = RunSecrets(recorder, stage.secrets, "")
        stage.logins.serve(secrets, recorder)
        sight = RunSight(recorder, stage.clock, self._connections, stage.net, secrets)
        self._names = _chosen(tuple(probes(recorder.state)), names)
        wanted = {name: made for name, made in probes(recorder.state).items() if name in self._names}
        redact = recorder.known.redact
        self.watch = Watch(wanted, sight, stage.clock, self._turned, lambda: None, redact=redact)

    async def __aenter__(self) -> Self:
        """Begin; nothing is asked yet."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Look no more and close the connections."""
        await self.watch.stop()
        await self._connections.close()

    async def twice(self) -> None:
        """Look at every check twice, a second apart: green needs two looks."""
        await asyncio.gather(*(self._twice(name) for name in self._names))

    async def _twice(self, name: str) -> None:
        await self.watch.look(name, asked=True)
        await self._clock.sleep(BETWEEN)
        await self.watch.look(name)

    def _turned(self, name: str, state: str, value: str, detail: str) -> None:
        del detail
        self.turns.put_nowait(f"{self._clock.now():%Y-%m-%d %H:%M:%S} UTC  {name}  {state}: {value}")


def check(
    runbook: Runbook, names: Sequence[str], stage: Stage, *, hosts: Mapping[str, str],
    variables: Mapping[str, str], watch: bool, as_json: bool,
) -> ExitCode:  # fmt: skip
    """Look at a runbook's checks, all or those named: twice, or with `watch` until Ctrl-C; say what they say.

    Raises:
        UsageError: a name, variable or host is none, or `watch` and `as_json` are asked for together.
        RunbookError: the runbook has errors or no checks.
    """
    if watch and as_json:
        raise UsageError("--watch prints lines and --json one document: choose one of them")
    if runbook.errors:
        raise RunbookError("The runbook has errors, so its checks cannot be used", hint="mailrunbook lint lists them.")
    check_variables(runbook, variables)
    check_hosts(hosts)
    looking = Looking(runbook, stage, hosts, variables, names)
    views = asyncio.run(_watched(looking) if watch else _looked(looking))
    if as_json:
        say_json({"checks": [_fields(view) for view in views]})
    elif not watch:
        for view in views:
            say(f"{view.name}  {view.state}: {clean_line(view.value)}")
    return exit_code(views)


def exit_code(views: Sequence[CheckView]) -> ExitCode:
    """Give 0 when all are PASS, 4 when one could not look, else 1 (ARCHITECTURE.md, "A run on disk")."""
    states = {view.state for view in views}
    if CheckState.UNKNOWN in states:
        return ExitCode.UNREACHABLE
    return ExitCode.OK if states == {CheckState.PASS} else ExitCode.NOT_GREEN


def _chosen(known: Sequence[str], names: Sequence[str]) -> list[str]:
    if not known:
        raise RunbookError("The runbook has no live checks")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name[:60], known, n=1)
            raise UsageError(f"There is no check {name}", hint=f"Did you mean {near[0]}?" if near else _all(known))
    return list(dict.fromkeys(names)) or list(known)


def _all(known: Sequence[str]) -> str:
    return f"Its checks: {', '.join(known)}."


async def _looked(looking: Looking) -> list[CheckView]:
    async with looking:
        await looking.twice()
        return looking.watch.views()


async def _watched(looking: Looking) -> list[CheckView]:
    """Say every turn until SIGINT or SIGTERM."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    ending = asyncio.create_task(over.wait())
    async with looking:
        looking.watch.start()
        while not over.is_set():
            turning = asyncio.create_task(looking.turns.get())
            await asyncio.wait({turning, ending}, return_when=asyncio.FIRST_COMPLETED)
            if turning.done():
                say(clean_line(turning.result()))
            else:
                turning.cancel()
        return looking.watch.views()


def _fields(view: CheckView) -> dict[str, object]:
    """Give what `check --json` says of a check (ARCHITECTURE.md, "A run on disk")."""
    return {
        "name": view.name, "type": view.type, "state": view.state.value, "value": clean_line(view.value),
        "since": _time(view.since), "eta": _time(view.eta), "detail": clean(view.detail),
    }  # fmt: skip


def _time(at: datetime | None) -> str | None:
    return time_text(at) if at is not None else None
