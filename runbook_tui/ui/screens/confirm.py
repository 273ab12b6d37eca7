"""The confirmation: who, where as the live connection says, exactly what, what counts as done, the way back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from runbook_tui.core.events import Role
from runbook_tui.core.model import ActionKind
from runbook_tui.ui import describe
from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.untrusted import untrusted, untrusted_line
from runbook_tui.ui.widgets.fitted import Fitted
from runbook_tui.ui.words import STATUS, ending, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from runbook_tui.core.proposal import DryRun, Proposal
    from runbook_tui.core.run import RunState
    from runbook_tui.ui.rhythm import Rhythm

FINAL = Content.assemble(
    ("Nothing leads back after this. ", "bold $error"),
    "It is the point of no return: look once more at everything before it.",
)
DIFF_STYLES = {"+": "$success", "-": "$error", "@": "$secondary"}


class ConfirmScreen(AskScreen):
    """Shows one Proposal whole; what is confirmed is exactly that object."""

    def __init__(self, proposal: Proposal, state: RunState, rhythm: Rhythm) -> None:
        heading = _heading(proposal, again=bool(state.of(proposal.action).attempts))
        label = {ActionKind.WAIT: "Start waiting"}.get(proposal.kind, "Undo" if proposal.role is Role.UNDO else "Run")
        super().__init__(rhythm, heading, wants=proposal.wants, yes=label, danger=proposal.danger or proposal.no_return)
        self.proposal = proposal
        self._state = state

    def body(self) -> Iterable[Widget]:
        """Give where, what, the differences, what counts as done, the way back, warnings, earlier attempts."""
        proposal = self.proposal
        if proposal.no_return:
            yield Static(FINAL, classes="warnings -final", id="final")
        yield Fitted(partial(_where, proposal, self._state), classes="facts")
        if others := proposal.other_warnings:
            warnings = (Content.assemble(("! ", "bold $warning"), untrusted_line(w)) for w in others)
            yield Static(Content("\n").join(warnings), classes="warnings")
        if proposal.gates:
            yield Fitted(partial(_gates, proposal), classes="facts", id="gates")
        if proposal.dry_run is not None:
            yield from _dry_run(proposal.dry_run)
        if proposal.written:
            yield Static("As the runbook has it", classes="section")
            yield Static(untrusted(proposal.written.rstrip("\n"), "$muted"), classes="command -written")
        if proposal.kind is ActionKind.FILE and proposal.detail:
            yield Static("What changes", classes="section")
            yield Static(diff(proposal.detail), classes="command", id="diff")
        if proposal.command:
            yield Static(_what(proposal), classes="section")
            yield Static(untrusted(proposal.command.rstrip("\n")), classes="command", id="command")
        if proposal.kind is not ActionKind.FILE and proposal.detail:
            yield Static(untrusted(proposal.detail), classes="facts")
        yield Fitted(partial(_consequences, proposal), classes="facts")
        if self._state.of(proposal.action).attempts:
            yield Fitted(partial(_before, proposal, self._state), classes="facts")


def _heading(proposal: Proposal, *, again: bool) -> Content:
    verb = "Undo" if proposal.role is Role.UNDO else "Confirm"
    if again and proposal.role is Role.RUN:
        verb = "Confirm again"
    parts: list[Content | str | tuple[str, str]] = [
        (f"{verb}  ", "bold $primary"), (proposal.number, "bold"), "  ", untrusted_line(proposal.title, "bold"),
    ]  # fmt: skip
    if proposal.danger:
        parts += ["   ", ("DANGER", "bold $error")]
    if proposal.no_return:
        parts += ["   ", ("POINT OF NO RETURN", "bold $error")]
    return Content.assemble(*parts)


def _gates(proposal: Proposal, width: int) -> Content:
    return describe.fact("gates", Content("\n").join(untrusted_line(gate) for gate in proposal.gates), width)


def _dry_run(dry: DryRun) -> Iterable[Widget]:
    """Show the read-only command and what it printed: it says what would happen, so it stands above what runs."""
    yield Static("What the dry run says", classes="section")
    style = "$muted" if dry.well else "bold $error"
    yield Static(
        Content.assemble(
            ("$ ", "$muted"), untrusted(dry.command.strip(), "$muted"), "\n",
            untrusted(dry.output), (f"{'' if dry.well else '✗ failed: '}", style), untrusted_line(dry.ended, style),
        ),
        classes="command -written", id="dry-run",
    )  # fmt: skip


def _where(proposal: Proposal, state: RunState, width: int) -> Content:
    if proposal.host is None:
        return describe.fact("where", untrusted_line(proposal.where), width)
    names = [str(n) for n in state.hosts]
    lines = [
        describe.fact("host", describe.host(proposal.host, names), width),
        describe.fact("as", untrusted_line(f"{proposal.user}@{proposal.name}", "bold"), width),
    ]
    if proposal.address:
        lines.append(describe.fact("address", untrusted_line(proposal.address), width))
        lines.append(describe.fact("host key", untrusted_line(proposal.fingerprint), width))
    else:
        lines.append(describe.fact("address", Content("this machine"), width))
    return Content("\n").join(lines)


def _what(proposal: Proposal) -> str:
    if proposal.role is Role.UNDO:
        return "What runs as the way back"
    if proposal.kind is ActionKind.FILE:
        return "What runs to write it"
    return "What runs, edited for this attempt" if proposal.written else "What runs"


def _consequences(proposal: Proposal, width: int) -> Content:
    lines = []
    if proposal.input:
        lines.append(describe.fact("input", untrusted_line(proposal.input), width))
    if proposal.done_when:
        done = Content("\n").join(untrusted(d) for d in proposal.done_when)
        lines.append(describe.fact("done when", done, width))
    if proposal.way_back:
        lines.append(describe.fact("way back", Content("\n").join(untrusted(w) for w in proposal.way_back), width))
    return Content("\n").join(lines)


def _before(proposal: Proposal, state: RunState, width: int) -> Content:
    """Say how the earlier attempts ended: a second execution is confirmed knowing of the first."""
    attempts = [state.attempts[i] for i in state.of(proposal.action).attempts]
    shown = []
    for attempt in attempts[-3:]:
        sign = STATUS[attempt.status]
        said = attempt.reason if ending(attempt) in attempt.reason else f"{ending(attempt)} {attempt.reason}"
        when = f"{attempt.confirmed_at:%Y-%m-%d %H:%M} UTC"
        word = Content.styled(f"{sign.glyph} {sign.word}", sign.style)
        shown.append(Content.assemble(f"{when}  ", word, " · ", untrusted_line(said.strip())))
    if len(attempts) > len(shown):
        shown.insert(0, Content.styled(f"{plural(len(attempts) - len(shown), 'attempt')} before these", "$muted"))
    return describe.fact("before", Content("\n").join(shown), width)


def diff(text: str) -> Content:
    """Colour a unified diff by its signs; the signs themselves stay."""
    lines = []
    for line in untrusted(text.rstrip("\n")).split("\n"):
        style = DIFF_STYLES.get(line.plain[:1], "") if not line.plain.startswith(("+++", "---")) else "$muted"
        lines.append(line.stylize(style) if style else line)
    return Content("\n").join(lines)
