"""Nothing runs without a deliberate key on a dialog that could be read (PROMISES.md P6 and 3.7)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Button, Input, Static

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError
from runbook_tui.ports import Ended
from runbook_tui.ui.rhythm import BURST, GUARD, REPEAT, Rhythm
from runbook_tui.ui.screens.ask import ALONE
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import BusyScreen, ErrorScreen
from tests.support.bench import HeldClock
from tests.ui.books import action, book, step
from tests.ui.pilots import agree, an_app, opened, past_guard, shown, until
from tests.ui.stage import NEW, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.ui.stage import Stage

SIZE = (80, 24)
ROOMY = (100, 32)


def confirmed(stage: Stage) -> list[tuple[str, str]]:
    """Give what was confirmed, and what was typed for it."""
    return [(str(event.action), event.typed) for event in stage.events(ev.Confirmed)]


async def test_y_on_a_dialog_that_could_be_read_runs_it(stage: Stage, clock: HeldClock) -> None:
    """A single `y` after the guard confirms exactly the proposal that is shown."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await agree(app, clock, pilot)
        await until(lambda: confirmed(stage) == [("users", "")])


async def test_cancel_has_the_focus_and_enter_cancels(stage: Stage, clock: HeldClock) -> None:
    """Enter on the open dialog never runs anything; it presses Cancel."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        assert app.focused is app.screen.query_one("#cancel")
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)
        assert confirmed(stage) == []


async def test_enter_on_the_run_button_does_nothing(stage: Stage, clock: HeldClock) -> None:
    """Tabbing to Run and pressing Enter does not run it."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        await pilot.press("tab")
        assert app.focused is app.screen.query_one("#yes")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert confirmed(stage) == []


async def test_keys_are_ignored_until_the_dialog_was_painted_long_enough(stage: Stage, clock: HeldClock) -> None:
    """A `y` that comes 399 ms after the painting is dropped; one that comes later counts."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await until(lambda: getattr(app.screen, "_painted", None) is not None)
        clock.advance(GUARD - 0.001)
        await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert isinstance(app.screen, ConfirmScreen)
        clock.advance(1.0)
        await pilot.press("y")
        await until(lambda: confirmed(stage))


async def test_a_burst_does_not_confirm(stage: Stage, clock: HeldClock) -> None:
    """A `y` with another key within 30 ms before or after it was not typed by hand."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        for key in "y", "e":
            app.post_message(events.Key(key, key))
        await pilot.pause(ALONE * 2)
        for key in "e", "y":
            app.post_message(events.Key(key, key))
        await pilot.pause(ALONE * 2)
        assert isinstance(app.screen, ConfirmScreen)
        assert confirmed(stage) == []


async def test_a_held_key_does_not_confirm(stage: Stage, clock: HeldClock) -> None:
    """A `y` that is held down since before the guard ended never counts, however long it is held."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await until(lambda: getattr(app.screen, "_painted", None) is not None)
        for _ in range(30):
            clock.advance(REPEAT / 4)
            await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert confirmed(stage) == []


async def test_a_paste_does_not_confirm(stage: Stage, clock: HeldClock) -> None:
    """Pasting `y` neither confirms nor lets the next key confirm at once."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        app.post_message(events.Paste("y"))
        await pilot.pause()
        clock.advance(GUARD / 2)
        await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert confirmed(stage) == []


async def test_the_key_that_opened_the_dialog_arms_nothing_afterwards(stage: Stage, clock: HeldClock) -> None:
    """After an action ended the cursor stands on the next one, and another `y` runs nothing."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await agree(app, clock, pilot)
        await until(lambda: app.main.spot and app.main.spot.id == "ttl")
        clock.advance(5)
        await pilot.press("y", "enter")
        await pilot.pause(ALONE * 2)
        assert app.screen is app.main
        assert len(confirmed(stage)) == 1


BEFORE_DANGER = ("users", "ttl", "first", "relay-main", "relay-domains", "relay-maps", "day", "smtp")


async def test_danger_wants_the_hosts_name_typed(stage: Stage, clock: HeldClock) -> None:
    """Only the exact name enables Run; Enter moves to Run, and `y` there runs it."""
    await stage.skip(*BEFORE_DANGER)
    app = an_app(stage.engine, clock)
    async with app.run_test(size=ROOMY, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
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
            clock.advance(0.2)
            await pilot.press(key)
        await until(lambda: not run.disabled)
        clock.advance(0.2)
        await pilot.press("enter")
        await until(lambda: app.focused is run)
        await pilot.press("enter")
        await pilot.pause(ALONE * 2)
        assert confirmed(stage) == []
        clock.advance(1.0)
        await pilot.press("y")
        await until(lambda: confirmed(stage) == [("last", "old")])


async def test_the_hosts_name_can_not_be_pasted(stage: Stage, clock: HeldClock) -> None:
    """A paste into the field that wants the name does not arrive."""
    await stage.skip(*BEFORE_DANGER)
    app = an_app(stage.engine, clock)
    async with app.run_test(size=ROOMY, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        app.post_message(events.Paste("old"))
        await pilot.pause()
        assert app.screen.query_one("#typed", Input).value == ""


async def test_an_unknown_outcome_wants_rerun_typed(stage: Stage, clock: HeldClock) -> None:
    """After an unknown outcome `r` asks for the word rerun, not for `y`."""
    job = await stage.start("users")
    job.end(Ended(lost="the link broke"))
    await stage.engine.idle()
    app = an_app(stage.engine, clock)
    async with app.run_test(size=ROOMY, notifications=True) as pilot:
        await pilot.press("r")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        assert "rerun" in shown(app)
        assert "left no exit status" in shown(app)
        for key in "rerun":
            clock.advance(0.3)
            await pilot.press(key)
        clock.advance(0.3)
        await pilot.press("enter")
        clock.advance(0.3)
        await pilot.press("y")
        await until(lambda: confirmed(stage)[1:] == [("users", "rerun")])


async def test_the_dialog_shows_who_where_what_and_the_way_back(stage: Stage, clock: HeldClock) -> None:
    """The live identity, the whole command and the way back are on the dialog."""
    await stage.skip(*BEFORE_DANGER[:-1])
    app = an_app(stage.engine, clock)
    async with app.run_test(size=ROOMY, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        app.main._go("last")
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        await pilot.pause()
        text = shown(app)
        for wanted in (
            "root@old.plop.example", "198.51.100.10:22", "SHA256:4xGmXh0v", "--delete-after", "service dovecot start",
            "DANGER", "1 earlier step is not settled yet",
        ):  # fmt: skip
            assert wanted in text, wanted
        command = app.screen.query_one("#command", Static)
        proposal = app.screen.proposal  # type: ignore[attr-defined]
        assert str(command.content) == proposal.command.rstrip("\n")


async def test_nothing_can_be_agreed_to_on_a_screen_too_small_to_read(stage: Stage, clock: HeldClock) -> None:
    """On 20 by 5 the dialog opens without a fault, and `y` does not run anything."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(20, 5), notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        await pilot.press("y")
        await pilot.pause(ALONE * 2)
        assert confirmed(stage) == []


async def test_connecting_is_said_and_escape_gives_up(stage: Stage, clock: HeldClock) -> None:
    """While the host is asked a dialog names it; Escape ends the asking and nothing is confirmed."""
    gate = stage.far[NEW].gate = asyncio.Event()
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, BusyScreen)
        await until(lambda: "connecting to new" in shown(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and not app.flows.busy)
        gate.set()
        await pilot.pause()
        assert app.screen is app.main


async def test_a_host_that_is_not_reached_is_a_dialog_with_what_to_do(stage: Stage, clock: HeldClock) -> None:
    """An error that needs action stands in a dialog with its detail and hint until it is closed."""
    stage.far[NEW].problem = HostError("new refuses the connection", "203.0.113.20:22", "Look at the hosts with h.")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ErrorScreen)
        await pilot.pause()
        text = shown(app)
        assert "new refuses the connection" in text
        assert "Look at the hosts with h." in text
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)


def test_rhythm_tells_typing_from_bursts_and_repeats() -> None:
    """Keys 30 ms apart are a burst, the same key within a quarter of a second is held down."""
    clock = HeldClock()
    rhythm = Rhythm(clock.monotonic)
    rhythm.key("y")
    assert rhythm.deliberate
    clock.advance(BURST / 2)
    rhythm.key("x")
    assert not rhythm.deliberate
    clock.advance(REPEAT / 2)
    rhythm.key("x")
    assert not rhythm.deliberate
    clock.advance(REPEAT * 2)
    rhythm.key("x")
    assert rhythm.deliberate
    rhythm.paste()
    assert not rhythm.deliberate


LONG = "set -u\n" + "".join(f"echo 'mailbox {n} of 60'\n" for n in range(1, 61))


@contextlib.asynccontextmanager
async def long_one(folder: Path, clock: HeldClock, *, danger: bool = False) -> AsyncIterator[Stage]:
    """Open a run whose one command is longer than any screen."""
    made = book(("One", (step("1.1", "Long", action("one", "Long", LONG, danger=danger)),)))
    async with open_stage(folder, clock, made) as stage:
        yield stage


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_long_command_is_read_to_its_end_before_y_counts(
    size: tuple[int, int], tmp_path: Path, clock: HeldClock
) -> None:
    """Until the end was on the screen `y` pages on, Run is disabled and a line says so; then one more `y` runs it."""
    async with long_one(tmp_path, clock) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            await past_guard(app, clock)
            body, run = app.screen.query_one("#ask-body"), app.screen.query_one("#yes", Button)
            await until(lambda: "more lines: read to the end, then y" in shown(app))
            presses = 0
            while body.scroll_y < body.max_scroll_y:
                assert run.disabled
                before = body.scroll_y
                await pilot.press("y")
                presses += 1
                await until(lambda before=before: body.scroll_y > before)  # type: ignore[misc]
                clock.advance(REPEAT * 2)
            assert presses >= 2
            await until(lambda: "way back" in shown(app) and not run.disabled)
            assert "more line" not in shown(app)
            assert confirmed(stage) == []
            await agree(app, clock, pilot)
            await until(lambda: confirmed(stage) == [("one", "")])


async def test_the_y_that_reached_the_end_in_haste_does_not_run_it(tmp_path: Path, clock: HeldClock) -> None:
    """A `y` within the guard after the end came into sight is dropped; scrolling back up disarms nothing."""
    async with long_one(tmp_path, clock) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            await past_guard(app, clock)
            body, run = app.screen.query_one("#ask-body"), app.screen.query_one("#yes", Button)
            body.scroll_to(y=body.max_scroll_y, animate=False)
            await until(lambda: not run.disabled)
            clock.advance(GUARD - 0.01)
            await pilot.press("y")
            await pilot.pause(ALONE * 2)
            assert confirmed(stage) == []
            while body.scroll_y > 0:
                before = body.scroll_y
                clock.advance(1)
                await pilot.press("pageup")
                await until(lambda before=before: body.scroll_y < before)  # type: ignore[misc]
            await until(lambda: "more lines" in shown(app) and "read to the end" not in shown(app))
            clock.advance(1)
            await pilot.press("y")
            await until(lambda: confirmed(stage) == [("one", "")])


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_short_command_needs_no_scrolling(size: tuple[int, int], stage: Stage, clock: HeldClock) -> None:
    """What fits whole is confirmed by one `y`, and nothing is said of more lines."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        await until(lambda: not app.screen.query_one("#yes", Button).disabled)
        assert "more line" not in shown(app)
        await agree(app, clock, pilot)
        await until(lambda: confirmed(stage))


async def test_danger_takes_no_word_before_the_end_was_read(tmp_path: Path, clock: HeldClock) -> None:
    """The field for the host's name opens, and takes the focus, only when the end has been on the screen."""
    async with long_one(tmp_path, clock, danger=True) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            await past_guard(app, clock)
            await until(lambda: "read to the end, then type old" in shown(app))
            field, run = app.screen.query_one("#typed", Input), app.screen.query_one("#yes", Button)
            assert field.disabled
            field.value = "old"
            await pilot.pause()
            assert run.disabled
            field.value = ""
            body = app.screen.query_one("#ask-body")
            assert body.max_scroll_y > 0
            async with asyncio.timeout(60):
                while field.disabled:  # a y that came before the dialog was painted does nothing
                    clock.advance(GUARD * 2)
                    await pilot.press("y")
                    await pilot.pause(ALONE)
            await until(lambda: app.focused is field)
            assert run.disabled
            for key in (*"old", "enter", "y"):
                clock.advance(REPEAT * 2)
                await pilot.press(key)
            await until(lambda: confirmed(stage) == [("one", "old")])
