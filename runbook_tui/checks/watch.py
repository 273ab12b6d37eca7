"""Runs the live checks: each on its own schedule with its own timeout, so that none can block a key or another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from runbook_tui.checks.later import NotBuiltProbe
from runbook_tui.checks.looks import LET_GO_TIMEOUT, Looker, Slots
from runbook_tui.checks.steady import Greens, Turns, bounded, taken
from runbook_tui.checks.view import CheckView
from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Clock, Probe, Reading, Sight

STAGGER = 0.2
"""Seconds between the first looks of two checks."""
SECOND_LOOK = 2.0
"""Seconds after which a first green look is confirmed, so that a gate does not wait for the next turn."""
SOONEST = 0.5
"""Seconds that lie between two looks at least."""
SLOWEST = 8
"""Times its own interval that a check waits at most while it cannot look."""


@dataclass(slots=True)
class _Check:
    """One check under way. `generation` counts what makes a look that is under way worthless."""

    spec: CheckSpec
    looker: Looker
    view: CheckView
    greens: Greens = field(default_factory=Greens)
    turns: Turns = field(default_factory=Turns)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False
    failures: int = 0
    generation: int = 0
    pause: float = 0.0


class Watch:
    """The checks of one run. Nothing is asked before `start()` or `look()`.

    Nothing that a check saw is kept before `redact` took the secrets out.
    `turned` is called with name, state, value and detail for each turn that is to be recorded, `changed` whenever
    something of a view changed that is worth drawing.
    """

    def __init__(
        self,
        probes: Mapping[str, tuple[CheckSpec, Probe]],
        sight: Sight,
        clock: Clock,
        turned: Callable[[str, str, str, str], None],
        changed: Callable[[], None],
        *,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._redact = redact
        self._clock = clock
        self._turned = turned
        self._changed = changed
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        slots = Slots()
        self._checks = {
            name: _Check(spec, Looker(probe, spec.timeout, sight, slots), _first_view(name, spec, probe))
            for name, (spec, probe) in probes.items()
        }

    def views(self) -> list[CheckView]:
        """Give every check as it stands now."""
        return [check.view for check in self._checks.values()]

    def view(self, name: str) -> CheckView | None:
        """Give one check as it stands now."""
        return check.view if (check := self._checks.get(name)) is not None else None

    def consent_lines(self) -> list[str]:
        """Give what each check sends, for the operator to agree to."""
        return [
            f"check {name}, every {check.spec.every:g} s: {line}"
            for name, check in self._checks.items() for line in check.view.asks_lines
        ]  # fmt: skip

    # ---- running

    @property
    def running(self) -> bool:
        """Whether the checks look by themselves now."""
        return bool(self._tasks) and not self._stopping

    def start(self) -> None:
        """Begin to look; idempotent."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._poll(name, place * STAGGER)) for place, name in enumerate(self._checks)
            ]

    async def stop(self) -> None:
        """Look no more; idempotent. Returns within a few seconds whatever a probe does."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LET_GO_TIMEOUT + 1)
        for check in self._checks.values():
            check.looker.end()

    def refresh(self, name: str = "") -> None:
        """Have one check, or all, look now because the operator asks for it."""
        for check in self._named([name] if name else self._checks):
            check.asked = True
            check.wake.set()

    def renew(self, names: Iterable[str], why: str) -> None:
        """Have checks look anew: what they said holds no more, and green wants two new looks.

        `why` stands as their value until they have looked. It is no turn: nothing was seen.
        """
        for check in self._named(names):
            check.generation += 1
            check.greens.forget()
            if check.view.state is CheckState.PASS:
                now = self._clock.now()
                check.view = replace(check.view, state=CheckState.PENDING, value=why, eta=None, since=now)
            check.wake.set()
        self._changed()

    def remake(self, probes: Mapping[str, tuple[CheckSpec, Probe]]) -> None:
        """Look with these probes from now on, because a value that they ask with has become another one."""
        for name, (_, probe) in probes.items():
            check = self._checks.get(name)
            if check is not None and check.view.asks_lines != probe.asks_lines:
                check.looker.take(probe)
                check.view = replace(
                    check.view, asks=probe.asks, asks_lines=probe.asks_lines, columns=probe.columns
                )
                self.renew([name], "looking again, as what it asks is another thing now")

    def renew_phase(self, phase: str) -> None:
        """Have the checks that expect something else in some phase look anew: the walk is in this phase now."""
        names = [name for name, check in self._checks.items() if check.spec.phases]
        if names:
            self.renew(names, f"looking again, as the phase is {phase or 'none'} now")

    def _named(self, names: Iterable[str]) -> list[_Check]:
        return [self._checks[name] for name in names if name in self._checks]

    async def _poll(self, name: str, delay: float) -> None:
        check = self._checks[name]
        if delay:
            await self._nap(check, delay)
        while not self._stopping:
            await self.look(name)
            await self._nap(check, check.pause)

    async def _nap(self, check: _Check, seconds: float) -> None:
        """Wait for the check's turn, or for somebody who wants it to look now."""
        check.view = replace(check.view, next=self._clock.now() + timedelta(seconds=seconds))
        napping = {asyncio.ensure_future(self._clock.nap(seconds)), asyncio.ensure_future(check.wake.wait())}
        try:
            await asyncio.wait(napping, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in napping:
                task.cancel()
        check.wake.clear()

    async def look(self, name: str, *, asked: bool = False) -> CheckView:
        """Look once now. Past its timeout a check is UNKNOWN and keeps its last value."""
        check = self._checks[name]
        asked, check.asked = asked or check.asked, False
        generation = check.generation
        reading = bounded(self._without_secrets(await check.looker.look(asked=asked)))
        if self._stopping or generation != check.generation:
            check.pause = 0.0
            return check.view
        self._take(name, check, reading)
        return check.view

    def _without_secrets(self, reading: Reading) -> Reading:
        """Take secrets out before anything of what was seen is kept, shown or cut off."""
        redact = self._redact
        rows = tuple(replace(row, cells=tuple(map(redact, row.cells))) for row in reading.rows)
        return replace(
            reading, value=redact(reading.value), detail=redact(reading.detail), error=redact(reading.error), rows=rows
        )

    def _take(self, name: str, check: _Check, reading: Reading) -> None:
        shown, first = check.greens.judge(reading)
        check.failures = check.failures + 1 if shown.state is CheckState.UNKNOWN else 0
        check.pause = self._pause(check, reading, first=first)
        before, check.view = check.view, taken(check.view, shown, self._clock.now())
        if not first:
            self._record(name, check)
        if _worth_drawing(before) != _worth_drawing(check.view):
            self._changed()

    @staticmethod
    def _pause(check: _Check, reading: Reading, *, first: bool) -> float:
        """Give the seconds to the next look: soon after a first green one, ever later while it cannot look."""
        every = check.spec.every
        if first:
            return min(SECOND_LOOK, every)
        if check.failures:
            return max(SOONEST, every * min(1 << (check.failures - 1), SLOWEST))
        return max(SOONEST, reading.again if reading.again is not None else every)

    def _record(self, name: str, check: _Check) -> None:
        """Record a turn, once; of a check that flaps only so many, and how many were left out."""
        view = check.view
        turns = check.turns.note(view.state, self._clock.monotonic())
        if turns:
            more = f"it turned {turns} times since the last record" if turns > 1 else ""
            detail = "\n".join(part for part in (more, view.detail) if part)
            self._turned(name, view.state.value, view.value, detail)


def _first_view(name: str, spec: CheckSpec, probe: Probe) -> CheckView:
    return CheckView(
        name=name, type=spec.type, label=spec.label or name, asks=probe.asks, every=spec.every,
        asks_lines=probe.asks_lines, columns=probe.columns, measured=not isinstance(probe, NotBuiltProbe),
    )  # fmt: skip


def _worth_drawing(view: CheckView) -> tuple[object, ...]:
    return (view.state, view.value, view.detail, view.eta, view.rows, view.level, view.error)
