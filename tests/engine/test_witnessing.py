"""Hosts as witnesses over real SSH: their `logger` is told the head at each confirmation, and nothing depends on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.seals import verify_run
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.witness import Witness, witnesses
from runbook_tui.engine import looking, witnessing
from tests.core.builders import NEW, OLD, a_runbook, an_action
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench, confirm, eventually
from tests.support.sshd import SYSTEM_PATH, operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from runbook_tui.engine import Engine
    from runbook_tui.ports import Ended, Shell

LOGGER = '#!/bin/sh\nprintf "%s\\n" "$*" >>"$HOME/log"\n'
STUCK = '#!/bin/sh\necho $$ >"$HOME/stuck"\nexec sleep 1000\n'


@pytest.fixture
def two_hosts(tmp_path: Path) -> Iterator[TwoHosts]:
    """Start both servers, each with a folder first in PATH that has the stand-in of `logger`."""
    key = operator_key(tmp_path / "operator")
    bins = {name: tmp_path / f"{name}-bin" for name in ("old", "new")}
    for folder in bins.values():
        folder.mkdir()
        put(folder, LOGGER)
    paths = {name: {"PATH": f"{folder}:{SYSTEM_PATH}"} for name, folder in bins.items()}
    with (
        running_sshd(tmp_path / "old", [key.public], environment=paths["old"]) as old,
        running_sshd(tmp_path / "new", [key.public], environment=paths["new"]) as new,
    ):
        yield TwoHosts(old, new, write_ssh_files(tmp_path / "files", key, {"old.test": old, "new.test": new}))


def put(folder: Path, logger: str) -> None:
    """Make it the folder's `logger`."""
    (folder / "logger").write_text(logger)
    (folder / "logger").chmod(0o755)


def bench_of(tmp_path: Path, two: TwoHosts) -> Bench:
    """Make a bench with three actions on old; new is connected to by none of them."""
    actions = [an_action(name, f"touch {name}") for name in ("a", "b", "c")]
    return Bench(replace(a_runbook(*actions), hosts=two.hosts), tmp_path / "state", shells=two.shells)


def kept(log: Path) -> tuple[Witness, ...]:
    """Give the lines that a host's log has."""
    return witnesses(log.read_text()) if log.exists() else ()


def missed(engine: Engine) -> list[str]:
    """Give what was noted of lines that were not kept."""
    return [note.text for note in engine.state.notes if "did not keep the head" in note.text]


def ended(stuck: Path) -> bool:
    """Tell whether the `logger` that wrote its pid there is gone."""
    return not Path(f"/proc/{stuck.read_text().strip()}").exists()


async def test_connected_hosts_keep_the_head_of_each_confirmation(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """Every host that is connected gets each head, it is named before that, and `verify --witness` reads it."""
    bench = bench_of(tmp_path, two_hosts)
    logs = [host.home / "log" for host in (two_hosts.old, two_hosts.new)]
    async with bench.engine() as engine:
        asked = engine.consent_lines()
        for host in (OLD, NEW):
            assert any(line.startswith(f"log on {host}, at each confirmation") for line in asked)
        await engine.consent()
        await engine.reconnect(NEW)
        for count, name in enumerate(("a", "b"), 1):
            assert await confirm(engine, name) is Status.DONE
            await eventually(lambda: all(len(kept(log)) == count for log in logs))  # noqa: B023 -- awaited here
        assert missed(engine) == []
        folder = bench.folder
        assert folder is not None
    seen = [kept(log) for log in logs]
    assert seen[0] == seen[1]
    assert verify_run(folder.path, seen[0]).ok
    records = (folder.path / "events.jsonl").read_text().splitlines(keepends=True)
    for number, each in enumerate(seen[0], 1):
        assert f'"attempt":"night-{number}"' in records[each.seq - 1]
    (folder.path / "events.jsonl").write_text("".join(records[: seen[0][0].seq]))
    (folder.path / "SHA256SUMS").unlink()
    assert any("was witnessed, but the journal ends" in why for why in verify_run(folder.path, seen[0]).problems)


async def test_a_host_whose_logger_fails_is_noted_once(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """What a host did not keep is in the transcript once, and every action is done all the same."""
    put(tmp_path / "old-bin", "#!/bin/sh\nexit 9\n")
    async with bench_of(tmp_path, two_hosts).engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        await eventually(lambda: bool(missed(engine)))
        assert await confirm(engine, "b") is Status.DONE
        put(tmp_path / "old-bin", LOGGER)
        assert await confirm(engine, "c") is Status.DONE
        log = two_hosts.old.home / "log"
        await eventually(lambda: bool(kept(log)))  # two when b's line was still under way
        (text,) = missed(engine)
        assert text.startswith("old did not keep the head of record ")
        assert text.endswith(": logger ended with exit status 9")


@pytest.mark.lab
async def test_a_stuck_syslog_holds_nothing_up(
    tmp_path: Path, two_hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While `logger` hangs the action runs to its end; it is given up, ended over there, and not tried again."""
    monkeypatch.setattr(witnessing, "PATIENCE", 3600.0)
    put(tmp_path / "old-bin", STUCK)
    stuck, bench = two_hosts.old.home / "stuck", bench_of(tmp_path, two_hosts)
    async with bench.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        await eventually(stuck.exists)
        assert await confirm(engine, "b") is Status.DONE
        assert missed(engine) == []
    await eventually(lambda: ended(stuck))
    monkeypatch.setattr(witnessing, "PATIENCE", 1.0)
    looks: list[str] = []

    def look(shell: Shell, script: str, sink: Callable[[bytes], None]) -> Awaitable[Ended | None]:
        looks.append(shell.host.name)
        return looking.look(shell, script, sink)

    monkeypatch.setattr(witnessing, "look", look)
    async with bench.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "c") is Status.DONE
        await eventually(lambda: bool(missed(engine)))
        await eventually(lambda: ended(stuck))
        assert "It is not tried again in this sitting" in missed(engine)[0]
        assert looks.count(OLD) == 1
        assert await confirm(engine, "c", Verb.RETRY) is Status.DONE
        assert looks.count(OLD) == 1
