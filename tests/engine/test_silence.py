"""A link that goes silent under a running step, for a moment or for good: said, mended, nothing lost, run once."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.run import Status, Verb
from tests.core.builders import a_runbook, an_action
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench, eventually, until
from tests.support.cutter import cutter
from tests.support.sshd import find_sshd, operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runbook_tui.core.model import Host
    from runbook_tui.engine import Engine
    from runbook_tui.ports import HostKey, Shell

COUNTING = (
    "echo x >> ran; i=0\n"
    "until test -e go; do i=$((i+1)); echo line $i; sleep 0.05; done; echo $i >last; echo after"
)
"""Says a line twenty times a second until it may end."""

QUICK = {"keepalive_interval": 0.2, "keepalive_count_max": 2, "login_timeout": 1.0}
"""Settings under which a silent link is given up within a second."""


@dataclass
class Counted:
    """A host on which a step counts, and how patient its shell is."""

    hosts: TwoHosts
    folder: Path
    patience: dict[str, float]

    def shells(self, host: Host, pin: HostKey | None) -> Shell:
        """Make the shell of a host."""
        files = self.hosts.files
        settings = SshSettings(
            config_files=(files.config,), known_hosts_files=(files.known_hosts,), home=files.config.parent,
        )  # fmt: skip
        return SshShell(host, pin, replace(settings, **self.patience))  # type: ignore[arg-type]

    def engine(self) -> Engine:
        """Open a run of the one step, without live checks."""
        book = replace(a_runbook(an_action("a", COUNTING)), title=self.folder.name, hosts=self.hosts.hosts)
        return Bench(book, self.folder / "state", shells=self.shells, make_probes=lambda _: {}).engine()

    def leads_to(self, port: int) -> None:
        """Have the operator's name lead to another port."""
        config = self.hosts.files.config
        config.write_text(config.read_text().replace(f"Port {self.hosts.old.port}", f"Port {port}"))

    async def end(self, engine: Engine) -> None:
        """Let the step end: it is done, ran once, and not a line is missing or there twice."""
        (self.hosts.old.home / "go").touch()
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE
        last = int((self.hosts.old.home / "last").read_text())
        assert engine.feed("night-1").since(0)[0] == [*(f"line {n}" for n in range(1, last + 1)), "after"]
        assert (self.hosts.old.home / "ran").read_text() == "x\n"


async def begin(engine: Engine) -> None:
    """Confirm the step and hear from it."""
    await engine.consent()
    await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
    await eventually(lambda: engine.feed("night-1").total > 2)


def silent(engine: Engine) -> float:
    """Give for how long nothing was heard of what runs."""
    return engine.activity.silent if engine.activity is not None else 0.0


def trouble(engine: Engine) -> str:
    """Give what is said of its link."""
    return engine.activity.link if engine.activity is not None else ""


def lost(engine: Engine) -> bool:
    """Tell whether the record has a loss of the link."""
    return any("link was lost" in note.text for note in engine.state.notes)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    """Start the server; the shells are as patient as the program's."""
    key = operator_key(tmp_path / "operator")
    with running_sshd(tmp_path / "old", [key.public]) as old:
        hosts = TwoHosts(old, old, write_ssh_files(tmp_path / "files", key, {"old.test": old}))
        yield Counted(hosts, tmp_path, {})


@pytest.mark.skipif(find_sshd() is None, reason="needs OpenSSH's session processes")
@pytest.mark.parametrize("given_up", [False, True], ids=["in time", "given up"])
async def test_a_stopped_session_loses_nothing(counted: Counted, *, given_up: bool) -> None:
    """Its sshd stands still and goes on, before or after the keepalive gave it up; the silence is said meanwhile."""
    if given_up:
        counted.patience = QUICK
    async with counted.engine() as engine:
        await begin(engine)
        stopped = counted.hosts.old.sessions()
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            await eventually(lambda: silent(engine) > 0.5 or lost(engine))
            if given_up:
                await until(engine, lambda: any("is back" in note.text for note in engine.state.notes))
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        await eventually(lambda: silent(engine) < 0.2)
        await counted.end(engine)
        assert lost(engine) is given_up


async def test_swallowed_bytes_are_told_as_silence_and_then_reached_anew(counted: Counted) -> None:
    """Nothing passes and nobody is told: the keepalive gives the link up, tries fail in words, then all comes."""
    counted.patience = QUICK
    async with cutter(counted.hosts.old.port) as proxy:
        counted.leads_to(proxy.port)
        async with counted.engine() as engine:
            await begin(engine)
            proxy.flowing.clear()
            await until(engine, lambda: "did not complete the login in time" in trouble(engine))
            proxy.flowing.set()
            await counted.end(engine)
            assert lost(engine)


@pytest.mark.lab
@pytest.mark.parametrize("seconds", [6.0, 40.0])
async def test_a_dropping_link_is_silent_by_5_s_and_reached_anew_by_20_s(counted: Counted, seconds: float) -> None:
    """With the program's own settings: 6 s are only a silence, 40 s a lost link that is reached again."""
    loop = asyncio.get_running_loop()
    async with cutter(counted.hosts.old.port) as proxy:
        counted.leads_to(proxy.port)
        async with counted.engine() as engine:
            await begin(engine)
            proxy.flowing.clear()
            began = loop.time()
            await eventually(lambda: silent(engine) >= 4.5)
            told = loop.time() - began
            assert told < 5.5
            assert not trouble(engine)
            if seconds > 20:
                await until(engine, lambda: bool(trouble(engine)))
                print(f"given up after {loop.time() - began:.1f} s")  # noqa: T201 -- for the record
                assert loop.time() - began < 23
            await asyncio.sleep(began + seconds - loop.time())  # the fault's own length
            proxy.flowing.set()
            await eventually(lambda: silent(engine) < 1.0)
            await counted.end(engine)
            assert lost(engine) is (seconds > 20)
