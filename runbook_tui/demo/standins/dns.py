"""Stand-ins of BIND's tools for whoever runs the name server; those for asking it are in `lookup`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dns.name

from runbook_tui.demo.dns import zonefile
from runbook_tui.demo.dns.zonefile import ZoneError
from runbook_tui.demo.standins import lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.demo.dns.authoritative import Authoritative
    from runbook_tui.demo.standins.call import Call, Command

CONFIGURATION = {"freebsd": "/usr/local/etc/namedb/named.conf", "debian": "/etc/bind/named.conf"}
_WORD = re.compile(r'/\*.*?\*/|(?://|#)[^\n]*|"[^"\n]*"|[{};\n]|[^\s{};"]+', re.DOTALL)


def rndc(call: Call) -> None:
    """Control the name server of this host."""
    match call.argv[1:]:
        case ("reload", zone):
            _of_zone(call, "reload", zone, _reload)
        case ("reload",):
            server = _named(call)
            call.wait(server.reload())
            call.say("server reload successful")
        case ("status",):
            server = _named(call)
            zones = 0 if server.serial is None else 1
            call.say(f"version: BIND 9.18 (rehearsal)\nnumber of zones: {zones}\nserver is up and running")
        case ("zonestatus", zone):
            _of_zone(call, "zonestatus", zone, _zone_status)
        case ("freeze" | "thaw" as word, zone):
            _of_zone(call, word, zone, _freeze if word == "freeze" else _thaw)
        case _:
            call.refuse()


def _named(call: Call) -> Authoritative:
    server = call.machine.world.authoritative
    if "named" not in call.machine.services or not server.running:
        call.fail("rndc: connect failed: 127.0.0.1#953: connection refused")
    return server


def _of_zone(call: Call, word: str, zone: str, act: Callable[[Call, Authoritative], None]) -> None:
    server = _named(call)
    if dns.name.from_text(zone) != server.origin:
        call.warn(f"rndc: '{word}' failed: not found")
        call.fail(f"no matching zone '{zone}' in any view")
    act(call, server)


def _reload(call: Call, server: Authoritative) -> None:
    """Reload the zone. A broken file is only logged, by the real one too: the old zone stays and the status is 0."""
    if server.dynamic and not server.frozen:
        call.fail("rndc: 'reload' failed: dynamic zone")
    call.wait(server.reload())
    call.say("zone reload queued")


def _zone_status(call: Call, server: Authoritative) -> None:
    call.say(f"name: {server.origin.to_text(omit_final_dot=True)}\ntype: primary\nfiles: {server.zone_file}")
    call.say(f"serial: {server.serial}\ndynamic: {'yes' if server.dynamic else 'no'}")


def _freeze(call: Call, server: Authoritative) -> None:
    if not server.dynamic:
        call.fail("rndc: 'freeze' failed: not dynamic")
    server.frozen = True


def _thaw(call: Call, server: Authoritative) -> None:
    if not server.dynamic:
        call.fail("rndc: 'thaw' failed: not dynamic")
    server.frozen = False
    call.wait(server.reload())
    call.say("The zone reload and thaw was successful.")


def named_checkzone(call: Call) -> int:
    """Check a zone file as the name server would read it."""
    options = call.options("q")
    if len(options.rest) != 2:
        call.refuse()
    origin, name = options.rest
    try:
        zone = zonefile.load(call.file(name), origin)
    except ZoneError as error:
        call.say(f"zone {origin}/IN: loading from master file {name} failed: {error}")
        call.say(f"zone {origin}/IN: not loaded due to errors.")
        return 1
    if "q" not in options.flags:
        for warning in zonefile.warnings(zone):
            call.say(f"zone {origin}/IN: {warning}")
        call.say(f"zone {origin}/IN: loaded serial {zonefile.serial(zone)}\nOK")
    return 0


def named_checkconf(call: Call) -> int:
    """Check braces and semicolons of named.conf: what breaks when it is edited by hand."""
    options = call.options("")
    name = options.rest[0] if options.rest else CONFIGURATION[call.machine.host.layout.system]
    try:
        text = call.file(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        call.say(f"open: {name}: file not found")
        return 1
    wrong = _wrong_with(text)
    if wrong:
        call.say(f"{name}:{wrong}")
        return 1
    return 0


def _wrong_with(text: str) -> str:
    """Give the first fault of a named.conf with its line; empty when there is none."""
    line, depth, before = 1, 0, ";"
    for word in _WORD.findall(text):
        line += word.count("\n")
        if word.isspace() or word.startswith(("/*", "//", "#")):
            continue
        if word == "{":
            depth += 1
        elif word == "}":
            if before not in (";", "{"):
                return f"{line}: missing ';' before '}}'"
            depth -= 1
            if depth < 0:
                return f"{line}: syntax error near '}}'"
        elif before == "}" and word != ";":
            return f"{line}: missing ';' before '{word}'"
        before = word
    if depth:
        return f"{line}: '}}' expected near end of file"
    return "" if before == ";" else f"{line}: missing ';' before end of file"


COMMANDS: Mapping[str, Command] = {
    "rndc": rndc, "named-checkzone": named_checkzone, "named-checkconf": named_checkconf, **lookup.COMMANDS,
}  # fmt: skip
