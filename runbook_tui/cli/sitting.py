"""The composition root: puts a run's folder, stage, engine and front end together, and sees the sitting to its end."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import re
import signal
import socket
from typing import TYPE_CHECKING

from runbook_tui import __version__
from runbook_tui.adapters.runs import RunFolder, create_run, open_run, state_dir
from runbook_tui.adapters.source_file import SourceFile
from runbook_tui.adapters.ssh_target import SshSettings, resolve
from runbook_tui.cli import console
from runbook_tui.cli.faults import Faults
from runbook_tui.cli.leaving import check_key, leave
from runbook_tui.cli.stage import Stage, life
from runbook_tui.cli.stored import adopted, own_runbook
from runbook_tui.core.each import items_of
from runbook_tui.core.errors import ExitCode, HostError, UsageError
from runbook_tui.core.events import RunOpened
from runbook_tui.core.model import LOCAL
from runbook_tui.core.overview import ended_with_failures
from runbook_tui.core.redact import KnownSecrets
from runbook_tui.core.settle import list_problem, value_problem
from runbook_tui.engine import Engine, Opening

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runbook_tui.cli.wishes import Wishes
    from runbook_tui.core.model import Runbook


def begin(
    path: Path, runbook: Runbook, data: bytes, *,
    variables: Mapping[str, str], hosts: Mapping[str, str], run_id: str, wishes: Wishes,
    stage: Stage | None = None,
) -> ExitCode:  # fmt: skip
    """Make a new run of a runbook that has no errors, and sit at it; on this machine unless a stage is given.

    Raises:
        UsageError: a variable is not one of the runbook's or its value cannot stand there, a host's address is
            none, a variable has a secret in it, the key to sign with is not there, or the run id is taken.
        StateDirError: the state folder cannot be used.
    """
    check_variables(runbook, variables)
    check_hosts(hosts)
    check_key(wishes.sign_with)
    check_no_secret(variables, KnownSecrets(wishes.given.values()))
    stage = stage or life(wishes)
    with create_run(state_dir(), data, runbook.title, variables, run_id or None, now=stage.clock.now()) as folder:
        opening = _opening(folder.id, str(path.resolve()), hosts, variables, stage)
        return _sit(folder, runbook, opening, stage, wishes)


def go_on(run: str, wishes: Wishes, stage: Stage | None = None) -> ExitCode:
    """Open a run again and sit at it; on this machine unless a stage is given.

    Raises:
        UsageError: there is no such run or key to sign with, or it was a rehearsal and this is not its stage.
        RunLockedError: another process holds it.
        StateDirError: it cannot be read or written.
    """
    check_key(wishes.sign_with)
    stage = stage or life(wishes)
    with open_run(state_dir(), run) as folder:
        records = folder.journal(stage.clock).records
        runbook = own_runbook(folder, records)
        opened = records[0].event if records else None
        source, hosts = (opened.runbook, opened.hosts) if isinstance(opened, RunOpened) else ("", {})
        if isinstance(opened, RunOpened) and opened.rehearsal and not stage.rehearsal:
            title = f"The run {folder.id} was a rehearsal, and its world is gone"
            raise UsageError(title, hint="mailrunbook export writes its transcript; mailrunbook demo begins anew.")
        return _sit(folder, runbook, _opening(folder.id, source, hosts, {}, stage), stage, wishes)


def check_variables(runbook: Runbook, variables: Mapping[str, str]) -> None:
    """Refuse a `--var` that names no literal or list, or whose value cannot stand for it (FORMAT.md, Spelling 4).

    Raises:
        UsageError: the first such variable.
    """
    for key, value in variables.items():
        if key in runbook.lists:
            if why := list_problem(runbook, key, items_of(value)):
                raise UsageError(f"--var {key}: that cannot be the list {key}", why)
            continue
        meant = [lit for lit in runbook.literals if key in {lit.text, lit.key}]
        if not meant:
            names = [*(lit.key or lit.text for lit in runbook.literals), *runbook.lists]
            known = ", ".join(dict.fromkeys(names)) or "none"
            raise UsageError(f"--var {key}: the runbook has no such variable", f"It has: {known}.")
        for literal in meant:
            if why := value_problem(literal, value):
                raise UsageError(f"--var {key}: the value cannot stand for {literal.text}", why)


def check_no_secret(variables: Mapping[str, str], known: KnownSecrets) -> None:
    """Refuse a `--var` with a given secret in it: values are kept in the run's journal.

    Raises:
        UsageError: the first such variable.
    """
    for key, value in variables.items():
        if names := known.redactor.names_in(value):
            raise UsageError(f"--var {key}: the secret {names[0]} is in it", hint="Variables are no place for secrets.")


def check_hosts(hosts: Mapping[str, str]) -> None:
    """Refuse a `--host` whose name or address is none; nothing is looked up.

    Raises:
        UsageError: the first such host.
    """
    for name, address in hosts.items():
        if name == LOCAL:
            raise UsageError("--host local: local is always this machine")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name, re.ASCII):
            raise UsageError(f"--host {name}: a host's name is a letter, then letters, digits, _ or -")
        try:
            resolve(address, SshSettings())
        except HostError as error:
            raise UsageError(f"--host {name}: {error.title}", error.detail, error.hint) from None


def _opening(
    run: str, source: str, hosts: Mapping[str, str], variables: Mapping[str, str], stage: Stage
) -> Opening:  # fmt: skip
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.geteuid()}"
    return Opening(
        run=run, runbook_path=source, version=__version__, operator=stage.operator or user,
        workstation=socket.gethostname(), hosts=dict(hosts), variables=dict(variables), rehearsal=stage.rehearsal,
    )  # fmt: skip


def _sit(folder: RunFolder, runbook: Runbook, opening: Opening, stage: Stage, wishes: Wishes) -> ExitCode:
    known = KnownSecrets(wishes.given.values())
    if wishes.debug:
        _log_to(folder.path / "debug.log", known)
    engine = Engine(
        runbook=runbook,
        opening=opening,
        journal=folder.journal(stage.clock),
        outputs=folder.outputs(),
        shells=stage.shells,
        clock=stage.clock,
        net=stage.net,
        secrets=stage.secrets,
        source=SourceFile(opening.runbook_path, folder),
        copies=adopted(folder, folder.journal(stage.clock).records),
        read_only=wishes.read_only,
        known=known,
        logins=stage.logins,
    )
    with Faults(known.redact, folder.id) as faults:
        code = asyncio.run(attend(engine, stage, wishes, faults))
        if not stage.rehearsal:
            for sentence in leave(folder.path, lambda: engine.export("md"), wishes.sign_with):
                console.warn(known.redact(sentence))
    return code


def _log_to(path: Path, known: KnownSecrets) -> None:
    import logging  # noqa: PLC0415 -- only with --debug

    class Redacting(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return known.redact(super().format(record))

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    handler = logging.StreamHandler(os.fdopen(descriptor, "a", encoding="utf-8"))
    handler.setFormatter(Redacting("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])


async def attend(engine: Engine, stage: Stage, wishes: Wishes, faults: Faults) -> ExitCode:
    """Run the front end inside the engine until it ends or a signal ends it; pause the run in either case."""
    loop = asyncio.get_running_loop()
    forced: list[tuple[str, ExitCode]] = []
    async with engine:
        sitting: asyncio.Task[str] | None = None

        def leave(why: str, code: ExitCode) -> None:
            if sitting is not None and not forced:
                sitting.cancel()
            forced.append((why, code))

        front = stage.front_end(engine, wishes, lambda: leave("the terminal is gone", ExitCode.SIGHUP))
        faults.attend(loop, lambda: leave("a fault of the program", ExitCode.FAULT))
        interrupting: set[asyncio.Task[None]] = set()

        async def interrupt() -> None:
            if not await front.interrupt():
                leave("interrupted", ExitCode.OK)

        loop.add_signal_handler(signal.SIGTERM, leave, "SIGTERM", ExitCode.SIGTERM)
        loop.add_signal_handler(signal.SIGHUP, leave, "SIGHUP", ExitCode.SIGHUP)
        loop.add_signal_handler(signal.SIGINT, lambda: interrupting.add(asyncio.create_task(interrupt())))
        sitting = asyncio.create_task(front.run())
        why, code = "the program failed", None
        try:
            with contextlib.suppress(asyncio.CancelledError):
                why = await sitting
            if forced:
                why, code = forced[0]
            await engine.pause(why)
        finally:
            front.close(why)
        if front.broken:
            return ExitCode.FAULT
        if code is None:
            code = ExitCode.NOT_GREEN if ended_with_failures(engine.state) else ExitCode.OK
        return code
