"""The world's process: builds the world its argument asks for, serves it until the supervisor ends, leaves nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from runbook_tui.core.errors import RunbookTuiError
from runbook_tui.demo import control
from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.errors import RehearsalError
from runbook_tui.demo.facts import CONTROL, DemoWishes
from runbook_tui.demo.host import Tier
from runbook_tui.demo.isolation.descendants import leaving_none
from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.parent import Parent
from runbook_tui.demo.world import World


@leaving_none()
def main() -> int:
    """Serve until the end; argv is the folder, the tier and the wishes."""
    folder, tier, wishes = Path(sys.argv[1]), Tier(sys.argv[2]), DemoWishes.read(sys.argv[3])
    parent = Parent(os.environ)
    try:
        world = World(folder, tier, WorldClock.start(wishes.speed), bare=wishes.bare)
        world.confinement.enclose()
        asyncio.run(_serve(world, parent, folder, wishes))
    except RunbookTuiError as error:
        parent.failed(error)
        return int(error.exit_code)
    except (OSError, ServiceError) as error:
        problem = RehearsalError("The rehearsal's world could not be built.", str(error))
        parent.failed(problem)
        return int(problem.exit_code)
    return 0


async def _serve(world: World, parent: Parent, folder: Path, wishes: DemoWishes) -> None:
    await world.start(wishes.rate)
    server = await control.serve(world, folder / CONTROL)
    try:
        made_up = ", ".join(world.tools.stood_in) or "none of them"
        about = f"embedded world, tier {world.tier}; of the machine's tools, stood in for: {made_up}"
        world.facts(about).save(folder)
        parent.ready()
        await parent.over()
    finally:
        server.close()
        await world.stop()


if __name__ == "__main__":
    sys.exit(main())
