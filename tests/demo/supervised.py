"""Tiny programs for the supervisor's tests: a supervisor, a world and an app, told by their arguments how to behave."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import tty
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.core.errors import RunbookTuiError
from runbook_tui.demo.errors import RehearsalError
from runbook_tui.demo.isolation.descendants import MARK, leaving_none
from runbook_tui.demo.parent import Parent
from runbook_tui.demo.supervisor import supervise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.demo.host import Tier

STUBBORN = "trap '' TERM HUP INT; sleep 300; sleep 300"


def start_stubborn() -> None:
    """Start a process in a session of its own that ignores what asks it to end, and whose parent ends at once."""
    subprocess.run(["/bin/sh", "-c", f'setsid /bin/sh -c "{STUBBORN}" &'], check=True)


async def world(behaviour: str) -> None:
    """Be a world: `good`, `refuses`, `crashes`, `dies` when ready, or `slow` to start."""
    parent = Parent(os.environ)
    if behaviour == "refuses":
        parent.failed(RehearsalError("The world cannot be.", "It is full."))
        return
    start_stubborn()
    if behaviour == "crashes":
        raise ValueError("crashed on purpose")
    if behaviour == "slow":
        await asyncio.sleep(60)
    parent.ready()
    if behaviour != "dies":
        await parent.over()


def app(behaviour: str, *, again: bool) -> int:
    """Be an app: `ends` with status 5, or wait until it is ended, `deaf` to Ctrl-C or with the terminal `raw`.

    When it is opened again, it ends at once with 0.
    """
    start_stubborn()
    closed = Path(os.environ[MARK], "closed")
    if not again:
        closed.mkdir()
        (closed / "file").touch()
        closed.chmod(0)
    if behaviour == "raw":
        tty.setraw(0)
    if behaviour == "deaf":
        signal.signal(signal.SIGINT, lambda *_: say("app heard Ctrl-C"))
    say(f"app up {'again' if again else 'first'}")
    if behaviour == "ends":
        return 5
    if again:
        return 0
    while True:
        time.sleep(1)


def say(line: str) -> None:
    """Write a line at once, as one piece."""
    os.write(1, f"{line}\n".encode())


def watch(tier: str, world_behaviour: str, app_behaviour: str) -> int:
    """Be the supervisor of the two."""
    me = [sys.executable, "-m", "tests.demo.supervised"]

    def world_command(folder: Path, tier: Tier) -> Sequence[str]:
        say(f"folder {folder} {tier}")
        return [*me, "world", world_behaviour]

    def app_command(folder: Path, *, again: bool) -> Sequence[str]:
        assert folder.is_dir()
        return [*me, "app", app_behaviour, *(["again"] if again else [])]

    try:
        return supervise(world_command, app_command, tier=tier, say=say)
    except RunbookTuiError as error:
        say(f"{error}")
        return error.exit_code


def main(role: str, *words: str) -> int:
    """Play a role."""
    if role == "world":
        with leaving_none():
            asyncio.run(world(words[0]))
        return 0
    if role == "app":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        with leaving_none():
            return app(words[0], again="again" in words)
    return watch(*words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
