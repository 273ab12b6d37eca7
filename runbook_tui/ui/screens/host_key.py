"""A host key that was refused: what came, what was expected, what to compare with, and the way to vouch for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Button, Input, Static

from runbook_tui.ports import KeyVerdict
from runbook_tui.ui import describe
from runbook_tui.ui.screens.dialogs import Dialog, LineInput
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.widgets.fitted import Fitted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from runbook_tui.ports import HostKey, KeyRefusal

WAYS_ON = {
    KeyVerdict.UNKNOWN: "Nobody vouched for it yet. Compare it with what the machine itself says, on its console or by "
    "somebody who sits there.",
    KeyVerdict.CHANGED: "Another key was expected: this may be another machine, or somebody in between. Find out why "
    "before anything else.",
    KeyVerdict.OTHER_TYPE: "Only a key of another type is known for it: this may be another machine, or somebody in "
    "between. Find out why before anything else.",
    KeyVerdict.REVOKED: "known_hosts marks it @revoked: somebody lost it, or took it back. It cannot be trusted here. "
    "Ask who runs the server.",
    KeyVerdict.OTHER_ROLE: "Name or address lead to another machine of this run than they should. It cannot be trusted "
    "here. Look at DNS, at the addresses, and at your ssh configuration.",
}


class KeyScreen(Dialog[tuple[str, str]]):
    """Shows a refused key. Gives the typed fingerprint and reason, or None.

    There is no default button: Enter in a field only moves on, and the button is dead until what was typed is right.
    """

    AUTO_FOCUS = "#close"

    def __init__(self, host: str, names: Iterable[str], refusal: KeyRefusal) -> None:
        self._refusal = refusal
        self._names = tuple(names)
        self._host = host
        alarm = refusal.verdict is not KeyVerdict.UNKNOWN
        super().__init__(self._title(), classes="-danger" if alarm else "")

    def on_mount(self) -> None:
        """Begin in the field where nothing alarms; else on the way out."""
        if self._refusal.verdict is KeyVerdict.UNKNOWN:
            self.query_one("#fingerprint", Input).focus()

    def _title(self) -> Content:
        refusal = self._refusal
        style = "bold $warning" if refusal.verdict is KeyVerdict.UNKNOWN else "bold $error"
        host = describe.host(self._host, self._names)
        if refusal.verdict is KeyVerdict.OTHER_ROLE:
            role = describe.host(refusal.role, self._names)
            return Content.assemble(host, (" shows the host key of ", style), role)
        whose: tuple[Content | tuple[str, str], ...] = (host,)
        if refusal.jump:
            whose = (("the jump host ", style), untrusted_line(refusal.jump, "bold"), (" before ", style), host)
        end = "has CHANGED" if refusal.alarming else f"is {refusal.verdict}"
        return Content.assemble(("The host key of ", style), *whose, (f" {end}", style))

    def body(self) -> Iterable[Widget]:
        """Give the facts, the way on, and the fields where the key can be trusted."""
        refusal = self._refusal
        yield Fitted(self._facts, classes="facts")
        yield Static(Content(WAYS_ON[refusal.verdict]), classes="facts")
        if not refusal.can_be_trusted:
            return
        wanted = "the whole fingerprint it shows" if refusal.alarming else "the last 6 characters, or all of it"
        yield Static(Content(f"To trust it in this run, type {wanted}:"), classes="label")
        yield LineInput(id="fingerprint")
        if refusal.alarming:
            yield Static(Content("Why is this key right? The transcript shows it:"), classes="label")
            yield LineInput(id="reason")
        yield Static(id="problem")

    def _facts(self, width: int) -> Content:
        refusal = self._refusal
        lines = [describe.fact("it shows", _key(refusal.key), width)] if refusal.key else []
        lines += [describe.fact("expected", _key(key), width) for key in refusal.expected]
        if refusal.expected:
            lines.append(describe.fact("as in", untrusted_line(refusal.where), width))
        reached = f"{refusal.name} at {refusal.address}" if refusal.address else refusal.name
        lines.append(describe.fact("reached", untrusted_line(reached), width))
        lines += [describe.fact("known for", untrusted_line(place), width) for place in refusal.listed]
        if refusal.can_be_trusted:
            lines.append(describe.fact("compare", untrusted_line(refusal.compare), width))
        return Content("\n").join(lines)

    def buttons(self) -> Iterable[Widget]:
        """Give the way out, and the button that has to be earned."""
        yield Button("Do not trust it" if self._refusal.can_be_trusted else "Close", id="close")
        if self._refusal.can_be_trusted:
            yield Button("Trust it", id="ok", disabled=True)

    def _typed(self) -> tuple[str, str]:
        fields = {field.id: field.value.strip() for field in self.query(Input)}
        return fields.get("fingerprint", ""), fields.get("reason", "")

    def _missing(self) -> str:
        """Say what is still wrong with what was typed; empty when it may be trusted."""
        key, (typed, reason) = self._refusal.key, self._typed()
        if key is None or not typed:
            return "Nothing is typed."
        whole = {key.fingerprint, key.fingerprint.removeprefix("SHA256:")}
        if typed not in (whole if self._refusal.alarming else {*whole, key.fingerprint[-6:]}):
            if self._refusal.alarming and typed == key.fingerprint[-6:]:
                return "The whole fingerprint is wanted."
            return "That is not the fingerprint it shows."
        return "A reason is wanted." if self._refusal.alarming and not reason else ""

    @on(Input.Changed)
    def _look(self) -> None:
        self.query_one("#ok", Button).disabled = bool(self._missing())
        self.query_one("#problem", Static).update("")

    @on(Input.Submitted)
    def _move_on(self, event: Input.Submitted) -> None:
        """Enter moves on; it never trusts."""
        event.stop()
        missing = self._missing()
        if not missing:
            self.query_one("#ok", Button).focus()
        elif missing == "A reason is wanted." and event.input.id == "fingerprint":
            self.query_one("#reason", Input).focus()
        else:
            self.query_one("#problem", Static).update(Content.styled(missing, "$warning"))

    @on(Button.Pressed, "#ok")
    def _trust(self) -> None:
        if not self._missing():
            self.dismiss(self._typed())


def _key(key: HostKey) -> Content:
    return untrusted_line(f"{key.algorithm} {key.fingerprint}", "bold")
