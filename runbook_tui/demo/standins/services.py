"""service and sysrc of FreeBSD, systemctl, service and invoke-rc.d of Debian: each with its own words and statuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.standins import packages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.machine import Machine, Service
    from runbook_tui.demo.standins.call import Call, Command

NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "freebsd": {
        "postfix": ("postfix",), "dovecot": ("dovecot",), "web": ("apache24", "apache22"), "cron": ("cron",),
        "database": ("postgresql",), "named": ("named",), "spamd": ("sa-spamd", "spamd"), "ssh": ("sshd",),
    },
    "debian": {
        "postfix": ("postfix", "postfix@-"), "dovecot": ("dovecot",), "web": ("apache2",), "cron": ("cron",),
        "database": ("postgresql",), "named": ("named", "bind9"), "spamd": ("spamd",), "ssh": ("ssh", "sshd"),
    },
}  # fmt: skip
"""What each system calls a daemon: its own name first."""

RC_CONF = "/etc/rc.conf"
_ALWAYS = {"cron", "ssh", "sshd"}
"""FreeBSD enables these in /etc/defaults/rc.conf."""
_NOT_RUNNING, _UNKNOWN = 3, 4


def named(system: str, daemons: Mapping[str, Service]) -> dict[str, Service]:
    """Give each daemon (`postfix`, `web`, ...) under all the names its system has for it."""
    return {name: daemon for role, daemon in daemons.items() for name in NAMES[system].get(role, (role,))}


def _find(machine: Machine, name: str) -> Service | None:
    own = name.removesuffix(".service")
    return machine.services.get(own) if packages.brought(machine.host, own) else None


async def _act(service: Service, verb: str) -> None:
    match verb:
        case "start":
            await service.start()
        case "stop":
            await service.stop()
        case "reload":
            await service.reload()
        case "restart":
            await service.stop()
            await service.start()
        case "try-restart" | "condrestart" if service.running:
            await _act(service, "restart")
        case "reload-or-restart" | "force-reload":
            await _act(service, "reload" if service.running else "start")


ACTS = ("start", "stop", "reload", "restart", "try-restart", "reload-or-restart", "force-reload")


def service_freebsd(call: Call) -> int:
    """service(8) with rc.subr's words: what is not enabled in rc.conf wants `onestart`."""
    given = call.options("eRlv", long="")
    if given.flags & {"e", "l"}:
        for name in call.machine.services:
            if "l" in given.flags or enabled_in_rc(call.machine, name):
                call.say(name if "l" in given.flags else f"/usr/local/etc/rc.d/{name}")
        return 0
    name, verb = (*given.rest, "", "")[:2]
    service = call.machine.services.get(name)
    if service is None:
        call.fail(
            f"{name} does not exist in /etc/rc.d or the local startup\n"
            "directories (/usr/local/etc/rc.d), or is not executable"
        )
    plain = re.sub("^(one|force|fast|quiet)", "", verb)
    if verb in {"rcvar", "enabled"}:
        call.say(f'{_variable(name)}="{"YES" if enabled_in_rc(call.machine, name) else "NO"}"')
        return 0
    if plain not in {*ACTS, "status"}:
        call.fail(f"usage: {name} [fast|force|one|quiet](start|stop|restart|rcvar|enabled|describe|reload|status)")
    if plain == verb and not enabled_in_rc(call.machine, name):
        call.fail(
            f"Cannot '{verb}' {name}. Set {_variable(name)} to YES in /etc/rc.conf "
            f"or use 'one{verb}' instead of '{verb}'."
        )
    return _rc(call, name, service, plain)


def _rc(call: Call, name: str, service: Service, verb: str) -> int:
    running = call.ask(lambda: service.running)
    if verb == "status":
        call.say(f"{name} is running as pid {_pid(name)}." if running else f"{name} is not running.")
        return 0 if running else 1
    if verb in {"stop", "reload"} and not running:
        call.say(f"{name} not running? (check /var/run/{name}.pid).")
        return 1
    if verb == "start" and running:
        call.say(f"{name} already running? (pid={_pid(name)}).")
        return 1
    if verb in {"stop", "restart"} and running:
        call.say(f"Stopping {name}.")
    if verb in {"start", "restart"}:
        call.say(f"Starting {name}.")
    try:
        call.wait(_act(service, verb))
    except ServiceError as error:
        call.warn(str(error))
        call.fail(f"/usr/local/etc/rc.d/{name}: WARNING: failed to {verb} {name}")
    return 0


def _pid(name: str) -> int:
    return 1000 + sum(name.encode()) % 9000  # the daemons are threads of one process: a number that stays the same


def _variable(name: str) -> str:
    return {"sa-spamd": "spamd"}.get(name, name) + "_enable"


def enabled_in_rc(machine: Machine, name: str) -> bool:
    """Tell whether FreeBSD would start a service at boot."""
    value = _rc_conf(machine).get(_variable(name), "YES" if name in _ALWAYS else "NO")
    return value.upper() in {"YES", "TRUE", "ON", "1"}


def _rc_conf(machine: Machine) -> dict[str, str]:
    path = machine.host.path(RC_CONF)
    text = path.read_text("utf-8") if path.exists() else ""
    return {key: value.strip('"') for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)}


def sysrc(call: Call) -> int:
    """Read and set rc.conf's variables."""
    given = call.options("nxaq")
    known, status = _rc_conf(call.machine), 0
    changes: dict[str, str | None] = {}
    for word in sorted(known) if "a" in given.flags else given.rest:
        name, equals, value = word.partition("=")
        if equals:
            call.say(f"{name}: {known.get(name, '')} -> {value}")
            changes[name] = value
        elif name not in known:
            call.warn(f"sysrc: unknown variable '{name}'")
            status = 1
        elif "x" in given.flags:
            changes[name] = None
        else:
            call.say(known[name] if "n" in given.flags else f"{name}: {known[name]}")
    if changes:
        _set_rc(call.machine, changes)
    return status


def _set_rc(machine: Machine, changes: Mapping[str, str | None]) -> None:
    path = machine.host.path(RC_CONF)
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    left = dict(changes)
    kept = []
    for line in lines:
        name = line.partition("=")[0]
        value = left.pop(name) if name in left else line.partition("=")[2].strip('"')
        if name in changes and value is not None:
            kept.append(f'{name}="{value}"')
        elif name not in changes:
            kept.append(line)
    kept += [f'{name}="{value}"' for name, value in left.items() if value is not None]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")


def systemctl(call: Call) -> int:
    """Start, stop, look at, enable and disable units."""
    given = call.options("qlfan:p:", long="now quiet no-pager full no-block value all failed property= type= state=")
    verb, *units = given.rest or ("list-units",)
    if verb == "daemon-reload" or (verb == "reset-failed" and not units):
        return 0
    if verb in {"list-units", "list-unit-files"} or not units:
        return _list_units(call, verb, failed="failed" in given.flags or given.value("state") == "failed")
    statuses = [0]
    for unit in units:
        name = unit.removesuffix(".service")
        if name.endswith(".socket") and _find(call.machine, name.removesuffix(".socket")):
            continue  # the daemons here open their sockets themselves
        statuses.append(_unit(call, verb, name, given.flags))
    return max(statuses)


def _list_units(call: Call, verb: str, *, failed: bool) -> int:
    if verb not in {"list-units", "list-unit-files"}:
        call.refuse(verb)
    for name in call.machine.services:
        if (service := _find(call.machine, name)) and service.running and not failed:
            call.say(f"  {name}.service loaded active running {name}")
    return 0


def _unit(call: Call, verb: str, name: str, flags: frozenset[str]) -> int:
    service = _find(call.machine, name)
    if service is None:
        return _unknown_unit(call, verb, name)
    running = call.ask(lambda: service.running)
    quiet = bool(flags & {"q", "quiet"})
    enabled = call.machine.enabled
    match verb:
        case "is-active":
            return _word(call, "active" if running else "inactive", 0 if running else _NOT_RUNNING, quiet=quiet)
        case "is-enabled":
            on = enabled.get(_own_name(call.machine, name), True)
            return _word(call, "enabled" if on else "disabled", 0 if on else 1, quiet=quiet)
        case "is-failed":
            return _word(call, "active" if running else "inactive", 1, quiet=quiet)
        case "status":
            call.say(f"{'●' if running else '○'} {name}.service - {name}\n"
                     f"     Active: {'active (running)' if running else 'inactive (dead)'}")  # fmt: skip
            return 0 if running else _NOT_RUNNING
        case "enable" | "disable" | "mask" | "unmask":
            enabled[_own_name(call.machine, name)] = verb in {"enable", "unmask"}
            if "now" in flags:
                return _job(call, name, service, "start" if verb == "enable" else "stop")
            return 0
        case _ if verb in ACTS:
            return _job(call, name, service, verb)
        case _:
            return call.refuse(verb)


def _word(call: Call, word: str, status: int, *, quiet: bool) -> int:
    if not quiet:
        call.say(word)
    return status


def _own_name(machine: Machine, name: str) -> str:
    return next(known for known, service in machine.services.items() if service is machine.services[name])


def _unknown_unit(call: Call, verb: str, name: str) -> int:
    match verb:
        case "is-active":
            call.say("inactive")
        case "is-enabled":
            call.warn(f"Failed to get unit file state for {name}.service: No such file or directory")
            return 1
        case "status":
            call.warn(f"Unit {name}.service could not be found.")
        case "enable" | "disable" | "mask" | "unmask":
            call.warn(f"Failed to {verb} unit: Unit file {name}.service does not exist.")
            return 1
        case _:
            call.warn(f"Failed to {verb} {name}.service: Unit {name}.service not found.")
            return 5
    return _NOT_RUNNING if verb == "is-active" else _UNKNOWN


def _job(call: Call, name: str, service: Service, verb: str) -> int:
    if verb == "reload" and not call.ask(lambda: service.running):
        call.warn(f"{name}.service is not active, cannot reload.")
        return 1
    try:
        call.wait(_act(service, verb))
    except ServiceError as error:
        call.warn(
            f"Job for {name}.service failed because the control process exited with error code.\n"
            f'See "systemctl status {name}.service" and "journalctl -xeu {name}.service" for details.\n{error}'
        )
        return 1
    return 0


def service_debian(call: Call) -> int:
    """service(8) and invoke-rc.d of Debian: systemctl with the words the other way round."""
    given = call.options("", long="status-all")
    name, verb = (*given.rest, "", "")[:2]
    service = _find(call.machine, name)
    if service is None and name:
        call.fail(f"{name}: unrecognized service" if verb != "status" else f"Unit {name}.service could not be found.",
                  _UNKNOWN if verb == "status" else 1)  # fmt: skip
    if verb not in {*ACTS, "status"}:
        call.refuse(verb or "no verb")
    return _unit(call, verb, name, frozenset())


COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "freebsd": {"service": service_freebsd, "sysrc": sysrc},
    "debian": {"service": service_debian, "systemctl": systemctl, "invoke-rc.d": service_debian},
}
"""By system: both know `service`, with different manners."""
