"""Stopping and leaving: what is signalled over there, what goes on, and what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.untrusted import untrusted, untrusted_line
from runbook_tui.ui.words import clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from runbook_tui.engine import Activity
    from runbook_tui.ui.rhythm import Rhythm


def _what(number: str, activity: Activity) -> Content:
    attempt = activity.attempt
    where = Content.assemble(" on ", untrusted_line(attempt.host, "bold")) if attempt.host else Content("")
    return Content.assemble(
        (number, "bold"), f" is {activity.stage}", where, f" for {clock(activity.elapsed)}:\n\n",
        untrusted(_short(attempt.command), "$muted"),
    )  # fmt: skip


def _short(command: str) -> str:
    lines = command.strip().splitlines()
    return "\n".join(lines[:6] + ([f"… {len(lines) - 6} more lines"] if len(lines) > 6 else []))


class StopScreen(AskScreen):
    """Asks before TERM is sent; to stop something is never delayed by what there is to read."""

    READ_FIRST = False

    def __init__(self, number: str, activity: Activity, rhythm: Rhythm) -> None:
        super().__init__(rhythm, Content.styled("Stop what runs", "bold $primary"), yes="Send TERM", no="Let it run")
        self._text = _what(number, activity)
        self._group = activity.attempt.pgid

    def body(self) -> Iterable[Widget]:
        """Give what is signalled."""
        yield Static(self._text, classes="facts")
        group = f"process group {self._group}" if self._group else "its process group"
        text = f"TERM goes to {group} over there. What it had done by then stays done.\nThe step is then stopped."
        yield Static(text, classes="facts")


class KillScreen(AskScreen):
    """Asks before KILL is sent; the word has to be typed."""

    READ_FIRST = False

    def __init__(self, number: str, activity: Activity, rhythm: Rhythm) -> None:
        heading = Content.styled("It was sent TERM and lives on", "bold $error")
        super().__init__(rhythm, heading, wants="kill", yes="Send KILL", no="Let it run", danger=True)
        self._text = _what(number, activity)

    def body(self) -> Iterable[Widget]:
        """Give what is signalled."""
        yield Static(self._text, classes="facts")
        yield Static("KILL ends it at once: it can not tidy up, and files may be left half written.", classes="facts")


class LeaveScreen(AskScreen):
    """Asks before leaving while something runs."""

    READ_FIRST = False

    def __init__(self, number: str, activity: Activity, rhythm: Rhythm) -> None:
        heading = Content.styled("Something is running", "bold $warning")
        super().__init__(rhythm, heading, yes="Leave it running", no="Stay")
        self._text = _what(number, activity)

    def body(self) -> Iterable[Widget]:
        """Give what happens over there."""
        yield Static(self._text, classes="facts")
        yield Static(
            "It goes on over there by itself. When you resume, it is found again with all that it said meanwhile.\n"
            "To end it, stay and press x. Waits go on by the clock.",
            classes="facts",
        )
