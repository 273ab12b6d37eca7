"""Check `service`: does a daemon run, or stand still, as it should, and what about the next boot? MIGRATION.md C13."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from runbook_tui.checks.asking import ask, blind
from runbook_tui.checks.expected import in_phase
from runbook_tui.core.errors import HostError
from runbook_tui.ports import CheckState, Probe, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from runbook_tui.checks.asking import Part
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight


class Runs(StrEnum):
    """Whether a daemon runs."""

    UP = "up"
    DOWN = "down"
    TURNING = "starting or stopping"


class Boot(StrEnum):
    """Whether the system starts it at boot; `OTHERS`: only when something else wants it."""

    ON = "enabled"
    OFF = "disabled"
    OTHERS = "static"


# systemd's unit for Postfix stays active when the daemon is dead (MIGRATION.md section 1, table): it is asked itself.
POSTFIX = 'if [ "$(id -u)" = 0 ]; then postfix status; else echo "only root may ask postfix"; exit 64; fi'
RUNS = """if [ "$(uname -s)" = FreeBSD ]; then echo rc; service {name} onestatus
elif command -v systemctl >/dev/null 2>&1; then echo systemd; systemctl is-active {name}
else echo lsb; service {name} status
fi"""
# rcvar gives what rc.conf comes to, under the name the script gives the variable: sa-spamd's is spamd_enable.
BOOT = """if [ "$(uname -s)" = FreeBSD ]; then echo rc; service {name} rcvar
elif command -v systemctl >/dev/null 2>&1; then echo systemd; systemctl is-enabled {name}
else echo lsb; ls /etc/rc2.d
fi"""
LISTENS = """if [ "$(uname -s)" = FreeBSD ]; then sockstat -46l | awk '$5 ~ /^tcp/ { print $6 }'
else ss -Htln | awk '{ print $4 }'
fi"""

_SYSTEMD = {
    "active": Runs.UP, "reloading": Runs.UP, "inactive": Runs.DOWN, "failed": Runs.DOWN,
    "activating": Runs.TURNING, "deactivating": Runs.TURNING,
}  # fmt: skip
_AT_BOOT = {
    "enabled": Boot.ON, "alias": Boot.ON, "generated": Boot.ON, "disabled": Boot.OFF, "masked": Boot.OFF,
    "masked-runtime": Boot.OFF, "enabled-runtime": Boot.OFF, "linked": Boot.OFF, "static": Boot.OTHERS,
    "indirect": Boot.OTHERS,
}  # fmt: skip
_STANDS = re.compile(r"(is )?not running|no server running|\bstopped\b|is down", re.IGNORECASE)
_NOT_THERE = re.compile(
    r"does not exist|not be found|no such file|not-found|unrecognized service|not found", re.IGNORECASE
)
_RCVAR = re.compile(r'\$?\w+_enable="?(\w*)"?\s*', re.IGNORECASE)
_YES = {"yes", "true", "on", "1"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be. None: it is not asked about."""

    runs: Runs | None
    boot: Boot | None


@dataclass(slots=True)
class ServiceProbe(Probe):
    """Asks the service manager of `host`, and for `postfix` itself, whether `service` runs and starts at boot."""

    host: str
    service: str
    expect: object = "up"
    boot: object = None
    phases: Mapping[str, object] = field(default_factory=dict)
    columns = ("what", "is", "should be")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        host, service = (resolve(str(spec.options.get(key, ""))) for key in ("host", "service"))
        return cls(host, service, spec.options.get("expect", "up"), spec.options.get("boot"), spec.phases)

    @property
    def asks(self) -> str:
        """What is sent."""
        status = "postfix status" if self.service == "postfix" else f"status of {self.service}"
        return f"on {self.host}: {status}, whether it starts at boot, listening ports"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        wanted = wanted_of(in_phase(None, self.phases, sight.phase), self.expect, self.boot)
        if wanted is None:
            return Reading(CheckState.UNKNOWN, "expect is neither up nor down, or boot neither enabled nor disabled")
        name = shlex.quote(self.service)
        runs = POSTFIX if self.service == "postfix" else RUNS.format(name=name)
        commands = {"runs": runs, "boot": BOOT.format(name=name), "listens": LISTENS}
        try:
            parts = await ask(sight, self.host, commands)
        except HostError as error:
            return blind(error)
        texts = (parts["runs"].text, parts["boot"].text, ports_of(parts["listens"]))
        detail = "\n".join(text for text in texts if text)
        boot = boot_of(parts["boot"], self.service)
        if boot is None and _NOT_THERE.search(parts["boot"].text):
            return Reading(CheckState.UNKNOWN, f"there is no service {self.service}", detail, error=parts["boot"].text)
        runs_now = (postfix_runs if self.service == "postfix" else runs_of)(parts["runs"])
        return judge(self.service, runs_now, boot, wanted, detail)


def wanted_of(in_this_phase: object, expect: object, boot: object) -> Wanted | None:
    """Give what should be: `up`, `down`, or a mapping with `expect` and `boot`. None when it is none of these.

    A phase that names only `down` leaves the boot open, for the usual one need not hold in it.
    """
    match in_this_phase:
        case None:
            pass
        case {**given}:
            expect, boot = given.get("expect", expect), given.get("boot", boot)
        case _:
            expect, boot = in_this_phase, None
    runs = {"up": Runs.UP, "down": Runs.DOWN}.get(str(expect))
    at_boot = {"enabled": Boot.ON, "yes": Boot.ON, "true": Boot.ON, "disabled": Boot.OFF, "no": Boot.OFF,
               "false": Boot.OFF}.get(str(boot).lower())  # fmt: skip
    return None if runs is None or (boot is not None and at_boot is None) else Wanted(runs, at_boot)


def postfix_runs(part: Part) -> Runs | None:
    """Give what `postfix status` said (postfix(1): 0 running, else not); None when it said something else."""
    if part.exit == 0:
        return Runs.UP
    return Runs.DOWN if part.exit == 1 and "fatal:" not in part.text else None


def runs_of(part: Part) -> Runs | None:
    """Give what the service manager said; None when it was not understood."""
    manager, *said = part.lines or [""]
    text = "\n".join(said)
    if manager == "systemd":
        return _SYSTEMD.get(said[0].strip() if said else "")
    if manager not in {"rc", "lsb"} or _NOT_THERE.search(text):
        return None
    if part.exit == 0:
        return Runs.UP
    # LSB: 3 is "not running", 1 and 2 are "dead, and left a file behind".
    stands = (manager == "lsb" and part.exit in {1, 2, 3}) or (manager == "rc" and _STANDS.search(text))
    return Runs.DOWN if stands else None


def boot_of(part: Part, service: str) -> Boot | None:
    """Give whether it starts at boot; None when that was not understood."""
    manager, *said = part.lines or [""]
    if manager == "systemd":
        return _AT_BOOT.get(next((line.strip() for line in said if line.strip()), ""))
    if manager == "rc":
        values = [found[1].lower() for line in said if (found := _RCVAR.fullmatch(line))]
        return None if len(values) != 1 else Boot.ON if values[0] in _YES else Boot.OFF
    links = [line for line in said if re.fullmatch(rf"[SK]\d\d{re.escape(service)}", line)]
    return None if not links or part.exit else Boot.ON if links[0].startswith("S") else Boot.OFF


def ports_of(part: Part) -> str:
    """Give the TCP ports with a listener, in words; empty when that could not be told."""
    ports = {int(found[1]) for line in part.lines if (found := re.search(r"[:.](\d{1,5})$", line.strip()))}
    return "TCP ports that listen: " + ", ".join(map(str, sorted(ports)[:50])) if ports else ""


def judge(service: str, runs: Runs | None, boot: Boot | None, wanted: Wanted, detail: str = "") -> Reading:
    """Say what is found beside what should be. None: it could not be told."""
    rows = [_row("now", runs, wanted.runs)]
    told = [f"{service} is {runs or 'in an unknown state'}"]
    if wanted.boot is not None or boot is not None:
        rows.append(_row("at boot", boot, wanted.boot))
        told.append(f"at boot {boot or 'unknown'}")
    states = [row.state for row in rows if row.state is not None]
    order = (CheckState.FAIL, CheckState.UNKNOWN, CheckState.WARN, CheckState.PENDING)
    state = next((one for one in order if one in states), CheckState.PASS)
    told += [f"should be {row.cells[2]}" for row in rows if row.state is CheckState.FAIL]
    return Reading(state, ", ".join(told), detail, rows=tuple(rows), error=detail if runs is None else "")


def _row(what: str, is_: Runs | Boot | None, wanted: Runs | Boot | None) -> Row:
    if wanted is None:
        state = None
    elif is_ is None:
        state = CheckState.UNKNOWN
    elif is_ is Runs.TURNING:
        state = CheckState.PENDING
    elif is_ is Boot.OTHERS:
        state = CheckState.WARN
    else:
        state = CheckState.PASS if is_ is wanted else CheckState.FAIL
    return Row((what, is_ or "unknown", wanted or ""), state)
