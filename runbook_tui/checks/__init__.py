"""One live check a file: what is asked and how a reading becomes a state. Adding one is a file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from runbook_tui.checks.command import CommandProbe
from runbook_tui.checks.ssh import SshProbe
from runbook_tui.core.model import LOCAL, CheckSpec
from runbook_tui.core.settle import resolve_all
from runbook_tui.ports import CheckState, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.core.run import RunState
    from runbook_tui.ports import Hosts, Probe


class NotBuiltProbe:
    """Stands for a check type that the program cannot do yet: always UNKNOWN, and says so."""

    asks = "nothing: this kind of check is not built yet"

    def __init__(self, type_: str) -> None:
        self._type = type_

    async def read(self, hosts: Hosts) -> Reading:  # noqa: ARG002 -- asks nobody
        """Say that it did not look."""
        return Reading(CheckState.UNKNOWN, f"checks of type {self._type} are not built yet")


def _command(options: Mapping[str, object]) -> Probe:
    return CommandProbe(
        host=str(options.get("host", "")),
        run=str(options.get("run", "")),
        exit=int(cast("int", options.get("exit", 0))),
        expect=str(options.get("expect", "")),
    )


TYPES: Mapping[str, Callable[[Mapping[str, object]], Probe]] = {
    "ssh": lambda options: SshProbe(host=str(options.get("host", ""))),
    "command": _command,
}


def probes(state: RunState) -> dict[str, tuple[CheckSpec, Probe]]:
    """Give the checks of a run: its own, literals resolved, and `ssh` for every other host it can reach."""
    found: dict[str, tuple[CheckSpec, Probe]] = {}
    watched = {str(spec.options.get("host")) for spec in state.runbook.checks if spec.type == "ssh"}
    for host in state.hosts.values():
        if host.name != LOCAL and host.ssh and host.name not in watched:
            spec = CheckSpec(name=f"ssh-{host.name}", type="ssh", every=30.0, timeout=20.0, label=f"ssh {host.name}")
            found[spec.name] = (spec, SshProbe(host.name))
    for spec in state.runbook.checks:
        options = {k: resolve_all(state, v) if isinstance(v, str) else v for k, v in spec.options.items()}
        make = TYPES.get(spec.type)
        found[spec.name] = (spec, make(options) if make else NotBuiltProbe(spec.type))
    return found
