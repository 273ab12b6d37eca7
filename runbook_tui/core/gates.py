"""Gates as questions: what the check of a gate would measure, in words, and which gates of an action are open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.model import Action, CheckSpec, Runbook
    from runbook_tui.core.run import GateAnswer, RunState

IMAP_PORT, SMTP_PORT = 143, 25
"""What FORMAT.md's checks speak to where they name no port."""


class Options:
    """A check's own keys as text: values put in, lists as `a, b and c`. A key that is not there is empty."""

    def __init__(self, check: CheckSpec, put: Callable[[str], str]) -> None:
        self._options = check.options
        self._put = put

    def __getitem__(self, key: str) -> str:
        """Give the text of a key."""
        return self.said(self._options.get(key))

    def said(self, value: object) -> str:
        """Give any value of the front matter as text."""
        match value:
            case None:
                return ""
            case bool():
                return "yes" if value else "no"
            case list():
                *most, last = [self.said(item) for item in value] or [""]
                return f"{', '.join(most)} and {last}" if most else last
            case Mapping():
                return ", ".join(f"{key} {self.said(item)}" for key, item in value.items())
            case _:
                return self._put(str(value))

    def part(self, before: str, key: str, after: str = "") -> str:
        """Give `before VALUE after`, or nothing where the key is not there."""
        value = self[key]
        return f"{before}{value}{after}" if value else ""


def measured(check: CheckSpec, put: Callable[[str], str], phase: str = "") -> str:
    """Say in one or two plain sentences what the check measures and what it should find.

    Args:
        check: any type of FORMAT.md's front matter; one that is not known gives its name and keys.
        put: puts the values of literals into a text.
        phase: the name of the phase asked in; where the check has another expectation there, it is said.

    Returns:
        Text of the runbook among our own words: it is shown only as any untrusted text is.
    """
    options = Options(check, put)
    tell = _TELL.get(check.type)
    said = tell(options) if tell else f"{check.type}: {options.said(check.options)}"
    if phase and phase in check.phases:
        said += f". In the phase {phase} it should be: {options.said(check.phases[phase])}"
    return said + "."


def _mx(o: Options) -> str:
    return _record("MX", o) + o.part(", and no cache still holds ", "was", o.part(" (its TTL was ", "ttl-was", ")"))


def _dns(o: Options) -> str:
    return _record(o["record"], o)


def _record(kind: str, o: Options) -> str:
    at = o["at"].replace("authoritative", "the authoritative servers") or "the servers this machine asks"
    return f"{kind} of {o['name']} at {at}" + (o.part(" = ", "expect") or " is there")


def _queue(o: Options) -> str:
    most = o["max"]
    return f"the mail queue on {o['host']} is empty" if most in {"", "0"} else (
        f"the mail queue on {o['host']} holds {most} messages at most"
    )  # fmt: skip


def _imap(o: Options) -> str:
    who = o.part(" as ", "user")
    said = f"IMAP on {o['host']}, port {o['port'] or IMAP_PORT}, lets in{who}{o.part(' and opens ', 'select')}"
    return said + o.part("; folders, messages and flags there are those on ", "against")


def _command(o: Options) -> str:
    end = f"exit status {o['exit'] or '0'}"
    return f"“{o['run']}” on {o['host']} ends with {end}{o.part(', and its output matches ', 'expect')}"


def _tcp(o: Options) -> str:
    return f"port {o['port']} of {o['host']} can be reached{o.part(', and what it says first matches ', 'expect')}"


def _smtp(o: Options) -> str:
    parts = [o.part("takes mail for ", "accept"), o.part("refuses mail for ", "refuse"), _starttls(o["starttls"])]
    does = [part for part in parts if part] or ["answers"]
    return f"SMTP on {o['host']}, port {o['port'] or SMTP_PORT}, {', '.join(does)}"


def _starttls(wanted: str) -> str:
    return "" if wanted in {"", "no"} else f"offers STARTTLS ({wanted})"


def _tls(o: Options) -> str:
    name = o.part(" stands for ", "name")
    lasts = o.part(" is valid for ", "days", " days more") or " is valid"
    ca = o.part(" (authorities: ", "ca", ")")
    return f"the certificate on {o['host']}, port {o['port']},{name}{' and' if name else ''}{lasts}{ca}"


def _service(o: Options) -> str:
    boot = o.part(", and at boot it is ", "boot")
    return f"the service {o['service']} on {o['host']} is {o['expect'] or 'up'}{boot}"


def _disk(o: Options) -> str:
    parts = [o.part("", "free", " free"), o.part("room for ", "need")]
    return f"{o['path']} on {o['host']} has {' and '.join(part for part in parts if part) or 'room'}"


def _http(o: Options) -> str:
    return f"{o['url']} answers with status {o['status'] or 200}{o.part(', and the page matches ', 'expect')}"


def _outage(o: Options) -> str:
    parts = [o.part("", "warn", " (a warning)"), o.part("", "fail", " (a failure)")]
    most = " or ".join(part for part in parts if part)
    return f"mail for {o['name']} has been down for less than {most}" if most else f"mail for {o['name']} is not down"


def _routes(o: Options) -> str:
    by = o.part(" given to ", "hosts")
    return f"a mail for {o['name']}{by} comes to one end, without going round in a circle"


def _ssh(o: Options) -> str:
    return f"{o['host']} can be reached over ssh"


_TELL: Mapping[str, Callable[[Options], str]] = {
    "mx": _mx, "dns": _dns, "queue": _queue, "imap": _imap, "command": _command, "tcp": _tcp, "smtp": _smtp,
    "tls": _tls, "service": _service, "disk": _disk, "http": _http, "outage": _outage, "routes": _routes, "ssh": _ssh,
}  # fmt: skip


def answers(state: RunState, action: Action) -> list[GateAnswer]:
    """Give the gates of the action that the operator answered, in the order in which the runbook names them.

    What repeats for the items of a list is one action in the file, and is let through once for all of them.
    """
    return [found for gate in action.gates if (found := state.gates.get((action.written_id, gate))) is not None]


def open_gates(state: RunState, action: Action) -> list[str]:
    """Give the names of the action's gates that nobody answered yet."""
    return [gate for gate in action.gates if (action.written_id, gate) not in state.gates]


def question(runbook: Runbook, action: Action, gate: str, put: Callable[[str], str]) -> str:
    """Give what the operator is asked: whether the gate is so, and what would be measured."""
    check = next((check for check in runbook.checks if check.name == gate), None)
    if check is None:
        return f"gate {gate}: is it so? The runbook does not say what it measures."
    phase = runbook.phase_of(action.step)
    return f"gate {gate}: is it so? It would be measured: {measured(check, put, phase.name if phase else '')}"
