"""The engine itself: intents come in as method calls, every change is an event first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from runbook_tui.checks import probes
from runbook_tui.core import events as ev
from runbook_tui.core.applies import condition, host_of, settled, system_word, unknown_systems
from runbook_tui.core.errors import Refused, StateDirError
from runbook_tui.core.fold import NO_COPIES, recover
from runbook_tui.core.gates import let_through, open_gates, reopened
from runbook_tui.core.model import HostName
from runbook_tui.core.proposal import YES, Order, Proposal
from runbook_tui.core.redact import KnownSecrets
from runbook_tui.core.run import RunState, Verb
from runbook_tui.core.settle import check_answer
from runbook_tui.core.verbs import READ_ONLY, allowed
from runbook_tui.engine.carrying import Activity, Carrying
from runbook_tui.engine.cleaning import Cleaning
from runbook_tui.engine.connections import Connections, HostView
from runbook_tui.engine.host_clocks import HostClocks
from runbook_tui.engine.live import LiveChecks
from runbook_tui.engine.locks import HostLocks, holder
from runbook_tui.engine.logins import Logins
from runbook_tui.engine.preflight import Preflight
from runbook_tui.engine.proposing import Proposer
from runbook_tui.engine.rebinding import Rebinding
from runbook_tui.engine.recorder import Recorder
from runbook_tui.engine.reloading import Reload, Reloading
from runbook_tui.engine.secrets import RunSecrets
from runbook_tui.engine.sight import RunSight
from runbook_tui.engine.telling import Telling, without_secrets
from runbook_tui.engine.timekeeping import Timekeeping
from runbook_tui.engine.waits import Waits
from runbook_tui.engine.waking import Waking
from runbook_tui.engine.witnessing import Witnessing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from datetime import datetime

    from runbook_tui.checks import ProbeFactory
    from runbook_tui.checks.view import CheckView
    from runbook_tui.core.feed import Feed
    from runbook_tui.core.markdown.drift import Drift
    from runbook_tui.core.model import Runbook
    from runbook_tui.core.recheck import Recheck
    from runbook_tui.ports import Asker, Clock, Journal, Net, OutputStore, RunbookSource, Secrets, ShellFactory

WHOLE_RUN = frozenset({ev.Settlement.LITERAL, ev.Settlement.LIST, ev.Settlement.WHEN, ev.Settlement.ALT})
"""Answers that hold for every action, not only for the one they were given on."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opens the run from where, and what the command line said. `hosts` maps role to ssh text.

    `rehearsal` says in words that the hosts are make-believe; empty in life.
    """

    run: str
    runbook_path: str
    version: str
    operator: str
    workstation: str
    hosts: Mapping[str, str]
    variables: Mapping[str, str]
    rehearsal: str = ""


class Engine:
    """Drives one run. Every method that changes something journals first and may raise Refused or HostError.

    `async with Engine(...) as engine:` recovers what a crash left open, and on leaving stops what still runs,
    pauses the run, seals the journal and closes the connections.
    """

    def __init__(
        self,
        *,
        runbook: Runbook,
        opening: Opening,
        journal: Journal,
        outputs: OutputStore,
        shells: ShellFactory,
        clock: Clock,
        net: Net,
        secrets: Secrets,
        source_now: Runbook | None = None,
        source: RunbookSource | None = None,
        copies: Mapping[str, Runbook] = NO_COPIES,
        read_only: bool = False,
        make_probes: ProbeFactory = probes,
        known: KnownSecrets | None = None,
        asker: Asker | None = None,
        logins: Logins | None = None,
    ) -> None:
        self._opening = opening
        self._known = known or KnownSecrets()
        self._recorder = Recorder(runbook, journal, self._known, copies)
        self._telling = Telling(self._known)
        self._outputs = outputs
        self._clock = clock
        self._read_only = read_only
        self._reloading = Reloading(self._recorder, source, opening.runbook_path, tuple(opening.hosts), source_now)
        self._connections = Connections(self._recorder, shells)
        self._locks = HostLocks(self._recorder, self._connections, clock, opening.operator, opening.workstation)
        self._rebinding = Rebinding(self._recorder, self._connections)
        self.secrets = RunSecrets(self._recorder, secrets, opening.operator)
        self._proposer = Proposer(self._connections, clock, self.secrets)
        self._preflight = Preflight(self._recorder, self._connections, clock)
        clocks = HostClocks(self._recorder, self._connections, clock, lambda: self.consented)
        self._waits = Waits(self._recorder, clock, self._close_when_settled, lambda: self._live.watch, clocks)
        self.logins = logins or Logins()
        self.logins.serve(self.secrets, self._recorder, opening.operator)
        sight = RunSight(self._recorder, clock, self._connections, net, self.secrets)
        self._live = LiveChecks(self._recorder, sight, clock, make_probes)
        self._carrying = Carrying(
            recorder=self._recorder,
            connections=self._connections,
            job=self._locks.job,
            live=self._live,
            outputs=outputs,
            clock=clock,
            secrets=self.secrets,
            asker=asker or self.logins,
            spawn=self._spawn,
            ended=self._close_when_settled,
        )
        self._witnessing = Witnessing(self._recorder, self._connections, self._spawn)
        self._waking = Waking(self._connections, self._live, self._carrying, self._spawn)
        self._timekeeping = Timekeeping(self._recorder, clock, self._woke)
        self.cleaning = Cleaning(
            self._recorder, self._connections, self._locks.job, opening.operator, self._why_not_clean
        )
        self._shown: RunState | None = None
        self._shown_of: RunState | None = None
        self._recorder.subscribe(self._live.follow)
        self._recorder.subscribe(self._follow_rebinding)
        self._consented = False
        self._left = False
        self._tasks: set[asyncio.Task[None]] = set()

    following = False
    """Whether this is only a watch of a run that another process holds."""

    # ---- what is

    @property
    def state(self) -> RunState:
        """The state of the run after everything recorded so far, with what the live checks say now laid over it."""
        base = self._live.over(self._recorder.state)
        telling, runbook = self._telling.of(base), self._telling.readable(base.runbook)
        if telling is base.telling and runbook is base.runbook:
            return base
        if (
            self._shown is None or self._shown_of is not base or self._shown.telling is not telling
            or self._shown.runbook is not runbook
        ):  # fmt: skip
            self._shown, self._shown_of = replace(base, telling=telling, runbook=runbook), base
        return self._shown

    @property
    def records(self) -> Sequence[ev.Record]:
        """The run's journal."""
        return self._recorder.journal.records

    @property
    def now(self) -> datetime:
        """The wall clock of this run, aware UTC: ages and ETAs are counted by it."""
        return self._clock.now()

    @property
    def read_only(self) -> bool:
        """Whether every verb that changes something is refused."""
        return self._read_only

    @property
    def consented(self) -> bool:
        """Whether hosts may be contacted."""
        return self._consented or not self.consent_lines()

    @property
    def drift(self) -> Mapping[str, Drift]:
        """Steps of this run's copy that differ from the source file now; empty when it is unchanged."""
        return self._reloading.drift

    @property
    def file_changed(self) -> bool:
        """Whether the runbook's file was another one than this run's copy when it was looked at last."""
        return self._reloading.changed

    @property
    def trouble(self) -> str:
        """What keeps the journal from being written, empty when nothing does."""
        return self._recorder.trouble

    @property
    def activity(self) -> Activity | None:
        """What is under way."""
        return self._carrying.activity

    @property
    def kill_offered(self) -> bool:
        """Whether TERM was sent and processes of the group live on: `stop(kill=True)` may be typed."""
        return self._carrying.kill_offered

    def allowed(self, action_id: str) -> Mapping[Verb, str]:
        """Give every verb with the reason why it is refused; an empty reason means allowed."""
        return allowed(self.state, action_id, read_only=self._read_only)

    def hosts(self) -> list[HostView]:
        """Give every host of the run as it stands now."""
        held = {name: holder(owner) for name in self.state.hosts if (owner := self._locks.other(name)) is not None}
        return [
            replace(
                view, problem=self.redact(view.problem), held=self.redact(held.get(view.name, "")),
                found=tuple(map(self.redact, self._preflight.found(view.name))),
            )
            for view in self._connections.views()
        ]  # fmt: skip

    def checks(self) -> list[CheckView]:
        """Give every live check as it stands now."""
        return [
            replace(view, label=self.redact(view.label), asks_lines=tuple(map(self.redact, view.asks_lines)))
            if self._known.redactor else view
            for view in self._live.watch.views()
        ]  # fmt: skip

    def feed(self, attempt_id: str) -> Feed:
        """Give the output of an attempt of this or an earlier sitting."""
        return self._carrying.feed(attempt_id)

    def redact(self, text: str) -> str:
        """Give a text without the secrets known by now: what leaves for a file or the clipboard."""
        return self._known.redact(text)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after every change of state, hosts or checks; returns the unsubscriber."""
        return self._recorder.subscribe(listener)

    # ---- what the operator does

    def consent_lines(self) -> list[str]:
        """Give what would be contacted and asked without a further question; empty: nothing needs asking."""
        return self._asked_of_hosts(self.state) + self._live.watch.consent_lines()

    async def consent(self) -> None:
        """Record the operator's agreement to `consent_lines()` and start the live checks."""
        lines = self.consent_lines()
        if lines:
            self._recorder.intend(ev.Settled(what=ev.Settlement.CONSENT, value="\n".join(lines)))
        self._consented = True
        self._live.start()
        self._give_back_locks()
        self._carrying.see_it_through()
        self._spawn(self._rebinding.look())

    def look_again(self, check: str = "") -> None:
        """Have one live check, or all, look now.

        Raises:
            Refused: nobody agreed to it yet.
        """
        if not self._live.watch.running:
            raise Refused("nothing is asked before you agreed to it")
        self._live.watch.refresh(check)

    def give_secret(self, name: str, value: str) -> None:
        """Take a password that the operator typed, for this sitting, and have the checks look with it.

        Raises:
            Refused: nothing was typed.
        """
        self.secrets.give(name, value)
        self._live.watch.refresh()

    async def propose(self, action_id: str, verb: Verb, edited: str | None = None) -> Proposal:
        """Give what the confirmation shows. `verb` is CONFIRM, RETRY, EDIT (with `edited`) or UNDO.

        Connects to the host, and reads a file step's file there.

        Raises:
            Refused: the verb is not allowed now, nobody agreed to contact hosts, or the file cannot be changed so.
            HostError: the host cannot be reached or is not the one it should be.
        """
        self._require(action_id, verb)
        if not self.consented:
            raise Refused("nothing is contacted before you agreed to it", hint="Agree on the start screen first.")
        self._reloading.look()
        if verb is not Verb.UNDO:
            await self._rebinding.require(action_id)
        await self._ask_systems(action_id, verb)
        self._refuse_telling(edited or "")
        proposal = await self._proposer.propose(self.state, action_id, verb, edited)
        self._refuse_telling(proposal.command)
        if proposal.host is not None:
            await self._preflight.look(proposal.host)
            proposal = replace(proposal, warnings=(*self._preflight.first(proposal.host), *proposal.warnings))
        return without_secrets(proposal, self._known)

    def plan_reload(self) -> Reload:
        """Give what adopting the edited runbook file would do; a secret in its differences is not shown.

        Raises:
            Refused: something runs, the file is as the run has it or gone, or what was confirmed does not fit it.
            RunbookError: the file has errors.
        """
        self._require("", Verb.RELOAD)
        planned = self._reloading.plan(self._would_ask)
        return replace(
            planned, diff=self._known.redact(planned.diff),
            changes=tuple((change, self._known.redact(step)) for change, step in planned.changes),
            kept=tuple(map(self._known.redact, planned.kept)),
            consent=tuple(map(self._known.redact, planned.consent)),
        )  # fmt: skip

    async def reload(self, planned: Reload) -> None:
        """Adopt the edited file that was shown; only what was not confirmed yet becomes another thing.

        Raises:
            Refused: the file was changed again, or something runs by now.
            StateDirError: it cannot be kept or recorded.
        """
        self._require("", Verb.RELOAD)
        before = self.state.written.checks
        self._reloading.adopt(planned, self._opening.operator, agreed=self._consented)
        if self.state.written.checks != before:
            await self._live.anew(running=self._consented)
        self._close_when_settled()

    async def confirm(self, proposal: Proposal, typed: str) -> None:
        """Record the confirmation and start it; use `idle()` to await its end.

        Raises:
            Refused: the typed words are not the wanted ones, or something changed since it was shown.
            HostError: the host is gone or another one answers now.
            StateDirError: it cannot be recorded, so it is not done.
        """
        verb = Verb.UNDO if proposal.role is ev.Role.UNDO else self._verb_for(proposal.action)
        self._require(proposal.action, verb)
        if proposal.attempt != self._proposer.next_attempt(self.state):
            raise Refused("this confirmation is out of date", hint="Look at the step again.")
        self._reloading.look()
        if typed != proposal.wants:
            raise Refused(f"to run this, type exactly: {proposal.wants}")
        if proposal.host is not None:
            identity = await self._connections.identify(proposal.host)
            shown = (proposal.user, proposal.name, proposal.address, proposal.fingerprint)
            if (identity.user, identity.name, identity.address, identity.fingerprint) != shown:
                raise Refused("another machine answers now than the one that was shown", str(identity))
            await self._locks.claim(proposal.host, proposal.attempt)
            self._preflight.works_on(proposal.host)
            self._require(proposal.action, verb)
            if verb is not Verb.UNDO:
                self._rebinding.refuse_unseen(proposal.action)
        writer = self._carrying.writer(proposal.attempt) if proposal.host is not None else None
        if self.state.closed:
            self._recorder.intend(ev.Reopened(by=self._opening.operator))
        self._recorder.intend(self._confirmation(proposal, typed))
        if proposal.host is None or writer is None:
            self._waits.begin(proposal)
            self._spawn(self._waits.count_down(proposal.attempt))
            self._witnessing.tell(proposal.attempt)
            return
        self._recorder.intend(
            ev.Intent(
                action=proposal.action, attempt=proposal.attempt, host=proposal.host, sha256=proposal.sha256
            )
        )
        self._carrying.carry_out(
            Order(
                proposal.attempt, proposal.action, proposal.role, proposal.host, proposal.command, proposal.stdin,
                proposal.fed, proposal.user,
            ),
            writer,
        )
        self._witnessing.tell(proposal.attempt)

    async def skip(self, action_id: str, reason: str) -> None:
        """Skip an action, or leave a wait early, for a reason; what is optional needs none."""
        self._require(action_id, Verb.SKIP)
        action = self.state.runbook.action(action_id)
        optional = action is not None and action.optional
        reason = "optional" if optional and not reason.strip() else _wanted(reason, "a reason")
        self._recorder.intend(ev.Skipped(action=action_id, reason=reason, by=self._opening.operator))
        self._close_when_settled()

    async def mark_done(self, action_id: str, note: str) -> None:
        """Record that it was done by hand, with a note; what has a `check=` is done once that has turned green.

        While that is waited for, the same word once more ends the wait.
        """
        self._require(action_id, Verb.DONE)
        note = _wanted(note, "a note")
        await self._carrying.leave_by_hand(action_id)
        attempt = self._proposer.next_attempt(self.state)
        if self._waits.begin_by_hand(action_id, attempt, note, self._opening.operator):
            self._spawn(self._waits.count_down(attempt))
            return
        self._recorder.intend(ev.MarkedDone(action=action_id, note=note, by=self._opening.operator))
        self._close_when_settled()

    async def recheck(self, action_id: str) -> Recheck:
        """Run the read-only command that tells how the action stands on its host, and record what it said.

        It changes no state: whether the action is done is for the operator to say.

        Raises:
            Refused: the verb is not allowed now, or nobody agreed to contact hosts.
            HostError: the host cannot be reached or is not the one it should be; nothing ran.
        """
        self._require(action_id, Verb.RECHECK)
        if not self.consented:
            raise Refused("nothing is contacted before you agreed to it", hint="Agree on the start screen first.")
        await self._ask_systems(action_id, Verb.RECHECK)
        said = await self._proposer.recheck(self.state, action_id)
        said = replace(said, output=self._known.output(said.output))
        if self._left:
            raise Refused("the run is being left")
        self._recorder.happened(ev.Noted(action=action_id, text=said.text, by=self._opening.operator))
        return said

    async def override(self, action_id: str, reason: str) -> None:
        """Let an action through every gate that is open: the operator looked, and says what was seen.

        On an action that is done it answers the gates that turned red since.

        Raises:
            Refused: nothing was said, the action has no open gate, or something else holds it back.
        """
        self._require(action_id, Verb.OVERRIDE)
        reason = _wanted(reason, "what you saw, or why it may go on,")
        action = self.state.runbook.action(action_id)
        if action is None:
            return
        if self._rebinding.holds(action):
            self._rebinding.excuse(reason, self._opening.operator)
            return
        for gate in [name for name, _ in reopened(self.state, action)] or open_gates(self.state, action):
            look = self.state.looks.get(gate)
            said = f"{look.state}: {look.said}" if look is not None else ""
            self._recorder.intend(
                ev.GateOverridden(
                    action=action_id, gate=gate, reason=reason, by=self._opening.operator, said=said
                )
            )

    async def note(self, action_id: str, text: str) -> None:
        """Put a note into the transcript, under an action or (empty id) under the run."""
        self._require(action_id, Verb.NOTE)
        self._recorder.intend(ev.Noted(action=action_id, text=_wanted(text, "a text"), by=self._opening.operator))

    async def settle(self, action_id: str, what: ev.Settlement, value: str = "", subject: str = "") -> None:
        """Answer what holds an action back. `subject` is the literal's text, the list's name or (`os`) the host.

        A literal, the sentence of a `when=` and a choice between alternatives hold for the whole run.

        Raises:
            Refused: the value is not one that can stand there; the sentence says which can.
        """
        whole_run = what in WHOLE_RUN
        if what is ev.Settlement.OS:
            value = system_word(value) or value
        if what in {ev.Settlement.LITERAL, ev.Settlement.LIST}:
            if self._read_only:
                raise Refused(READ_ONLY)
        else:
            self._require(action_id, Verb.SETTLE)
        subject = subject or self._asked_about(action_id, what)
        check_answer(self.state, action_id, what, value, subject)
        self._refuse_telling(value)
        if self.state.closed and what in {ev.Settlement.OS, ev.Settlement.WHEN, ev.Settlement.ALT}:
            self._recorder.intend(ev.Reopened(by=self._opening.operator))
        self._recorder.intend(
            ev.Settled(what=what, value=value or "yes", subject=subject, action="" if whole_run else action_id)
        )
        self._close_when_settled()

    async def stop(self, *, kill: bool = False) -> str:
        """Signal the running process group; give the sentence of what happened over there.

        Raises:
            Refused: nothing runs, or KILL is asked for before TERM was tried.
            HostError: the host cannot be reached to do it.
        """
        if self._read_only:
            raise Refused(READ_ONLY)
        return await self._carrying.stop(kill=kill)

    async def trust(self, host: str, fingerprint: str, reason: str = "") -> None:
        """Trust the key a host, or a jump host before it, was refused for, in this run.

        `fingerprint` is whole or, where no other key was expected, its last 6 characters; else `reason` is wanted too.

        Raises:
            Refused: there is no such key, it is revoked or another host's, or the fingerprint is another.
            HostError: it cannot be reached with that key.
        """
        if self._read_only:
            raise Refused(READ_ONLY)
        name = HostName(host)
        by = self._opening.operator
        self._connections.pins.accept(name, self._connections.refusal(name), fingerprint, reason, by)
        await self.reconnect(host)

    async def reconnect(self, host: str) -> None:
        """Close the connection to a host and make a new one now.

        Raises:
            HostError: it cannot be reached.
        """
        if not self.consented:
            raise Refused("nothing is contacted before you agreed to it")
        if self._carrying.host == host:
            if self._carrying.reach_now():
                return
            raise Refused(f"something is running on {host}; a new connection would lose sight of it")
        self._preflight.forget(HostName(host))
        await self._connections.reconnect(HostName(host))

    async def take_over(self, host: str) -> str:
        """Take a host's lock from another run, whose name the operator was shown; give the sentence of what happened.

        Raises:
            Refused: there is no such host, or the operator has not been told yet who holds it now.
            HostError: it cannot be reached.
        """
        if self._read_only:
            raise Refused(READ_ONLY)
        if not self.consented:
            raise Refused("nothing is contacted before you agreed to it")
        if self._left:
            raise Refused("the run is being left")
        name = self._connections.host(HostName(host)).name
        await self._connections.identify(name)
        return await self._locks.take_over(name)

    async def idle(self) -> None:
        """Wait until no action runs; waits that count down do not count."""
        await self._carrying.idle()

    async def pause(self, why: str) -> None:
        """Let go of what runs, which goes on over there; record why the run is left, seal. Idempotent."""
        if self._left:
            return
        self._left = True
        self.logins.close()
        await self._live.watch.stop()
        self._carrying.leave(why)
        try:
            self._recorder.intend(ev.Paused(why=why))
            self._recorder.journal.seal()
            await self._locks.release()
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._connections.close()

    def export(self, format_: str) -> str:
        """Give the transcript as `md` or `json`.

        Raises:
            Refused: no such format.
        """
        from runbook_tui.core.transcript import render  # noqa: PLC0415 -- only when one is written

        def output(attempt: str) -> str:
            return self._known.redact(self._outputs.text(attempt))

        if format_ == "md":
            # What is stored is measured against its segments: it is redacted after that.
            return self._known.redact(render(self.state, self._recorder.journal.records, self._outputs.text, format_))
        return render(self.state, self._recorder.journal.records, output, format_)

    async def __aenter__(self) -> Self:
        """Record who opened the run, and say honestly what a crash left open."""
        opening = self._opening
        if self.state.run:
            self._recorder.intend(
                ev.Resumed(
                    operator=opening.operator, workstation=opening.workstation, version=opening.version,
                    runbook_sha256=self._reloading.sha256,
                )
            )  # fmt: skip
            for event in recover(self.state):
                self._recorder.intend(event)
        else:
            self._recorder.intend(
                ev.RunOpened(
                    run=opening.run, runbook=opening.runbook_path, title=self.state.runbook.title,
                    sha256=self.state.runbook.sha256, version=opening.version, operator=opening.operator,
                    workstation=opening.workstation, hosts=dict(opening.hosts), rehearsal=opening.rehearsal,
                )
            )  # fmt: skip
            if opening.variables:
                self._recorder.intend(ev.VarsSet(values=dict(opening.variables)))
        await self._live.anew(running=False)
        if self._read_only:
            return self
        self._spawn(self._timekeeping.keep())
        for wait in self.state.waits:
            self._spawn(self._waits.count_down(wait.id))
        self._give_back_locks()
        if self._carrying.take_up() and not self.consent_lines():
            self._carrying.see_it_through()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Leave in order, whatever ended the front end."""
        await self.pause("the program ended")

    # ---- inside

    def _would_ask(self, state: RunState) -> list[str]:
        return self._asked_of_hosts(state) + self._live.would_ask(state)

    def _asked_of_hosts(self, state: RunState) -> list[str]:
        asked = self._proposer.consent_lines(state) + Preflight.consent_lines(state)
        return asked + self._witnessing.consent_lines(state) + HostClocks.consent_lines(state)

    def _require(self, action_id: str, verb: Verb) -> None:
        if why := self.allowed(action_id)[verb]:
            raise Refused(why)
        if self._left:
            raise Refused("the run is being left")
        self._timekeeping.look()
        if verb is not Verb.NOTE:
            self._recorder.flush()

    def _refuse_telling(self, text: str) -> None:
        if names := self._known.redactor.names_in(text):
            hint = "What is written here is kept in the run's journal and sent in the open."
            raise Refused(f"it has the secret {names[0]} in it", hint=hint)

    def _asked_about(self, action_id: str, what: ev.Settlement) -> str:
        """Give what an answer on an action is about: its host's system, its condition, its group of alternatives."""
        action = self.state.runbook.action(action_id)
        match what:
            case ev.Settlement.OS if action is not None:
                return host_of(self.state, action) or ""
            case ev.Settlement.WHEN if action is not None:
                return condition(action)
            case ev.Settlement.ALT if action is not None and action.alt is not None:
                return action.alt[0]
            case _:
                return ""

    async def _ask_systems(self, action_id: str, verb: Verb) -> None:
        """Connect to the hosts whose system decides whether the action applies, and is not known yet."""
        action = self.state.runbook.action(action_id)
        if action is None or not (hosts := unknown_systems(self.state, action)):
            return
        for host in hosts:
            await self._connections.identify(host)
        self._close_when_settled()
        self._require(action_id, verb)
        if silent := unknown_systems(self.state, action):
            names = " and ".join(silent)
            raise Refused(f"{names} did not say which system it is", hint="Settle it by hand: set os=freebsd.")

    def _verb_for(self, action_id: str) -> Verb:
        """Whether doing it now is a first confirmation or a retry."""
        return Verb.RETRY if not self.allowed(action_id)[Verb.RETRY] else Verb.CONFIRM

    def _confirmation(self, proposal: Proposal, typed: str) -> ev.Confirmed:
        dry = proposal.dry_run
        action = self.state.runbook.action(proposal.action)
        if dry is not None and action is not None and action.no_log:
            dry = replace(dry, output="(its output is withheld, as .no-log asks)\n")
        read = f"its standard input is {proposal.input}" if proposal.input else ""
        detail = "\n".join(part for part in (dry.text if dry else "", read, proposal.detail) if part)
        return ev.Confirmed(
            action=proposal.action, attempt=proposal.attempt, role=proposal.role, host=proposal.host or "",
            user=proposal.user, address=proposal.address, fingerprint=proposal.fingerprint,
            command=proposal.command, sha256=proposal.sha256, by=self._opening.operator,
            typed="" if proposal.wants == YES else typed, written=proposal.written, detail=detail,
            warnings=proposal.warnings,
            gates=let_through(self.state, action) if action is not None and proposal.role is ev.Role.RUN else (),
        )  # fmt: skip

    def _close_when_settled(self) -> None:
        if self.state.closed or self._recorder.trouble:
            return
        if all(settled(self.state, action) for action in self.state.runbook.actions()):
            try:
                self._recorder.intend(ev.RunClosed(count=self.state.seq))
                self._recorder.journal.seal()
            except StateDirError:
                self._recorder.notify()
            else:
                self._give_back_locks()

    def _give_back_locks(self) -> None:
        """Give the hosts' locks back once the run is closed, also those that an end of the program left there."""
        if self.state.closed and self.consented:
            self._locks.run_closed()
            self._spawn(self._locks.release())

    def _why_not_clean(self) -> str:
        """Say why nothing on the hosts may be removed from here."""
        if why := self.allowed("")[Verb.NOTE]:
            return why
        return "" if self.consented else "nothing is contacted before you agreed to it"

    def _woke(self) -> None:
        """Look at once at what may have changed while this machine was suspended."""
        if self.consented and not self._left:
            self._waking.look()

    def _follow_rebinding(self) -> None:
        """Connect to every host anew once an address moved."""
        if self._rebinding.has_news and self._consented and not self._left:
            self._spawn(self._rebinding.look())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _wanted(text: str, what: str) -> str:
    if not text.strip():
        raise Refused(f"{what} is wanted")
    return text.strip()
