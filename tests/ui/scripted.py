"""A small stand-in with the Engine's methods, driven by core events: for screens whose every second is fixed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.feed import Feed
from runbook_tui.core.model import ActionKind, HostName
from runbook_tui.core.proposal import YES, Proposal
from runbook_tui.core.run import RunState, Status, Verb, apply, fresh
from runbook_tui.core.settle import effective
from runbook_tui.core.text import Cleaner
from runbook_tui.core.verbs import RERUN_WORD, allowed, number_of
from runbook_tui.ports import HostKey, Identity, Link

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from runbook_tui.checks.watch import CheckView
    from runbook_tui.core.model import Runbook
    from runbook_tui.engine import Engine

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Host:
    """What the stand-in says of a host."""

    name: HostName
    ssh: str
    link: Link
    identity: Identity | None
    problem: str = ""
    offered: HostKey | None = None


@dataclass(frozen=True, slots=True)
class Under:
    """What the stand-in says is under way."""

    attempt: object
    stage: str
    elapsed: float
    silent: float
    percent: int | None


@dataclass
class Scripted:
    """Has the Engine's shape; a test says when and how a started action ends. `calls` are what was asked of it."""

    runbook: Runbook
    read_only: bool = False
    trouble: str = ""
    wanted: list[str] = field(default_factory=list)
    drift: Mapping[str, str] = field(default_factory=dict)
    check_views: list[CheckView] = field(default_factory=list)
    identities: dict[HostName, Identity] = field(default_factory=dict)
    offered: dict[HostName, HostKey] = field(default_factory=dict)
    unreachable: dict[HostName, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    gate: asyncio.Event | None = None
    kill_offered: bool = False
    elapsed: float = 41.0
    silent: float = 0.0
    agreed: bool = False
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the run."""
        self.state: RunState = fresh(self.runbook)
        self.at = START
        self.feeds: dict[str, Feed] = {}
        self.cleaners: dict[str, Cleaner] = {}
        self._listeners: list[Callable[[], None]] = []
        self.record(
            ev.RunOpened(
                run="2026-03-01-move", runbook="move.md", title=self.runbook.title, sha256="0" * 64, version="0.1",
                operator="anna", workstation="desk", hosts={},
            )
        )  # fmt: skip

    @property
    def engine(self) -> Engine:
        """This, as what the app wants."""
        return cast("Engine", self)

    def record(self, event: ev.Event, seconds: float = 1.0) -> None:
        """Let something happen."""
        self.at += timedelta(seconds=seconds)
        seq = self.state.seq + 1
        self.state = apply(self.state, ev.Record(seq, self.at, float(seq), "boot", event, "", str(seq)))
        for listener in tuple(self._listeners):
            listener()

    # ---- what is

    @property
    def consented(self) -> bool:
        """Whether hosts may be contacted."""
        return self.agreed or not self.wanted

    @property
    def activity(self) -> Under | None:
        """What is under way."""
        running = self.state.running
        if running is None:
            return None
        return Under(running, "running", self.elapsed, self.silent, self.feed(running.id).percent)

    def allowed(self, action_id: str) -> Mapping[Verb, str]:
        """The real core's answer."""
        return allowed(self.state, action_id, read_only=self.read_only)

    def hosts(self) -> list[Host]:
        """Every host."""
        return [
            Host(
                name, host.ssh, Link.UP if name in self.identities else Link.IDLE, self.identities.get(name),
                self.unreachable.get(name, ""), self.offered.get(name),
            )
            for name, host in self.state.hosts.items()
        ]  # fmt: skip

    def checks(self) -> list[CheckView]:
        """Every check."""
        return self.check_views

    def feed(self, attempt_id: str) -> Feed:
        """The attempt's output."""
        return self.feeds.setdefault(attempt_id, Feed())

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have it called after every change."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ---- what the operator does

    def consent_lines(self) -> list[str]:
        """What needs asking."""
        return self.wanted

    async def consent(self) -> None:
        """Agree."""
        self.calls.append(("consent",))
        self.agreed = True

    async def propose(self, action_id: str, verb: Verb, edited: str | None = None) -> Proposal:
        """Make a proposal from the action as it would run."""
        self.calls.append(("propose", action_id, verb))
        if why := self.allowed(action_id)[verb]:
            raise Refused(why)
        if self.gate is not None:
            await self.gate.wait()
        written = self.state.runbook.action(action_id)
        assert written is not None
        action = effective(self.state, written)
        host = action.host
        if host is not None and host in self.unreachable:
            raise HostError(self.unreachable[host], f"host {host}", "Look at the hosts with h.")
        who = self.identities.get(host, Identity(host, "root", str(host))) if host else None
        undo = verb is Verb.UNDO
        command = action.undos[0].text if undo else (edited if edited is not None else action.text)
        unknown = self.state.of(action_id).status is Status.UNKNOWN
        waits = action.kind is ActionKind.WAIT
        return Proposal(
            attempt=f"{self.state.run}-{len(self.state.attempts) + 1}", action=action.id,
            number=number_of(self.state, action.id), title=action.title, role=ev.Role.UNDO if undo else ev.Role.RUN,
            kind=action.kind, host=None if waits else host, user=who.user if who else "", name=who.name if who else "",
            address=who.address if who else "", fingerprint=who.fingerprint if who else "",
            command="" if waits else command, stdin=None, written=action.text if edited is not None else "",
            detail=self.details.get(action.id, ""), done_when=("exit status 0",),
            way_back=tuple(u.text.strip() for u in action.undos) or ("the runbook names none",),
            warnings=self.warnings, danger=action.danger,
            wants=RERUN_WORD if unknown else str(host) if action.danger else YES,
        )  # fmt: skip

    async def confirm(self, proposal: Proposal, typed: str) -> None:
        """Start it."""
        self.calls.append(("confirm", str(proposal.action), typed))
        assert typed == proposal.wants
        action, attempt, host = proposal.action, proposal.attempt, str(proposal.host or "")
        self.record(
            ev.Confirmed(
                action=action, attempt=attempt, role=proposal.role, host=host, user=proposal.user,
                address=proposal.address, fingerprint=proposal.fingerprint, command=proposal.command,
                sha256=proposal.sha256, by="anna", written=proposal.written,
            )
        )  # fmt: skip
        self.record(ev.Intent(action=action, attempt=attempt, host=host, sha256=proposal.sha256))
        self.record(ev.Started(action=action, attempt=attempt, pgid=4242))

    def output(self, data: bytes) -> None:
        """Let the running action print something."""
        running = self.state.running
        assert running is not None
        cleaner = self.cleaners.setdefault(running.id, Cleaner())
        feed = self.feed(running.id)
        feed.append(cleaner.feed(data))
        feed.partial = cleaner.partial

    def finish(self, code: int = 0, reason: str = "", verifies: tuple[str, ...] = ()) -> None:
        """Let the running action end."""
        running = self.state.running
        assert running is not None
        outcome = ev.Outcome.FAILED if reason else ev.Outcome.DONE
        self.record(
            ev.Finished(
                action=running.action, attempt=running.id, outcome=outcome, exit=code, reason=reason, seconds=41.0,
                verifies=verifies,
            )
        )  # fmt: skip

    def lose(self, why: str) -> None:
        """Let the running action's outcome be unknown."""
        running = self.state.running
        assert running is not None
        self.record(ev.Lost(action=running.action, attempt=running.id, why=why))

    async def run(self, action_id: str, code: int = 0, reason: str = "", output: bytes = b"") -> None:
        """Run an action from its proposal to its end."""
        verb = Verb.CONFIRM if not self.allowed(action_id)[Verb.CONFIRM] else Verb.RETRY
        proposal = await self.propose(action_id, verb)
        await self.confirm(proposal, proposal.wants)
        if output:
            self.output(output)
        self.finish(code, reason)

    async def skip(self, action_id: str, reason: str) -> None:
        """Skip it."""
        self.calls.append(("skip", action_id, reason))
        self.record(ev.Skipped(action=action_id, reason=reason, by="anna"))

    async def mark_done(self, action_id: str, note: str) -> None:
        """Mark it done."""
        self.calls.append(("done", action_id, note))
        self.record(ev.MarkedDone(action=action_id, note=note, by="anna"))

    async def note(self, action_id: str, text: str) -> None:
        """Note something."""
        self.calls.append(("note", action_id, text))
        self.record(ev.Noted(action=action_id, text=text, by="anna"))

    async def settle(self, action_id: str, what: ev.Settlement, value: str = "", subject: str = "") -> None:
        """Settle something."""
        self.calls.append(("settle", action_id, what, value, subject))
        whole = what is ev.Settlement.LITERAL
        self.record(ev.Settled(what=what, value=value, subject=subject, action="" if whole else action_id))

    async def stop(self, *, kill: bool = False) -> str:
        """Say what happened."""
        self.calls.append(("stop", kill))
        if kill:
            running = self.state.running
            assert running is not None
            self.record(ev.Stopped(action=running.action, attempt=running.id, what="killed", signal="KILL"))
            return "KILL was sent; nothing of the group lives."
        self.kill_offered = True
        return "TERM was sent; 1 process of the group lives on."

    async def trust(self, host: str, fingerprint: str) -> None:
        """Trust the offered key when the words fit."""
        self.calls.append(("trust", host, fingerprint))
        if not self.offered[HostName(host)].fingerprint.endswith(fingerprint):
            raise Refused("the fingerprint is another")
        del self.offered[HostName(host)]

    async def reconnect(self, host: str) -> None:
        """Note that it was asked for."""
        self.calls.append(("reconnect", host))

    async def pause(self, why: str) -> None:
        """Note that it was asked for."""
        self.calls.append(("pause", why))

    def export(self, format_: str) -> str:
        """Give something to write."""
        return f"the transcript as {format_}\n"


def with_resume(scripted: Scripted) -> Scripted:
    """Let the run be paused and opened again two days later."""
    scripted.record(ev.Paused(why="quit"))
    scripted.record(ev.Resumed(operator="anna", workstation="desk", version="0.1"), seconds=2 * 86_400)
    scripted.state = replace(scripted.state, paused="")
    return scripted
