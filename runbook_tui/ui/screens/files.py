"""Dialogs that end in a new file: the transcript's format and place, the output's place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Button, Input, RadioSet, Static

from runbook_tui.ui.screens.dialogs import Dialog, LineInput, OneOf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

FORMATS = (("md", "Markdown, to read"), ("json", "JSON, for programs"))


class ExportScreen(Dialog[tuple[str, Path]]):
    """Gives format and path of the transcript, or None."""

    AUTO_FOCUS = "#path"

    def __init__(self, run: str) -> None:
        super().__init__("Write the transcript")
        self._run = run

    def body(self) -> Iterable[Widget]:
        """Give format and path."""
        yield RadioSet(
            *(OneOf(Content(label), value=format_ == "md", id=f"as-{format_}") for format_, label in FORMATS),
            id="format", compact=True,
        )  # fmt: skip
        yield Static("File, new and readable only by you", classes="label")
        yield LineInput(self._default("md"), id="path")
        yield Static(id="problem")

    def buttons(self) -> Iterable[Widget]:
        """Give both ways out."""
        yield Button("Cancel", id="close")
        yield Button("Write it", id="ok")

    def _default(self, format_: str) -> str:
        return f"{self._run or 'run'}.{format_}"

    def _format(self) -> str:
        pressed = self.query_one("#format", RadioSet).pressed_index
        return FORMATS[max(0, pressed)][0]

    @on(RadioSet.Changed, "#format")
    def _rename(self) -> None:
        """Let the proposed name go with the format, unless the operator wrote one."""
        path = self.query_one("#path", Input)
        if path.value in {self._default(f) for f, _ in FORMATS}:
            path.value = self._default(self._format())

    @on(Button.Pressed, "#ok")
    @on(Input.Submitted, "#path")
    def _take(self) -> None:
        path = self.query_one("#path", Input).value.strip()
        if (problem := path_problem(path)) is not None:
            self.query_one("#problem", Static).update(Content.styled(problem, "$warning"))
            return
        self.dismiss((self._format(), Path(path).expanduser()))


class SaveScreen(Dialog[Path]):
    """Gives the path the output is saved to, or None."""

    AUTO_FOCUS = "#path"

    def __init__(self, default: str) -> None:
        super().__init__("Save the output")
        self._default = default

    def body(self) -> Iterable[Widget]:
        """Give the path."""
        yield Static("File, new and readable only by you", classes="label")
        yield LineInput(self._default, id="path")
        yield Static(id="problem")

    def buttons(self) -> Iterable[Widget]:
        """Give both ways out."""
        yield Button("Cancel", id="close")
        yield Button("Save it", id="ok")

    @on(Button.Pressed, "#ok")
    @on(Input.Submitted, "#path")
    def _take(self) -> None:
        path = self.query_one("#path", Input).value.strip()
        if (problem := path_problem(path)) is not None:
            self.query_one("#problem", Static).update(Content.styled(problem, "$warning"))
            return
        self.dismiss(Path(path).expanduser())


def path_problem(path: str) -> str | None:
    """Say why nothing can be written there, before anything is tried; None when nothing speaks against it."""
    if not path:
        return "A file name must be given."
    if Path(path).expanduser().exists():
        return "It is there already. Nothing is overwritten; name another file."
    return None
