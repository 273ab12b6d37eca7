"""Nothing runs without a deliberate key on a dialog that could be read (PROMISES.md P6 and 3.7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import events
from textual.widgets import Button, Input, Static

from runbook_tui.core.model import HostName
from runbook_tui.core.proposal import YES
from runbook_tui.core.run import Verb
from runbook_tui.ui.rhythm import BURST, GUARD, REPEAT, Rhythm
from runbook_tui.ui.screens.ask import ALONE
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import BusyScreen, ErrorScreen
from tests.ui.pilots import HeldClock, agree, an_app, past_guard, shown, until

if TYPE_CHECKING:
    from tests.ui.scripted import Scripted

SIZE = (120, 40)


def confirmed(scripted: Scripted) -> list[tuple[object, ...]]:
    """Give what was confirmed."""
    return [call for call in scripted.calls if call[0] == "confirm"]


async def test_y_on_a_dialog_that_could_be_read_runs_it(scripted: Scripted, clock: HeldClock) -> None:
    """A single `y` after the guard confirms exactly the proposal that is shown."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await agree(app, clock, pilot)
        await until(lambda: confirmed(scripted) == [("confirm", "users", YES)])


async def test_cancel_has_the_focus_and_enter_cancels(scripted: Scripted, clock: HeldClock) -> None:
    """Enter on the open dialog never runs anything; it presses Cancel."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        assert app.focused is app.screen.query_one("#cancel")
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)
        assert confirmed(scripted) == []


async def test_enter_on_the_run_button_does_nothing(scripted: Scripted, clock: HeldClock) -> None:
    """Tabbing to Run and pressing Enter does not run it."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        await pilot.press("tab")
        assert app.focused is app.screen.query_one("#yes")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert confirmed(scripted) == []


async def test_keys_are_ignored_until_the_dialog_was_painted_long_enough(scripted: Scripted, clock: HeldClock) -> None:
    """A `y` that comes 399 ms after the painting is dropped; one that comes later counts."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await until(lambda: getattr(app.screen, "_painted", None) is not None)
        clock.pass_(GUARD - 0.001)
        await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert isinstance(app.screen, ConfirmScreen)
        clock.pass_(1.0)
        await pilot.press("y")
        await until(lambda: confirmed(scripted))


async def test_a_burst_does_not_confirm(scripted: Scripted, clock: HeldClock) -> None:
    """A `y` with another key within 30 ms before or after it was not typed by hand."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        for key in "y", "e":
            app.post_message(events.Key(key, key))
        await pilot.pause(ALONE * 2)
        for key in "e", "y":
            app.post_message(events.Key(key, key))
        await pilot.pause(ALONE * 2)
        assert isinstance(app.screen, ConfirmScreen)
        assert confirmed(scripted) == []


async def test_a_held_key_does_not_confirm(scripted: Scripted, clock: HeldClock) -> None:
    """A `y` that is held down since before the guard ended never counts, however long it is held."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await until(lambda: getattr(app.screen, "_painted", None) is not None)
        for _ in range(30):
            clock.pass_(REPEAT / 4)
            await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert confirmed(scripted) == []


async def test_a_paste_does_not_confirm(scripted: Scripted, clock: HeldClock) -> None:
    """Pasting `y` neither confirms nor lets the next key confirm at once."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        app.post_message(events.Paste("y"))
        await pilot.pause()
        clock.pass_(GUARD / 2)
        await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert confirmed(scripted) == []


async def test_the_key_that_opened_the_dialog_arms_nothing_afterwards(scripted: Scripted, clock: HeldClock) -> None:
    """After an action ended the cursor stands on the next one, and another `y` runs nothing."""
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await agree(app, clock, pilot)
        await until(lambda: scripted.state.running)
        scripted.finish()
        await until(lambda: app.main.spot and app.main.spot.id == "ttl")
        clock.pass_(5)
        await pilot.press("y", "enter")
        await pilot.pause(ALONE * 2)
        assert app.screen is app.main
        assert len(confirmed(scripted)) == 1


async def at_danger(scripted: Scripted) -> None:
    """Settle everything before the dangerous step."""
    for name in ("users", "ttl", "first", "relay-main", "relay-domains", "relay-maps", "day", "smtp"):
        await scripted.skip(name, "elsewhere")


async def test_danger_wants_the_hosts_name_typed(scripted: Scripted, clock: HeldClock) -> None:
    """Only the exact name enables Run; Enter moves to Run, and `y` there runs it."""
    await at_danger(scripted)
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        run, field = app.screen.query_one("#yes", Button), app.screen.query_one("#typed", Input)
        assert app.focused is field
        for typed in ("y", "ol", "Old", "old "):
            field.value = typed
            await pilot.pause()
            assert run.disabled, typed
            await pilot.press("enter")
            assert app.focused is field
        field.value = ""
        for key in "old":
            clock.pass_(0.2)
            await pilot.press(key)
        await until(lambda: not run.disabled)
        clock.pass_(0.2)
        await pilot.press("enter")
        await until(lambda: app.focused is run)
        await pilot.press("enter")
        await pilot.pause(ALONE * 2)
        assert confirmed(scripted) == []
        clock.pass_(1.0)
        await pilot.press("y")
        await until(lambda: confirmed(scripted) == [("confirm", "last", "old")])


async def test_the_hosts_name_can_not_be_pasted(scripted: Scripted, clock: HeldClock) -> None:
    """A paste into the field that wants the name does not arrive."""
    await at_danger(scripted)
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        app.post_message(events.Paste("old"))
        await pilot.pause()
        assert app.screen.query_one("#typed", Input).value == ""


async def test_an_unknown_outcome_wants_rerun_typed(scripted: Scripted, clock: HeldClock) -> None:
    """After an unknown outcome `r` asks for the word rerun, not for `y`."""
    proposal = await scripted.propose("users", Verb.CONFIRM)
    await scripted.confirm(proposal, YES)
    scripted.lose("the link broke")
    scripted.calls.clear()
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("r")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        assert "rerun" in shown(app)
        assert "the link broke" in shown(app)
        for key in "rerun":
            clock.pass_(0.3)
            await pilot.press(key)
        clock.pass_(0.3)
        await pilot.press("enter")
        clock.pass_(0.3)
        await pilot.press("y")
        await until(lambda: confirmed(scripted) == [("confirm", "users", "rerun")])


async def test_the_dialog_shows_who_where_what_and_the_way_back(scripted: Scripted, clock: HeldClock) -> None:
    """The live identity, the whole command and the way back are on the dialog."""
    await at_danger(scripted)
    scripted.warnings = ("the clock there is 7 s behind",)
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        await pilot.pause()
        text = shown(app)
        for wanted in (
            "root@old.plop.example", "198.51.100.10:22", "SHA256:4xGmXh0v", "--delete-after", "service dovecot start",
            "DANGER", "7 s behind",
        ):  # fmt: skip
            assert wanted in text, wanted
        command = app.screen.query_one("#command", Static)
        proposal = app.screen.proposal  # type: ignore[attr-defined]
        assert str(command.content) == proposal.command.rstrip("\n")


async def test_nothing_can_be_agreed_to_on_a_screen_too_small_to_read(scripted: Scripted, clock: HeldClock) -> None:
    """On 20 by 5 the dialog opens without a fault, and `y` does not run anything."""
    app = an_app(scripted, clock)
    async with app.run_test(size=(20, 5), notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert confirmed(scripted) == []


async def test_connecting_is_said_and_escape_gives_up(scripted: Scripted, clock: HeldClock) -> None:
    """While the host is asked a dialog names it; Escape ends the asking and nothing is confirmed."""
    scripted.gate = asyncio.Event()
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, BusyScreen))
        await until(lambda: "connecting to new" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and not app.flows.busy)
        scripted.gate.set()
        await pilot.pause()
        assert app.screen is app.main


async def test_a_host_that_is_not_reached_is_a_dialog_with_what_to_do(scripted: Scripted, clock: HeldClock) -> None:
    """An error that needs action stands in a dialog with its detail and hint until it is closed."""
    scripted.unreachable[HostName("new")] = "new refuses the connection"
    app = an_app(scripted, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ErrorScreen))
        await pilot.pause()
        text = shown(app)
        assert "new refuses the connection" in text
        assert "Look at the hosts with h." in text
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)


def test_rhythm_tells_typing_from_bursts_and_repeats() -> None:
    """Keys 30 ms apart are a burst, the same key within a quarter of a second is held down."""
    clock = HeldClock()
    rhythm = Rhythm(clock)
    rhythm.key("y")
    assert rhythm.deliberate
    clock.pass_(BURST / 2)
    rhythm.key("x")
    assert not rhythm.deliberate
    clock.pass_(REPEAT / 2)
    rhythm.key("x")
    assert not rhythm.deliberate
    clock.pass_(REPEAT * 2)
    rhythm.key("x")
    assert rhythm.deliberate
    rhythm.paste()
    assert not rhythm.deliberate
