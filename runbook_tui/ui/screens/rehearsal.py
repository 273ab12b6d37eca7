"""The main screen of a rehearsal: the one of life, and beside it the world and the keys that steer it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from runbook_tui.core.errors import HostError
from runbook_tui.core.rehearsal import Fault
from runbook_tui.ui.keys import KEYS, REHEARSAL_KEYS, bindings
from runbook_tui.ui.screens.dialogs import Dialog
from runbook_tui.ui.screens.main import MainScreen
from runbook_tui.ui.screens.pages import Page
from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.widgets.steps import Steps
from runbook_tui.ui.widgets.world_pane import WorldPane, world_lines, world_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from textual.app import ComposeResult
    from textual.widget import Widget

    from runbook_tui.core.rehearsal import WorldView
    from runbook_tui.engine import Engine
    from runbook_tui.ports import Rehearsal
    from runbook_tui.ui.keys import Key

LOOK = 0.5
"""Real seconds between looks at the world."""
UNSEEN = "The world has not been seen yet."


class WorldScreen(Page):
    """The world on the full page."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("d", "leave", show=False)]

    def __init__(self, view: Callable[[], WorldView | str]) -> None:
        super().__init__("The rehearsal's world", classes="-wide")
        self._view = view

    def body(self) -> Iterable[Widget]:
        """Give one text, drawn anew twice a second."""
        yield Static(id="world-page")

    def on_mount(self) -> None:
        """Keep it true."""
        self._draw()
        self.set_interval(LOOK, self._draw)

    def _draw(self) -> None:
        view = self._view()
        lines = [untrusted_line(view, "$warning")] if isinstance(view, str) else self._lines(view)
        self.query_one("#world-page", Static).update(Content("\n").join(lines))

    def _lines(self, view: WorldView) -> list[Content]:
        manners = [Content.styled(f"{r.name}: {r.manner}", "$muted") for r in view.resolvers]
        return [*world_lines(view), Content(""), Content.styled("The resolvers' manners", "bold $muted"), *manners]


class FaultScreen(Dialog[Fault]):
    """What can be broken on purpose, and what is broken now."""

    AUTO_FOCUS = "#faults"

    def __init__(self, broken: frozenset[Fault]) -> None:
        super().__init__("Break something on purpose")
        self._broken = broken

    def body(self) -> Iterable[Widget]:
        """Give the list."""
        broken = Content.styled("  broken now: Enter mends it", "$warning")
        options = [Option(Content.assemble(f.value, broken if f in self._broken else ""), f.value) for f in Fault]
        yield OptionList(*options, id="faults")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the chosen one."""
        self.dismiss(Fault(str(event.option.id)))


class RehearsalScreen(MainScreen):
    """Shows the world under the steps; at 80 columns on a line of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(REHEARSAL_KEYS)]
    keys: ClassVar[tuple[Key, ...]] = (*KEYS, *REHEARSAL_KEYS)

    def __init__(self, engine: Engine, rehearsal: Rehearsal) -> None:
        super().__init__(engine)
        self._rehearsal = rehearsal
        self._world: WorldView | str = UNSEEN
        self._looking: asyncio.Task[None] | None = None

    def left(self) -> Iterable[Widget]:
        """Give the steps, and under them the world."""
        with Vertical(id="left"):
            yield Steps(id="steps")
            yield WorldPane(id="world")

    def compose(self) -> ComposeResult:
        """Everything the screen of life has, and the world's line before the keys."""
        for widget in super().compose():
            if widget.id == "keys":
                yield Static(id="worldline")
            yield widget

    def on_mount(self) -> None:
        """Begin to look."""
        super().on_mount()
        self.query_one("#world").border_title = " WORLD   f fast-forward  p stream  i fault  d all "
        self._looking = asyncio.create_task(self._look_on())

    def on_unmount(self) -> None:
        """Stop looking."""
        super().on_unmount()
        if self._looking is not None:
            self._looking.cancel()

    async def _look_on(self) -> None:
        while True:
            try:
                self._world = await self._rehearsal.look()
            except HostError as error:
                self._world = error.title
            self.query_one(WorldPane).show(self._world)
            self.query_one("#worldline", Static).update(
                Content.assemble((" WORLD   ", "bold $muted"), world_summary(self._world))
            )
            await asyncio.sleep(LOOK)

    def action_verb(self, key_id: str) -> None:
        """Steer the world, or do what the key does in life."""
        flows = self.own.flows
        match key_id:
            case "world":
                self.app.push_screen(WorldScreen(lambda: self._world))
            case "forward":
                flows.start(self._steer(self._rehearsal.fast_forward()), alongside=True)
            case "stream":
                flows.start(self._steer(self._rehearsal.stream()), alongside=True)
            case "fault":
                broken = frozenset[Fault]() if isinstance(self._world, str) else self._world.faults
                self.app.push_screen(FaultScreen(broken), self._break)
            case _:
                super().action_verb(key_id)

    def _break(self, fault: Fault | None) -> None:
        if fault is not None:
            self.own.flows.start(self._steer(self._rehearsal.toggle(fault)), alongside=True)

    async def _steer(self, doing: Coroutine[None, None, str]) -> None:
        self.own.say(await doing)
