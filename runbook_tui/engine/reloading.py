"""The runbook's file beside the run's own copy: whether it changed, what adopting it would change, and adopting it."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.adopt import adopt
from runbook_tui.core.errors import Refused, RunbookError
from runbook_tui.core.markdown.drift import Drift, compare
from runbook_tui.core.markdown.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runbook_tui.core.adopt import Adoption
    from runbook_tui.core.model import Runbook
    from runbook_tui.core.run import RunState
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import RunbookSource


@dataclass(frozen=True, slots=True)
class Reload:
    """What adopting the edited file would do. What is adopted is exactly these bytes.

    `changes` are steps that become what the file says, `kept` confirmed ones that stay as they were, `consent` what
    would be contacted and asked beyond what was agreed to. `diff` is that of the whole file.
    """

    data: bytes
    runbook: Runbook
    changes: tuple[tuple[Drift, str], ...]
    kept: tuple[str, ...]
    diff: str
    consent: tuple[str, ...]

    def lines(self) -> list[str]:
        """Give what would change and what would not, a line each."""
        lines = [f"{change} {step}" for change, step in self.changes] or ["no step does anything else than before"]
        lines += [f"stays as it was confirmed: {step}" for step in self.kept]
        return lines + [f"starts without a further question: {line}" for line in self.consent]


class Reloading:
    """Looks at the source file when it is asked to; between two looks nothing is known of it."""

    def __init__(
        self, recorder: Recorder, source: RunbookSource | None, name: str, hosts: Sequence[str], now: Runbook | None
    ) -> None:  # fmt: skip
        self._recorder = recorder
        self._source = source
        self._name = name
        self._hosts = tuple(hosts)
        self._now = now
        self._compared: tuple[Runbook, Runbook] | None = None
        self._drift: Mapping[str, Drift] = MappingProxyType({})
        self.look()

    @property
    def sha256(self) -> str:
        """The sum of the file as it was looked at last; empty when it is gone."""
        return self._now.sha256 if self._now else ""

    @property
    def changed(self) -> bool:
        """Whether the file was another one than the run's own copy when it was looked at last."""
        return self._now is not None and self._now.sha256 != self._recorder.state.written.sha256

    @property
    def drift(self) -> Mapping[str, Drift]:
        """Steps of the run's own copy that differ from the file."""
        if self._now is None:
            return {}
        pair = (self._recorder.state.written, self._now)
        if self._compared is None or self._compared[0] is not pair[0] or self._compared[1] is not pair[1]:
            found = compare(*pair)
            self._drift = MappingProxyType({str(s): drift for s, drift in found.items() if drift is not Drift.SAME})
            self._compared = pair
        return self._drift

    def look(self) -> bytes | None:
        """Read the file anew; a file that cannot be read counts as gone."""
        if self._source is None:
            return None
        data = self._source.now()
        if data is None:
            self._now = None
        elif self._now is None or hashlib.sha256(data).hexdigest() != self._now.sha256:
            self._now = read(data, name=self._name, hosts=self._hosts)
        return data

    def plan(self, consent: Callable[[RunState], list[str]]) -> Reload:
        """Give what adopting the file as it is now would do. `consent` gives what a state would have asked.

        Raises:
            Refused: it is gone or unchanged, or what was confirmed does not fit it.
            RunbookError: it has errors; they are named with their lines.
        """
        data, now, state = self.look(), self._now, self._recorder.state
        self._recorder.notify()
        if data is None or now is None:
            raise Refused("the runbook's file is gone or cannot be read", self._name)
        if now.sha256 == state.written.sha256:
            raise Refused("the runbook's file is as this run has it")
        if now.errors:
            where = [f"{self._name}:{p.line}:{p.column}: {p.message}" for p in now.errors]
            raise RunbookError("The edited runbook has errors, so it cannot be adopted", "\n".join(where))
        adoption = adopt(state, now)
        if adoption.refused:
            raise Refused("the edited runbook cannot be adopted", adoption.refused)
        known = set(consent(state))
        return Reload(
            data=data, runbook=now, changes=adoption.changes, kept=_named(adoption), diff=_diff(state.written, now),
            consent=tuple(line for line in consent(adoption.state) if line not in known),
        )  # fmt: skip

    def adopt(self, planned: Reload, by: str, *, agreed: bool) -> None:
        """Keep the file's text beside the run, then record that it was adopted.

        Raises:
            Refused: the file is another one than the one that was shown.
            StateDirError: it cannot be kept or recorded; the run goes on with what it has.
        """
        state, source = self._recorder.state, self._source
        if source is None or self.look() != planned.data:
            raise Refused("the file was changed again since it was shown", hint="Look at it once more.")
        source.keep(planned.data)
        if state.closed:
            self._recorder.intend(ev.Reopened(by=by))
        if planned.consent and agreed:
            self._recorder.intend(ev.Settled(what=ev.Settlement.CONSENT, value="\n".join(planned.consent)))
        self._recorder.learn(planned.runbook)
        self._recorder.intend(ev.RunbookReloaded(sha256=planned.runbook.sha256, by=by))


def _named(adoption: Adoption) -> tuple[str, ...]:
    steps = [step for name in adoption.kept if (step := adoption.state.written.step(name)) is not None]
    return tuple(f"{step.number} {step.title}" for step in steps)


def _diff(old: Runbook, new: Runbook) -> str:
    lines = difflib.unified_diff(old.text.split("\n"), new.text.split("\n"), "this run", "the file", lineterm="")
    return "\n".join(lines)

