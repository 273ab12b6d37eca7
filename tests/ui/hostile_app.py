"""Runs the app on the terminal it is started in, with hostile text everywhere; started by test_terminal.py."""

from __future__ import annotations

import asyncio
import sys

from runbook_tui.core.proposal import YES
from runbook_tui.core.run import Verb
from runbook_tui.ui.app import RunbookApp
from tests.ui.pilots import until
from tests.ui.test_untrusted import HOSTILE, nasty


async def main(mode: str) -> int:
    """Show the main screen, dialogs and the full output, then leave by itself; `crash` breaks on purpose."""
    scripted = nasty(HOSTILE)
    await scripted.confirm(await scripted.propose("one", Verb.CONFIRM), YES)
    scripted.output(HOSTILE.encode() * 20 + b"\n" + HOSTILE.encode())
    scripted.finish(1, HOSTILE, verifies=(HOSTILE,))
    app = RunbookApp(scripted.engine)

    async def drive() -> None:
        await until(lambda: app.main.drawn)
        app.say(HOSTILE)
        for key in ("escape", "r", "escape", "g", "escape", "h", "escape", "e", "escape", "o", "escape"):
            app.simulate_key(key)
            await asyncio.sleep(0.3)
        if mode == "crash":
            secret_local = "CANARY-9f3b"
            app.call_later(broken, secret_local)
        else:
            app.exit()

    driving = asyncio.create_task(drive())
    await app.run_async()
    await asyncio.gather(driving, return_exceptions=True)
    return app.return_code or 0


def broken(value: str) -> None:
    """Fail with a local variable in sight."""
    held = value[::-1][::-1]
    raise RuntimeError(f"broken on purpose {len(held)}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
