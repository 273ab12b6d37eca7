"""Hosts are looked at before their first command of a sitting, over real SSH."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError
from runbook_tui.core.run import Status, Verb
from tests.core.builders import NEW, OLD, a_runbook, an_action
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench, HeldClock, confirm
from tests.support.sshd import operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.engine import Engine

SLOW = timedelta(hours=2)


def bench_of(tmp_path: Path, two: TwoHosts) -> Bench:
    """Make a bench with two actions on old and one on new."""
    actions = [an_action("a", "touch a"), an_action("b", "touch b"), an_action("c", "touch c", host=NEW)]
    return Bench(replace(a_runbook(*actions), hosts=two.hosts), tmp_path / "state", shells=two.shells)


def noted(engine: Engine) -> list[str]:
    """Give what was recorded of hosts."""
    return [note.text for note in engine.state.notes if note.text.startswith("preflight of ")]


async def test_a_host_is_looked_at_before_its_first_command(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """Once a sitting, only the host that is worked on; it is asked for before, and recorded before the confirmation."""
    bench = bench_of(tmp_path, two_hosts)
    async with bench.engine() as engine:
        asked = "look at a host before its first command: programs"
        assert any(line.startswith(asked) for line in engine.consent_lines())
        await engine.consent()
        await engine.propose("a", Verb.CONFIRM)
        assert noted(engine) == []
        assert await confirm(engine, "a") is Status.DONE
        (text,) = noted(engine)
        assert text.startswith("preflight of old: Linux ")
        assert "clock as this machine's" in text
        types = [type(record.event) for record in engine.records]
        assert types.index(ev.Noted) < types.index(ev.Confirmed)
        assert await confirm(engine, "b") is Status.DONE
        assert len(noted(engine)) == 1
        views = {view.name: view.found for view in engine.hosts()}
        assert views[OLD][0] in text
        assert views[NEW] == ()
        assert await confirm(engine, "c") is Status.DONE
        assert noted(engine)[1].startswith("preflight of new: ")
        await engine.pause("for today")


async def test_a_finding_is_a_warning_of_the_first_confirmation(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """A clock that is hours away: said where it is confirmed, and again in the next sitting."""
    bench = bench_of(tmp_path, two_hosts)
    bench.clock = clock = HeldClock()
    async with bench.engine() as engine:
        clock.wall += SLOW
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        (warning,) = [line for line in proposal.warnings if line.startswith("old: its clock is ")]
        await engine.confirm(proposal, proposal.wants)
        await engine.idle()
        (text,) = noted(engine)
        assert warning.removeprefix("old: ") in text
        later = await engine.propose("b", Verb.CONFIRM)
        assert not any("its clock is" in line for line in later.warnings)
    async with bench.engine() as engine:
        await engine.consent()
        again = await engine.propose("b", Verb.CONFIRM)
        assert any("old: its clock is" in line for line in again.warnings)


async def test_few_sessions_and_a_talking_shell_are_found(tmp_path: Path) -> None:
    """MaxSessions 2 and a login that prints something are warnings; the command runs all the same."""
    key = operator_key(tmp_path / "operator")
    loud = 'ForceCommand echo "Welcome to old"; eval "$SSH_ORIGINAL_COMMAND"'
    with running_sshd(tmp_path / "old", [key.public], options=["MaxSessions 2", loud]) as old:
        two = TwoHosts(old, old, write_ssh_files(tmp_path / "files", key, {"old.test": old}))
        hosts = {name: host for name, host in two.hosts.items() if name != NEW}
        bench = Bench(
            replace(a_runbook(an_action("a", "touch a")), hosts=hosts), tmp_path / "state", shells=two.shells
        )
        async with bench.engine() as engine:
            await engine.consent()
            assert await confirm(engine, "a") is Status.DONE
            (text,) = noted(engine)
            assert "it refused another session at 2 of this connection" in text
            assert text.endswith("by it: Welcome to old") or "by it: Welcome to old; " in text
        assert (old.home / "a").exists()


async def test_a_host_that_cannot_keep_a_command_is_refused(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """A file where the folder for commands should be: it is named, nothing ran; put right, the step goes on."""
    bench, in_the_way = bench_of(tmp_path, two_hosts), two_hosts.old.home / ".local"
    in_the_way.write_text("")
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(HostError, match="old cannot run commands for this run") as caught:
            await engine.propose("a", Verb.CONFIRM)
        assert f"{in_the_way} cannot be written" in caught.value.detail
        assert engine.hosts()[0].found == ()
        in_the_way.unlink()
        assert await confirm(engine, "a") is Status.DONE
        assert len(noted(engine)) == 1


async def test_a_new_connection_is_looked_at_anew(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """What the operator put right counts after a reconnect."""
    bench = bench_of(tmp_path, two_hosts)
    async with bench.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        await engine.reconnect(OLD)
        assert await confirm(engine, "b") is Status.DONE
        assert len(noted(engine)) == 2
