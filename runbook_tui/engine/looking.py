"""Read-only looks at a host: a script with a time limit, an action's dry run before it and its recheck after it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.core.proposal import DryRun
from runbook_tui.core.recheck import Recheck
from runbook_tui.core.redact import LineRedactor
from runbook_tui.core.script import become, wrap
from runbook_tui.core.text import Cleaner, clean_line
from runbook_tui.ports import OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.model import Action, HostName
    from runbook_tui.core.redact import KnownSecrets
    from runbook_tui.core.text import CleanLine
    from runbook_tui.ports import Ended, Job, Shell

READ_TIMEOUT = 30.0
"""Seconds a read-only look may take."""

SIGNAL_TIMEOUT = 5.0
"""Seconds for ending over there what took longer, or what nobody waits for any more."""

MOST_SHOWN = 64 * 1024
"""Characters of a dry run's output that are kept: of more, the first and the last half."""


async def look(shell: Shell, script: str, sink: Callable[[bytes], None]) -> Ended | None:
    """Run a read-only script; None when it took longer than READ_TIMEOUT, and was sent TERM.

    Raises:
        HostError: nothing ran.
        OutcomeUnknownError: the link broke while it was sent.
    """
    starting = asyncio.ensure_future(shell.start(script, sink))
    try:
        job = await asyncio.shield(starting)
        async with asyncio.timeout(READ_TIMEOUT):
            return await job.wait()
    except (TimeoutError, asyncio.CancelledError) as error:
        await _end(shell, starting)
        if isinstance(error, TimeoutError):
            return None
        raise


async def kept_out(shell: Shell, user: str) -> str:
    """Say with what words sudo does not let a look in as this user without asking; empty where it does.

    Raises:
        HostError: the host cannot be reached; nothing ran.
    """
    if not user:
        return ""
    said = bytearray()
    try:
        ended = await look(shell, become(":", user, ask=False), said.extend)
    except OutcomeUnknownError as error:
        return f"the link broke: {error}"
    if ended is not None and ended.exit == 0:
        return ""
    lines = said.decode(errors="replace").splitlines()
    return clean_line(lines[-1]) if lines else "sudo does not answer"


async def _end(shell: Shell, starting: asyncio.Future[Job]) -> None:
    """End over there what nobody waits for any more, also where it was only being started."""
    with contextlib.suppress(HostError, OutcomeUnknownError, TimeoutError):
        async with asyncio.timeout(SIGNAL_TIMEOUT):
            job = await starting
            await shell.signal_group(job.pgid, "TERM")
    if starting.done() and not starting.cancelled() and not starting.exception():
        starting.result().close()


class Ends:
    """Keeps the first and the last characters of an output, and counts what it left out between them.

    Secrets are taken out before anything is cut off: half a secret would not be known for one.
    """

    def __init__(self, known: KnownSecrets, most: int = MOST_SHOWN) -> None:
        self._half = most // 2
        self._cleaner = Cleaner()
        self._redacting = LineRedactor(lambda: known.redactor)
        self._first = ""
        self._last = ""
        self.left_out = 0

    def take(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._keep(self._redacting.feed(self._cleaner.feed(data)))

    def _keep(self, lines: list[CleanLine]) -> None:
        text = "".join(f"{line.text}\n" for line in lines)
        room = self._half - len(self._first)
        self._first += text[:room]
        self._last += text[room:]
        if (more := len(self._last) - self._half) > 0:
            self._last = self._last[more:]
            self.left_out += more

    def text(self) -> str:
        """Give the whole output cleaned, and between its ends how much was left out; nothing is taken after that."""
        self._keep(self._redacting.finish(self._cleaner.finish()))
        gap = f"\n… {self.left_out:,} characters left out …\n" if self.left_out else ""
        return self._first + gap + self._last


@dataclass(frozen=True, slots=True)
class Seen:
    """What a read-only command of the runbook said: its output, its exit status if it has one, its end in words."""

    output: str
    exit: int | None
    how: str


async def _see(shell: Shell, command: str, cwd: str, known: KnownSecrets, user: str) -> Seen:
    """Run a read-only command of the runbook, for another user only where sudo asks for nothing.

    Raises:
        HostError: the host cannot be reached; nothing ran.
    """
    if said := await kept_out(shell, user):
        return Seen("", None, f"it was not run: a look gives no password, and sudo -n as {user} says: {said}")
    kept = Ends(known)
    try:
        ended = await look(shell, become(wrap(command, cwd), user, ask=False), kept.take)
    except OutcomeUnknownError as error:
        return Seen("", None, f"the link broke: {error}")
    if ended is None:
        return Seen(kept.text(), None, f"it took longer than {READ_TIMEOUT:.0f} s")
    if ended.exit is not None:
        return Seen(kept.text(), ended.exit, f"exit status {ended.exit}")
    return Seen(kept.text(), None, ended.lost or f"ended by signal {ended.signal}")


async def dry_run(shell: Shell, action: Action, known: KnownSecrets, user: str = "") -> DryRun:
    """Run the action's `dry-run=` on its host, as `user` if one is given; `action` has its literals resolved.

    A status that the action itself may end with is well: tools say the same whether they do it or would.

    Raises:
        HostError: the host cannot be reached; nothing ran.
    """
    seen = await _see(shell, action.dry_run, action.cwd, known, user)
    return DryRun(action.dry_run, seen.output, seen.how, well=seen.exit in action.exits | {0})


async def recheck(
    shell: Shell, host: HostName, action: Action, known: KnownSecrets, user: str = ""
) -> Recheck:  # fmt: skip
    """Run the action's `recheck=` on its host, as `user` if one is given; `action` has its literals resolved.

    Raises:
        HostError: the host cannot be reached; nothing ran.
    """
    seen = await _see(shell, action.recheck, action.cwd, known, user)
    return Recheck(host, action.recheck, seen.output, seen.how, seen.exit, withheld=action.no_log)
