"""Variants for systems and lists of items, on two real SSH servers and over several sittings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.applies import system_of
from runbook_tui.core.errors import Refused
from runbook_tui.core.model import LOCAL, Each, Host, ListSpec, Verify
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.transcript import render
from tests.core.builders import OLD, a_literal, a_runbook, a_step, an_action
from tests.support.bench import Bench, confirm, local_shells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runbook_tui.core.model import Action, Step
    from runbook_tui.engine import Engine
    from runbook_tui.ports import HostKey, Identity, Shell
    from tests.engine.conftest import TwoHosts

OTHER = "plan9"
"""A system that no host of these tests has."""


def bench_of(tmp_path: Path, two: TwoHosts, *actions: Action | Step) -> Bench:
    """Make a bench whose hosts are the two servers."""
    return Bench(replace(a_runbook(*actions), hosts=two.hosts), tmp_path / "state", shells=two.shells)


def learned(engine: Engine) -> list[tuple[str, str, str]]:
    """Give what was recorded of systems: host, word, and the action on which the operator said it."""
    events = [r.event for r in engine._recorder.journal.records]
    return [(e.subject, e.value, e.action) for e in events if isinstance(e, ev.Settled) and e.what == "os"]


async def the_system(tmp_path: Path, two: TwoHosts) -> str:
    """Ask old what it is, as a run of its own would."""
    async with bench_of(tmp_path / "ask", two, an_action("a")).engine() as engine:
        await engine.consent()
        await confirm(engine, "a")
        return system_of(engine.state, OLD)


async def test_confirming_asks_the_host_what_it_is_and_goes_on(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """The first confirmation learns old's system, once, runs its variant, and the run closes without the other."""
    system = await the_system(tmp_path, two_hosts)
    mine = an_action("mine", "touch mine", step="s", os=system, verifies=(Verify("false", 1, os=OTHER),))
    other = an_action("other", "touch other", step="s", os=OTHER)
    bench = bench_of(tmp_path, two_hosts, a_step(other, mine, number="1.1"))
    async with bench.engine() as engine:
        await engine.consent()
        assert engine.consent_lines()[0].endswith("id -un; uname -n; uname -s; grep '^ID=' /etc/os-release")
        assert await confirm(engine, "mine") is Status.DONE
        assert [found for found in learned(engine) if found[0] == OLD] == [(OLD, system, "")]
        assert engine.state.closed
    async with bench.engine() as engine:
        assert engine.allowed("other")[Verb.CONFIRM] == f"it does not apply: for {OTHER}; old is {system}"
    assert (two_hosts.old.home / "mine").exists()
    assert not (two_hosts.old.home / "other").exists()


async def test_confirming_what_turns_out_not_to_apply_runs_nothing(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """The other system's variant is refused once the host has answered, with both systems named."""
    bench = bench_of(tmp_path, two_hosts, an_action("other", "touch wrong", os=OTHER), an_action("last"))
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(Refused, match=f"it does not apply: for {OTHER}; old is "):
            await engine.propose("other", Verb.CONFIRM)
        assert not engine.state.attempts
    assert not (two_hosts.old.home / "wrong").exists()


async def test_without_consent_no_host_is_asked(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """Asking for a system is a contact like any: nothing logs in before the operator agreed."""
    async with bench_of(tmp_path, two_hosts, an_action("a", os=OTHER)).engine() as engine:
        with pytest.raises(Refused, match="before you agreed"):
            await engine.propose("a", Verb.CONFIRM)
    assert "Accepted publickey" not in two_hosts.old.log_text()


async def test_a_system_said_by_hand_is_kept(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """The operator's word stands against the host's answer, which is recorded beside it, also after a pause."""
    bench = bench_of(tmp_path, two_hosts, an_action("a", os=OTHER), an_action("b"))
    async with bench.engine() as engine:
        await engine.consent()
        await engine.settle("a", ev.Settlement.OS, OTHER.upper())
        assert await confirm(engine, "a") is Status.DONE
        assert (OLD, OTHER, "a") in learned(engine)
    async with bench.engine() as engine:
        assert system_of(engine.state, OLD) == OTHER


async def test_the_run_ends_when_all_that_is_left_does_not_apply(tmp_path: Path) -> None:
    """Settling a system may settle the last open action: the run closes by itself."""
    runbook = replace(a_runbook(an_action("a", host=LOCAL, os=OTHER)), hosts={LOCAL: Host(LOCAL)})
    async with Bench(runbook, tmp_path / "state").engine() as engine:
        await engine.settle("a", ev.Settlement.OS, "debian")
        assert engine.state.closed


class Silent:
    """This machine's shell, which does not say what it is."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self._shell, name)  # type: ignore[no-any-return]

    async def connect(self) -> Identity:
        """Leave the system out."""
        return replace(await self._shell.connect(), system="")


async def test_a_host_that_does_not_say_is_asked_of_the_operator(tmp_path: Path) -> None:
    """Where connecting does not tell the system, the sentence says how it is settled by hand."""
    runbook = replace(a_runbook(an_action("a", host=LOCAL, os=OTHER)), hosts={LOCAL: Host(LOCAL)})

    def shells(host: Host, pin: HostKey | None) -> Shell:
        return Silent(local_shells(host, pin))  # type: ignore[return-value]

    async with Bench(runbook, tmp_path / "state", shells=shells).engine() as engine:
        with pytest.raises(Refused, match="local did not say which system it is"):
            await engine.propose("a", Verb.CONFIRM)


async def test_items_of_a_list_run_one_by_one_and_survive_a_pause(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """A list set in the run gives each item its command; the failed one alone is retried in the next sitting."""
    action = an_action("copy", "(test user != bob || test -e may) && touch user", each=Each("user", "mailboxes"))
    runbook = replace(
        a_runbook(action, literals=(a_literal("user"),)), hosts=two_hosts.hosts,
        lists={"mailboxes": ListSpec("mailboxes")},
    )  # fmt: skip
    bench = Bench(runbook, tmp_path / "state", shells=two_hosts.shells)
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(Refused, match="the list mailboxes is not known yet"):
            await engine.propose("copy", Verb.CONFIRM)
        await engine.settle("copy", ev.Settlement.LIST, "alice, bob", "mailboxes")
        assert await confirm(engine, "copy:alice") is Status.DONE
        assert await confirm(engine, "copy:bob") is Status.FAILED
    (two_hosts.old.home / "may").touch()
    async with bench.engine() as engine:
        await engine.consent()
        assert engine.state.of("copy:alice").status is Status.DONE
        assert await confirm(engine, "copy:bob", Verb.RETRY) is Status.DONE
        assert engine.state.closed
        text = render(engine.state, engine._recorder.journal.records, lambda _: "", "md")
        assert "touch alice" in text
    assert {p.name for p in two_hosts.old.home.iterdir()} >= {"alice", "bob"}
