"""What a bare `mailrunbook` offers: the unfinished runs and the shipped runbooks, by number on a terminal."""

from __future__ import annotations

import os

from runbook_tui.adapters.runs import RunStanding, list_runs, state_dir
from runbook_tui.cli.console import say
from runbook_tui.cli.shipped import shipped
from runbook_tui.core.errors import UsageError


def choose() -> tuple[str, str] | None:
    """List what there is; on a terminal ask for a number. Gives (`resume` or `run`, its name), None to leave."""
    offers = [
        ("resume", info.id, f"{info.title}, {info.settled} of {info.steps} steps settled, {info.state}")
        for info in list_runs(state_dir())
        if info.state is not RunStanding.CLOSED and not info.problem
    ]
    offers += [("run", name, "a runbook that comes with mailrunbook") for name in shipped()]
    asking = os.isatty(0) and os.isatty(1)
    for number, (verb, name, about) in enumerate(offers, start=1):
        say(f"{f'{number}. ' if asking else ''}mailrunbook {verb} {name}: {about}")
    if not asking:
        return None
    say("mailrunbook run FILE begins a runbook of your own.")
    try:
        answer = input("Number, or nothing to leave: ").strip()
    except EOFError:
        return None
    if not answer:
        return None
    if not answer.isascii() or not answer.isdigit() or not 1 <= int(answer) <= len(offers):
        raise UsageError(f"{answer!r} is none of the numbers", hint="Nothing was opened.")
    return offers[int(answer) - 1][:2]
