"""A read-only probe over the kept connection beside `ssh` with ControlMaster; exits 1 when it misses SPEED.md c's goal.

Both ask the same OpenSSH server on loopback. Run as `python -m benchmarks.probe [PROBES] [ROUNDS]` in the root of the
repository, where nothing else works hard.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.model import Host, HostName
from tests.support.sshd import find_sshd, operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sshd import SshFiles

OF_MUX = 0.5
SCRIPT = "echo 66% used, 33G free"
NAME = "old.test"
SSH = shutil.which("ssh") or "/usr/bin/ssh"


async def through_shell(shell: SshShell) -> float:
    """Ask as a check does; give the seconds until the end is known."""
    heard = bytearray()
    started = time.perf_counter()
    job = await shell.start(SCRIPT, heard.extend)
    ended = await job.wait()
    seconds = time.perf_counter() - started
    job.close()
    if ended.exit != 0 or not heard.endswith(b"free\n"):
        raise RuntimeError(f"the probe ended with {ended} and said {bytes(heard)!r}")
    return seconds


async def through_mux(options: list[str]) -> float:
    """Ask with a process of `ssh` over its master's connection, started by the same event loop."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        SSH, *options, NAME, SCRIPT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    heard, _ = await process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode != 0 or not heard.endswith(b"free\n"):
        raise RuntimeError(f"ssh ended with {process.returncode} and said {heard!r}")
    return seconds


@contextmanager
def master(folder: Path, files: SshFiles) -> Iterator[list[str]]:
    """Keep OpenSSH's own connection open; gives the options that use it."""
    options = [
        "-F", str(files.config), "-o", f"UserKnownHostsFile={files.known_hosts}", "-o", "BatchMode=yes",
        "-o", f"ControlPath={folder / 'm'}",
    ]  # fmt: skip
    environment = {key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}
    with subprocess.Popen(  # noqa: S603
        [SSH, *options, "-M", "-N", NAME], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            check, deadline = [SSH, *options, "-O", "check", NAME], time.monotonic() + 20
            while subprocess.run(check, capture_output=True, check=False).returncode:  # noqa: S603
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the master did not connect")
                time.sleep(0.05)
            yield options
        finally:
            process.terminate()


async def measure(probes: int, rounds: int, options: list[str], files: SshFiles) -> tuple[list[float], list[float]]:
    """Let them work in turns; give the median of each round in milliseconds."""
    settings = SshSettings(
        config_files=(files.config,), known_hosts_files=(files.known_hosts,), home=files.config.parent
    )
    shell = SshShell(Host(HostName("old"), NAME), None, settings)
    ours: list[float] = []
    theirs: list[float] = []
    try:
        await shell.connect()
        for _ in range(rounds + 1):
            own, peer = [], []
            for _ in range(probes):
                own.append(await through_shell(shell))
                peer.append(await through_mux(options))
            ours.append(statistics.median(own) * 1000)
            theirs.append(statistics.median(peer) * 1000)
    finally:
        await shell.close()
    return ours[1:], theirs[1:]  # the first round opens caches


def main(probes: int, rounds: int) -> int:
    """Print what was measured; give the exit status."""
    say = sys.stdout.write
    if find_sshd() is None:
        say("there is no sshd here to measure with\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="bp-", dir="/tmp") as name:
        folder = Path(name)
        key = operator_key(folder)
        with running_sshd(folder / "sshd", [key.public]) as server:
            files = write_ssh_files(folder / "files", key, {NAME: server})
            with master(folder, files) as options:
                ours, theirs = asyncio.run(measure(probes, rounds, options, files))
    own, peer = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    say(f"{probes} probes a round, medians of {rounds}\n  ours {own:5.1f} ms (least {min(ours):.1f})\n")
    say(f"  ssh with ControlMaster {peer:5.1f} ms (least {min(theirs):.1f})\n")
    say(f"{'ok    ' if ratio <= OF_MUX else 'MISSED'} {ratio:.2f} of ssh with ControlMaster, at most {OF_MUX:.2f}\n")
    return int(ratio > OF_MUX)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    raise SystemExit(main(*given, *(20, 5)[len(given) :]))
