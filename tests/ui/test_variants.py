"""Variants for systems and lists of items on the screen: dimmed n/a, why, and the settle dialog."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.widgets import Input

from runbook_tui.core import events as ev
from runbook_tui.core.model import Each, Host, ListSpec, Literal, LiteralSource
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import ErrorScreen
from runbook_tui.ui.screens.settle import SettleScreen
from runbook_tui.ui.widgets.steps import make_rows
from tests.ui.books import action, book, step
from tests.ui.pilots import agree, an_app, opened, shown, until
from tests.ui.stage import IDENTITIES, NEW, OLD, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Runbook
    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

SIZE = (120, 45)
WHY = "for debian; old is freebsd"


def variants(*, old: str = "") -> Runbook:
    """Make a step with a variant for each system, one for debian alone, and one that repeats for each mailbox."""
    made = book(
        ("Prepare", (
            step("1.1", "Stop the mail service",
                 action("stop-debian", "systemctl stop postfix", step="stop", os="debian"),
                 action("stop-freebsd", "service postfix stop", step="stop", os="freebsd")),
            step("1.2", "Look at the units", action("units", "Look at the units", os="debian")),
        )),
        ("Copy", (
            step("2.1", "Copy the mail",
                 action("copy", "Copy the mail", "rsync plop", each=Each("user", "mailboxes"), host=NEW)),
        )),
    )  # fmt: skip
    hosts = {**made.hosts, OLD: Host(OLD, "root@old.plop.example", "old.plop.example", old)}
    return replace(
        made, hosts=hosts, lists={"mailboxes": ListSpec("mailboxes", "Users to copy")},
        literals=(Literal("plop", LiteralSource.VAR, "user", match="[a-z]+"),),
    )  # fmt: skip


def settled(stage: Stage) -> list[tuple[str, str, str]]:
    """Give what the operator, or a host, answered."""
    events = stage.events(ev.Settled)
    return [(e.what, e.subject, e.value) for e in events if e.what != ev.Settlement.CONSENT]


async def test_what_does_not_apply_is_dimmed_and_says_why(tmp_path: Path, clock: HeldClock) -> None:
    """The list has n/a in the colour of what is done with; the step's pane says for which system it is."""
    async with open_stage(tmp_path, clock, variants(old="freebsd")) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True):
            await until(lambda: app.main.drawn)
            assert app.main.spot is not None
            assert app.main.spot.id == "stop-freebsd"
            await until(lambda: WHY in shown(app) and "○ n/a" in shown(app))
            rows = {row.spot: row.text for row in make_rows(stage.engine.state, app.main.spot, {}, 60)}
            dimmed = {"units": "Look at", "stop-debian": "systemctl", "stop-freebsd": "service", "copy": "Copy"}
            for spot, title in dimmed.items():
                begin = rows[spot].plain.index(title)
                styles = [str(span.style) for span in rows[spot].spans if span.start <= begin < span.end]
                assert ("$muted" in " ".join(styles)) is (spot in {"units", "stop-debian"})
            app.main._go("units")
            await until(lambda: "Settle" in shown(app) and WHY in shown(app))
            assert app.main.refused()["skip"] == f"it does not apply: {WHY}"


async def test_confirming_learns_and_goes_on(tmp_path: Path, clock: HeldClock) -> None:
    """`c` on a variant of an unknown system connects; what does not apply says so, the cursor goes to what does."""
    async with open_stage(tmp_path, clock, variants()) as stage:
        stage.far[OLD].identity = replace(IDENTITIES[OLD], system="freebsd")
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn and "connecting asks it" in shown(app))
            await pilot.press("c")
            await opened(app, ErrorScreen)
            await until(lambda: WHY in shown(app))
            await pilot.press("escape")
            await until(lambda: app.screen is app.main and app.main.spot and app.main.spot.id == "stop-freebsd")
            assert settled(stage) == [(ev.Settlement.OS, "old", "freebsd")]
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            await agree(app, clock, pilot)
            await until(lambda: stage.engine.state.of("stop-freebsd").attempts)


async def test_systems_and_items_are_settled_in_the_dialog(tmp_path: Path, clock: HeldClock) -> None:
    """The dialog has a line for a system and one for a list, refuses what cannot stand, and the items appear."""
    async with open_stage(tmp_path, clock, variants()) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn)
            await pilot.press("a")
            await opened(app, SettleScreen)
            await until(lambda: "system of old" in shown(app))
            app.screen.query_one("#asked-0", Input).value = "FreeBSD"
            await pilot.click("#ok")
            await until(lambda: settled(stage) == [(ev.Settlement.OS, "old", "freebsd")])
            await until(lambda: app.main.spot and app.main.spot.id == "stop-freebsd")
            app.main._go("copy")
            await pilot.press("a")
            await opened(app, SettleScreen)
            await until(lambda: "the list mailboxes is not known yet" in shown(app))
            app.screen.query_one("#asked-0", Input).value = "alice,Bob"
            await pilot.click("#ok")
            await until(lambda: "does not match" in shown(app))
            app.screen.query_one("#asked-0", Input).value = "alice, bob"
            app.screen.query_one("#asked-0", Input).focus()
            await pilot.press("enter")
            await until(lambda: app.main.spot and app.main.spot.id == "copy:alice")
            await until(lambda: "2.1b" in shown(app) and "rsync alice" in shown(app))
            assert "2.1b bob · Copy" in shown(app)
