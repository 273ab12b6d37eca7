"""The real program with a fault put into one place of it (the first argument); the fault's words hold a secret."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from runbook_tui.__main__ import main
from runbook_tui.plain.session import Session
from runbook_tui.ui.app import RunbookApp
from tests.ui.pilots import until

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "kanarienvogel-7f3a9c"
_kept: list[asyncio.Task[None]] = []


def broken(*_: object) -> NoReturn:
    """Fail, a secret in the exception's words and one in a local variable."""
    held = f"{CANARY}-local"
    raise RuntimeError(f"broken on purpose, {len(held)}: {CANARY}")


async def broken_later() -> None:
    """Fail in a task."""
    broken()


def beside(name: str) -> Path:
    """Give a file of the test's, beside the state folder."""
    return Path(os.environ["MAILRUNBOOK_STATE_DIR"]).with_name(name)


def secrets() -> dict[str, str]:
    """Give the passwords that the program gets: those in the test's file, if it has one."""
    file = beside("secrets.json")
    given: dict[str, str] = json.loads(file.read_text()) if file.exists() else {"relay": CANARY}
    return given


def strike(place: str) -> None:
    """Break in this place of the running loop."""
    loop = asyncio.get_running_loop()
    match place:
        case "callback":
            loop.call_soon(broken)
        case "task":
            loop.create_task(broken_later())  # noqa: RUF006 -- nobody awaits it: that is the point
        case "thread":
            threading.Thread(target=broken).start()
        case "destructor":

            class Dying:
                def __del__(self) -> None:
                    broken()

            Dying()


def on_screen(place: str) -> Callable[[RunbookApp], None]:
    """Give what happens once the app is mounted."""

    async def later(app: RunbookApp) -> None:
        await until(lambda: app.main.drawn)
        match place:
            case "widget":
                app.main.call_later(broken)
            case "step":
                await until(beside("crash").exists, 600)
                app.main.call_later(broken)
            case "worker":
                app.run_worker(broken_later())
            case _:
                strike(place)

    mount = RunbookApp.on_mount

    def on_mount(app: RunbookApp) -> None:
        mount(app)
        _kept.append(asyncio.create_task(later(app)))

    return on_mount


async def in_lines(session: Session) -> str:
    """Break where line mode begins."""
    if PLACE == "front":
        broken()
    strike(PLACE)
    return await _run(session)


if __name__ == "__main__":
    PLACE = sys.argv.pop(1)
    _run = Session.run
    if PLACE == "main":
        from runbook_tui.cli import sitting

        setattr(sitting, "_opening", broken)  # noqa: B010 -- another signature, on purpose
    elif PLACE == "keys":
        from textual._xterm_parser import XTermParser

        setattr(XTermParser, "feed", broken)  # noqa: B010 -- the same
    setattr(RunbookApp, "on_mount", on_screen(PLACE))  # noqa: B010 -- the same
    setattr(Session, "run", in_lines)  # noqa: B010 -- the same
    reading, writing = os.pipe()
    os.write(writing, json.dumps(secrets()).encode())
    os.close(writing)
    sys.argv += ["--secrets-fd", str(reading)]
    main()
