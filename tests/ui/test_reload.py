"""`l`: the banner, the differences, and a `y` that adopts the edited file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.run import Verb
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import ErrorScreen
from runbook_tui.ui.screens.reload import ReloadScreen
from tests.ui.pilots import agree, an_app, opened, past_guard, shown, until
from tests.ui.stage import BOOK

if TYPE_CHECKING:
    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage

SIZE = (100, 45)


class Edited:
    """The runbook's file, as it stands in memory; what is kept is kept here."""

    def __init__(self) -> None:
        self.text = BOOK.read_text(encoding="utf-8")
        self.kept: list[bytes] = []

    def now(self) -> bytes:
        """Give the file."""
        return self.text.encode()

    def keep(self, data: bytes) -> None:
        """Take a copy."""
        self.kept.append(data)


async def test_the_banner_leads_to_the_differences_and_y_adopts_them(stage: Stage, clock: HeldClock) -> None:
    """An edit is seen when something is to be confirmed; `l` shows it whole; only `y` makes it the run's own."""
    source = Edited()
    stage.engine._reloading._source = source
    app = an_app(stage.engine, clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("l")
        await opened(app, ErrorScreen)
        await until(lambda: "is as this run has it" in shown(app))
        await pilot.press("escape")
        await stage.run("users")
        source.text = source.text.replace("adduser --disabled-password plop", "adduser plop").replace(
            "service postfix stop", "systemctl stop postfix"
        )
        await stage.propose("first", Verb.CONFIRM)
        app.main.mark_dirty()
        await until(lambda: "runbook file changed: l" in shown(app))
        await pilot.press("l")
        await opened(app, ReloadScreen)
        await past_guard(app, clock)
        await until(lambda: "+systemctl stop postfix" in shown(app))
        said = shown(app)
        assert said.index("3.1 Stop taking mail") < said.index("Stays as it was") < said.rindex("1.1 Create the users")
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and not app.flows.busy)
        assert not stage.events(ev.RunbookReloaded)
        await pilot.press("l")
        await opened(app, ReloadScreen)
        await agree(app, clock, pilot)
        await until(lambda: stage.events(ev.RunbookReloaded))
        await until(lambda: "runbook file changed" not in shown(app))
        assert source.kept == [source.now()]
        app.main._go("smtp")
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await until(lambda: "systemctl stop postfix" in shown(app))
