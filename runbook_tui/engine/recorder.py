"""Keeps journal and state together: what is recorded is applied, and what happened is never forgotten."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from runbook_tui.core.errors import StateDirError
from runbook_tui.core.fold import NO_COPIES, apply, fold
from runbook_tui.core.redact import KnownSecrets, redact_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.core.events import Event
    from runbook_tui.core.model import Runbook
    from runbook_tui.core.run import RunState
    from runbook_tui.ports import Journal


class Record(Protocol):
    """Records an event; never raises for a full disk (the engine keeps what could not be written)."""

    def __call__(self, event: Event, *, durable: bool = True) -> None:
        """Record it."""


class Recorder:
    """The one way by which the state changes: an event on the disk, then the fold.

    What the operator asks for is recorded before it is done (`intend`), and not done when it cannot be. What
    has happened already (`happened`) is kept in memory while the disk is full, and written before anything new.
    No secret that is `known` by then is in what is written.
    """

    def __init__(
        self, runbook: Runbook, journal: Journal, known: KnownSecrets | None = None,
        copies: Mapping[str, Runbook] = NO_COPIES,
    ) -> None:  # fmt: skip
        self.journal = journal
        self.known = known or KnownSecrets()
        self.state: RunState = fold(runbook, journal.records, copies)
        self._unwritten: list[tuple[Event, bool]] = []
        self._trouble = ""
        self._listeners: list[Callable[[], None]] = []

    @property
    def trouble(self) -> str:
        """What keeps the journal from being written; empty when nothing does."""
        return self._trouble if self._unwritten else ""

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after every change; gives the unsubscriber."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def notify(self) -> None:
        """Tell the listeners that something changed."""
        for listener in tuple(self._listeners):
            listener()

    def learn(self, runbook: Runbook) -> None:
        """Know an edited runbook, so that an event can adopt it."""
        copies = MappingProxyType({**self.state.copies, runbook.sha256: runbook})
        self.state = replace(self.state, copies=copies)

    def intend(self, event: Event) -> None:
        """Record what is about to be done.

        Raises:
            StateDirError: it cannot be recorded, so it must not be done.
        """
        self.flush()
        self._append(event, durable=True)

    def happened(self, event: Event, *, durable: bool = True) -> None:
        """Record what happened; never raises for a full disk."""
        self._unwritten.append((event, durable))
        try:
            self.flush()
        except StateDirError as error:
            self._trouble = f"{error.title}: no new step starts until it can be written."
            self.notify()

    def flush(self) -> None:
        """Write what could not be written before.

        An outcome may find room in the journal's reserve where a note finds none, so each is tried.

        Raises:
            StateDirError: something still cannot be.
        """
        waiting, self._unwritten = self._unwritten, []
        problem: StateDirError | None = None
        for event, durable in waiting:
            try:
                self._append(event, durable=durable)
            except StateDirError as error:
                problem = error
                self._unwritten.append((event, durable))
        if problem is not None:
            raise problem

    def _append(self, event: Event, *, durable: bool) -> None:
        event = redact_event(event, self.known.redactor)
        self.state = apply(self.state, self.journal.append(event, durable=durable))
        self.notify()
