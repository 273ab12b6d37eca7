"""States, durations and sizes as an operator reads them: always a word beside the glyph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.applies import NOT_HERE
from runbook_tui.core.run import Status
from runbook_tui.core.verbs import word
from runbook_tui.ports import CheckState, Link

if TYPE_CHECKING:
    from runbook_tui.core.run import Attempt


@dataclass(frozen=True, slots=True)
class Sign:
    """How a state is shown: glyph, word and the theme variable of its colour."""

    glyph: str
    word: str
    style: str


STATUS = {
    status: Sign(glyph, word(status), style)
    for status, glyph, style in (
        (Status.TODO, "·", "$muted"),
        (Status.HELD, "⊘", "$warning"),
        (Status.RUNNING, "●", "$primary"),
        (Status.DONE, "✓", "$success"),
        (Status.FAILED, "✗", "$error"),
        (Status.STOPPED, "■", "$warning"),
        (Status.UNKNOWN, "?", "$warning"),
        (Status.NOT_RUN, "∅", "$warning"),
        (Status.SKIPPED, "↷", "$muted"),
        (Status.BY_HAND, "✎", "$success"),
        (Status.UNDONE, "↶", "$warning"),
    )
}
NOT_HERE_SIGN = Sign("○", NOT_HERE, "$muted")
"""What does not apply here: nothing to do, nothing to look at."""
SHORT_WORDS = {word(Status.BY_HAND): "by hand"}
"""Words of the step list, where every column counts."""

CHECK = {
    CheckState.PASS: Sign("✓", "pass", "$success"),
    CheckState.WARN: Sign("!", "warn", "$warning"),
    CheckState.FAIL: Sign("✗", "fail", "$error"),
    CheckState.PENDING: Sign("◔", "pending", "$primary"),
    CheckState.UNKNOWN: Sign("?", "unknown", "$warning"),
}
LINK = {
    Link.IDLE: Sign("·", Link.IDLE.value, "$muted"),
    Link.CONNECTING: Sign("◔", Link.CONNECTING.value, "$primary"),
    Link.ASKING: Sign("?", Link.ASKING.value, "$warning"),
    Link.UP: Sign("✓", Link.UP.value, "$success"),
    Link.DOWN: Sign("✗", Link.DOWN.value, "$error"),
    Link.REFUSED: Sign("✗", Link.REFUSED.value, "$error"),
}
NO_RETURN_GLYPH = "⊣"
"""In the list of steps, where there is no room for the words; the step itself has them."""
REOPENED_GLYPH = "⊘"
"""A gate that turned red behind a step that is done."""
DRIFT_GLYPH = {"moved": "↕", "changed": "≠"}


def clock(seconds: float) -> str:
    """Give hours, minutes and seconds: `00:04:12`, from a day on `3 d 04:00:12`."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {text}" if days else text


def took(seconds: float) -> str:
    """Give a duration in the unit that says most: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"
    return f"{int(seconds) // 3600} h {int(seconds) // 60 % 60:02} min"


def plural(count: int, one: str, many: str = "") -> str:
    """Give `1 step`, `2 steps`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def bar(percent: int, width: int) -> str:
    """Draw a progress bar of that many cells."""
    full = round(max(0, min(100, percent)) * width / 100)
    return "━" * full + "─" * (width - full)


def ending(attempt: Attempt) -> str:
    """Say how an attempt ended, in the far side's own terms."""
    if attempt.open:
        return "it has not ended"
    if attempt.signal:
        return f"ended by signal {attempt.signal}"
    if attempt.exit is not None:
        return f"exit status {attempt.exit}"
    return "no exit status came back"
