"""A rehearsal's screen: the world is shown as it is, its keys steer it, and a world that is gone is said so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import OptionList, Static

from runbook_tui.core.errors import HostError
from runbook_tui.core.rehearsal import Fault, MailView, QueueView, ResolverView, WorldView
from runbook_tui.ui.app import RunbookApp
from runbook_tui.ui.screens.rehearsal import FaultScreen, RehearsalScreen, WorldScreen
from tests.ui.pilots import until

if TYPE_CHECKING:
    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

VIEW = WorldView(
    now=1_385_394_021.0,
    factor=60.0,
    rate=2.0,
    resolvers=(
        ResolverView("resolver-a", "honest", running=True, caches=(("old", 2400.0),)),
        ResolverView("resolver-b", "three caches", running=True, caches=(("new", 30.0), ("", 0.0), ("old", 1790.0))),
        ResolverView("resolver-c", "keeps answers longer", running=False, caches=()),
    ),
    queues=(
        QueueView("old", running=False, counts=(("deferred", 2),)),
        QueueView("new", running=True, counts=(("active", 1), ("deferred", 6)), oldest=340.0),
    ),
    mails=MailView(numbered=234, old=200, new=27, under_way=7, bounced=0),
    next_expiry=30.0,
)


class FarWorld:
    """A world on the far side of `ports.Rehearsal`: it remembers what it was asked to do."""

    def __init__(self) -> None:
        self.view: WorldView | None = VIEW
        self.done: list[str] = []

    async def look(self) -> WorldView:
        """Give the view, or say that nobody is there."""
        if self.view is None:
            raise HostError("The rehearsal's world does not answer")
        return self.view

    async def fast_forward(self) -> str:
        """Remember it."""
        self.done.append("forward")
        return "World time moved on by 31 s."

    async def stream(self) -> str:
        """Remember it."""
        self.done.append("stream")
        return "The stream of mails is stopped."

    async def toggle(self, fault: Fault) -> str:
        """Remember it."""
        self.done.append(fault)
        return f"Broken on purpose: {fault}."


def rehearsing(stage: Stage, clock: HeldClock, world: FarWorld) -> RunbookApp:
    """Give the app on a rehearsal."""
    return RunbookApp(stage.engine, clock=clock.monotonic, now=clock.now, rehearsal=world)


def text_of(app: RunbookApp, selector: str) -> str:
    """Give what a widget of the topmost screen says."""
    return str(app.screen.query_one(selector, Static).render())


@pytest.mark.parametrize(("size", "selector"), [((140, 45), "#world-text"), ((80, 24), "#worldline")])
async def test_the_world_is_shown(stage: Stage, clock: HeldClock, size: tuple[int, int], selector: str) -> None:
    """Wide, the world stands under the steps; at 80 columns it has a line: queues, mails, the next TTL."""
    world = FarWorld()
    app = rehearsing(stage, clock, world)
    async with app.run_test(size=size):
        await until(lambda: "234" in text_of(app, selector))
        assert app.main.query_one(selector).region.area > 0
        shown = text_of(app, selector)
        assert "27 on new" in shown
        if size[0] == 140:
            for part in ("old 40 min", "empty", "down", "2 mails, Postfix is stopped", "6 deferred"):
                assert part in shown


async def test_the_keys_steer_the_world(stage: Stage, clock: HeldClock) -> None:
    """Key f moves time on, p stops the stream, and each says what it did."""
    world = FarWorld()
    app = rehearsing(stage, clock, world)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.press("f")
        await until(lambda: any("moved on by 31 s" in str(n.message) for n in app._notifications))
        await pilot.press("p")
        await until(lambda: any("stream of mails is stopped" in str(n.message) for n in app._notifications))
    assert world.done == ["forward", "stream"]


async def test_a_fault_is_chosen_from_a_list(stage: Stage, clock: HeldClock) -> None:
    """Key i lists what can be broken and what is broken now; Enter toggles the chosen one, Escape changes nothing."""
    world = FarWorld()
    world.view = replace(VIEW, faults=frozenset({Fault.LINK}))
    app = rehearsing(stage, clock, world)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(lambda: "broken: link cut" in text_of(app, "#worldline"))
        await pilot.press("i")
        await until(lambda: isinstance(app.screen, FaultScreen) and app.screen.query_one(OptionList).has_focus)
        faults = app.screen.query_one(OptionList)
        said = {str(o.id): str(o.prompt) for o in (faults.get_option_at_index(i) for i in range(faults.option_count))}
        assert set(said) == set(Fault)
        assert "broken now" in said[Fault.LINK]
        assert "broken now" not in said[Fault.DISK]
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
        assert world.done == []
        await pilot.press("i")
        await until(lambda: isinstance(app.screen, FaultScreen) and app.screen.query_one(OptionList).has_focus)
        await pilot.press("down", "enter")
        await until(lambda: world.done == [Fault.DISK])


async def test_the_world_page_names_the_resolvers_manners(stage: Stage, clock: HeldClock) -> None:
    """Key d opens the whole world with what each resolver does differently; d closes it."""
    app = rehearsing(stage, clock, FarWorld())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: "234" in text_of(app, "#worldline"))
        await pilot.press("d")
        await until(lambda: isinstance(app.screen, WorldScreen) and app.screen.is_mounted)
        await until(lambda: "keeps answers longer" in text_of(app, "#world-page"))
        await pilot.press("d")
        await until(lambda: app.screen is app.main)


async def test_a_world_that_is_gone_is_said(stage: Stage, clock: HeldClock) -> None:
    """When the world does not answer, its place says so, and a key that needs it opens an error, no traceback."""
    world = FarWorld()
    world.view = None
    app = rehearsing(stage, clock, world)
    async with app.run_test(size=(80, 24)):
        await until(lambda: "does not answer" in text_of(app, "#worldline"))
        assert isinstance(app.main, RehearsalScreen)


async def test_life_has_no_world(stage: Stage, clock: HeldClock) -> None:
    """Without a rehearsal there is no world pane, and its keys are bound to nothing."""
    app = RunbookApp(stage.engine, clock=clock.monotonic, now=clock.now)
    async with app.run_test(size=(140, 45)):
        await until(lambda: app.main.drawn)
        assert not app.main.query("#world")
        assert not {"d", "f", "p", "i"} & set(app.main._bindings.key_to_bindings)
