"""A host whose sshd lets nobody in, or opens too few sessions: the cause in words, and few tries."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters import ssh_rest
from runbook_tui.adapters.clock import SystemClock
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import CheckSpec
from runbook_tui.core.run import Status, Verb
from runbook_tui.ports import CheckState
from tests.core.builders import OLD, a_runbook, an_action
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench, confirm, eventually, until
from tests.support.cutter import cutter
from tests.support.sshd import find_sshd, operator_key, running_sshd, wait_until, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.sshd import Sshd

needs_openssh = pytest.mark.skipif(find_sshd() is None, reason="no sshd is installed; asyncssh serves the tests")
ONCE = "echo before; echo x >> ran; until test -e go; do sleep 0.05; done; echo after"
QUICK = 20
"""How much faster than the wall the clock of these tests sleeps."""


@contextlib.contextmanager
def one_host(folder: Path, options: Sequence[str] = ()) -> Iterator[TwoHosts]:
    """Start one server, for old and new."""
    key = operator_key(folder / "operator")
    with running_sshd(folder / "old", [key.public], options=options) as old:
        yield TwoHosts(old, old, write_ssh_files(folder / "files", key, {"old.test": old}))


def bench_of(folder: Path, two: TwoHosts, text: str, *checks: CheckSpec, clock: SystemClock | None = None) -> Bench:
    """Make a bench with one action on old."""
    book = replace(a_runbook(an_action("a", text)), title=folder.name, checks=checks)
    hosts = {OLD: two.hosts[OLD]}
    return Bench(replace(book, hosts=hosts), folder / "state", shells=two.shells, clock=clock or SystemClock())


def a_check(name: str, every: float) -> CheckSpec:
    """Make a check that runs a command on old."""
    return CheckSpec(name, "command", {"host": "old", "run": "echo 0", "expect": "0"}, every=every)


@contextlib.contextmanager
def taken_up(server: Sshd) -> Iterator[None]:
    """Hold a connection on which nobody logs in; the test of the start may still be counted."""

    def held() -> bool:
        connection = socket.create_connection(("127.0.0.1", server.port))
        if connection.recv(4) == b"SSH-":
            stack.callback(connection.close)
            return True
        connection.close()
        return False

    with contextlib.ExitStack() as stack:
        wait_until(held, "a connection that is let in")
        yield


@needs_openssh
async def test_a_server_that_is_full_is_said_in_its_own_words(tmp_path: Path) -> None:
    """MaxStartups is taken up by a stranger: the server's words are told and nothing ran; with room again it works."""
    with one_host(tmp_path, ["MaxStartups 1:100:1"]) as two:
        async with bench_of(tmp_path, two, "touch ran").engine() as engine:
            with taken_up(two.old):
                await engine.consent()
                with pytest.raises(HostError, match="closed the connection before the login") as caught:
                    await engine.propose("a", Verb.CONFIRM)
                assert "The server said: Exceeded MaxStartups" in caught.value.detail
                assert engine.state.of("a").status is Status.TODO
            await eventually(lambda: "exchange_identification" in two.old.log_text())
            assert await confirm(engine, "a") is Status.DONE


@needs_openssh
async def test_one_session_is_enough_for_a_step(tmp_path: Path) -> None:
    """MaxSessions 1: the step has the session; what needs another says the setting's name, and the step is not hurt."""
    with one_host(tmp_path, ["MaxSessions 1"]) as two:
        async with bench_of(tmp_path, two, ONCE, a_check("room", 0.5)).engine() as engine:
            await engine.consent()
            await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
            await eventually(lambda: engine.feed("night-1").since(0)[0] == ["before"])
            with pytest.raises(HostError, match="opens no session") as caught:
                await engine.stop()  # a signal that was not sent is none in the record
            assert "MaxSessions" in caught.value.hint
            engine.look_again("room")
            await until(engine, lambda: any("opens no session" in check.value for check in engine.checks()))
            (two.old.home / "go").touch()
            await engine.idle()
            assert engine.state.of("a").status is Status.DONE
            assert engine.feed("night-1").since(0)[0] == ["before", "after"]
        assert (two.old.home / "ran").read_text() == "x\n"
        assert two.old.log_text().count("Accepted publickey") == 1


class Diary(SystemClock):
    """A quick clock that writes down each pause between tries to reach a host."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[str] = []

    async def sleep(self, seconds: float) -> None:
        """Write it down, and wait a part of it."""
        self.entries.append("pause")
        await super().sleep(seconds / QUICK)

    async def nap(self, seconds: float) -> None:
        """Wait a part of it, for checks."""
        await super().sleep(seconds / QUICK)


@pytest.mark.parametrize("words", [b"Not allowed at this time\r\n", b""], ids=["penalty", "dropped"])
async def test_a_host_that_keeps_us_out_is_tried_once_a_pause(
    tmp_path: Path, words: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many checks look there, only what runs there tries again, once after each pause; then nothing is lost."""
    monkeypatch.setattr(ssh_rest, "RESTS", [seconds / QUICK for seconds in ssh_rest.RESTS])
    clock = Diary()
    with one_host(tmp_path) as two:
        async with cutter(two.old.port) as proxy:
            config = two.files.config.read_text().replace(f"Port {two.old.port}", f"Port {proxy.port}")
            two.files.config.write_text(config)
            checks = [a_check(f"c{number}", 1.0) for number in range(4)]
            async with bench_of(tmp_path, two, ONCE, *checks, clock=clock).engine() as engine:
                await engine.consent()
                await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
                await eventually(lambda: engine.feed("night-1").since(0)[0] == ["before"])
                proxy.turning_away, proxy.came = words, lambda: clock.entries.append("try")
                clock.entries.clear()
                proxy.cut_all()
                await eventually(lambda: clock.entries.count("pause") >= 4)
                assert engine.activity is not None
                assert "closed the connection before the login" in engine.activity.link
                await until(engine, lambda: all(check.state is CheckState.UNKNOWN for check in engine.checks()))
                proxy.turning_away = None
                tries = list(clock.entries)
                (two.old.home / "go").touch()
                await engine.idle()
                assert engine.state.of("a").status is Status.DONE
                assert engine.feed("night-1").since(0)[0] == ["before", "after"]
        assert tries[:8] == ["try", "pause"] * 4
        assert (two.old.home / "ran").read_text() == "x\n"
