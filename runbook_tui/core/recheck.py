"""What a step's own `recheck=` said of an outcome that is in doubt, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_tui.core.text import clean_line

TAIL_LINES = 20
"""The last lines of its output that are recorded."""

TAIL_LENGTH = 2000
"""The last characters of its output that are recorded."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """What a recheck said on which host: its command, its output (cleaned, bounded, without secrets), its exit status.

    `exit` is None where there was none; `ended` says in words how it ended. `withheld` keeps the output out of what
    is recorded.
    """

    host: str
    command: str
    output: str
    ended: str
    exit: int | None
    withheld: bool = False

    @property
    def done(self) -> bool:
        """Whether it says that the action is done: exit status 0 and nothing else."""
        return self.exit == 0

    @property
    def verdict(self) -> str:
        """Give the sentence; without an exit status it says neither."""
        if self.exit is None:
            return "the recheck does not say whether it is done"
        return "the recheck says it is done" if self.done else "the recheck says it is not done"

    @property
    def note(self) -> str:
        """Give one line, for the note with which the action is marked done."""
        return f"{self.verdict}: {clean_line(self.command.strip())} on {self.host}, {self.ended}"

    @property
    def text(self) -> str:
        """Give all that is recorded: the sentence, the command, how it ended, and the end of its output."""
        shown = "(its output is withheld, as .no-log asks)" if self.withheld and self.output else _tail(self.output)
        parts = (f"{self.verdict} (on {self.host}, {self.ended})", f"$ {self.command.strip()}", shown)
        return "\n".join(part for part in parts if part)


def _tail(output: str) -> str:
    lines = output.rstrip("\n").split("\n")
    tail = "\n".join(lines[-TAIL_LINES:])[-TAIL_LENGTH:]
    return f"…\n{tail}" if len(tail) < len(output.rstrip("\n")) else tail
