"""Runs the live checks: each on its own schedule with its own timeout, so that none can block a key or another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runbook_tui.ports import CheckState, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Clock, Probe, Sight

STAGGER = 0.2
"""Seconds between the first looks of two checks."""


@dataclass(frozen=True, slots=True)
class CheckView:
    """A live check as it stands now. `since` is when its state last turned, `looked` when it last looked."""

    name: str
    type: str
    label: str
    asks: str
    state: CheckState
    value: str
    detail: str
    since: datetime | None
    looked: datetime | None
    every: float


class Watch:
    """The checks of one run. Nothing is asked before `start()`."""

    def __init__(
        self,
        probes: Mapping[str, tuple[CheckSpec, Probe]],
        sight: Sight,
        clock: Clock,
        turned: Callable[[str, str, str, str], None],
        changed: Callable[[], None],
    ) -> None:
        self._probes = probes
        self._sight = sight
        self._clock = clock
        self._turned = turned
        self._changed = changed
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._views = {
            name: CheckView(
                name=name, type=spec.type, label=spec.label or name, asks=probe.asks, state=CheckState.UNKNOWN,
                value="not looked yet", detail="", since=None, looked=None, every=spec.every,
            )
            for name, (spec, probe) in probes.items()
        }  # fmt: skip

    def views(self) -> list[CheckView]:
        """Give every check as it stands now."""
        return list(self._views.values())

    def consent_lines(self) -> list[str]:
        """Give what each check sends, for the operator to agree to."""
        return [
            f"check {name}, every {spec.every:g} s: {line}"
            for name, (spec, probe) in self._probes.items() for line in probe.asks_lines
        ]  # fmt: skip

    def start(self) -> None:
        """Begin to look; idempotent."""
        if not self._tasks:
            self._tasks = [
                asyncio.ensure_future(self._poll(name, place * STAGGER)) for place, name in enumerate(self._probes)
            ]

    async def stop(self) -> None:
        """Look no more; idempotent.

        A cancellation may be swallowed by what a probe awaits (CPython's `wait_for` before 3.12 can), hence the flag.
        """
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _poll(self, name: str, delay: float) -> None:
        spec, _ = self._probes[name]
        await self._clock.sleep(delay)
        failures = 0
        while not self._stopping:
            reading = await self.look(name)
            if self._stopping:
                return
            failures = failures + 1 if reading.state is CheckState.UNKNOWN else 0
            await self._clock.sleep(spec.every * min(2**failures, 8) if failures else spec.every)

    async def look(self, name: str) -> Reading:
        """Look once now. Past its timeout a check is UNKNOWN and keeps its last value."""
        spec, probe = self._probes[name]
        try:
            async with asyncio.timeout(spec.timeout):
                reading = await probe.read(self._sight)
        except TimeoutError:
            reading = Reading(CheckState.UNKNOWN, f"no answer within {spec.timeout:g} s")
        self._take(name, reading)
        return reading

    def _take(self, name: str, reading: Reading) -> None:
        before, now = self._views[name], self._clock.now()
        turned = before.state is not reading.state or before.since is None
        self._views[name] = replace(
            before, state=reading.state, value=reading.value, detail=reading.detail, looked=now,
            since=now if turned else before.since,
        )  # fmt: skip
        if turned:
            self._turned(name, reading.state.value, reading.value, reading.detail)
        self._changed()
