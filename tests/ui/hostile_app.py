"""Runs the app on the terminal it is started in, with hostile text everywhere; started by test_terminal.py."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from textual.screen import Screen

from runbook_tui.ui.app import RunbookApp
from tests.support.bench import HeldClock
from tests.ui.pilots import opened, until
from tests.ui.test_untrusted import HOSTILE, nasty


async def main(mode: str, folder: Path) -> int:
    """Show every screen that has foreign text, then leave by itself; `crash` breaks on purpose."""
    async with nasty(folder, HeldClock(), HOSTILE) as stage:
        app = RunbookApp(stage.engine, clock=time.monotonic)

        async def drive() -> None:
            await until(lambda: app.screen is not app.main)
            app.simulate_key("escape")
            await until(lambda: app.screen is app.main and app.main.drawn)
            app.say(HOSTILE)
            for key in "rghevo":
                app.simulate_key(key)
                await until(lambda: app.screen is not app.main)
                await opened(app, Screen)
                await asyncio.sleep(0.05)  # until the terminal has it, too
                app.simulate_key("escape")
                await until(lambda: app.screen is app.main)
            if mode == "crash":
                secret_local = "CANARY-9f3b"
                app.call_later(broken, secret_local)
            else:
                app.exit()

        async def drive_or_leave() -> None:
            try:
                await drive()
            except AssertionError as error:
                app.exit(return_code=1, message=f"stuck at {app.screen}: {error}")

        driving = asyncio.create_task(drive_or_leave())
        await app.run_async()
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
        return app.return_code or 0


def broken(value: str) -> None:
    """Fail with a local variable in sight."""
    held = value[::-1][::-1]
    raise RuntimeError(f"broken on purpose {len(held)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(asyncio.run(main(sys.argv[1], Path(made) / "state")))
