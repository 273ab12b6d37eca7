"""The main screen: renders State, keeps the cursor, turns keys into flows; holds no truth of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from runbook_tui.core.applies import standing
from runbook_tui.core.each import now_standing
from runbook_tui.core.gates import all_reopened
from runbook_tui.core.run import SETTLED, Status, Verb
from runbook_tui.core.verbs import next_action, number_of
from runbook_tui.ui import describe
from runbook_tui.ui.keys import BY_ID, KEYS, bindings
from runbook_tui.ui.screens.checks import ChecksScreen
from runbook_tui.ui.screens.goto import GoToScreen
from runbook_tui.ui.screens.output import OutputScreen
from runbook_tui.ui.screens.pages import HelpScreen, HostsScreen
from runbook_tui.ui.screens.walking import Panes
from runbook_tui.ui.widgets.checks import ChecksPane, checks_summary
from runbook_tui.ui.widgets.key_bar import KeyBar
from runbook_tui.ui.widgets.output_pane import OutputPane
from runbook_tui.ui.widgets.panes import HeaderBar, StepLine, StepPane
from runbook_tui.ui.widgets.steps import Spot, Steps, spots

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual import events
    from textual.app import ComposeResult
    from textual.widget import Widget

    from runbook_tui.core.run import Attempt
    from runbook_tui.engine import Engine
    from runbook_tui.ui.app import RunbookApp
    from runbook_tui.ui.keys import Key

DRAIN = 1 / 25
"""Seconds between looks at output and state: the one timer of this screen."""


class MainScreen(Panes):
    """Where am I, what will happen if I press the key, is everything still all right."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(),
        Binding("up", "move(-1)", "Step before", show=False, id="before"),
        Binding("down", "move(1)", "Step after", show=False, id="after"),
        Binding("left", "move(-1)", show=False),
        Binding("right", "move(1)", show=False),
        Binding("tab", "pane(1)", show=False),
        Binding("shift+tab", "pane(-1)", show=False),
        Binding("escape", "unfocus", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("end", "follow", show=False),
    ]

    keys: ClassVar[tuple[Key, ...]] = KEYS

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._places = spots(engine.state)
        self._walked = engine.state.runbook
        self._at = 0
        self._dirty = True
        self._second = -1
        self._watched: str = ""
        self._statuses: dict[str, Status] = {}
        self._reopened = set(all_reopened(engine.state))
        self._gaps = len(engine.state.gaps)
        self._told_closed = engine.state.closed
        self.drawn = 0

    def compose(self) -> ComposeResult:
        """Header, steps, step, output, checks, keys; and what they collapse to."""
        yield HeaderBar(id="header")
        yield StepLine(id="stepline")
        with Horizontal(id="body"):
            yield from self.left()
            with Vertical(id="right"):
                yield StepPane(id="step")
                yield OutputPane(id="outpane")
                yield ChecksPane(id="checks")
        yield Static(id="checksline")
        yield KeyBar(id="keys")
        yield Static(id="room")

    def left(self) -> Iterable[Widget]:
        """Give what stands on the left."""
        yield Steps(id="steps")

    def on_mount(self) -> None:
        """Stand on what is open next and start the one timer."""
        self.query_one("#steps").border_title = " STEPS"
        self.query_one("#step").border_title = " STEP "
        self.query_one("#checks").border_title = " CHECKS "
        upcoming = next_action(self._engine.state)
        if upcoming is not None:
            self._go(upcoming.id)
        self._statuses = self._now()
        self._unsubscribe = self._engine.subscribe(self.mark_dirty)
        self.set_interval(DRAIN, self.tick)
        self.call_after_refresh(self.tick)

    def on_unmount(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    @property
    def own(self) -> RunbookApp:
        """The app this screen belongs to."""
        return cast("RunbookApp", self.app)

    # ---- the cursor

    @property
    def spot(self) -> Spot | None:
        """Where the cursor stands."""
        return self._places[self._at] if self._places else None

    def mark_dirty(self) -> None:
        """Have the next tick draw everything anew."""
        self._dirty = True

    def _go(self, spot_id: str) -> None:
        for index, place in enumerate(self._places):
            if place.id == spot_id:
                self._at = index
                self._dirty = True

    def _now(self) -> dict[str, Status]:
        state = self._engine.state
        return {a.id: standing(state, a) for a in state.runbook.actions()}

    def _walk_anew(self) -> None:
        """Take in the actions that a list has got; the cursor stays on its action or on what that has become."""
        runbook, here = self._engine.state.runbook, self.spot
        if runbook is self._walked:
            return
        self._walked, self._places = runbook, spots(self._engine.state)
        action = now_standing(runbook, here.action.id) if here and here.action else None
        found = action.id if action else here.id if here else ""
        self._at = next((index for index, place in enumerate(self._places) if place.id == found), 0)

    def _advance(self) -> None:
        """Move on when the action under the cursor has just been settled; nothing is armed by it."""
        before, self._statuses = self._statuses, self._now()
        here = self.spot
        if here is None or here.action is None:
            return
        now = self._statuses.get(here.action.id)
        if now in SETTLED and before.get(here.action.id) not in SETTLED:
            upcoming = next_action(self._engine.state, after=here.action.id)
            if upcoming is not None:
                self._watched = here.action.id
                self._go(upcoming.id)

    def _alert(self) -> None:
        """Say aloud when a gate turned red behind a step that is done, and when time was lost."""
        state = self._engine.state
        for gap in state.gaps[self._gaps :]:
            self.own.alert(f"{gap.text[:1].upper()}{gap.text[1:]}.")
        self._gaps = len(state.gaps)
        if state.closed and not self._told_closed and not self._engine.cleaning.refusal():
            self.own.say("Every step is settled; the run is closed. D removes what its commands left on the hosts.")
        self._told_closed = state.closed
        found = all_reopened(state)
        before, self._reopened = self._reopened, set(found)
        for (action, gate), reading in found.items():
            if (action, gate) not in before:
                number = number_of(state, action)
                self.own.alert(
                    f"{number}: gate {gate} is {reading.state} since it was done: {reading.value}. b answers it."
                )

    # ---- drawing

    def tick(self) -> None:
        """Draw what changed: output every time, everything when the state did, clocks once a second."""
        if not self.is_mounted or self.size.width == 0:
            return
        second = int(self.own.rhythm.clock())
        if self._dirty:
            self._dirty = False
            with self.app.batch_update():
                self._walk_anew()
                self._advance()
                self._alert()
                self._draw()
            self.drawn += 1
        if second != self._second:
            self._second = second
            self._draw_header()
        self._draw_output()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out anew."""
        self._dirty, self._second = True, -1
        self.fit_panes(event.size)

    def _seen(self) -> describe.Seen:
        identities = {v.name: v.identity for v in self._engine.hosts() if v.identity is not None}
        return describe.Seen(self._engine.state, identities)

    def _draw(self) -> None:
        engine, here = self._engine, self.spot
        drift = {step: str(word) for step, word in engine.drift.items() if str(word) != "same"}
        seen = self._seen()
        self.query_one(Steps).show(engine.state, here, drift)
        step_drift = drift.get(here.step.id, "") if here else ""
        pane = self.query_one(StepPane)
        pane.prefer_actions(not self.has_class("-wide"))
        pane.show(seen, here.step if here else None, here.action if here else None, step_drift, self.refused())
        checks = engine.checks()
        self.query_one(ChecksPane).show(checks, self.own.now(), consented=engine.consented)
        self.query_one("#checksline", Static).update(
            Content.assemble((" CHECKS  ", "bold $muted"), checks_summary(checks)), layout=False
        )
        self.set_class(engine.state.running is not None, "-running")
        self.query_one(StepLine).show(engine.state, here)
        self._draw_header()
        self.query_one(KeyBar).show(self.keys, self.refused(), self.key_names())

    def _draw_header(self) -> None:
        state, here = self._engine.state, self.spot
        elapsed = (self.own.now() - state.opened_at).total_seconds() if state.opened_at else 0.0
        header = self.query_one(HeaderBar)
        header.show(
            state, here.step if here else None, elapsed, mode=self.mode(), alarm=self.alarm(),
            file_changed=self._engine.file_changed,
        )

    def mode(self) -> str:
        """Say how one sits here, where the verbs are not open."""
        return "read-only" if self._engine.read_only else ""

    def alarm(self) -> str:
        """Say what keeps the run from going on, in few words."""
        return "the journal can not be written" if self._engine.trouble else ""

    def shown_attempt(self) -> Attempt | None:
        """Give the attempt whose output is shown: of the chosen action, else what runs, else what just ended."""
        state, here = self._engine.state, self.spot
        own = state.last_attempt(here.action.id) if here and here.action else None
        return own or state.running or (state.last_attempt(self._watched) if self._watched else None)

    def _draw_output(self) -> None:
        attempt = self.shown_attempt()
        feed = self._engine.feed(attempt.id) if attempt else None
        self.query_one(OutputPane).show(self._engine.state, attempt, feed, self._engine.activity)

    # ---- keys

    def refused(self) -> dict[str, str]:
        """Give, by key id, why a key is refused now; empty for what is allowed."""
        here = self.spot
        reasons: Mapping[Verb, str] = self._engine.allowed(here.action.id if here and here.action else "")
        found = {key.id: reasons[key.verb] if key.verb else "" for key in self.keys}
        found["clean"] = self._engine.cleaning.refusal()
        if self.shown_attempt() is None:
            found["output"] = "nothing has run yet, so there is no output"
        return found

    def key_names(self) -> dict[str, str]:
        """Give, by key id, the key it is bound to now."""
        names = {}
        for key, bound in self._bindings.key_to_bindings.items():
            for binding in bound:
                if binding.id in BY_ID:
                    names[binding.id] = binding.key_display or self.app.get_key_display(binding) or key
        return names

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what the engine refuses."""
        if action == "verb" and parameters and self.refused().get(str(parameters[0])):
            return None
        return True

    def on_key(self, event: events.Key) -> None:
        """Say why, when a refused key is pressed."""
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            if binding.id in BY_ID and (why := self.refused().get(binding.id)):
                event.stop()
                self.own.say(f"{BY_ID[binding.id].label.rstrip('…')} is refused: {why}.")

    def on_key_bar_pressed(self, event: KeyBar.Pressed) -> None:
        """Do what the clicked key does, or say why not."""
        if why := self.refused().get(event.id):
            self.own.say(f"{BY_ID[event.id].label.rstrip('…')} is refused: {why}.")
        else:
            self.action_verb(event.id)

    def action_verb(self, key_id: str) -> None:
        """Start the flow of a key."""
        flows, here = self.own.flows, self.spot
        match key_id:
            case "stop":
                flows.start(flows.stop(), alongside=True)
            case "pause":
                flows.start(flows.leave(), alongside=True)
            case "note":
                flows.start(flows.note(here.action if here else None))
            case "reload":
                flows.start(flows.reload())
            case "clean":
                flows.start(flows.clean())
            case "transcript":
                flows.start(flows.export())
            case "goto":
                self.app.push_screen(GoToScreen(self._engine.state, self._places), self._gone)
            case "help":
                self.app.push_screen(HelpScreen(self.keys, self.refused(), self.key_names()))
            case "checks":
                self.app.push_screen(ChecksScreen(self._engine.checks, self.own.now))
            case "hosts":
                self.app.push_screen(HostsScreen(self._engine.hosts))
            case "secrets":
                flows.start(flows.secrets())
            case "output":
                self._open_output()
            case _:
                self._act(key_id)

    def _act(self, key_id: str) -> None:
        """Start a flow that needs an action."""
        flows, here = self.own.flows, self.spot
        if here is None or here.action is None:
            return
        action = here.action
        match key_id:
            case "confirm":
                flows.start(flows.confirm(action, Verb.CONFIRM))
            case "retry":
                flows.start(flows.confirm(action, Verb.RETRY))
            case "undo":
                flows.start(flows.confirm(action, Verb.UNDO))
            case "rollback":
                flows.start(flows.roll_back(action))
            case "edit":
                flows.start(flows.edit(action))
            case "skip":
                flows.start(flows.skip(action))
            case "override":
                flows.start(flows.override(action))
            case "recheck":
                flows.start(flows.recheck(action))
            case "done":
                flows.start(flows.done(action))
            case "settle":
                flows.start(flows.settle(action))

    def _open_output(self) -> None:
        attempt = self.shown_attempt()
        if attempt is not None:
            number = number_of(self._engine.state, attempt.action)
            host = describe.host(attempt.host or "local", self._engine.state.hosts)
            title = Content.assemble((number, "bold"), " on ", host)
            self.app.push_screen(OutputScreen(title, self._engine.feed(attempt.id), self._engine.redact))

    def _gone(self, spot_id: str | None) -> None:
        if spot_id is not None:
            self._go(spot_id)

    # ---- moving about

    def on_steps_chosen(self, event: Steps.Chosen) -> None:
        """Follow the highlight of the list."""
        self._go(event.spot)

    def action_move(self, by: int) -> None:
        """Go to the spot before or after."""
        if self._places:
            self._at = max(0, min(len(self._places) - 1, self._at + by))
            self._watched = ""
            self._dirty = True

    def action_page(self, by: int) -> None:
        """Page through the output when no pane has the focus."""
        view = self.query_one(OutputPane).view
        (view.scroll_page_down if by > 0 else view.scroll_page_up)(animate=False)

    def action_follow(self) -> None:
        """Follow the output again."""
        self.query_one(OutputPane).view.action_follow()
