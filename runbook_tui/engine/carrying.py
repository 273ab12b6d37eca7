"""Carries out what was confirmed, one action at a time, and takes up what an earlier sitting left running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused
from runbook_tui.core.feed import Feed
from runbook_tui.core.model import HostName
from runbook_tui.core.proposal import Order
from runbook_tui.core.settle import effective
from runbook_tui.core.text import CleanLine
from runbook_tui.engine.execution import Execution
from runbook_tui.engine.greening import Greening

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from runbook_tui.core.model import Action
    from runbook_tui.core.run import Attempt
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.live import LiveChecks
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.engine.secrets import RunSecrets
    from runbook_tui.ports import Asker, Clock, JobId, OutputStore, OutputWriter


@dataclass(frozen=True, slots=True)
class Activity:
    """What is under way: `elapsed` and `silent` are seconds; `stage` is starting, running, verifying or looking for it.

    `link` says what is wrong with the link to its host and what is done about it; empty while all is well.
    """

    attempt: Attempt
    stage: str
    elapsed: float
    silent: float
    percent: int | None
    link: str = ""


class Carrying:
    """At most one execution at a time, and the output of every attempt of the run.

    `job` names an attempt on its host, `spawn` has work go on beside the front end; `ended` is called after each end.
    """

    def __init__(
        self,
        *,
        recorder: Recorder,
        connections: Connections,
        job: Callable[[str], JobId],
        live: LiveChecks,
        outputs: OutputStore,
        clock: Clock,
        secrets: RunSecrets,
        asker: Asker | None,
        spawn: Callable[[Coroutine[None, None, None]], None],
        ended: Callable[[], None],
    ) -> None:
        self._recorder = recorder
        self._connections = connections
        self._job = job
        self._live = live
        self._outputs = outputs
        self._clock = clock
        self._secrets = secrets
        self._known = secrets.known
        self._asker = asker
        self._spawn = spawn
        self._ended = ended
        self._feeds: dict[str, Feed] = {}
        self._execution: Execution | None = None

    @property
    def activity(self) -> Activity | None:
        """What is under way."""
        execution = self._execution
        if execution is None or not execution.under_way:
            return None
        attempt = self._recorder.state.attempts[execution.attempt]
        return Activity(
            attempt, execution.stage, execution.elapsed, execution.silent, execution.feed.percent,
            execution.link,
        )  # fmt: skip

    @property
    def kill_offered(self) -> bool:
        """Whether TERM was sent and processes of the group live on."""
        return self._execution is not None and self._execution.kill_offered

    @property
    def host(self) -> HostName | None:
        """The host on which something runs."""
        return self._execution.host if self._execution is not None else None

    def feed(self, attempt_id: str) -> Feed:
        """Give the output of an attempt of this or an earlier sitting."""
        if attempt_id not in self._feeds:
            stored = self._known.redact(self._outputs.text(attempt_id))
            self._feeds[attempt_id] = _feed(stored.split("\n")[:-1])
        return self._feeds[attempt_id]

    def writer(self, attempt: str) -> OutputWriter:
        """Open the place where a new attempt's output goes."""
        return self._outputs.writer(attempt)

    def carry_out(self, order: Order, writer: OutputWriter) -> None:
        """Start what was confirmed and recorded; its end is recorded by itself.

        Raises:
            Refused: there is no such action.
        """
        action = self._recorder.state.runbook.action(order.action)
        if action is None:
            raise Refused("no such action")
        self._feeds[order.attempt] = Feed()
        self._execution = self._make(order, action, writer)
        self.see_it_through()

    def take_up(self) -> bool:
        """Prepare to find what an earlier sitting left open; `see_it_through()` asks its host. False: nothing is."""
        state = self._recorder.state
        attempt = state.running
        action = state.runbook.action(attempt.action) if attempt is not None else None
        if attempt is None or action is None:
            return False
        text = self._outputs.text(attempt.id).encode()[: attempt.output_text].decode("utf-8", "replace")
        lines = tuple(text.split("\n")[:-1])
        self._feeds[attempt.id] = _feed(lines)
        order = Order(
            attempt.id, attempt.action, attempt.role, HostName(attempt.host), attempt.command, taken_up=True,
            started=attempt.started_at is not None, exit=attempt.exit, raw_offset=attempt.output_bytes,
            waited=(self._clock.now() - attempt.confirmed_at).total_seconds(),
        )  # fmt: skip
        writer = self._outputs.writer(attempt.id, attempt.output_bytes, attempt.output_text)
        self._execution = self._make(order, action, writer, lines)
        return True

    def see_it_through(self) -> None:
        """Have what was made ready, if anything, go on."""
        if self._execution is not None and not self._execution.under_way:
            self._execution.under_way = True
            self._spawn(self._see_through(self._execution))

    async def stop(self, *, kill: bool) -> str:
        """Signal the running process group; give the sentence of what happened over there.

        Raises:
            Refused: nothing runs, or KILL is asked for before TERM was tried.
            HostError: the host cannot be reached to do it.
        """
        if self._execution is None or not self._execution.under_way:
            raise Refused("nothing is running")
        if kill and not self.kill_offered:
            raise Refused("KILL is offered after TERM was sent and something lives on")
        said = await self._execution.stop("KILL" if kill else "TERM")
        self._recorder.notify()
        return said

    def reach_now(self) -> bool:
        """Have a lost link to the host of what runs tried at once; False: it is not lost."""
        return self._execution is not None and self._execution.reach_now()

    async def leave_by_hand(self, action_id: str) -> None:
        """End what is awaited for an action that the operator says is done."""
        execution = self._execution
        if execution is not None and self._recorder.state.attempts[execution.attempt].action == action_id:
            await execution.leave_by_hand()

    async def idle(self) -> None:
        """Wait until no action runs."""
        if self._execution is not None:
            await self._execution.ended.wait()

    def leave(self, why: str) -> None:
        """Let go of what runs; it goes on over there."""
        if self._execution is not None:
            self._execution.leave(why)

    def _make(self, order: Order, action: Action, writer: OutputWriter, earlier: tuple[str, ...] = ()) -> Execution:
        state = self._recorder.state
        return Execution(
            order=order,
            run=self._job(order.attempt),
            action=effective(state, action),
            shell=self._connections.shell,
            writer=writer,
            feed=self._feeds[order.attempt],
            clock=self._clock,
            record=self._recorder.happened,
            greening=Greening(self._live.watch, self._recorder),
            secrets=self._secrets,
            asker=self._asker,
            known=self._known,
            told=self._recorder.notify,
            earlier=earlier,
        )

    async def _see_through(self, execution: Execution) -> None:
        try:
            await execution.run()
        except Exception as error:  # noqa: BLE001 -- the engine's boundary: a fault of ours must not look like an outcome
            why = f"mailrunbook itself failed while it watched: {error!r}"
            action = self._recorder.state.attempts[execution.attempt].action
            self._recorder.happened(ev.Lost(action=action, attempt=execution.attempt, why=why))
        finally:
            self._execution = None
            execution.ended.set()
            self._recorder.notify()
        self._ended()


def _feed(lines: list[str] | tuple[str, ...]) -> Feed:
    feed = Feed()
    feed.append([CleanLine(line, 0) for line in lines])
    return feed
