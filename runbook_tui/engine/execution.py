"""Sees one confirmed attempt through: output as it comes, stop and timeout, expectations, proof, and one verdict."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal as signals
from collections import deque
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, SecretError, UnansweredError
from runbook_tui.core.redact import KnownSecrets
from runbook_tui.core.run import Status
from runbook_tui.core.script import wrap
from runbook_tui.core.text import Cleaner, clean_line
from runbook_tui.engine.detached import DetachedJob, NotRunError
from runbook_tui.engine.feeding import Feeding, data_of
from runbook_tui.engine.output import COMPARED_LINES, Output
from runbook_tui.engine.proofs import SudoProof
from runbook_tui.engine.sudo import Sudo, sudo_name
from runbook_tui.ports import Ended, Needs, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runbook_tui.core.feed import Feed
    from runbook_tui.core.model import Action, HostName, Verify
    from runbook_tui.core.proposal import Order
    from runbook_tui.engine.greening import Greening
    from runbook_tui.engine.recorder import Record
    from runbook_tui.engine.secrets import RunSecrets
    from runbook_tui.ports import Ask, Asker, Clock, Job, JobId, OutputWriter, Shell

VERIFY_TIMEOUT = 120.0
"""Seconds a proof may take when neither it nor its action says otherwise."""

CHECK_TIMEOUT = 600.0
"""Seconds in which the checks of `check=` must turn green when the action has no timeout of its own."""

MUCH_OUTPUT = 64 << 20
"""Bytes of a command's output from which on the operator is told (PROMISES.md 3.2)."""

AWAITS_CHECK = "waiting for check"
"""The stage in which only the checks of an action have still to turn green."""


class Execution:
    """One attempt from its intent to its outcome. `run()` always records an outcome before it returns."""

    def __init__(
        self,
        *,
        order: Order,
        run: JobId,
        action: Action,
        shell: Callable[[HostName], Shell],
        writer: OutputWriter,
        feed: Feed,
        clock: Clock,
        record: Record,
        greening: Greening,
        told: Callable[[], None],
        secrets: RunSecrets | None = None,
        asker: Asker | None = None,
        known: KnownSecrets | None = None,
        earlier: tuple[str, ...] = (),
    ) -> None:
        self.attempt = order.attempt
        self.host = order.host
        self.feed = feed
        self.ended = asyncio.Event()
        self.stage = "looking for it" if order.taken_up else "starting"
        self.kill_offered = False
        self.left_by_hand = False
        self.under_way = False
        self._order = order
        self._action = action
        self._shell = shell
        self._known = known or KnownSecrets()
        self._output = Output(
            order.attempt, writer, feed, record, withheld=action.no_log, known=self._known, earlier=earlier
        )
        self._clock = clock
        self._record = record
        self._greening = greening
        self._heard = clock.monotonic()
        self._began = self._heard - order.waited
        self._told = told
        self._job = DetachedJob(
            run, lambda: shell(order.host), self._heard_bytes, clock, told=self._link_changed,
            offset=order.raw_offset, asked=self._sudo_asked, warned=self._warn,
        )  # fmt: skip
        self._run = run
        self._asker = asker
        self._secrets = secrets
        self._feeding = Feeding(self._job, clock, self._output.say)
        self._sudo = Sudo(
            job=self._job, feeding=self._feeding, asker=asker, known=self._known, host=order.host,
            name=sudo_name(order.user, shell(order.host).host.ssh), who=f"{action.title} ({order.attempt})",
            note=self._note, stop=self._give_up_sudo,
        )  # fmt: skip
        self._proof: Job | None = None
        self._proof_host = order.host
        self._signalled = ""
        self._sending = asyncio.Lock()
        self._alive = 0
        self._leaving = ""
        self._timed_out = False
        self._losses_told = 0
        self._was_lost = False
        self._warned: set[str] = set()

    @property
    def elapsed(self) -> float:
        """Seconds since it was confirmed."""
        return self._clock.monotonic() - self._began

    @property
    def silent(self) -> float:
        """Seconds since the last byte of output."""
        return self._clock.monotonic() - self._heard

    @property
    def link(self) -> str:
        """What is wrong with the link to its host and what is done about it; empty while all is well."""
        return self._job.trouble

    async def run(self) -> None:
        """Start it or find it, follow it, judge it. Left before its end it stays open, for the next sitting to find."""
        order = self._order
        if order.exit is not None:
            self._found("the command had ended; its proof is looked at again")
            self.stage = "verifying"
            await self._prove(Ended(exit=order.exit))
            return
        try:
            if order.taken_up:
                await self._job.take_up(acknowledged=order.started)
            else:
                await self._job.launch(order.command, order.stdin, _needs(order))
        except (HostError, NotRunError) as error:
            self._did_not_run(error)
            return
        if order.taken_up and self._job.following:
            self._found(f"it was found on {self.host}; its output goes on at byte {order.raw_offset}")
        if self._job.pgid and not order.started:
            self._record(ev.Started(action=order.action, attempt=order.attempt, pgid=self._job.pgid))
        self.stage = "running"
        if order.fed is not None and not order.taken_up:
            self._feeding.begin(order.fed)
        try:
            ended = await self._wait(self._action.timeout if order.role is ev.Role.RUN else None)
        except NotRunError as error:
            self._did_not_run(error)
            return
        finally:
            await self._feeding.close()
            await self._sudo.settle()
        if ended.exit == 0:
            await self._sudo.prove()
        survivors = await self._survivors()
        if self._leaving:
            return
        self._output.finish()
        self._judge_later_or_now(ended, survivors)
        if self.stage == "verifying":
            await self._prove(ended)

    def _sudo_asked(self, ask: Ask) -> None:
        self._sudo.asked(ask)
        self._told()

    async def _give_up_sudo(self) -> None:
        """End the command whose sudo nobody answers: what follows in it was not meant to run without."""
        with contextlib.suppress(HostError):
            await self.stop("TERM")

    def _did_not_run(self, error: HostError | NotRunError) -> None:
        order = self._order
        detail = f" ({error.detail})" if isinstance(error, HostError) and error.detail else ""
        why = f"it did not run: {error.title if isinstance(error, HostError) else error}{detail}"
        self._record(ev.Reconciled(action=order.action, attempt=order.attempt, state=Status.NOT_RUN, why=why))

    async def stop(self, signal: str) -> str:
        """Signal the process group over there, and say what came of it; a wait for checks is only given up."""
        if self.stage == AWAITS_CHECK:
            self._signalled = signal
            self._greening.give_up()
            return "Nothing of it runs any more; its checks are not waited for any longer."
        if self._job.trouble:
            return self._stop_looking(signal)
        if self.stage == "verifying" and self._proof is not None:
            pgid, on = self._proof.pgid, self._proof_host
            alive = await self._sent(signal, self._shell(on).signal_group(pgid, signal))
        elif not self._job.pgid:
            return "It is only being started; try again in a moment."
        else:
            pgid, on = self._job.pgid, self.host
            alive = await self._sent(signal, self._job.signal(signal))
        where = f"process group {pgid} on {on}"
        if not alive:
            return f"{signal} was sent to {where}; nothing of it runs any more."
        self.kill_offered = True
        count = f"{alive} process{'es' if alive != 1 else ''}"
        return f"{signal} was sent to {where}; {count} of it still run{'s' if alive == 1 else ''}."

    async def _sent(self, signal: str, sending: Awaitable[int]) -> int:
        """Send a signal; one that was not sent is not said to have been when the command ends by itself."""
        before, self._signalled = self._signalled, signal
        async with self._sending:
            try:
                self._alive = await sending
            except UnansweredError:
                raise
            except HostError:
                self._signalled = before
                raise
            return self._alive

    async def _survivors(self) -> str:
        """Say what outlived a signal that ended it, such as what sudo started, whom the login may not signal."""
        if not self._sending.locked():
            return ""
        async with self._sending:
            pass
        if not self._alive:
            return ""
        count = f"{self._alive} process{'es' if self._alive != 1 else ''}"
        return f", but {count} of its group still ran on {self.host} a moment after the signal: look there"

    def _stop_looking(self, signal: str) -> str:
        """Give up a job whose host cannot be reached: at the second, typed time it is recorded as unknown."""
        if signal == "KILL":
            self._job.give_up(f"it was given up while {self.host} could not be reached: {self._job.trouble}")
            return "It is not looked for any longer. Whether it ran, and how it ended, is not known."
        self.kill_offered = True
        return (
            f"It cannot be signalled now: {self._job.trouble}. "
            "The next time it is not looked for any longer, and its outcome is unknown."
        )

    def leave(self, why: str) -> None:
        """Let go of it because the program is left: it goes on over there, and is found again at the next sitting."""
        self._leaving = why
        self._output.suspend()
        self._job.give_up(why)
        if self._proof is not None:
            self._proof.close()

    def reach_now(self) -> bool:
        """Try to reach its host now; False when its link is well."""
        self._job.retry_now()
        return bool(self._job.trouble)

    def _link_changed(self) -> None:
        """Say in the record when the link was lost, and that it is back without a byte missing."""
        lost = self._job.losses > self._losses_told
        if lost and self._job.trouble:
            self._losses_told += 1
            self._was_lost = True
            came = f"{self._job.offset} bytes of its output had come"
            self._note(f"{self._job.trouble}; {came}, and it goes on over there")
        elif self._was_lost and not self._job.trouble:
            self._was_lost = False
            self._note(f"the link to {self.host} is back; its output goes on at byte {self._job.resumed_at}")
        self._told()

    def _note(self, text: str) -> None:
        self._record(ev.Noted(action=self._order.action, text=f"{self.attempt}: {text}", by="mailrunbook"))

    def _found(self, why: str) -> None:
        self._record(ev.Reconciled(action=self._order.action, attempt=self.attempt, state=Status.RUNNING, why=why))

    def _lost(self, why: str) -> None:
        self._record(ev.Lost(action=self._order.action, attempt=self.attempt, why=why))

    def _heard_bytes(self, data: bytes) -> None:
        self._heard = self._clock.monotonic()
        self._output.take(data)
        if self._job.offset >= MUCH_OUTPUT > self._job.offset - len(data):
            self._warn(f"its output has passed {MUCH_OUTPUT >> 20} MiB, and all of it is kept on {self.host}")

    def _warn(self, text: str) -> None:
        """Say once, in the pane and in the record, what threatens the command or what will be known of it."""
        if text not in self._warned:
            self._warned.add(text)
            self._output.say(f"warning: {text}")
            self._note(text)
            self._told()

    async def _wait(self, limit: float | None) -> Ended:
        """Wait for the end; past the limit send TERM once and go on waiting, KILL stays the operator's word."""
        waiting = asyncio.ensure_future(self._job.wait())
        try:
            rest = None if limit is None else max(0.0, limit - self.elapsed)
            done, _ = await asyncio.wait({waiting}, timeout=rest)
            if not done:
                self._timed_out = True
                with contextlib.suppress(HostError):
                    self._output.say(await self.stop("TERM"))
            return await waiting
        finally:
            waiting.cancel()

    def _judge_later_or_now(self, ended: Ended, survivors: str) -> None:
        if ended.lost and self._signalled == "KILL" and not self._job.trouble:
            self._record_stopped(ended, "KILL was sent; its processes are gone, and so is whoever kept its exit status")
            return
        if ended.lost:
            self._lost(ended.lost)
            return
        if self._signalled and not self._timed_out:
            self._record_stopped(ended, f"{self._signalled} was sent, then {_how(ended)}{survivors}")
            return
        reason = self._what_failed(ended)
        forward = self._order.role is ev.Role.RUN and not reason
        proofs = forward and bool(self._action.verifies or self._action.checks)
        outcome = ev.Outcome.FAILED if reason else ev.Outcome.VERIFYING if proofs else ev.Outcome.DONE
        self._record_finished(ended, outcome, reason)
        if proofs:
            self.stage = "verifying"

    def _what_failed(self, ended: Ended) -> str:
        undoing = self._order.role is ev.Role.UNDO
        wanted = self._action.undos[0].exits if undoing and self._action.undos else self._action.exits
        if undoing and not self._action.undos:
            wanted = frozenset({0})
        if self._timed_out:
            return f"it took longer than {self._action.timeout:g} s: TERM was sent, then {_how(ended)}"
        if ended.signal:
            return f"ended by signal {ended.signal}"
        if ended.exit not in wanted:
            return f"{exit_status(ended.exit)} (wanted {' or '.join(str(c) for c in sorted(wanted))})"
        if undoing:
            return ""
        return self._output.unexpected(self._action.expect, self._action.outputs)

    def _record_finished(
        self, ended: Ended, outcome: ev.Outcome, reason: str, verifies: tuple[str, ...] = ()
    ) -> None:
        self._record(
            ev.Finished(
                action=self._order.action, attempt=self.attempt, outcome=outcome, exit=ended.exit,
                signal=ended.signal, reason=reason, seconds=round(self.elapsed, 3), verifies=verifies,
            )
        )  # fmt: skip
        if outcome is ev.Outcome.DONE and self._order.role is ev.Role.UNDO:
            self._record(ev.Undone(action=self._order.action, attempt=self.attempt))

    def _record_stopped(self, ended: Ended, what: str) -> None:
        self._record(
            ev.Stopped(
                action=self._order.action, attempt=self.attempt, what=what, exit=ended.exit,
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
                return
            if self._signalled and not self._timed_out:
                self._record_stopped(ended, f"stopped during its proof; the command itself had {_how(ended)}")
                return
            if reason:
                break
        if reason in {UNSEEN, KEPT_OUT}:
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
            return
        if self._signalled and reason and not self.left_by_hand:
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
            if not reason or reason == KEPT_OUT or self._signalled or self._leaving:
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
            self._proof = proof = await self._begin_proof(verify, host, sink)
        except (HostError, SecretError, OutcomeUnknownError, NotRunError) as error:
            return f"{shown}: {error}", UNSEEN
        self._proof_host = host
        ended = await self._bounded(proof, verify.timeout or self._action.timeout or VERIFY_TIMEOUT)
        if ended is None:
            return f"{shown}: no end in time", f"verify took too long: {shown}"
        if isinstance(proof, SudoProof) and not proof.let_in and not ended.lost:
            return f"{shown}: sudo did not let it in as {verify.become}: {proof.said}", KEPT_OUT
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

    async def _begin_proof(self, verify: Verify, host: HostName, sink: Callable[[bytes], None]) -> Job:
        """Start one look; what it reads on its standard input, if it does, goes over the channel and nowhere else."""
        fed = None
        if verify.secret and self._secrets is not None:
            fed = await self._secrets.want(verify.secret, self._action)
        shell, script = self._shell(host), wrap(verify.text, verify.cwd)
        user = (await shell.connect()).user if verify.become else ""
        if verify.become == user:
            return await shell.start(script, sink, data_of(fed) + b"\n" if fed is not None else None)
        proof = SudoProof(
            self._run, lambda: self._shell(host), sink, self._clock, asker=self._asker, known=self._known,
            name=sudo_name(user, shell.host.ssh), who=f"the proof of {self._action.title} ({self.attempt})",
            note=self._note, told=self._told,
        )  # fmt: skip
        await proof.start(script, verify.become, fed)
        return proof

    async def _bounded(self, job: Job, limit: float) -> Ended | None:
        """Wait for a proof's end; past the limit it is signalled and let go, for it changes nothing over there."""
        waiting = asyncio.ensure_future(job.wait())
        if isinstance(job, SudoProof):
            entering = asyncio.ensure_future(job.admitted())
            await asyncio.wait({waiting, entering}, return_when=asyncio.FIRST_COMPLETED)
            entering.cancel()
        done, _ = await asyncio.wait({waiting}, timeout=limit)
        if done:
            return waiting.result()
        with contextlib.suppress(HostError):
            await self._shell(self._proof_host).signal_group(job.pgid, "TERM")
        job.close()
        waiting.cancel()
        return None


def _needs(order: Order) -> Needs:
    return Needs(fed=order.fed is not None, sudo=re.search(r"\bsudo\b", order.command) is not None)


UNSEEN = "unseen"
"""The reason of a proof that could not be looked at: neither good nor bad."""

KEPT_OUT = "kept out"
"""The same where sudo did not let it in: it is not tried again by itself, for that may lock an account."""


def _how(ended: Ended) -> str:
    if ended.lost:
        return f"ended without a status ({ended.lost})"
    return f"ended by signal {ended.signal}" if ended.signal else f"ended with {exit_status(ended.exit)}"


def exit_status(code: int | None) -> str:
    """Name an exit status; a shell tells of a signal by adding 128 to its number (POSIX sh 2.8.2)."""
    try:
        name = signals.Signals((code or 0) - 128).name.removeprefix("SIG")
    except ValueError:
        return f"exit status {code}"
    return f"exit status {code}, as after signal {name}"
