"""A step that moves an address: afterwards every role shows its own key on a new connection, or nothing more runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import ActionKind, HoldCode, Undo
from runbook_tui.core.rebinding import waiting
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.verbs import why_held
from tests.core.builders import NEW, OLD, an_action
from tests.engine.machines import ROLES, bench_of
from tests.support.bench import confirm, until

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action
    from runbook_tui.engine import Engine
    from tests.engine.machines import Machines


def steps(**fields: object) -> list[Action]:
    """Make a step that moves old's address to new, and one behind it for each role."""
    return [
        an_action("move", "true", host=NEW, rebinds="new", **fields),
        an_action("then-old", "echo o", host=OLD),
        an_action("then-new", "echo n", host=NEW),
    ]


def why(engine: Engine, action: str) -> str:
    """Say why an action waits for hosts, if it does."""
    found = engine.state.runbook.action(action)
    assert found is not None
    return "".join(hold.why for hold in why_held(engine.state, found) if hold.code is HoldCode.REBOUND)


async def test_every_role_connects_anew_and_shows_its_own_key(tmp_path: Path, machines: Machines) -> None:
    """Old connections count no more: both roles log in again, it is in the record, and then the next step may run."""
    two = machines.hosts(tmp_path, machines.known(*ROLES))
    bench = bench_of(tmp_path, two, *steps())
    async with bench.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("move", Verb.CONFIRM)
        assert set(engine.state.pins) == {"old", "new"}
        assert any("moves an address to new" in warning for warning in proposal.warnings)
        before = machines.logins()
        assert await confirm(engine, "move") is Status.DONE
        await until(engine, lambda: engine.state.rebound is not None and not waiting(engine.state), 60)
        assert machines.logins() == before + 2
        assert await confirm(engine, "then-old") is Status.DONE
        transcript = engine.export("md")
        assert all(f"{role} showed its own ssh-ed25519 key" in transcript for role in ROLES)
    async with bench.engine() as engine:
        assert waiting(engine.state) == ()


async def test_an_address_that_leads_to_the_other_machine_holds_everything(tmp_path: Path, machines: Machines) -> None:
    """New is at old's address now, and old's name still leads there: nothing runs until old is reached as old."""
    two = machines.hosts(tmp_path, machines.known(*ROLES))
    right = two.files.config.read_text()
    async with bench_of(tmp_path, two, *steps()).engine() as engine:
        await engine.consent()
        proposal = await engine.propose("move", Verb.CONFIRM)
        two.files.config.write_text(right.replace(f"Port {machines.old.port}", f"Port {machines.new.port}"))
        await engine.confirm(proposal, "y")
        await engine.idle()
        await until(engine, lambda: waiting(engine.state) == (OLD,), 60)
        for action in ("then-old", "then-new"):
            assert "old must show its own key" in why(engine, action)
            with pytest.raises(HostError, match="the machine new"):
                await engine.propose(action, Verb.CONFIRM)
        with pytest.raises(Refused, match="the key of new"):
            await engine.override("then-new", "it will be right")
        assert engine.state.of("then-new").attempts == ()
        two.files.config.write_text(right)
        assert await confirm(engine, "then-new") is Status.DONE
        assert waiting(engine.state) == ()


async def test_a_host_that_is_gone_can_be_gone_without_for_a_reason(tmp_path: Path, machines: Machines) -> None:
    """A role that is not reached holds the rest, across a restart too; the operator may go on without it and says why.

    What moves the address may be done again meanwhile, and its way back is open.
    """
    two = machines.hosts(tmp_path, machines.known(*ROLES))
    moving = steps(undos=(Undo("true", 1),))
    bench = bench_of(tmp_path, two, *moving)
    async with bench.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("move", Verb.CONFIRM)
        gone = two.files.config.read_text().replace(f"Port {machines.old.port}", "Port 1")
        two.files.config.write_text(gone)
        await engine.confirm(proposal, "y")
        await engine.idle()
        await until(engine, lambda: waiting(engine.state) == (OLD,), 60)
    async with bench.engine() as engine:
        assert waiting(engine.state) == (OLD,)
        await engine.consent()
        with pytest.raises(HostError, match="refused the connection"):
            await engine.propose("then-new", Verb.CONFIRM)
        assert (await engine.propose("move", Verb.UNDO)).host == NEW
        assert (await engine.propose("move", Verb.RETRY)).host == NEW
        with pytest.raises(Refused, match="wanted"):
            await engine.override("then-new", " ")
        await engine.override("then-new", "it is switched off")
        assert await confirm(engine, "then-new") is Status.DONE
        with pytest.raises(HostError):
            await engine.propose("then-old", Verb.CONFIRM)
        assert "ada went on without old: it is switched off" in engine.export("md")


async def test_moved_by_hand_counts_too_and_a_proposal_from_before_is_void(tmp_path: Path, machines: Machines) -> None:
    """A manual step that moves an address closes old connections when it is marked done."""
    two = machines.hosts(tmp_path, machines.known(*ROLES))
    by_hand = an_action("move", "", kind=ActionKind.MANUAL, rebinds="new")
    async with bench_of(tmp_path, two, by_hand, *steps()[1:]).engine() as engine:
        await engine.consent()
        await engine.propose("then-old", Verb.CONFIRM)
        proposal = await engine.propose("then-new", Verb.CONFIRM)
        right = two.files.config.read_text()
        two.files.config.write_text(right.replace(f"Port {machines.old.port}", "Port 1"))
        await engine.mark_done("move", "moved it")
        await until(engine, lambda: waiting(engine.state) == (OLD,), 60)
        with pytest.raises(Refused, match="an address moved, and old"):
            await engine.confirm(proposal, "y")
        assert engine.state.of("then-new").attempts == ()
