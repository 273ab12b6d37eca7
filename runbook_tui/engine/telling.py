"""What would tell a known secret: the actions that have one in their text, and what a confirmation shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core.settle import effective

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runbook_tui.core.model import Action, ActionId, Phase, Runbook
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.core.redact import KnownSecrets, Redactor
    from runbook_tui.core.run import Answers, RunState


class Telling:
    """Which actions have which known secret in their text, with the run's values put in; looked up when one changes."""

    def __init__(self, known: KnownSecrets) -> None:
        self._known = known
        self._of: tuple[Redactor, Answers, object] | None = None
        self._found: Mapping[ActionId, str] = {}
        self._read_of: tuple[Redactor, Runbook] | None = None
        self._read: Runbook | None = None

    def readable(self, runbook: Runbook) -> Runbook:
        """Give the runbook with no secret in what is only read: titles, prose, warnings; the same while it has none."""
        redactor = self._known.redactor
        if not redactor:
            return runbook
        if self._read is None or self._read_of is None or any(
            one is not other for one, other in zip((redactor, runbook), self._read_of, strict=True)
        ):
            self._read_of = (redactor, runbook)
            self._read = replace(
                runbook, title=redactor.redact(runbook.title),
                phases=tuple(_readable(phase, redactor.redact) for phase in runbook.phases),
            )  # fmt: skip
            if self._read == runbook:
                self._read = runbook
        return self._read

    def of(self, state: RunState) -> Mapping[ActionId, str]:
        """Give the secret's name for each action that has one; the same mapping while nothing changed."""
        now = (self._known.redactor, state.answers, state.runbook)
        if self._of is None or any(one is not other for one, other in zip(now, self._of, strict=True)):
            found = {
                action.id: names[0]
                for action in (state.runbook.actions() if self._known.redactor else ())
                if (names := self._known.redactor.names_in("\n\n".join(_texts(effective(state, action)))))
            }
            self._of = now
            if found != self._found:
                self._found = found
        return self._found


def _texts(action: Action) -> Iterator[str]:
    """Give everything of an action that is sent to a host, or looked for in what one says."""
    yield from (action.text, action.dry_run, action.recheck, action.expect)
    if action.file is not None:
        yield from (str(action.file.path), action.file.validate)
    for proof in action.verifies:
        yield from (proof.text, proof.expect)
    yield from (undo.text for undo in action.undos)
    yield from (output.text for output in action.outputs)


def _readable(phase: Phase, redact: Callable[[str], str]) -> Phase:
    steps = tuple(
        replace(
            step, title=redact(step.title), source=redact(step.source), warnings=tuple(map(redact, step.warnings)),
            actions=tuple(replace(action, title=redact(action.title)) for action in step.actions),
        )
        for step in phase.steps
    )  # fmt: skip
    return replace(phase, title=redact(phase.title), prose=redact(phase.prose), steps=steps)


def without_secrets(proposal: Proposal, known: KnownSecrets) -> Proposal:
    """Give the confirmation without secrets in what the host said: the diff of a file, the output of a dry run."""
    dry = proposal.dry_run
    if dry is not None:
        dry = replace(dry, output=known.output(dry.output))
    return replace(
        proposal, detail=known.redact(proposal.detail), dry_run=dry, written=known.redact(proposal.written),
        done_when=tuple(map(known.redact, proposal.done_when)), way_back=tuple(map(known.redact, proposal.way_back)),
        gates=tuple(map(known.redact, proposal.gates)), warnings=tuple(map(known.redact, proposal.warnings)),
    )  # fmt: skip
