"""A run that another process holds, as its journal tells it: nothing is recorded, contacted or asked."""

from __future__ import annotations

import asyncio
import codecs
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, Self

from runbook_tui.checks.view import CheckView
from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused, RunbookTuiError, SecretError, StateDirError
from runbook_tui.core.feed import Feed
from runbook_tui.core.fold import ForeignEventError, apply, fold
from runbook_tui.core.run import Verb
from runbook_tui.core.text import CleanLine
from runbook_tui.engine.carrying import Activity
from runbook_tui.engine.connections import HostView
from runbook_tui.engine.engine import Engine, Opening
from runbook_tui.ports import CheckState, Identity, Journal, Link, OutputStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runbook_tui.core.model import Host, Runbook
    from runbook_tui.core.secret import Secret
    from runbook_tui.ports import Clock, Dns, HostKey, MailDoors, Services, Shell

WATCHING: Final = "this is only a watch; the verbs are where the run is held"
NOBODY: Final = "nobody holds this run now"
EVERY: Final = 0.25
"""Seconds between looks at the journal."""
HELD_EVERY: Final = 8
"""Looks between questions whether anybody holds the run: asking touches its lock for a moment."""


class Followed(Journal, OutputStore, Protocol):
    """The journal and the outputs of a run that somebody else writes."""

    flaw: str
    """Why reading stopped before the journal's end; empty when it did not."""

    def look(self) -> bool:
        """Read on; True: all of it is to be folded anew."""

    @property
    def held(self) -> bool:
        """Whether a process holds the run now."""

    def text_after(self, attempt: str, offset: int) -> bytes | None:
        """What an attempt's stored text has after so many bytes; None when it is shorter by now."""


class Follower(Engine):
    """The engine of a watch: its state is what the journal says, and every verb is refused.

    `read_copy` reads the edited runbook that a record adopts.
    """

    following = True

    def __init__(
        self, runbook: Runbook, opening: Opening, run: Followed, clock: Clock, *,
        copies: Mapping[str, Runbook], read_copy: Callable[[str], Runbook],
    ) -> None:  # fmt: skip
        super().__init__(
            runbook=runbook, opening=opening, journal=run, outputs=run, shells=_no_shell, clock=clock,
            net=_Nothing(), secrets=_Nothing(), copies=copies, read_only=True, make_probes=lambda _: {},
        )  # fmt: skip
        self._run = run
        self._read_copy = read_copy
        self._taken = len(run.records)
        self._written = runbook
        self._tails: dict[str, _Tail] = {}
        self._progress = clock.monotonic()
        self._trouble = ""
        self._held = run.held
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to look; nothing is recorded."""
        self._looking = asyncio.create_task(self._look_on())
        return self

    async def pause(self, why: str) -> None:
        """Look no more. Idempotent."""
        del why
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # ---- what is

    @property
    def trouble(self) -> str:
        """Why what is shown may not be all: the journal is damaged, or nobody holds the run."""
        return self._trouble

    @property
    def activity(self) -> Activity | None:
        """What runs, as far as the journal and the stored output tell."""
        attempt = self.state.running
        if attempt is None or self.state.paused or not self._held:
            return None
        stage = "starting" if attempt.started_at is None else "running" if attempt.exit is None else "verifying"
        elapsed = max(0.0, (self.now - (attempt.started_at or attempt.confirmed_at)).total_seconds())
        silent = max(0.0, min(elapsed, self._clock.monotonic() - self._progress))
        return Activity(attempt, stage, elapsed, silent, self.feed(attempt.id).percent)

    def allowed(self, action_id: str) -> Mapping[Verb, str]:
        """Refuse every verb."""
        del action_id
        return dict.fromkeys(Verb, WATCHING)

    def hosts(self) -> list[HostView]:
        """Give every host as the newest attempt on it found it."""
        return [self._host(host) for host in self.state.hosts.values()]

    def _host(self, host: Host) -> HostView:
        met = [a for a in self.state.attempts.values() if a.host == host.name and a.user]
        identity = Identity(host.name, met[-1].user, host.name, met[-1].address, met[-1].fingerprint) if met else None
        return HostView(host.name, host.ssh, Link.IDLE, identity)

    def checks(self) -> list[CheckView]:
        """Give every live check as it turned last."""
        specs = {spec.name: spec for spec in self.state.runbook.checks}
        return [
            self._check(name, specs[name].type if name in specs else "ssh")
            for name in dict.fromkeys((*specs, *self.state.checks))
        ]

    def _check(self, name: str, kind: str) -> CheckView:
        spec = next((spec for spec in self.state.runbook.checks if spec.name == name), None)
        label, every = (spec.label or name, spec.every) if spec is not None else (name, 0.0)
        reading = self.state.checks.get(name)
        if reading is None:
            return CheckView(name=name, type=kind, label=label, asks="", every=every, value="has not turned yet")
        return CheckView(
            name=name, type=kind, label=label, asks="", every=every, state=CheckState(reading.state),
            value=reading.value, detail=reading.detail, since=reading.since,
        )  # fmt: skip

    def feed(self, attempt_id: str) -> Feed:
        """Give the output of an attempt, as far as it is stored."""
        if attempt_id not in self._tails:
            self._tails[attempt_id] = _Tail()
            self._read_on(attempt_id)
        return self._tails[attempt_id].feed

    # ---- what is asked of a watch

    def consent_lines(self) -> list[str]:
        """Nothing is contacted."""
        return []

    async def consent(self) -> None:
        """Agree to nothing: no check looks from here."""

    def look_again(self, check: str = "") -> None:
        """Refuse: the checks look where the run is held.

        Raises:
            Refused: always.
        """
        raise Refused(WATCHING, check)

    async def reconnect(self, host: str) -> None:
        """Refuse: nothing is contacted.

        Raises:
            Refused: always.
        """
        raise Refused(WATCHING, host)

    # ---- inside

    async def _look_on(self) -> None:
        turn = 0
        while True:
            before = (self._taken, self._trouble)
            try:
                self._look(ask=turn % HELD_EVERY == 0)
            except RunbookTuiError as error:
                self._trouble = str(error).replace("\n", " ")
            if (self._taken, self._trouble) != before:
                self._recorder.notify()
            turn += 1
            await asyncio.sleep(EVERY)

    def _look(self, *, ask: bool) -> None:
        anew = self._run.look()
        records = self._run.records
        if anew:
            self._fold_anew(records)
        for record in records[self._taken :]:
            self._taken += 1
            self._take(record)
        if ask or anew:
            self._held = self._run.held
            nobody = "" if self._held or self.state.closed else NOBODY
            self._trouble = self._run.flaw or nobody
        if (running := self.state.running) is not None:
            self._read_on(running.id)

    def _take(self, record: ev.Record) -> None:
        if isinstance(record.event, ev.RunbookReloaded):
            self._recorder.learn(self._read_copy(record.event.sha256))
        try:
            self._recorder.state = apply(self._recorder.state, record)
        except ForeignEventError as error:
            raise StateDirError("This run's journal does not fit its runbook.", str(error)) from None
        if (attempt := str(getattr(record.event, "attempt", ""))) in self._tails:
            self._read_on(attempt)

    def _fold_anew(self, records: Sequence[ev.Record]) -> None:
        sums = {record.event.sha256 for record in records if isinstance(record.event, ev.RunbookReloaded)}
        copies = MappingProxyType({sha256: self._read_copy(sha256) for sha256 in sums})
        self._recorder.state = fold(self._written, records, copies)
        self._taken = len(records)
        self._tails.clear()

    def _read_on(self, attempt: str) -> None:
        tail = self._tails.setdefault(attempt, _Tail())
        data = self._run.text_after(attempt, tail.length)
        if data is None:  # what was not recorded was cut off when the run was resumed
            tail = self._tails[attempt] = _Tail()
            data = self._run.text_after(attempt, 0) or b""
        if tail.take(data):
            self._progress = self._clock.monotonic()


class _Tail:
    """The lines of a text that grows."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.length = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def take(self, data: bytes) -> bool:
        """Take in what came; say whether anything did."""
        self.length += len(data)
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        self.feed.append(CleanLine(line, 0) for line in lines)
        self.feed.partial = self._rest
        return bool(data)


def _no_shell(host: Host, pin: HostKey | None) -> Shell:
    del pin
    raise Refused(WATCHING, host.name)


class _Nothing:
    """The network and the passwords of a watch: there are none."""

    @property
    def dns(self) -> Dns:
        self._refuse()

    @property
    def doors(self) -> MailDoors:
        self._refuse()

    @property
    def services(self) -> Services:
        self._refuse()

    async def get(self, name: str) -> Secret:
        raise SecretError(WATCHING, name)

    def ask_again(self) -> None:
        """Ask nobody."""

    def _refuse(self) -> NoReturn:
        raise Refused(WATCHING)
