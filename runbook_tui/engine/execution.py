"""Sees one confirmed attempt through: output as it comes, stop and timeout, expectations, proof, and one verdict."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError
from runbook_tui.core.redact import KnownSecrets
from runbook_tui.core.run import Status
from runbook_tui.core.script import wrap
from runbook_tui.core.text import Cleaner, clean_line
from runbook_tui.engine.output import COMPARED_LINES, Output
from runbook_tui.ports import Ended, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.feed import Feed
    from runbook_tui.core.model import Action, HostName, Verify
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.engine.greening import Greening
    from runbook_tui.engine.recorder import Record
    from runbook_tui.ports import Clock, Job, OutputWriter, Shell

VERIFY_TIMEOUT = 120.0
"""Seconds a proof may take when neither it nor its action says otherwise."""

CHECK_TIMEOUT = 600.0
"""Seconds in which the checks of `check=` must turn green when the action has no timeout of its own."""

AWAITS_CHECK = "waiting for check"
"""The stage in which only the checks of an action have still to turn green."""

LEAVE_TIMEOUT = 5.0
"""Seconds the end of a stopped process group is awaited when the program is being left."""


class Execution:
    """One attempt from its intent to its outcome. `run()` always records an outcome before it returns."""

    def __init__(
        self,
        *,
        proposal: Proposal,
        action: Action,
        host: HostName,
        shell: Callable[[HostName], Shell],
        writer: OutputWriter,
        feed: Feed,
        clock: Clock,
        record: Record,
        greening: Greening,
        known: KnownSecrets | None = None,
    ) -> None:
        self.attempt = proposal.attempt
        self.host = host
        self.feed = feed
        self.ended = asyncio.Event()
        self.stage = "starting"
        self.kill_offered = False
        self.left_by_hand = False
        self._proposal = proposal
        self._action = action
        self._shell = shell
        self._known = known or KnownSecrets()
        self._output = Output(
            proposal.attempt, writer, feed, record, withheld=action.no_log, known=self._known
        )  # fmt: skip
        self._clock = clock
        self._record = record
        self._greening = greening
        self._began = self._heard = clock.monotonic()
        self._job: Job | None = None
        self._job_host = host
        self._signalled = ""
        self._leaving = ""
        self._timed_out = False

    @property
    def elapsed(self) -> float:
        """Seconds since it was confirmed."""
        return self._clock.monotonic() - self._began

    @property
    def silent(self) -> float:
        """Seconds since the last byte of output."""
        return self._clock.monotonic() - self._heard

    async def run(self) -> None:
        """Start it, follow it, judge it."""
        action, attempt = self._proposal.action, self.attempt
        try:
            self._job = await self._shell(self.host).start(
                self._proposal.command, self._heard_bytes, self._proposal.stdin
            )
        except HostError as error:
            why = f"it did not run: {error.title}" + (f" ({error.detail})" if error.detail else "")
            self._record(ev.Reconciled(action=action, attempt=attempt, state=Status.NOT_RUN, why=why))
            return
        except OutcomeUnknownError as error:
            self._lost(str(error))
            return
        self._record(ev.Started(action=action, attempt=attempt, pgid=self._job.pgid))
        self.stage = "running"
        limit = self._action.timeout if self._proposal.role is ev.Role.RUN else None
        ended = await self._wait(self._job, limit)
        self._output.finish()
        self._judge_later_or_now(ended)
        if self.stage == "verifying":
            await self._prove(ended)

    async def stop(self, signal: str) -> str:
        """Signal the process group over there, and say what came of it; a wait for checks is only given up."""
        if self.stage == AWAITS_CHECK:
            self._signalled = signal
            self._greening.give_up()
            return "Nothing of it runs any more; its checks are not waited for any longer."
        job = self._job
        if job is None:
            return "It is only being started; try again in a moment."
        self._signalled = signal
        alive = await self._shell(self._job_host).signal_group(job.pgid, signal)
        where = f"process group {job.pgid} on {self._job_host}"
        if not alive:
            return f"{signal} was sent to {where}; nothing of it runs any more."
        self.kill_offered = True
        count = f"{alive} process{'es' if alive != 1 else ''}"
        return f"{signal} was sent to {where}; {count} of it still run{'s' if alive == 1 else ''}."

    async def abandon(self, why: str) -> None:
        """Stop it because the program is left: recorded as unknown, with what is known (ARCHITECTURE.md, Line mode)."""
        self._leaving = why
        said = "it was only being started"
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT):
                if self._job is not None:
                    said = await self.stop("TERM")
                await self.ended.wait()
        except (TimeoutError, HostError) as error:
            if isinstance(error, HostError):
                said = f"it could not be signalled: {error.title}"
            self._leave(said)
        if self._job is not None:
            self._job.close()

    def _leave(self, said: str) -> None:
        self._lost(f"{self._leaving}: {said}")
        self.ended.set()

    def _lost(self, why: str) -> None:
        self._record(ev.Lost(action=self._proposal.action, attempt=self.attempt, why=why))

    def _heard_bytes(self, data: bytes) -> None:
        self._heard = self._clock.monotonic()
        self._output.take(data)

    async def _wait(self, job: Job, limit: float | None) -> Ended:
        """Wait for the end; past the limit send TERM once and go on waiting, KILL stays the operator's word."""
        waiting = asyncio.ensure_future(job.wait())
        try:
            done, _ = await asyncio.wait({waiting}, timeout=limit)
            if not done:
                self._timed_out = True
                with contextlib.suppress(HostError):
                    self._output.say(await self.stop("TERM"))
            return await waiting
        finally:
            waiting.cancel()

    def _judge_later_or_now(self, ended: Ended) -> None:
        if self._leaving:
            self._lost(f"{self._leaving}: stopped, {_how(ended)}")
            return
        if ended.lost:
            self._lost(ended.lost)
            return
        if self._signalled and not self._timed_out:
            self._record_stopped(ended, f"{self._signalled} was sent, then {_how(ended)}")
            return
        reason = self._what_failed(ended)
        forward = self._proposal.role is ev.Role.RUN and not reason
        proofs = forward and bool(self._action.verifies or self._action.checks)
        outcome = ev.Outcome.FAILED if reason else ev.Outcome.VERIFYING if proofs else ev.Outcome.DONE
        self._record_finished(ended, outcome, reason)
        if proofs:
            self.stage = "verifying"

    def _what_failed(self, ended: Ended) -> str:
        undoing = self._proposal.role is ev.Role.UNDO
        wanted = self._action.undos[0].exits if undoing and self._action.undos else self._action.exits
        if undoing and not self._action.undos:
            wanted = frozenset({0})
        if self._timed_out:
            return f"it took longer than {self._action.timeout:g} s: TERM was sent, then {_how(ended)}"
        if ended.signal:
            return f"ended by signal {ended.signal}"
        if ended.exit not in wanted:
            return f"exit status {ended.exit} (wanted {' or '.join(str(c) for c in sorted(wanted))})"
        if undoing:
            return ""
        return self._output.unexpected(self._action.expect, self._action.outputs)

    def _record_finished(
        self, ended: Ended, outcome: ev.Outcome, reason: str, verifies: tuple[str, ...] = ()
    ) -> None:
        self._record(
            ev.Finished(
                action=self._proposal.action, attempt=self.attempt, outcome=outcome, exit=ended.exit,
                signal=ended.signal, reason=reason, seconds=round(self.elapsed, 3), verifies=verifies,
            )
        )  # fmt: skip
        if outcome is ev.Outcome.DONE and self._proposal.role is ev.Role.UNDO:
            self._record(ev.Undone(action=self._proposal.action, attempt=self.attempt))

    def _record_stopped(self, ended: Ended, what: str) -> None:
        self._record(
            ev.Stopped(
                action=self._proposal.action, attempt=self.attempt, what=what, exit=ended.exit,
                signal=ended.signal, seconds=round(self.elapsed, 3),
            )
        )  # fmt: skip

    # ---- proof

    async def _prove(self, ended: Ended) -> None:
        """Run the verify fences in order; the first that does not hold fails the action."""
        lines: list[str] = []
        reason = ""
        for verify in self._action.verifies:
            line, reason = await self._prove_one(verify)
            lines.append(line)
            if self._leaving:
                self._lost(f"{self._leaving}: the command {_how(ended)}, but its proof was not seen to the end")
                return
            if self._signalled and not self._timed_out:
                self._record_stopped(ended, f"stopped during its proof; the command itself had {_how(ended)}")
                return
            if reason:
                break
        if reason == UNSEEN:
            self._lost(f"the command {_how(ended)}, but its proof could not be seen: {lines[-1]}")
            return
        if reason or not self._action.checks:
            self._record_finished(ended, ev.Outcome.FAILED if reason else ev.Outcome.DONE, reason, tuple(lines))
            return
        if lines:
            self._record_finished(ended, ev.Outcome.VERIFYING, "", tuple(lines))
        await self._await_checks(ended, tuple(lines))

    async def _await_checks(self, ended: Ended, proofs: tuple[str, ...]) -> None:
        """See the checks of `check=` turn green, looked at anew; what does not is no success."""
        names = self._action.checks
        self.stage = AWAITS_CHECK
        self._output.say(f"waiting for check{'s' if len(names) > 1 else ''} {' and '.join(names)} to turn green")
        reason = await self._greening.wait(names, self._action.timeout or CHECK_TIMEOUT)
        if self._leaving:
            why = f"the command {_how(ended)}, but its check was not seen to turn green"
            self._lost(f"{self._leaving}: {why}")
        elif self._signalled and reason and not self.left_by_hand:
            self._record_stopped(ended, f"stopped while it waited for {reason}; the command itself had {_how(ended)}")
        else:
            why = f"not green: {reason}" if reason else ""
            self._record_finished(ended, ev.Outcome.FAILED if reason else ev.Outcome.DONE, why, proofs)

    async def leave_by_hand(self) -> None:
        """Wait for its checks no longer, because the operator says that it is done; returns when that is recorded."""
        self.left_by_hand = True
        self._greening.give_up()
        await self.ended.wait()

    async def _prove_one(self, verify: Verify) -> tuple[str, str]:
        """Give a line for the transcript and the reason why it does not hold, empty when it does."""
        line = reason = ""
        for attempt in range(verify.retry + 1):
            if attempt:
                await self._clock.sleep(verify.every)
            line, reason = await self._look(verify)
            if not reason or self._signalled or self._leaving:
                break
        return line, reason

    async def _look(self, verify: Verify) -> tuple[str, str]:
        shown = clean_line(verify.text.strip())
        host = verify.host or self.host
        cleaner, heard = Cleaner(), deque[str](maxlen=COMPARED_LINES)

        def sink(data: bytes) -> None:
            self._heard = self._clock.monotonic()
            heard.extend(line.text for line in cleaner.feed(data))

        self._output.say(f"verify on {host}: {shown}")
        try:
            self._job = await self._shell(host).start(wrap(verify.text, verify.cwd), sink)
        except (HostError, OutcomeUnknownError) as error:
            return f"{shown}: {error}", UNSEEN
        self._job_host = host
        ended = await self._bounded(self._job, verify.timeout or self._action.timeout or VERIFY_TIMEOUT)
        if ended is None:
            return f"{shown}: no end in time", f"verify took too long: {shown}"
        last = cleaner.finish()
        heard.extend([last.text] if last else [])
        text = "\n".join(heard)
        told = self._known.output(text)
        for line in told.split("\n") if heard else ():
            self._output.say(f"  {line}")
        if ended.lost:
            return f"{shown}: {ended.lost}", UNSEEN
        said = f"{shown}: {_how(ended)}" + (f"\n{told[-2000:]}" if told else "")
        if ended.signal or ended.exit not in verify.exits:
            return said, f"verify failed: {_how(ended)}: {shown}"
        if verify.expect and not re.search(verify.expect, text, re.MULTILINE):
            return said, f"verify failed: its output does not match {verify.expect}: {shown}"
        return said, ""

    async def _bounded(self, job: Job, limit: float) -> Ended | None:
        """Wait for a proof's end; past the limit it is signalled and let go, for it changes nothing over there."""
        waiting = asyncio.ensure_future(job.wait())
        done, _ = await asyncio.wait({waiting}, timeout=limit)
        if done:
            return waiting.result()
        with contextlib.suppress(HostError):
            await self._shell(self._job_host).signal_group(job.pgid, "TERM")
        job.close()
        waiting.cancel()
        return None


UNSEEN = "unseen"
"""The reason of a proof that could not be looked at: neither good nor bad."""


def _how(ended: Ended) -> str:
    if ended.lost:
        return f"ended without a status ({ended.lost})"
    return f"ended by signal {ended.signal}" if ended.signal else f"ended with exit status {ended.exit}"
