"""Stand-ins for Dovecot's commands on the host's real configuration and server; doveadm has a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.demo.imap import settings
from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.standins.doveadm import NOT_RUNNING, SOCKETS, doveadm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.standins.call import Call, Command, Options

BROKEN = 89
"""Exit status of a Dovecot whose configuration cannot be read."""


def dovecot(call: Call) -> int | None:
    """Run the daemon's command: start, stop, reload, show settings."""
    options = call.options("Fnac:", long="version")
    match options.rest:
        case ():
            if "version" in options.flags:
                call.say(f"{settings.VERSION} (rehearsal)")
            elif options.flags & {"n", "a"}:
                _show(call, options)
            else:
                control(call, "start")
        case ("stop" | "reload" as action,):
            control(call, action)
        case _:
            call.refuse()
    return None


def doveconf(call: Call) -> int | None:
    """Run the command that shows settings: -n, -a, -d, -h and names."""
    _show(call, call.options("nadhc:"))
    return None


def _show(call: Call, options: Options) -> None:
    path = options.value("c", settings.path_of(call.machine.host))
    header = f"# {settings.VERSION} (rehearsal): {path}"
    names = options.rest
    try:
        conf = settings.Section() if "d" in options.flags else settings.read(call.machine.host, path)
    except ServiceError as error:
        call.say(header)
        call.fail(str(error), BROKEN)
    if not names:
        call.say(header)
        for line in conf.written():
            call.say(line)
        if options.flags & {"a", "d"}:
            for name in sorted(settings.DEFAULTS.keys() - conf.settings.keys()):
                call.say(f"{name} = {settings.DEFAULTS[name]}")
    for name in names:
        if name not in conf.settings and name not in settings.DEFAULTS:
            call.refuse(f"{name} is not set, its default")
        call.say(conf.value(name) if "h" in options.flags else f"{name} = {conf.value(name)}")


def control(call: Call, action: str) -> None:
    """Start, stop or reload the server, or end with Dovecot's words for why not."""
    server = call.machine.imap
    running = call.ask(lambda: server.running)
    if action == "start" and running:
        call.fail("Fatal: Dovecot is already running", BROKEN)
    if action != "start" and not running:
        call.fail(f"Fatal: Dovecot is not running (read from {SOCKETS}/master.pid)", NOT_RUNNING)
    actions = {"start": server.start, "stop": server.stop, "reload": server.reload}
    try:
        call.wait(actions[action]())
    except ServiceError as error:
        call.fail(str(error), BROKEN)


COMMANDS: Mapping[str, Command] = {"dovecot": dovecot, "doveconf": doveconf, "doveadm": doveadm}
