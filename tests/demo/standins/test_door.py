"""The door: a stand-in behaves in a shell as a command does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.standins.door import Door
from runbook_tui.demo.standins.place import Tools, place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.machine import Machine
    from runbook_tui.demo.standins.call import Call, Command
    from tests.demo.standins.conftest import BareWorld


def say(call: Call) -> int:
    """Print the arguments, the folder and the user; the first argument may be a status."""
    call.say("|".join(call.argv[1:]))
    call.warn(f"{call.cwd} {call.user}")
    return int(call.argv[1]) if call.argv[1:] and call.argv[1].isdigit() else 0


def count(call: Call) -> None:
    """Print how many bytes come in."""
    call.say(str(len(call.stdin.read())))


def flood(call: Call) -> None:
    """Print without end."""
    while True:
        call.say("y" * 80)


def wait_for_hang_up(call: Call) -> None:
    """Stay until the caller is gone, then leave a mark."""
    call.say("waiting")
    call.stdout.flush()
    pause = threading.Event()
    while not call.hung_up():
        pause.wait(0.01)
    call.machine.host.path("/tmp/hung-up").touch()


def daemon_error(_: Call) -> None:
    """Fail as a daemon does."""
    raise ServiceError("fatal: bad configuration")


def missing_file(call: Call) -> None:
    """Open what is not there."""
    call.file("nothing/here").read_bytes()


COMMANDS: Mapping[str, Command] = {
    "say": say, "count": count, "flood": flood, "wait": wait_for_hang_up, "broken": daemon_error,
    "opener": missing_file,
    "loop": lambda call: call.ask(lambda: 7 if threading.current_thread() is threading.main_thread() else 8),
}  # fmt: skip


@pytest.fixture
async def old(world: BareWorld) -> AsyncIterator[Machine]:
    """The old machine with its door open and its commands in place."""
    machine = world.machines["old"]
    door = Door(machine, COMMANDS)
    place(machine.host, bin_of(machine.host), COMMANDS, Tools(), {})
    door.open()
    yield machine
    door.close()


def appears(path: Path) -> bool:
    """Wait until a file is there, at most five seconds."""
    begun, pause = time.monotonic(), threading.Event()
    while not path.exists() and time.monotonic() - begun < 5:
        pause.wait(0.01)
    return path.exists()


def bin_of(host: Host) -> Path:
    """Give where a host's commands are."""
    return host.path("/run/rehearsal/bin")


async def shell(machine: Machine, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell with the stand-ins first in PATH."""
    env = {"PATH": f"{bin_of(machine.host)}:/usr/bin:/bin", "LOGNAME": "root", **environment}
    return await asyncio.to_thread(
        subprocess.run, ["/bin/sh", "-c", text], env=env, cwd=machine.host.path("/tmp"),
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


async def test_arguments_folder_user_and_status_go_through(old: Machine) -> None:
    """What a shell passes arrives as it is, odd characters and empty words too, and the status comes back."""
    done = await shell(old, "say 3 '' 'ä b' \"$(printf 'x\\ny')\" ; echo status $?", LOGNAME="plop")
    assert done.stdout == "3||ä b|x\ny\nstatus 3\n"
    assert done.stderr == f"{old.host.path('/tmp')} plop\n"
    assert old.world.calls == {"say": 1}


async def test_streams_are_the_shells_own(old: Machine) -> None:
    """Pipes, here-documents, redirections and && work as with any command."""
    done = await shell(old, "head -c 300000 /dev/zero | count && count <<E > n && cat n\nabc\nE")
    assert done.stdout == "300000\n4\n"
    assert done.returncode == 0


async def test_output_that_nobody_reads_ends_the_command(old: Machine) -> None:
    """`flood | head -1` ends, as SIGPIPE ends the real command."""
    done = await shell(old, "flood | head -1")
    assert done.stdout == "y" * 80 + "\n"


async def test_errors_are_sentences(old: Machine) -> None:
    """A daemon's refusal and a missing file are one line and status 1, never a traceback."""
    done = await shell(old, "broken; echo $?; opener; echo $?")
    assert done.stdout == "1\n1\n"
    missing = old.host.path("/tmp/nothing/here")
    assert done.stderr == f"broken: fatal: bad configuration\nopener: {missing}: No such file or directory\n"


async def test_servers_are_asked_in_the_loop(old: Machine) -> None:
    """`ask` runs in the thread of the world's loop."""
    assert (await shell(old, "loop")).returncode == 7


async def test_a_killed_caller_is_noticed(old: Machine) -> None:
    """Long work can see that the one who asked for it was killed."""
    env = {"PATH": f"{bin_of(old.host)}:/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec(
        "wait", env=env, stdout=subprocess.PIPE, executable=bin_of(old.host) / "wait"
    )
    assert process.stdout
    assert await process.stdout.readline() == b"waiting\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    mark = old.host.path("/tmp/hung-up")
    assert await asyncio.to_thread(appears, mark)


async def test_without_a_world_a_command_says_so(old: Machine, world: BareWorld) -> None:
    """After the door is closed, a call ends at once with a sentence and 69."""
    door = Door(world.machines["new"], COMMANDS)
    place(world.machines["new"].host, bin_of(world.machines["new"].host), COMMANDS, Tools(), {})
    door.open()
    assert (await shell(world.machines["new"], "say 0")).returncode == 0
    door.close()
    done = await shell(world.machines["new"], "say 0")
    assert (done.returncode, done.stderr) == (69, "say: the rehearsal has ended\n")
    assert (await shell(old, "say 0")).returncode == 0


async def test_a_closed_door_lets_nobody_hang(world: BareWorld) -> None:
    """Whoever waits for an answer when the world ends is told."""
    machine = world.machines["new"]
    door = Door(machine, COMMANDS)
    place(machine.host, bin_of(machine.host), COMMANDS, Tools(), {})
    door.open()
    process = await asyncio.create_subprocess_exec(
        bin_of(machine.host) / "wait", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert await process.stdout.readline() == b"waiting\n"
    door.close()
    _, said = await asyncio.wait_for(process.communicate(), 5)
    assert (process.returncode, said) == (69, b"wait: the rehearsal has ended\n")


async def test_half_a_request_is_no_call(old: Machine) -> None:
    """Somebody who connects and goes leaves nothing behind."""
    reader, writer = await asyncio.open_unix_connection(old.host.path("/run/rehearsal/door"))
    writer.write(b"\0\0\0\xff{")
    writer.close()
    await reader.read()
    assert (await shell(old, "say 0")).returncode == 0
    assert old.world.calls == {"say": 1}


async def test_a_call_is_quick(old: Machine) -> None:
    """A call costs little more processor time than starting Python does, in the caller's process."""
    env = {"PATH": "/usr/bin:/bin", "LOGNAME": "root"}

    def cost(*words: str | Path) -> float:
        spent = []
        for _ in range(8):
            before = os.times()
            subprocess.run(words, env=env, capture_output=True, check=True)
            after = os.times()
            spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
        return min(spent)

    bare = await asyncio.to_thread(cost, sys.executable, "-IS", "-c", "pass")
    assert await asyncio.to_thread(cost, bin_of(old.host) / "say") < bare + 0.02
