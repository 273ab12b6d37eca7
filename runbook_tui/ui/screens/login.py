"""Asks for what a login wants: masked where the server says so, kept in the keyring only when that is ticked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.content import Content
from textual.widgets import Button, Input, Static

from runbook_tui.core.secret import Secret
from runbook_tui.ports import LoginAnswer, LoginKind
from runbook_tui.ui import describe
from runbook_tui.ui.rhythm import GUARD, Rhythm
from runbook_tui.ui.screens.dialogs import Dialog, LineInput, YesNo
from runbook_tui.ui.screens.secret import SecretInput
from runbook_tui.ui.untrusted import untrusted, untrusted_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.widget import Widget

    from runbook_tui.ports import LoginAsk


class LoginScreen(Dialog[LoginAnswer]):
    """Says who wants what and why, and takes a line for each prompt. Gives the answer, or None when it was left.

    It comes when a host wants it, not when a key was pressed: keys that were meant for what was there before do not
    arrive (`ready`).
    """

    AUTO_FOCUS = "#field-0"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, wanted: LoginAsk, rhythm: Rhythm, hosts: Iterable[str] = (), *, can_keep: bool = False) -> None:
        self._sudo = wanted.kind is LoginKind.SUDO
        word = "sudo  " if self._sudo else "Log in  "
        super().__init__(Content.assemble((word, "bold $primary"), describe.host(wanted.host, hosts)))
        self._wanted = wanted
        self._rhythm = rhythm
        self._can_keep = can_keep and bool(wanted.name)
        self._painted: float | None = None

    @property
    def ready(self) -> bool:
        """Whether the dialog has been on the screen long enough for its keys to count."""
        return self._painted is not None and self._rhythm.clock() - self._painted >= GUARD

    def body(self) -> Iterable[Widget]:
        """Give who wants what, what the server says of it, and the fields."""
        wanted = self._wanted
        yield Static(untrusted(wanted.sentence), classes="facts")
        if wanted.again:
            yield Static(untrusted(wanted.again, "$warning"), classes="facts")
        if wanted.said.strip():
            quoted = "\n".join(f"│ {line}" for line in wanted.said.strip().splitlines())
            yield Static(Content.assemble("The server says:\n", untrusted(quoted, "$muted")), classes="facts")
        for number, one in enumerate(wanted.fields):
            yield Static(untrusted_line(one.prompt.strip() or "(a question without words)"), classes="label")
            yield SecretInput(f"field-{number}") if one.hidden else LineInput(id=f"field-{number}")
        if self._can_keep:
            yield YesNo(Content.assemble("Keep it in the keyring, as ", untrusted_line(wanted.name)), id="keep")
        yield Static(id="problem")

    def buttons(self) -> Iterable[Widget]:
        """Give both ways out."""
        yield Button("Stop the command" if self._sudo else "Do not connect", id="close")
        yield Button("Give it" if self._sudo else "Log in", id="ok")

    def fit(self) -> None:
        """Fit the body; from then on it is on the screen."""
        super().fit()
        if self._painted is None and self.query("#box"):
            self._painted = self._rhythm.clock()

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        """Go to the next field; the last one sends them all."""
        fields = list(self.query(Input))
        following = fields.index(event.input) + 1
        if following < len(fields):
            self.set_focus(fields[following])
        else:
            self._take()

    @on(Button.Pressed, "#ok")
    def _take(self) -> None:
        fields = list(self.query(Input))
        if self._wanted.kind is not LoginKind.QUESTIONS and not fields[0].value:
            self.query_one("#problem", Static).update(Content.styled("Nothing is typed.", "$warning"))
            return
        values = tuple(Secret("typed", one.value) for one in fields)
        for one in fields:
            one.value = ""
        keep = self._can_keep and self.query_one("#keep", YesNo).value
        self.dismiss(LoginAnswer(values, keep=keep))
