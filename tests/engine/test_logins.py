"""A login that is asked for while a job runs: the job goes on, the question waits, and no byte of it is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.model import Host
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.secret import Secret
from runbook_tui.ports import Link, LoginAnswer
from tests.core.builders import OLD, a_runbook, an_action
from tests.engine.test_two_hosts import ONCE, view_of
from tests.support.bench import Bench, eventually, until
from tests.support.login_server import Door, open_door

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.engine import Engine
    from runbook_tui.ports import HostKey, Shell


async def give(engine: Engine, code: str) -> None:
    """Wait for the question, and type."""
    await until(engine, lambda: engine.logins.waiting is not None)
    question = engine.logins.waiting
    assert question is not None
    engine.logins.give(question, LoginAnswer((Secret("typed", code),)))
    await question.gone.wait()


async def test_a_code_wanted_at_night_waits_for_the_operator(tmp_path: Path) -> None:
    """The link breaks while a command runs and the host wants a new code: it runs on, and is followed once it is in."""
    door = Door(steps=[("", [("Code:", False)], lambda typed: typed == ["123456"])])
    made: list[Engine] = []
    async with open_door(tmp_path / "door", door) as files:
        settings = SshSettings(
            config_files=(files.config,), known_hosts_files=(files.known_hosts,), home=files.config.parent,
            hold_timeout=0.05, login_timeout=60,
        )  # fmt: skip

        def shells(host: Host, pin: HostKey | None) -> Shell:
            return SshShell(host, pin, settings, made[0].logins)

        book = replace(a_runbook(an_action("a", ONCE, host=OLD)), hosts={OLD: Host(OLD, "old.test")})
        home = tmp_path / "door" / "home"
        async with Bench(book, tmp_path / "state", shells=shells).engine() as engine:
            made.append(engine)
            engine.logins.attend()
            await engine.consent()
            await give(engine, "123456")
            await until(engine, lambda: view_of(engine).link is Link.UP)
            await engine.confirm(proposal := await engine.propose("a", Verb.CONFIRM), proposal.wants)
            await eventually(lambda: engine.feed("night-1").since(0)[0] == ["before"])
            connections = door.connections
            door.cut()
            await until(engine, lambda: engine.logins.waiting is not None)
            assert engine.activity is not None
            assert "waits for you to log in" in engine.activity.link
            assert view_of(engine).link is Link.ASKING
            (home / "go").touch()
            await give(engine, "123456")
            await engine.idle()
            assert engine.state.of("a").status is Status.DONE
            assert door.connections <= connections + 2, "it did not knock again and again while nobody was there"
            assert engine.feed("night-1").since(0)[0] == ["before", "after"]
    assert (home / "ran").read_text() == "x\n"
