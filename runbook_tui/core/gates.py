"""Gates: what holds an action back and until when, in words; what was answered; what turned red afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from runbook_tui.core.run import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.core.model import Action, ActionId, CheckSpec
    from runbook_tui.core.run import CheckLook, CheckReading, GateAnswer, RunState

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
    old = o.part(", and no cache still holds ", "was", o.part(" (its TTL was ", "ttl-was", ")"))
    return _record(o["record"] or "MX", o) + old


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
    """Give the names of the gates that hold the action: neither measured green now nor answered by the operator."""
    return [
        gate for gate in action.gates
        if not _answer_holds(state, action, gate) and not ((look := state.looks.get(gate)) and look.green)
    ]  # fmt: skip


def _answer_holds(state: RunState, action: Action, gate: str) -> bool:
    """Whether the gate was answered, and what it was answered on is so still.

    After a return its check has to be looked at again, and must not say something else than it said then.
    """
    answer = state.gates.get((action.written_id, gate))
    look = state.looks.get(gate)
    if answer is None or answer.sitting == len(state.resumes) or look is None:
        return answer is not None
    return look.looked and look.state == answer.said.partition(":")[0]


def question(state: RunState, action: Action, gate: str, put: Callable[[str], str]) -> str:
    """Give why the gate holds: what its check says now, or, where nothing measures it, what the operator is asked."""
    runbook = state.runbook
    if (look := state.looks.get(gate)) is not None:
        answer = state.gates.get((action.written_id, gate))
        if answer is None or answer.sitting == len(state.resumes):
            return f"gate {gate}{_HOW.get(look.state, '')}: {spoken(look)}"
        then = f"{answer.by} answered it in an earlier sitting, when the check said {answer.said or 'nothing'}"
        return f"gate {gate}{_HOW.get(look.state, '')}: {spoken(look)}; {then}"
    check = next((check for check in runbook.checks if check.name == gate), None)
    if check is None:
        return f"gate {gate}: is it so? The runbook does not say what it measures."
    phase = runbook.phase_of(action.step)
    return f"gate {gate}: is it so? It would be measured: {measured(check, put, phase.name if phase else '')}"


_HOW = {"UNKNOWN": " (it cannot be looked at)", "FAIL": " (it fails)", "WARN": " (it warns)"}
"""How a check stands that is not simply on its way."""


def spoken(look: CheckLook) -> str:
    """Give what a check says with the time until which it should be so, where the sentence has none itself."""
    if look.eta is None or f"{look.eta:%H:%M}" in look.said:
        return look.said
    day = f"{look.eta:%Y-%m-%d} " if look.since is not None and look.since.date() != look.eta.date() else ""
    return f"{look.said}; it should be so by {day}{look.eta:%H:%M:%S} UTC"


def let_through(state: RunState, action: Action) -> tuple[str, ...]:
    """Say for each gate of the action why it lets it through: an answer of the operator, or its green check."""
    found = []
    for gate in action.gates:
        look, answer = state.looks.get(gate), state.gates.get((action.written_id, gate))
        if look is not None and look.green:
            since = f" since {look.since:%Y-%m-%d %H:%M:%S} UTC" if look.since is not None else ""
            found.append(f"{gate}: {look.state}{since}: {look.said}")
        elif answer is not None and _answer_holds(state, action, gate):
            said = f" (the check said {answer.said})" if answer.said else ""
            found.append(
                f"{gate}: {answer.by} said so at {answer.at:%Y-%m-%d %H:%M:%S} UTC: {answer.reason}{said}"
            )
    return tuple(found)


# ---- gates that turn red after their action

RED = frozenset({"FAIL", "WARN", "PENDING"})
"""States that say a gate is not so any more. UNKNOWN says nothing."""
DONE = frozenset({Status.DONE, Status.BY_HAND})


def turned(state: RunState, check: str, reading: CheckReading) -> RunState:
    """Take in a check's turn: what is done, or runs, behind its gate is asked about again, or not any more."""
    found = dict(state.reopened)
    for action in state.runbook.actions():
        key = (action.id, check)
        if check not in action.gates or reading.state == "UNKNOWN":
            continue
        if not _is_red(state, check, reading):
            found.pop(key, None)
        elif state.of(action.id).status in {*DONE, Status.RUNNING} and (action.written_id, check) not in state.gates:
            found.setdefault(key, reading)
    return state if found == state.reopened else replace(state, reopened=MappingProxyType(found))


def _is_red(state: RunState, check: str, reading: CheckReading) -> bool:
    """Whether the turn speaks against the gate; what is expected otherwise in other phases must fail for that."""
    spec = next((spec for spec in state.runbook.checks if spec.name == check), None)
    return reading.state == "FAIL" if spec is not None and spec.phases else reading.state in RED


def answered(state: RunState, action: str, gate: str) -> RunState:
    """Take in that the operator answered a gate: it is no open question any more."""
    found = {key: reading for key, reading in state.reopened.items() if key != (action, gate)}
    return replace(state, reopened=MappingProxyType(found))


def reopened(state: RunState, action: Action) -> list[tuple[str, CheckReading]]:
    """Give the gates of a done action that turned red since, and what their checks said."""
    if state.of(action.id).status not in DONE:
        return []
    return [(gate, state.reopened[action.id, gate]) for gate in action.gates if (action.id, gate) in state.reopened]


def all_reopened(state: RunState) -> dict[tuple[ActionId, str], CheckReading]:
    """Give every gate that turned red behind an action that is done by now, by action and gate."""
    return {
        (action.id, gate): reading for action in state.runbook.actions() for gate, reading in reopened(state, action)
    } if state.reopened else {}  # fmt: skip
