"""The Textual app around one engine: themes, palette, the ways out, and a crash that shows no local variables."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App
from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content
from textual.worker import WorkerFailed

from runbook_tui.core.errors import ExitCode, Refused
from runbook_tui.ui.crash import crash_text, panic_text
from runbook_tui.ui.flows import Flows
from runbook_tui.ui.log_in import LogIn
from runbook_tui.ui.rhythm import Rhythm
from runbook_tui.ui.screens.ask import AskScreen
from runbook_tui.ui.screens.leaving import LeaveScreen, StopScreen
from runbook_tui.ui.screens.login import LoginScreen
from runbook_tui.ui.screens.main import MainScreen
from runbook_tui.ui.screens.rehearsal import RehearsalScreen
from runbook_tui.ui.screens.watching import WatchScreen
from runbook_tui.ui.themes import DARK, THEMES
from runbook_tui.ui.untrusted import untrusted_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType
    from textual.app import SystemCommand
    from textual.binding import BindingType
    from textual.command import Hits
    from textual.driver import Driver
    from textual.screen import Screen

    from runbook_tui.engine import Engine
    from runbook_tui.ports import Rehearsal
    from runbook_tui.ui.screens.output import OutputScreen
    from runbook_tui.ui.screens.pages import HostsScreen

ALWAYS_HEARD = frozenset({"escape", "ctrl+c", "ctrl+q"})
"""Keys that a dialog hears before it has been on the screen long enough."""


class VerbCommands(Provider):
    """Every verb in the command palette; a refused one is dimmed and says why."""

    def _commands(self) -> list[tuple[str, Content, Callable[[], None]]]:
        app = self.app
        assert isinstance(app, RunbookApp)  # noqa: S101 -- the provider belongs to this app
        main = app.main
        refused = main.refused()
        found: list[tuple[str, Content, Callable[[], None]]] = []
        for key in main.keys:
            why, name = refused.get(key.id, ""), key.label.rstrip("…")
            said = untrusted_line(f"not now: {why}" if why else key.help, "not bold $muted")
            shown = Content.assemble((name, "dim" if why else "bold"), f"  {key.shown}\n", said)
            refusal = f"{name} is refused: {why}."
            found.append((name, shown, partial(app.say, refusal) if why else partial(main.action_verb, key.id)))
        for theme in THEMES:
            name = f"Theme: {theme.name.removeprefix('mailrunbook-')}"
            found.append((name, Content.styled(name, "bold"), partial(setattr, app, "theme", theme.name)))
        return found

    async def discover(self) -> Hits:
        """List everything before a word is typed."""
        for name, shown, run in self._commands():
            yield DiscoveryHit(shown, run, text=name)

    async def search(self, query: str) -> Hits:
        """List what has the words."""
        matcher = self.matcher(query)
        for name, shown, run in self._commands():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, shown, run, text=name)


class RunbookApp(App[None]):
    """Renders the engine's state and sends it intents; the engine lives around this app."""

    TITLE = "mailrunbook"
    CSS_PATH = "runbook.tcss"
    AUTO_FOCUS = None
    ESCAPE_TO_MINIMIZE = False
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {VerbCommands}
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        theme: str = DARK.name,
        rehearsal: Rehearsal | None = None,
        driver: type[Driver] | None = None,
    ) -> None:
        """Make the app. `clock` gives monotonic seconds, `now` aware UTC; tests hold both.

        With a `rehearsal` the main screen shows its world too. `driver` is Textual's own choice unless it is given.
        """
        no_colour = bool(os.environ.get("NO_COLOR"))
        # Textual takes an empty NO_COLOR for a set one; and with a set one it still paints greys unless
        # the terminal's own colours are asked for (STYLE.md F8).
        super().__init__(driver_class=driver, ansi_color=True if no_colour else None)
        if self.no_color and not no_colour:
            self.no_color = False
            self._filters = [f for f in self._filters if type(f).__name__ not in {"Monochrome", "NoColor"}]
        for own in THEMES:
            self.register_theme(own)
        self.theme = theme
        self.engine = engine
        self.now = now
        self.rhythm = Rhythm(clock)
        self.flows = Flows(self, engine)
        self.log_in = LogIn(self, engine)
        self.main: MainScreen = WatchScreen(engine) if engine.following else MainScreen(engine)
        if rehearsal is not None:
            self.main = RehearsalScreen(engine, rehearsal)

    def on_mount(self) -> None:
        """Show the main screen, and before it what has to be agreed to."""
        self.push_screen(self.main)
        self.log_in.begin()
        self.flows.start(self.flows.begin())

    async def on_unmount(self) -> None:
        """Give up dialogs that are open."""
        self.log_in.end()
        await self.flows.close()

    async def on_event(self, event: events.Event) -> None:
        """Take note of when keys come, and drop those that came before their dialog could be read."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.rhythm.key(event.key)
            screen = self.screen
            early = isinstance(screen, AskScreen | LoginScreen) and not screen.ready
            if early and event.key not in ALWAYS_HEARD:
                return
        elif isinstance(event, events.Paste) and not event.is_forwarded:
            self.rhythm.paste()
        await super().on_event(event)

    def say(self, text: str) -> None:
        """Say something that needs no action."""
        self.notify(untrusted_line(text).plain, markup=False)

    def alert(self, text: str) -> None:
        """Say something that the operator has to know: it stays for long, and the terminal is rung."""
        self.notify(untrusted_line(text).plain, severity="error", timeout=60, markup=False)
        self.bell()

    # ---- requests of screens

    def on_checks_screen_look_again(self) -> None:
        """Have every check look now."""
        try:
            self.engine.look_again()
        except Refused as error:
            self.say(f"{error.title}.")

    def on_hosts_screen_asked(self, event: HostsScreen.Asked) -> None:
        """Trust, reconnect, take over."""
        flows = self.flows
        match event.what:
            case "trust":
                flows.start(flows.trust(event.host))
            case "takeover":
                flows.start(flows.take_over(event.host))
            case _:
                flows.start(flows.reconnect(event.host))

    def on_output_screen_save(self, event: OutputScreen.Save) -> None:
        """Save the output."""
        self.flows.start(self.flows.save(event.text))

    # ---- ways out

    async def action_quit(self) -> None:
        """Leave as `q` does; the palette and ctrl+q come here."""
        self._leave()

    def action_help_quit(self) -> None:
        """Ctrl-C without selected text, or SIGINT from outside: stop what runs, else leave."""
        # A signal handler is called outside the app's context, in which no screen can be made.
        self.call_later(self._interrupted)

    def _interrupted(self) -> None:
        if isinstance(self.screen, StopScreen | LeaveScreen):
            return
        if self.engine.activity is not None and not self.engine.following:
            self.flows.start(self.flows.stop(), alongside=True)
        else:
            self._leave()

    def _leave(self) -> None:
        if not isinstance(self.screen, LeaveScreen):
            self.flows.start(self.flows.leave(), alongside=True)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Give none of Textual's own: the table of keys has them all."""
        del screen
        return ()

    # ---- a fault of the program itself

    def fault(self, error: BaseException) -> None:
        """End the app because the program is broken."""
        if isinstance(error, Exception):
            self._handle_exception(error)
        else:
            raise error

    def _handle_exception(self, error: Exception) -> None:
        if self._exception is None:
            cause = error.error if isinstance(error, WorkerFailed) else error
            self._exception = cause if isinstance(cause, Exception) else error
            self._exception_event.set()
        self._fatal_error()

    def panic(self, *renderables: RenderableType) -> None:
        """End the app with what Textual itself has to say, redacted, and our exit code."""
        super().panic(panic_text(renderables, self.engine.redact, self.engine.state.run))
        self._return_code = ExitCode.FAULT

    def _fatal_error(self) -> None:
        """Print a plain traceback: Textual's own would print local variables (PROMISES.md fact 8)."""
        error = self._exception
        if error is not None and not self._exit_renderables:
            self._exit_renderables.append(crash_text(error, self.engine.redact, self.engine.state.run))
        self._return_code = ExitCode.FAULT
        self._close_messages_no_wait()
