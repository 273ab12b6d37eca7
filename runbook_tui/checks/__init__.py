"""One live check a file: what is asked and how a reading becomes a state. Adding one is a file and a line here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from runbook_tui.checks.command import CommandProbe
from runbook_tui.checks.disk import DiskProbe
from runbook_tui.checks.dns import DnsProbe
from runbook_tui.checks.http import HttpProbe
from runbook_tui.checks.imap import ImapProbe
from runbook_tui.checks.later import NotBuiltProbe, NoValueProbe
from runbook_tui.checks.mx import MxProbe
from runbook_tui.checks.outage import OutageProbe
from runbook_tui.checks.queue import QueueProbe
from runbook_tui.checks.routes import RoutesProbe
from runbook_tui.checks.service import ServiceProbe
from runbook_tui.checks.smtp import SmtpProbe
from runbook_tui.checks.ssh import SshProbe
from runbook_tui.checks.tcp import TcpProbe
from runbook_tui.checks.tls import TlsProbe
from runbook_tui.core.model import LOCAL, CheckSpec, LiteralSource
from runbook_tui.core.settle import literal_value, mentioned, resolve_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.core.run import RunState
    from runbook_tui.ports import Probe

    Resolve = Callable[[str], str]
    """Puts the values of literals into a text."""
    Make = Callable[[CheckSpec, Resolve], Probe]
    ProbeFactory = Callable[[RunState], Mapping[str, tuple[CheckSpec, Probe]]]
    """Gives the checks of a run by name."""


def _ssh(spec: CheckSpec, resolve: Resolve) -> Probe:
    return SshProbe(host=resolve(str(spec.options.get("host", ""))))


def _command(spec: CheckSpec, resolve: Resolve) -> Probe:
    return CommandProbe(
        host=resolve(str(spec.options.get("host", ""))),
        run=resolve(str(spec.options.get("run", ""))),
        exit=int(cast("int", spec.options.get("exit", 0))),
        expect=resolve(str(spec.options.get("expect", ""))),
    )


TYPES: Mapping[str, Make] = {
    "ssh": _ssh,
    "command": _command,
    "mx": MxProbe.of,
    "dns": DnsProbe.of,
    "queue": QueueProbe.of,
    "disk": DiskProbe.of,
    "service": ServiceProbe.of,
    "routes": RoutesProbe.of,
    "outage": OutageProbe.of,
    "tcp": TcpProbe.of,
    "smtp": SmtpProbe.of,
    "tls": TlsProbe.of,
    "http": HttpProbe.of,
    "imap": ImapProbe.of,
}
"""How the probe of each type is made from its front matter."""


def probes(state: RunState) -> dict[str, tuple[CheckSpec, Probe]]:
    """Give the checks of a run: its own, literals resolved, and `ssh` for every other host it can reach."""
    found: dict[str, tuple[CheckSpec, Probe]] = {}
    watched = {str(spec.options.get("host")) for spec in state.runbook.checks if spec.type == "ssh"}
    for host in state.hosts.values():
        if host.name != LOCAL and host.ssh and host.name not in watched:
            spec = CheckSpec(name=f"ssh-{host.name}", type="ssh", every=30.0, timeout=20.0, label=f"ssh {host.name}")
            found[spec.name] = (spec, SshProbe(host.name))
    for spec in state.runbook.checks:
        found[spec.name] = (spec, _probe(state, spec))
    return found


def _probe(state: RunState, spec: CheckSpec) -> Probe:
    make = TYPES.get(spec.type)
    if make is None:
        return NotBuiltProbe(spec.type)
    texts = "\n".join(_texts([value for key, value in spec.options.items() if key != "secret"]))
    missing = [
        literal.text for literal in mentioned(texts, state.runbook.literals)
        if literal.source not in {LiteralSource.SECRET, LiteralSource.GUESS} and literal_value(state, literal) is None
    ]  # fmt: skip
    return NoValueProbe(missing) if missing else make(spec, partial(resolve_all, state))


def _texts(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in _texts(item)]
        case _:
            return []
