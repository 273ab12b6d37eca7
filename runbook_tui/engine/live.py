"""The live checks of a run: they follow the walk, and what they say now is laid over the recorded state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.checks.watch import Watch
from runbook_tui.core import events as ev
from runbook_tui.engine.sight import looks, phase_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.checks import ProbeFactory
    from runbook_tui.core.run import CheckLook, RunState
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Clock, Sight


class LiveChecks:
    """Keeps one Watch for the run as it is written now. Nothing is asked before `watch.start()`.

    `follow()` is to be called after every change of the run.
    """

    def __init__(self, recorder: Recorder, sight: Sight, clock: Clock, make_probes: ProbeFactory) -> None:
        self._recorder = recorder
        self._sight = sight
        self._clock = clock
        self._make_probes = make_probes
        self._looks: Mapping[str, CheckLook] = {}
        self._walked: RunState | None = None
        self._phase = phase_of(recorder.state)
        self._shown: RunState | None = None
        self._shown_of: RunState | None = None
        self.watch = self._watch_of(recorder.state)

    def over(self, base: RunState) -> RunState:
        """Give the state with what the checks say now laid over it; the same object while nothing changed."""
        if self._shown is None or self._shown_of is not base:
            self._shown, self._shown_of = replace(base, looks=self._looks), base
        return self._shown

    def start(self) -> None:
        """Have them look from now on."""
        self.watch.start()
        self._changed()

    async def anew(self, *, running: bool) -> None:
        """Make them again as the run is written now; with `running` they look at once."""
        await self.watch.stop()
        self._looks = {}
        self._shown = None
        self.watch = self._watch_of(self._recorder.state)
        if running:
            self.watch.start()
        self._changed()

    def would_ask(self, state: RunState) -> list[str]:
        """Give what the checks of another state of the run would send."""
        return self._watch_of(state).consent_lines()

    def follow(self) -> None:
        """Have checks look anew that ask or expect something else since a value was given or a phase was reached."""
        if (base := self._recorder.state) is self._walked:
            return
        before, self._walked = self._walked, base
        if before is not None and (before.answers.literals, before.hosts) != (base.answers.literals, base.hosts):
            self.watch.remake(self._make_probes(base))
        if (phase := phase_of(base)) != self._phase:
            self._phase = phase
            if self.watch.running:
                self.watch.renew_phase(phase)

    def _watch_of(self, state: RunState) -> Watch:
        known = self._recorder.known
        probes = self._make_probes(state)
        return Watch(probes, self._sight, self._clock, self._turned, self._changed, redact=known.redact)

    def _changed(self) -> None:
        """Take what they say now; what they say before they run is no answer to a gate."""
        self._looks = looks(self.watch.views()) if self.watch.running else {}
        self._shown = None
        self._recorder.notify()

    def _turned(self, name: str, state: str, value: str, detail: str) -> None:
        self._recorder.happened(ev.CheckTurned(check=name, state=state, value=value, detail=detail), durable=False)
