"""Two bare machines to call stand-ins on: folders and switches, no servers."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.database import Databases
from runbook_tui.demo.host import DEBIAN, FREEBSD, Host, Layout, Tier
from runbook_tui.demo.machine import Machine, Service
from runbook_tui.demo.quiet import Quiet
from runbook_tui.demo.standins.call import Call, Command
from runbook_tui.demo.standins.door import perform

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.demo.machine import Surroundings


@dataclass(slots=True)
class Said:
    """What a stand-in left behind."""

    status: int
    out: str
    err: str


@dataclass
class BareWorld:
    """As much of a world as the stand-ins of this folder look at."""

    clock: WorldClock
    domain: str = "example.test"
    machines: dict[str, Machine] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)


Run = Callable[..., Coroutine[Any, Any, Said]]


def make_machine(world: BareWorld, folder: Path, name: str, layout: Layout, address: str) -> Machine:
    """Make a machine with users, without servers."""
    host = Host(
        name, world.domain, address=address, layout=layout, root=folder / name, tier=Tier.PLAIN, clock=world.clock
    )
    for made in ("/etc", "/tmp", "/root", "/home", "/var/log"):
        host.path(made).mkdir(parents=True)
    host.path("/etc/passwd").write_text("root:*:0:0:Charlie &:/root:/bin/sh\n")
    host.path("/etc/group").write_text("root:*:0:\nmail:*:8:\n")
    names: dict[str, tuple[str, ...]] = {
        "freebsd": ("postfix", "dovecot", "apache24"), "debian": ("postfix", "dovecot", "apache2"),
    }  # fmt: skip
    services: dict[str, Service] = {one: Quiet() for one in names[layout.system]}
    machine = Machine(
        host, cast("Surroundings", world), cast("Any", None), cast("Any", None), Databases(host), services
    )
    world.machines[name] = machine
    return machine


@pytest.fixture
def world(tmp_path: Path) -> BareWorld:
    """A world of two machines, `old` and `new`."""
    made = BareWorld(WorldClock.start(60))
    make_machine(made, tmp_path, "old", FREEBSD, "127.93.1.11")
    make_machine(made, tmp_path, "new", DEBIAN, "127.93.1.12")
    return made


def make_run() -> Run:
    """Give what calls a stand-in as the door does, in a thread: `await run(COMMANDS, machine, "name", "argument")`."""

    async def ran(
        commands: Mapping[str, Command],
        machine: Machine,
        *argv: str,
        stdin: bytes = b"",
        user: str = "root",
        cwd: str = "/",
    ) -> Said:
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", newline=""), io.StringIO()
        loop = asyncio.get_running_loop()
        call = Call(machine, loop, argv, cwd, user, io.BytesIO(stdin), out, err)
        status = await asyncio.to_thread(perform, commands, call)
        out.seek(0)
        return Said(status, out.read(), err.getvalue())

    return ran


@pytest.fixture
def run() -> Run:
    """Give what calls a stand-in: as the door does."""
    return make_run()
