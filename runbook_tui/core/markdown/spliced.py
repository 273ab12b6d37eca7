"""What a command may not have in it, or had better not: secrets in the open, a sudo that cannot ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.model import ActionKind, LiteralSource, Problem, Severity
from runbook_tui.core.script import sudo_by_path
from runbook_tui.core.settle import mentioned, places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runbook_tui.core.markdown.actions import Context
    from runbook_tui.core.model import Action, Literal, Phase

_HINT = 'give it to the command with secret="{0}": it reads the value as a line of its standard input'
_FILE_HINT = "mark the file step .secret"


def check_spliced(
    phases: tuple[Phase, ...], literals: tuple[Literal, ...], lines: Sequence[str], context: Context
) -> None:
    """Note every literal of kind secret in what would be sent in the open (FORMAT.md, Spelling 4)."""
    secrets = tuple(lit for lit in literals if lit.source is LiteralSource.SECRET)
    actions = [action for phase in phases for step in phase.steps for action in step.actions] if secrets else []
    for action in actions:
        if action.kind in {ActionKind.COMMAND, ActionKind.FILE}:
            hint = _FILE_HINT if action.kind is ActionKind.FILE else _HINT
            for text, line in _open(action):
                for literal in mentioned(text, literals):
                    if literal in secrets:
                        place = _place(literal, text, line, lines)
                        message = f"{literal.text} stands for a secret, which is never put into what is shown or sent"
                        context.error(*place, "spliced-secret", message, hint.format(literal.text))


def check_sudo(phases: tuple[Phase, ...], context: Context) -> None:
    """Warn of every sudo that is called by its path: it does not find ours, so it cannot ask for a password."""
    for action in (action for phase in phases for step in phase.steps for action in step.actions):
        own = [(action.text, action.line)] if action.kind is ActionKind.COMMAND else []
        proofs = [(part.text, part.line) for part in action.verifies if part.become]
        for text, line in (*own, *proofs, *((undo.text, undo.line) for undo in action.undos)):
            if path := sudo_by_path(text):
                message = f"{path} cannot ask for a password when it is called by its path: it fails if it wants one"
                context.problems.append(Problem(line, 1, Severity.WARNING, "sudo-by-path", message, "write sudo"))


def _open(action: Action) -> Iterator[tuple[str, int]]:
    """Give the texts of an action that are shown or sent as they are, and the line before each or its fence's."""
    if action.file is None or not action.file.secret:
        yield action.text, action.line
    file = (action.file.path, action.file.validate) if action.file is not None else ()
    for text in (action.cwd, action.expect, action.dry_run, action.recheck, *file):
        yield text, action.line
    for proof in action.verifies:
        yield from ((text, proof.line) for text in (proof.text, proof.cwd, proof.expect))
    for undo in action.undos:
        yield from ((text, undo.line) for text in (undo.text, undo.cwd))


def _place(literal: Literal, text: str, line: int, lines: Sequence[str]) -> tuple[int, int]:
    """Give line and column of the first place from the fence on; the fence's own line has its attributes."""
    for number in range(line, min(line + text.count("\n") + 2, len(lines) + 1)):
        for column in places(literal, lines[number - 1]):
            return number, column
    return line, 1
