"""The verbs that need no confirmation, each carried out on the engine and answered with lines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.core.errors import Refused
from runbook_tui.core.events import Settlement
from runbook_tui.core.text import clean_line
from runbook_tui.plain import show
from runbook_tui.plain.words import USAGE, Order, Word
from runbook_tui.saving import write_new

if TYPE_CHECKING:
    from runbook_tui.engine import Engine
    from runbook_tui.plain.lines import Output

_NAMED = {"os": Settlement.OS, "when": Settlement.WHEN, "alt": Settlement.ALT}
"""What is settled by its own word, unless the runbook has a literal of that name."""


async def obey(engine: Engine, out: Output, order: Order, action: str) -> None:
    """Carry out a verb on an action; what changed is said by the watch, what was asked for here.

    Raises:
        RunbookTuiError: it is refused or cannot be done; nothing changed.
    """
    match order.word:
        case Word.SKIP:
            await engine.skip(action, order.rest)
        case Word.DONE:
            await engine.mark_done(action, order.rest)
        case Word.OVERRIDE:
            await engine.override(action, order.rest)
        case Word.NOTE:
            await engine.note(action, order.rest)
        case Word.STOP:
            await _stop(engine, out, kill=order.rest == "kill")
        case Word.SET:
            await _settle(engine, out, order.rest, action)
        case Word.ACCEPT:
            await engine.settle(action, Settlement.ACCEPT, "")
            out.line("accepted as it stands")
        case Word.HOSTS:
            _say(out, show.hosts(engine.hosts()))
        case Word.TRUST:
            await _trust(engine, out, order.rest)
        case Word.CHECKS:
            _checks(engine, out, order.rest)
        case Word.EXPORT:
            _export(engine, out, order.rest)
        case Word.HELP:
            _say(out, show.verbs())
        case Word.TAKEOVER:
            out.line(clean_line(await engine.take_over(order.rest)))
        case word:
            raise AssertionError(word)


async def _stop(engine: Engine, out: Output, *, kill: bool) -> None:
    """Signal what runs. What is only being sent is waited for: a stop that was typed must not get lost."""
    changed = asyncio.Event()
    forget = engine.subscribe(changed.set)
    try:
        while (activity := engine.activity) is not None and activity.stage == "starting":
            changed.clear()
            await changed.wait()
    finally:
        forget()
    out.line(clean_line(await engine.stop(kill=kill)))
    if engine.kill_offered:
        out.line("something of it lives on; stop kill sends KILL")


def _checks(engine: Engine, out: Output, name: str) -> None:
    """Say what the checks say; of one that is named everything, and have it look now."""
    views = engine.checks()
    if not name:
        _say(out, show.checks(views, engine.now))
        return
    view = next((view for view in views if view.name == name), None)
    if view is None:
        known = ", ".join(clean_line(view.name) for view in views) or "none"
        raise Refused(f"there is no check {name}", f"Checks: {known}.")
    _say(out, show.check(view, engine.now))
    engine.look_again(name)


def _say(out: Output, lines: list[str]) -> None:
    for line in lines:
        out.line(line)


async def _settle(engine: Engine, out: Output, text: str, action: str) -> None:
    """Obey `set host NAME`, `set mode MODE`, `set kind KIND`; `set WHAT=VALUE` for a literal, list, os, when, alt."""
    what, _, value = text.partition(" ")
    value = value.strip()
    if what in {"host", "mode", "kind"} and value and "=" not in what:
        settled = "command" if (what, value) == ("kind", "run") else value
        await engine.settle(action, Settlement(what), settled)
        out.line(f"{what} is now {clean_line(value)}")
        return
    literal, equals, value = text.partition("=")
    if not equals or not literal.strip():
        raise Refused("nothing was set", f"It is written {USAGE[Word.SET][0]}.")
    name, value = literal.strip(), value.strip()
    known = engine.state.runbook
    if name in _NAMED and not any(name in {lit.text, lit.key} for lit in known.literals):
        await engine.settle(action, _NAMED[name], value)
    else:
        what_ = Settlement.LIST if name in known.lists else Settlement.LITERAL
        await engine.settle(action, what_, value, name)
    out.line(f"{clean_line(name)} is now {clean_line(value)}")


async def _trust(engine: Engine, out: Output, text: str) -> None:
    host, fingerprint, reason = [*text.split(maxsplit=2), "", "", ""][:3]
    if not fingerprint:
        raise Refused("nothing was trusted", f"It is written {USAGE[Word.TRUST][0]}.")
    await engine.trust(host, fingerprint, reason)
    out.line(f"host {clean_line(host)}: its key is trusted in this run")


def _export(engine: Engine, out: Output, text: str) -> None:
    """Write the transcript into a new file, for the owner alone."""
    format_, _, name = text.partition(" ")
    if not name.strip():
        raise Refused("nothing was written", f"It is written {USAGE[Word.EXPORT][0]}.")
    path = Path(name.strip()).expanduser()
    content = engine.export(format_)
    write_new(path, content)
    out.line(f"transcript written: {clean_line(str(path))}")
