"""What the panes say about a step, an action, an attempt: State in, Content out; no widget, no truth of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.content import Content

from runbook_tui.core import gates
from runbook_tui.core.applies import applying, not_for
from runbook_tui.core.awaited import awaited
from runbook_tui.core.events import Role
from runbook_tui.core.model import LOCAL, ActionKind, HoldCode
from runbook_tui.core.run import Status
from runbook_tui.core.settle import effective, shown_status
from runbook_tui.core.verbs import has_way_back, number_of, step_status, why_held
from runbook_tui.ui.themes import host_style
from runbook_tui.ui.untrusted import untrusted, untrusted_line
from runbook_tui.ui.widgets.fitted import hanging
from runbook_tui.ui.words import NOT_HERE_SIGN, REOPENED_GLYPH, STATUS, Sign, ending, plural, took

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runbook_tui.core.model import Action, HostName, Step
    from runbook_tui.core.run import Attempt, GateAnswer, RunState
    from runbook_tui.ports import Identity

LABEL = 12
"""Columns of the labels left of a value."""
KIND_WORDS = {
    ActionKind.COMMAND: "command",
    ActionKind.FILE: "file",
    ActionKind.MANUAL: "by hand",
    ActionKind.INTERACTIVE: "by hand, in a session of your own",
    ActionKind.WAIT: "wait",
}
PROOF_LINES = 4
"""Of what a failed proof printed; the output pane has all of it."""
RESULTS = (Status.FAILED, Status.UNKNOWN, Status.STOPPED, Status.NOT_RUN)


@dataclass(frozen=True, slots=True)
class Seen:
    """What describing needs beside the action: the state and who the live connections say is there."""

    state: RunState
    identities: Mapping[HostName, Identity]

    @property
    def host_names(self) -> list[str]:
        """Every role of the run."""
        return [str(name) for name in self.state.hosts]


def host(name: str, names: Iterable[str] = ()) -> Content:
    """Give a role's name in its colour."""
    return untrusted_line(name, f"bold {host_style(name, names)}")


def status_sign(status: Status) -> Content:
    """Give glyph and word of a state."""
    return signed(STATUS[status])


def action_sign(state: RunState, action: Action) -> Sign:
    """Give how an action stands: `n/a` where it does not apply here."""
    return NOT_HERE_SIGN if not_for(state, action) else STATUS[shown_status(state, action)]


def step_sign(state: RunState, step: Step) -> Sign:
    """Give how a step stands: `n/a` where none of its actions applies here."""
    return NOT_HERE_SIGN if step.actions and not applying(state, step) else STATUS[step_status(state, step)]


def spot_sign(state: RunState, step: Step, action: Action | None) -> Sign:
    """Give how a place of the cursor stands: an action, or a step without one."""
    return action_sign(state, action) if action is not None else step_sign(state, step)


def signed(sign: Sign) -> Content:
    """Give glyph and word in their colour."""
    return Content.styled(f"{sign.glyph} {sign.word}", sign.style)


def fact(label: str, value: Content, width: int, style: str = "$muted") -> Content:
    """Give a labelled line; further lines of the value stand under the first."""
    return hanging(Content.styled(f"  {label:<{LABEL}}", style), value, width)


def command_lines(action: Action, width: int) -> Content:
    """Give the action's text as it would run, each line with a prompt or, for a file, a rule before it."""
    mark = "│ " if action.kind is ActionKind.FILE else "$ "
    lines = untrusted(action.text.rstrip("\n")).split("\n")
    shown = []
    for number, line in enumerate(lines):
        prompt = mark if number == 0 or action.kind is ActionKind.FILE else "  "
        shown.append(hanging(Content.styled("  " + prompt, "$muted"), line, width))
    return Content("\n").join(shown)


def done_when(action: Action) -> Content:
    """Give what counts as success, one a line."""
    if action.kind is ActionKind.WAIT:
        return Content(f"{took(action.wait_for)} are over" if action.wait_for else "its gates are answered")
    if action.kind in {ActionKind.MANUAL, ActionKind.INTERACTIVE}:
        return Content("you say so, with a note")
    parts = []
    if action.kind is ActionKind.FILE:
        parts.append(Content("the file is in its place"))
        if action.file and action.file.validate:
            parts.append(Content.assemble(untrusted_line(action.file.validate), " says it is valid"))
    else:
        parts.append(Content(f"exit status {' or '.join(str(code) for code in sorted(action.exits))}"))
    if action.expect:
        parts.append(Content.assemble("output matches ", untrusted_line(action.expect)))
    parts += [
        Content.assemble(f"output {o.match.value} ", untrusted_line(o.text.strip())) for o in action.outputs
    ]
    for verify in action.verifies:
        where = Content.assemble(" on ", host(verify.host)) if verify.host and verify.host != action.host else ""
        parts.append(Content.assemble("proof", where, " ", untrusted(verify.text.strip())))
    return Content("\n").join(parts)


def way_back(state: RunState, action: Action) -> Content:
    """Give how the action is undone, or that the runbook names no way."""
    if action.undos:
        return Content("\n").join(
            Content.assemble(_elsewhere(u.host, action), untrusted(u.text.strip())) for u in action.undos
        )
    if has_way_back(state, action):
        return Content("the file as it was is put back from its backup")
    return Content.styled("the runbook names none", "$muted")


def _elsewhere(name: HostName | None, action: Action) -> Content:
    return Content.assemble("on ", host(name), ": ") if name and name != action.host else Content("")


def where(seen: Seen, action: Action) -> Content:
    """Give the action's host: as the live connection says once there is one."""
    if action.host is None:
        return Content.styled("no host is given yet", "$warning")
    identity = seen.identities.get(action.host)
    names = seen.host_names
    if identity is not None:
        return Content.assemble(host(action.host, names), " = ", untrusted_line(str(identity)))
    if action.host == LOCAL:
        return Content.assemble(host(action.host, names), " = this machine")
    known = seen.state.hosts.get(action.host)
    ssh = f" = {known.ssh}" if known and known.ssh else ""
    return Content.assemble(host(action.host, names), untrusted_line(ssh), (" · not connected", "$muted"))


def action_head(seen: Seen, action: Action, width: int, *, chosen: bool) -> Content:
    """Give the line above an action: mark, number, state, kind, host."""
    now = effective(seen.state, action)
    sign = action_sign(seen.state, action)
    lead = Content.assemble(
        ("▶ ", "$primary") if chosen else "  ", (number_of(seen.state, action.id), "bold" if chosen else "$muted"),
        (f"  {sign.glyph} {sign.word:<9}", sign.style),
    )  # fmt: skip
    parts: list[Content | str | tuple[str, str]] = [KIND_WORDS[now.kind]]
    if now.file is not None and now.kind is ActionKind.FILE:
        mode = f" ({now.file.mode.value})" if now.file.mode else ""
        parts += [" ", untrusted_line(now.file.path, "bold"), mode]
    if now.host is not None and now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
        parts += [" on ", host(now.host, seen.host_names)]
    if action.item:
        parts += [" for ", untrusted_line(action.item, "bold")]
    if action.danger:
        parts += ["  ", ("DANGER", "bold $error")]
    if action.no_return:
        parts += ["  ", ("POINT OF NO RETURN", "bold $error")]
    if action.optional:
        parts += ["  ", ("optional", "$muted")]
    if why := not_for(seen.state, action):
        return hanging(lead, Content.assemble(*parts, " · ", untrusted_line(why)).stylize("$muted"), width)
    return hanging(lead, Content.assemble(*parts), width)


def action_body(seen: Seen, action: Action, width: int) -> Content:
    """Give everything the operator needs before pressing a key on this action."""
    now = effective(seen.state, action)
    if (secret := seen.state.telling.get(action.id)) is not None:
        hidden = f"(not shown: it has the secret {secret} in it)"
        now = replace(now, text=hidden, verifies=(), undos=(), outputs=(), expect="", dry_run="", recheck="")
    lines = []
    if now.kind is ActionKind.WAIT:
        what = f"wait {took(now.wait_for)}" if now.wait_for else "wait until its gates are so"
        lines.append(Content.assemble(("  ⧗ ", "$muted"), what))
    elif now.text.strip():
        lines += [command_lines(now, width), Content("")]
    if held := why_held(seen.state, action):
        said = [untrusted_line(h.why) for h in held]
        said += [Content.styled(f"→ {how}", "$muted") for code, how in LIFTS if any(h.code is code for h in held)]
        lines.append(fact("held", Content("\n").join(said), width, "$warning"))
    if now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
        lines.append(fact("where", where(seen, now), width))
    lines.append(fact("done when", done_when(now), width))
    if now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
        lines.append(fact("way back", way_back(seen.state, now), width))
    if now.dry_run and now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
        lines.append(fact("dry run", untrusted(now.dry_run.strip()), width))
    if now.recheck and now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
        lines.append(fact("recheck", untrusted(now.recheck.strip()), width))
    if now.checks and now.kind in {ActionKind.COMMAND, ActionKind.FILE}:
        names = untrusted_line(" and ".join(now.checks), "bold")
        lines.append(fact("then", Content.assemble(names, " must turn green"), width))
    if said := gate_lines(seen.state, action):
        lines.append(fact("gates", Content("\n").join(said), width))
    return Content("\n").join(lines)


LIFTS = (
    (HoldCode.WHEN, "a answers it"), (HoldCode.ALT, "a chooses the way"),
    (HoldCode.TELLS, "a secret belongs into the keyring; m marks it done by hand, s skips it"),
    (HoldCode.REBOUND, "c connects to them; without one that is gone, b writes down why"),
    (HoldCode.GATE, "a green check lifts it; or look yourself, then b writes down what you saw"),
)  # fmt: skip
"""The keys for questions that are no value of the runbook."""


def gate_lines(state: RunState, action: Action) -> list[Content]:
    """Say what turned red since the action was done, which gates are green now, and who answered the others."""
    answers = {answer.gate: answer for answer in gates.answers(state, action)}
    red = dict(gates.reopened(state, action))
    found = []
    for gate in action.gates:
        look = state.looks.get(gate)
        if gate in red:
            said = untrusted_line(f"{red[gate].state} since it was done: {red[gate].value}")
            ask = Content.styled("→ b answers it", "$muted")
            found.append(Content.assemble((f"{REOPENED_GLYPH} ", "bold $error"), gate_name(gate), said, "\n", ask))
        elif look is not None and look.green:
            found.append(Content.assemble(gate_name(gate), untrusted_line(f"{look.state}: {look.said}")))
        elif gate in answers:
            found.append(gate_answer(answers[gate]))
    return found


def gate_name(gate: str) -> Content:
    """Give a gate's name before what is said of it."""
    return Content.assemble(untrusted_line(gate, "bold"), "  ")


def gate_answer(answer: GateAnswer) -> Content:
    """Say who let the action through a gate, when, and what was seen."""
    when = f"{answer.at:%Y-%m-%d %H:%M} UTC"
    return Content.assemble(
        gate_name(answer.gate), f"{when}, ", untrusted_line(f"{answer.by}: {answer.reason}")
    )


def result(seen: Seen, action: Action) -> Content | None:
    """Say what the last attempt came to: what failed first, then how it ended. None when there is nothing to say."""
    state = seen.state.of(action.id)
    attempt = seen.state.last_attempt(action.id)
    if state.status in {Status.SKIPPED, Status.BY_HAND, Status.NOT_RUN} or attempt is None:
        if not state.reason:
            return None
        return Content.assemble(status_sign(state.status), ": ", untrusted_line(state.reason))
    if attempt.open:
        return untrusted_line(awaited(attempt)) if awaited(attempt) else None
    lines = [_first_line(state.status, state.reason or attempt.reason, attempt)]
    if state.status in RESULTS:
        lines += [_proof(proof) for proof in attempt.verifies]
    return Content("\n").join(lines)


def _proof(said: str) -> Content:
    """Give a proof's sentence, and below it the last lines of what it printed."""
    sentence, *printed = said.splitlines()
    lines = [Content.assemble(("  · ", "$muted"), untrusted_line(sentence))]
    if len(printed) > PROOF_LINES:
        lines.append(Content.styled(f"    {plural(len(printed) - PROOF_LINES, 'line')} before these", "$muted"))
    lines += [Content.assemble("    ", untrusted_line(line)) for line in printed[-PROOF_LINES:]]
    return Content("\n").join(lines)


def _first_line(status: Status, reason: str, attempt: Attempt) -> Content:
    role = "the way back: " if attempt.role is Role.UNDO else "the command itself: " if attempt.verifies else ""
    parts: list[Content | str | tuple[str, str]] = [status_sign(status)]
    if reason:
        parts += [": ", untrusted_line(reason)]
    if attempt.until is None and ending(attempt) not in reason:
        parts += [f" · {role}{ending(attempt)}"]
    if attempt.seconds:
        parts += [f" · after {took(attempt.seconds)}"]
    return Content.assemble(*parts)


WAYS_ON = (
    ("retry", "r retry"), ("edit", "e edit and retry"), ("undo", "u undo"), ("done", "m mark done"), ("skip", "s skip"),
)  # fmt: skip


def advice(status: Status, refused: Mapping[str, str]) -> str:
    """Name the verbs that make sense after an attempt that did not go well; `refused` is by key id."""
    if status not in RESULTS:
        return ""
    ways = " · ".join(text for key, text in WAYS_ON if not refused.get(key))
    look = "" if refused.get("recheck") else "k recheck looks on the host how it stands there. "
    if status is Status.UNKNOWN:
        look = look or "Look on the host first how it stands there. "
    return f"{look}Then: {ways}" if look else ways
