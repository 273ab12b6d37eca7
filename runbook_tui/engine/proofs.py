"""A proof as another user: a detached job of its own, so that its sudo can ask (PROMISES.md 3.5)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets as randoms
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.core.script import LET_IN, become
from runbook_tui.core.text import clean
from runbook_tui.engine.detached import DetachedJob, NotRunError
from runbook_tui.engine.feeding import Feeding
from runbook_tui.engine.sudo import Sudo
from runbook_tui.ports import Ended, JobId, Needs

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.redact import KnownSecrets
    from runbook_tui.core.secret import Secret
    from runbook_tui.ports import Ask, Asker, Clock, Shell

LONGEST_SAID = 8192
"""Bytes of what sudo says that are kept until it lets the proof in."""

CLEANING = 10.0
"""Seconds for removing the proof's folder; what is not removed then stays."""

_MARK = f"{LET_IN}\n".encode()


class SudoProof:
    """Implements `ports.Job` for one try of a proof. What it says itself goes to the sink, what sudo says to `said`.

    Whether it holds is known only once it was `let_in`: sudo's own exit status is none of the proof's.
    """

    def __init__(
        self, attempt: JobId, shell: Callable[[], Shell], sink: Callable[[bytes], None], clock: Clock, *,
        asker: Asker | None, known: KnownSecrets, name: str, who: str, note: Callable[[str], None],
        told: Callable[[], None],
    ) -> None:  # fmt: skip
        own = f"{attempt.attempt}-p{randoms.token_hex(4)}"
        self._id = JobId(own, own)  # a mark of its own goes with its folder; it changes nothing and needs no lock
        self._shell = shell
        self._sink = sink
        self._known = known
        self._told = told
        self._sudo_said = bytearray()
        self._entered = asyncio.Event()
        self._job = DetachedJob(self._id, shell, self._take, clock, told=told, asked=self._asked)
        self._feeding = Feeding(self._job, clock, lambda _: None)
        self._sudo = Sudo(
            job=self._job, feeding=self._feeding, asker=asker, known=known, host=shell().host.name, name=name, who=who,
            note=note, stop=self._stop,
        )  # fmt: skip

    @property
    def pgid(self) -> int:
        """Its process group over there."""
        return self._job.pgid

    @property
    def noise(self) -> str:
        """Nothing: what a login shell says does not reach a detached job."""
        return ""

    @property
    def let_in(self) -> bool:
        """Whether sudo let it in."""
        return self._entered.is_set()

    @property
    def said(self) -> str:
        """Give the last line of what sudo said, safe to show."""
        lines = clean(self._known.redact(self._sudo_said.decode(errors="replace"))).split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "sudo said nothing")

    async def start(self, script: str, user: str, fed: Secret | None) -> None:
        """Start it; a link that breaks meanwhile is mended.

        Raises:
            HostError: nothing ran.
            NotRunError: it is proved that it never runs.
        """
        marked = f"echo '{LET_IN}'\n{script}"
        await self._job.launch(become(marked, user), None, Needs(fed=fed is not None, sudo=True))
        if fed is not None:
            self._feeding.begin(fed)

    async def wait(self) -> Ended:
        """Wait for its end; see `ports.Job`."""
        try:
            ended = await self._job.wait()
        except NotRunError as error:
            ended = Ended(lost=str(error))
        finally:
            await self._feeding.close()
            await self._sudo.settle()
        if self.let_in:
            await self._sudo.prove()
        if not self._job.trouble:
            with contextlib.suppress(HostError, TimeoutError):
                async with asyncio.timeout(CLEANING):
                    await self._shell().jobs.clean(self._id)
        return ended

    async def admitted(self) -> None:
        """Wait until sudo let it in, however long a person takes to type: what it may take is counted from there."""
        await self._entered.wait()

    def close(self) -> None:
        """Look no more; it goes on over there."""
        self._job.give_up("it was left")

    def _take(self, data: bytes) -> None:
        if self.let_in:
            self._sink(data)
            return
        self._sudo_said += data
        before, mark, rest = self._sudo_said.partition(_MARK)
        if mark:
            self._sudo_said = before
            self._entered.set()
            self._sink(bytes(rest))
        else:
            del self._sudo_said[:-LONGEST_SAID]

    def _asked(self, ask: Ask) -> None:
        self._sudo.asked(ask)
        self._told()

    async def _stop(self) -> None:
        with contextlib.suppress(HostError):
            await self._job.signal("TERM")
