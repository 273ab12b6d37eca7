"""The screen on the real engine: commands of this machine, confirmed by keys, recorded in a real journal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core.model import LOCAL
from runbook_tui.core.run import Status
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import MessageScreen, ReasonScreen
from runbook_tui.ui.screens.leaving import StopScreen
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench
from tests.ui.pilots import agree, an_app, opened, shown, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import HeldClock

SIZE = (120, 45)


async def test_confirm_retry_skip_and_stop_with_real_commands(tmp_path: Path, clock: HeldClock) -> None:
    """One action is confirmed, one fails and is retried well, one is stopped, one skipped; the journal has it all."""
    flag = tmp_path / "flag"
    runbook = a_runbook(
        an_action("hello", "echo 'hello [b]there[/b]'\n", host=LOCAL),
        an_action("flaky", f"test -e {flag}\n", host=LOCAL),
        an_action("long", "echo started; sleep 600\n", host=LOCAL),
        an_action("rest", "true\n", host=LOCAL),
    )
    bench = Bench(replace(runbook, hosts={LOCAL: runbook.hosts[LOCAL]}), tmp_path / "state")
    async with bench.engine() as engine:
        app = an_app(engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:

            async def key(name: str) -> None:
                clock.advance(1)
                await pilot.press(name)
                await opened(app, ConfirmScreen)
                await agree(app, clock, pilot)

            await key("c")
            await until(lambda: engine.state.of("hello").status is Status.DONE)
            await until(lambda: "hello [b]there[/b]" in shown(app) and app.main.spot and app.main.spot.id == "flaky")
            await key("c")
            await until(lambda: engine.state.of("flaky").status is Status.FAILED)
            await until(lambda: "✗ failed" in shown(app))
            flag.touch()
            await key("r")
            await until(lambda: engine.state.of("flaky").status is Status.DONE)
            await until(lambda: app.main.spot and app.main.spot.id == "long")
            await key("c")
            await until(lambda: "started" in shown(app) and engine.state.running)
            await pilot.press("x")
            await opened(app, StopScreen)
            await agree(app, clock, pilot)
            await until(lambda: engine.state.of("long").status is Status.STOPPED)
            await opened(app, MessageScreen)
            await pilot.press("escape")
            await until(lambda: app.screen is app.main)
            await pilot.press("s")
            await opened(app, ReasonScreen)
            await pilot.press(*"late", "enter")
            await until(lambda: engine.state.of("long").status is Status.SKIPPED)
            await pilot.press("q")
            await until(lambda: engine.state.paused == "quit")
    bench.leave()
