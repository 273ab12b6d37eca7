"""What threatens a command while it runs is said in the pane and in the record, once."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.run import Status, Verb
from runbook_tui.engine import execution
from tests.core.builders import OLD, a_runbook, an_action
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench, confirm, eventually
from tests.support.full_disk import small_disk
from tests.support.sshd import operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.engine import Engine

WAITS = "until test -e go; do sleep 0.05; done; echo down"


def bench_of(tmp_path: Path, two: TwoHosts, text: str) -> Bench:
    """Make a bench with one action on old."""
    hosts = {OLD: two.hosts[OLD]}
    return Bench(replace(a_runbook(an_action("a", text)), hosts=hosts), tmp_path / "state", shells=two.shells)


def noted(engine: Engine, word: str) -> list[str]:
    """Give the notes on the action that have a word."""
    return [note.text.partition(": ")[2] for note in engine.state.notes if note.action and word in note.text]


def warned(engine: Engine, word: str) -> int:
    """Count the notes that have a word, each of which is in the pane too."""
    found, shown = noted(engine, word), engine.feed("night-1").since(0)[0]
    assert all(f"[mailrunbook] warning: {text}" in shown for text in found)
    return len(found)


async def start(engine: Engine) -> None:
    """Confirm the action, and see it run."""
    await engine.consent()
    proposal = await engine.propose("a", Verb.CONFIRM)
    await engine.confirm(proposal, proposal.wants)
    await eventually(lambda: engine.state.attempts["night-1"].started_at is not None)


async def test_a_disk_that_is_nearly_full_is_told_with_its_room(tmp_path: Path) -> None:
    """Before the first command there, and while one runs."""
    key = operator_key(tmp_path / "operator")
    with (
        small_disk(tmp_path / "disk", 4 << 20) as disk,
        running_sshd(tmp_path / "old", [key.public], environment={"MAILRUNBOOK_STATE_DIR": str(disk)}) as old,
    ):
        two = TwoHosts(old, old, write_ssh_files(tmp_path / "files", key, {"old.test": old}))
        async with bench_of(tmp_path, two, WAITS).engine() as engine:
            await engine.consent()
            proposal = await engine.propose("a", Verb.CONFIRM)
            assert any(f" MiB are free on {disk}, where the output" in line for line in proposal.warnings)
            await start(engine)
            await eventually(lambda: warned(engine, f" MiB are free on {disk} over there") == 1)
            (old.home / "go").touch()
            await engine.idle()
            assert engine.state.of("a").status is Status.DONE
            assert warned(engine, " MiB are free on ") == 1


async def test_much_output_is_told_once(
    tmp_path: Path, two_hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the byte from which on it is much."""
    monkeypatch.setattr(execution, "MUCH_OUTPUT", 3 << 20)
    script = "i=0; while [ $i -lt 50000 ]; do echo '0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
    script += "0123456789 0123456789'; i=$((i+1)); done"
    async with bench_of(tmp_path, two_hosts, script).engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        assert warned(engine, "its output has passed 3 MiB") == 1


@pytest.mark.lab
async def test_output_without_end_is_told_and_stopped(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """A command that says the same for ever: past 64 MiB it is told and recorded, and TERM ends it."""
    async with bench_of(tmp_path, two_hosts, f"yes {'0123456789' * 12}").engine() as engine:
        await start(engine)
        await eventually(lambda: len(noted(engine, "its output has passed 64 MiB")) == 1, 120)
        assert "nothing of it runs any more" in await engine.stop()
        await engine.idle()
        assert engine.state.of("a").status is Status.STOPPED


async def test_a_job_without_its_supervisor_is_told_and_its_end_is_unknown(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """What kept its exit status was killed: it runs on, is followed, and is not taken for done."""
    home = two_hosts.old.home
    async with bench_of(tmp_path, two_hosts, WAITS).engine() as engine:
        await start(engine)
        (meta,) = home.glob(".local/state/mailrunbook/jobs/night-1-*/meta")
        os.kill(int(meta.read_text().split()[2]), signal.SIGKILL)
        await eventually(lambda: warned(engine, "its supervisor over there is gone") == 1)
        assert engine.state.of("a").status is Status.RUNNING
        (home / "go").touch()
        await engine.idle()
        assert engine.state.of("a").status is Status.UNKNOWN
        assert "down" in engine.feed("night-1").since(0)[0]
