"""`check=` after an action: waits until its live checks, looked at anew, are green, or says why that was given up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.core.text import clean_line
from runbook_tui.ports import CheckState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbook_tui.checks.watch import Watch
    from runbook_tui.engine.recorder import Recorder


class Greening:
    """One wait for checks."""

    def __init__(self, watch: Watch, recorder: Recorder) -> None:
        self._watch = watch
        self._recorder = recorder
        self._given_up = False
        self._changed = asyncio.Event()

    def give_up(self) -> None:
        """Wait no longer."""
        self._given_up = True
        self._changed.set()

    async def wait(self, names: Sequence[str], seconds: float) -> str:
        """Wait until all are green; give an empty text then, else what is not green and what it says.

        What a check said before counts for nothing: two new looks are wanted. A check that cannot be measured is
        never waited for.
        """
        forget = self._recorder.subscribe(self._changed.set)
        self._watch.renew(names, "looking again after the step")
        try:
            async with asyncio.timeout(seconds):
                while (why := self._not_green(names)) and not self._given_up and not self._hopeless(names):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            why = self._not_green(names)
            return f"{why} (after {seconds:g} s)" if why else ""
        finally:
            forget()
        return why

    async def stand_by(self, names: Sequence[str], still: Callable[[], bool]) -> tuple[str, ...]:
        """Wait as long as it takes while `still()`; give what each said when all were green, else nothing.

        Checks that nothing measures, or that do not run yet, are waited for too: the operator's word ends that.
        """
        forget = self._recorder.subscribe(self._changed.set)
        try:
            while still() and self._not_green(names):
                self._changed.clear()
                await self._changed.wait()
        finally:
            forget()
        seen = [(name, self._watch.view(name)) for name in names] if still() else []
        return tuple(f"{name}: {view.state}: {clean_line(view.value)}" for name, view in seen if view is not None)

    def _not_green(self, names: Sequence[str]) -> str:
        """Name the first check that is not green, with what it says."""
        for name in names:
            view = self._watch.view(name)
            if view is None or not view.measured:
                return f"the check {name}, which nothing can measure here: look yourself, then mark the step done"
            if view.state is not CheckState.PASS:
                return f"the check {name}, which is {view.state}: {clean_line(view.value)}"
        return ""

    def _hopeless(self, names: Sequence[str]) -> bool:
        """Whether a look of them will never come."""
        views = [self._watch.view(name) for name in names]
        return not self._watch.running or any(view is None or not view.measured for view in views)
