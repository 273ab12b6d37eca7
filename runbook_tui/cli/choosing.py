"""What a bare `mailrunbook` offers: the unfinished runs and the shipped runbooks, by number on a terminal."""

from __future__ import annotations

import os
import select
import signal

from runbook_tui.adapters.runs import RunStanding, list_runs, state_dir
from runbook_tui.cli.console import say, write
from runbook_tui.cli.shipped import shipped
from runbook_tui.core.errors import UsageError


def _typed(prompt: str) -> str:
    """Ask for a line; empty at the end of input.

    `input()` may miss a Ctrl-C that comes between the prompt and its read, and then waits for a second one; the
    wake-up descriptor is readable from the moment the signal came.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writing)
    try:
        write(prompt)
        ready, _, _ = select.select([0, reading], [], [])
        if reading in ready:  # also when the interruption itself came in a moment that swallows exceptions
            raise KeyboardInterrupt
        return os.read(0, 4096).decode("utf-8", "replace")
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def choose() -> tuple[str, str] | None:
    """List what there is; on a terminal ask for a number. Gives (`resume` or `run`, its name), None to leave."""
    offers = [
        ("resume", info.id, f"{info.title}, {info.settled} of {info.steps} steps settled, {info.state}")
        for info in list_runs(state_dir())
        if info.state is not RunStanding.CLOSED and not info.problem and not info.rehearsal
    ]
    offers += [("run", name, "a runbook that comes with mailrunbook") for name in shipped()]
    asking = os.isatty(0) and os.isatty(1)
    for number, (verb, name, about) in enumerate(offers, start=1):
        say(f"{f'{number}. ' if asking else ''}mailrunbook {verb} {name}: {about}")
    if not asking:
        return None
    say("mailrunbook run FILE begins a runbook of your own.")
    answer = _typed("Number, or nothing to leave: ").strip()
    if not answer:
        return None
    if not answer.isascii() or not answer.isdigit() or not 1 <= int(answer) <= len(offers):
        raise UsageError(f"{answer!r} is none of the numbers", hint="Nothing was opened.")
    return offers[int(answer) - 1][:2]
