"""What a system says of itself: uname, hostname, sockstat, ss, logger; and the web server's sites."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.machine import Machine
    from runbook_tui.demo.standins.call import Call, Command

_UNAME = {
    "freebsd": {"s": "FreeBSD", "r": "9.2-RELEASE", "m": "amd64", "p": "amd64",
                "v": "FreeBSD 9.2-RELEASE #0 (in the rehearsal)"},
    "debian": {"s": "Linux", "r": "6.1.0-25-amd64", "m": "x86_64", "p": "unknown", "o": "GNU/Linux",
               "v": "#1 SMP PREEMPT_DYNAMIC Debian (in the rehearsal)"},
}  # fmt: skip

LISTENERS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "postfix": ("master", (25,)), "dovecot": ("dovecot", (143, 993)), "apache2": ("apache2", (80,)),
    "apache24": ("httpd", (80,)), "ssh": ("sshd", (22,)), "sshd": ("sshd", (22,)), "named": ("named", (53,)),
}  # fmt: skip
"""Which process of a service listens where."""

SITES: Mapping[str, str] = {"freebsd": "/usr/local/etc/apache24/Includes", "debian": "/etc/apache2/sites-enabled"}
"""Where a file `NAME.conf` is a site that the web server serves from its next reload on."""


def uname(call: Call) -> None:
    """Say what system the host plays."""
    given = call.options("asnrvmpo", long="kernel-name nodename kernel-release machine all")
    words = {**_UNAME[call.machine.host.layout.system], "n": _name(call.machine)}
    long = {"kernel-name": "s", "nodename": "n", "kernel-release": "r", "machine": "m", "all": "a"}
    asked = {long.get(flag, flag) for flag in given.flags} or {"s"}
    call.say(" ".join(words[letter] for letter in "snrvmpo" if letter in words and asked & {letter, "a"}))


def _name(machine: Machine) -> str:
    path = machine.host.path("/etc/hostname")
    return path.read_text("utf-8").strip() if path.exists() else machine.host.fqdn


def _rename(machine: Machine, name: str) -> None:
    machine.host.path("/etc/hostname").write_text(f"{name}\n", encoding="utf-8")


def hostname(call: Call) -> None:
    """Say the name, with -f or -s, or take a new one."""
    given = call.options("fsdi", long="fqdn long short domain")
    if given.rest:
        _rename(call.machine, given.rest[0])
        return
    host, name = call.machine.host, _name(call.machine)
    full = name if "." in name else f"{name}.{host.domain}"
    if given.flags & {"f", "fqdn", "long"}:
        call.say(full)
    elif given.flags & {"s", "short"}:
        call.say(name.partition(".")[0])
    elif given.flags & {"d", "domain"}:
        call.say(full.partition(".")[2])
    else:
        call.say(host.address if "i" in given.flags else name)


def hostnamectl(call: Call) -> None:
    """Show the name, or set-hostname."""
    given = call.options("", long="static pretty")
    match given.rest:
        case ("set-hostname" | "hostname", name):
            _rename(call.machine, name)
        case () | ("status",):
            call.say(f" Static hostname: {_name(call.machine)}\nOperating System: Debian GNU/Linux 12 (bookworm)")
        case ("hostname",):
            call.say(_name(call.machine))
        case _:
            call.refuse()


def logger(call: Call) -> None:
    """Write a line into the host's mail log."""
    given = call.options("t:p:is", long="tag= priority= id")
    tag = given.value("t") or given.value("tag") or call.user
    texts = [" ".join(given.rest)] if given.rest else call.stdin.read().decode("utf-8", "replace").splitlines()
    for text in texts:
        call.machine.host.log(tag, text)


def _listening(machine: Machine) -> list[tuple[str, int]]:
    return [
        (process, port)
        for name, service in machine.services.items()
        if name in LISTENERS and service.running
        for process, ports in (LISTENERS[name],)
        for port in ports
    ]


def sockstat(call: Call) -> None:
    """Say what listens, on the ports that a real machine would have."""
    given = call.options("46lcP:p:")
    wanted = given.value("p")
    call.say("USER     COMMAND    PID   FD PROTO  LOCAL ADDRESS         FOREIGN ADDRESS")
    for process, port in call.ask(lambda: _listening(call.machine)):
        if not wanted or str(port) in wanted.split(","):
            call.say(f"root     {process:<10} 1000  4  tcp4   {f'*:{port}':<21} *:*")


def ss(call: Call) -> None:
    """Say what listens, with an optional `sport = :PORT`."""
    given = call.options("tulnp4H6a", long="no-header")
    wanted = re.sub(r"[() ]", "", "".join(given.rest)).replace("==", "=")
    if wanted and not wanted.startswith("sport=:"):
        call.refuse(" ".join(given.rest))
    if not given.flags & {"H", "no-header"}:
        call.say("State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process")
    for process, port in call.ask(lambda: _listening(call.machine)):
        if not wanted or wanted == f"sport=:{port}":
            who = f' users:(("{process}",pid=1000,fd=4))' if "p" in given.flags else ""
            call.say(f"LISTEN 0      100          0.0.0.0:{port:<4} 0.0.0.0:*{who}")


_APACHE: Mapping[str, tuple[str, str]] = {
    "site": ("sites", "Site"),
    "conf": ("conf", "Conf"),
    "mod": ("mods", "Module"),
}
_MODULES = ("ssl", "rewrite", "headers", "php8.2")


def a2switch(call: Call) -> None:
    """a2ensite, a2dissite, a2enconf, a2disconf, a2enmod, a2dismod: the web server sees it at its next reload."""
    given = call.options("qf", long="quiet force")
    found = re.fullmatch("a2(en|dis)(.*)", call.argv[0])
    if found is None or not given.rest:
        call.refuse()
    on = found[1] == "en"
    folder, kind = _APACHE[found[2]]
    for word in given.rest:
        _switch(call, folder, kind, word.removesuffix(".conf"), on=on, quiet=bool(given.flags & {"q", "quiet"}))


def _switch(call: Call, folder: str, kind: str, name: str, *, on: bool, quiet: bool) -> None:
    host = call.machine.host
    source = host.path(f"/etc/apache2/{folder}-available/{name}.conf")
    enabled = host.path(f"/etc/apache2/{folder}-enabled/{name}.conf")
    if not source.exists() and not (kind == "Module" and name in _MODULES):
        call.fail(f"ERROR: {kind} {name} does not exist!")
    if enabled.exists() == on:
        call.say(f"{kind} {name} already {'enabled' if on else 'disabled'}")
        return
    enabled.parent.mkdir(parents=True, exist_ok=True)
    if on:
        enabled.write_text(source.read_text("utf-8") if source.exists() else "", encoding="utf-8")
    else:
        enabled.unlink()
    if kind == "Site":
        call.machine.sites[name] = on
    if not quiet:
        call.say(f"{'En' if on else 'Dis'}abling {kind.lower()} {name}.\n"
                 "To activate the new configuration, you need to run:\n  systemctl reload apache2")  # fmt: skip


def apachectl(call: Call) -> int:
    """Apachectl and apache2ctl: configtest, graceful, start, stop, -S not."""
    given = call.options("tk:")
    verb = "configtest" if "t" in given.flags else given.value("k") or (given.rest or ("",))[0]
    service = next(
        (call.machine.services[name] for name in ("apache24", "apache2") if name in call.machine.services), None
    )
    if service is None:
        call.fail(f"{call.argv[0]}: not found", 127)
    match verb:
        case "configtest":
            call.warn("Syntax OK")
        case "graceful" | "restart" | "reload":
            call.wait(service.reload())
        case "start":
            call.wait(service.start())
        case "stop" | "graceful-stop":
            call.wait(service.stop())
        case _:
            call.refuse(verb)
    return 0


_BOTH: Mapping[str, Command] = {"uname": uname, "hostname": hostname, "logger": logger, "apachectl": apachectl}
COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "freebsd": {**_BOTH, "sockstat": sockstat},
    "debian": {
        **_BOTH, "hostnamectl": hostnamectl, "ss": ss, "apache2ctl": apachectl,
        **{f"a2{verb}{what}": a2switch for verb in ("en", "dis") for what in _APACHE},
    },
}  # fmt: skip
"""By system."""
