"""Gates that live checks lift and reopen, and `check=` after a step, with probes of the tests' own and real shells."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runbook_tui.checks import watch as watch_module
from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused
from runbook_tui.core.gates import reopened
from runbook_tui.core.model import LOCAL, CheckSpec, Phase, PhaseRole, Verify
from runbook_tui.core.run import Status, Verb
from runbook_tui.engine import execution
from runbook_tui.ports import CheckState, Reading
from tests.checks.fakes import GREEN, RED, Saying
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench, confirm, eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runbook_tui.core.model import Action
    from runbook_tui.core.run import RunState
    from runbook_tui.engine import Engine
    from runbook_tui.ports import Probe

ETA = datetime(2026, 11, 23, 13, 42, tzinfo=UTC)
WAITING = Reading(CheckState.PENDING, "14 of 16 resolvers have it", eta=ETA)
BLIND = Reading(CheckState.UNKNOWN, "no answer within 10 s")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have second looks and retries come at once."""
    monkeypatch.setattr(watch_module, "SECOND_LOOK", 0.01)
    monkeypatch.setattr(watch_module, "SOONEST", 0.01)


def here(name: str = "a", text: str = "true", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make a command on this machine."""
    return an_action(name, text, host=LOCAL, **fields)


class Night:
    """A bench whose checks mx and queue say what the test has them say."""

    def __init__(
        self, tmp_path: Path, *actions: Action, phases: Mapping[str, object] | None = None, every: float = 0.02
    ) -> None:  # fmt: skip
        self.mx, self.queue = Saying(WAITING), Saying(RED)
        book = a_runbook(*actions)
        specs = tuple(
            CheckSpec(name, "later", {"host": "old"}, every=every, phases=phases or {}) for name in ("mx", "queue")
        )
        self.bench = Bench(
            replace(book, hosts={LOCAL: book.hosts[LOCAL]}, checks=specs), tmp_path / "state",
            make_probes=self._probes,
        )  # fmt: skip

    def _probes(self, state: RunState) -> Mapping[str, tuple[CheckSpec, Probe]]:
        return {spec.name: (spec, getattr(self, spec.name)) for spec in state.runbook.checks}

    def engine(self) -> Engine:
        """Make the engine of a new sitting."""
        return self.bench.engine()

    def recorded(self, kind: type[ev.Event]) -> list[Any]:
        """Give the events of a kind from the journal on disk."""
        assert self.bench.folder is not None
        return [r.event for r in self.bench.folder.journal(self.bench.clock).records if isinstance(r.event, kind)]


def why(engine: Engine, action: str = "a") -> str:
    """Give why the action cannot be confirmed."""
    return engine.allowed(action)[Verb.CONFIRM]


# ---- before a step


async def test_a_check_that_is_not_green_holds_with_its_reason_and_eta(tmp_path: Path) -> None:
    """The value and the time until which it should be so stand in the refusal, and the engine refuses by it."""
    night = Night(tmp_path, here(gates=("mx",)))
    async with night.engine() as engine:
        assert "gate mx: is it so? It would be measured" in why(engine)
        await engine.consent()
        held = "held: gate mx: 14 of 16 resolvers have it; it should be so by "
        await eventually(lambda: why(engine).startswith(held))
        assert why(engine).endswith("13:42:00 UTC")
        with pytest.raises(Refused, match="14 of 16"):
            await engine.propose("a", Verb.CONFIRM)


async def test_green_lifts_the_gate_and_the_confirmation_says_so(tmp_path: Path) -> None:
    """Nobody is asked; what the check said at that moment is in the proposal, the journal and the transcript."""
    night = Night(tmp_path, here(gates=("mx", "queue")))
    night.queue.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: "14 of 16" in why(engine))
        night.mx.says = [replace(GREEN, value="16 of 16 resolvers have it")]
        await eventually(lambda: why(engine) == "")
        assert "green or answered" in engine.allowed("a")[Verb.OVERRIDE]
        assert await confirm(engine, "a") is Status.DONE
        (event,) = night.recorded(ev.Confirmed)
        (mx, queue) = event.gates
        assert mx.startswith("mx: PASS since 20")
        assert mx.endswith(" UTC: 16 of 16 resolvers have it")
        assert queue.endswith(": empty")
        assert f"Gate {mx}" in engine.export("md")


async def test_one_green_look_lifts_nothing(tmp_path: Path) -> None:
    """A gate waits for the second look."""
    night = Night(tmp_path, here(gates=("mx",)))
    night.mx.says = [GREEN, BLIND, GREEN, BLIND]
    async with night.engine() as engine:
        opened: list[bool] = []
        engine.subscribe(lambda: opened.append(not why(engine)))
        await engine.consent()
        await eventually(lambda: night.mx.looks > 4)
        assert opened
        assert not any(opened)


async def test_what_cannot_be_looked_at_lifts_nothing_and_says_what_was_known(tmp_path: Path) -> None:
    """UNKNOWN is never a pass, also after it was green."""
    night = Night(tmp_path, here(gates=("mx",)))
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: why(engine) == "")
        night.mx.says = [BLIND]
        await eventually(lambda: "gate mx (it cannot be looked at): no answer within 10 s; at " in why(engine))
        assert "it was PASS: empty" in why(engine)


async def test_a_gate_that_closes_while_the_confirmation_is_open_refuses_it(tmp_path: Path) -> None:
    """What was green when it was shown must be green when it is confirmed."""
    night = Night(tmp_path, here(gates=("mx",)))
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: why(engine) == "")
        proposal = await engine.propose("a", Verb.CONFIRM)
        night.mx.says = [WAITING]
        await eventually(lambda: why(engine) != "")
        with pytest.raises(Refused, match="14 of 16"):
            await engine.confirm(proposal, proposal.wants)
        assert engine.state.of("a").status is Status.TODO


async def test_an_override_is_recorded_with_what_the_check_said(tmp_path: Path) -> None:
    """Only gates that hold are overridden, and the reason and the check's words are in the record."""
    night = Night(tmp_path, here(gates=("mx", "queue")))
    night.queue.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: why(engine).startswith("held: gate mx: 14") and "queue" not in why(engine))
        await engine.override("a", "the two are known to lie")
        (event,) = night.recorded(ev.GateOverridden)
        assert (event.gate, event.said) == ("mx", "PENDING: 14 of 16 resolvers have it")
        assert await confirm(engine, "a") is Status.DONE
        text = engine.export("md")
        assert "the two are known to lie" in text
        assert "The check said: PENDING: 14 of 16 resolvers have it" in text


async def test_what_a_check_said_in_an_earlier_sitting_lifts_nothing(tmp_path: Path) -> None:
    """After coming back a gate is closed until the check has looked twice again."""
    night = Night(tmp_path, here(gates=("mx",)))
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: engine.state.checks["mx"].state == "PASS" if engine.state.checks else False)
    async with night.engine() as engine:
        assert why(engine).startswith("held: gate mx: is it so?")
        assert engine.state.checks == {}


# ---- after a step


async def gone_through(night: Night, engine: Engine) -> None:
    """Do the action behind its green gate."""
    night.mx.says = [GREEN]
    await engine.consent()
    await eventually(lambda: why(engine) == "")
    assert await confirm(engine, "a") is Status.DONE


def open_again(engine: Engine) -> list[str]:
    """Name the gates that turned red behind the action."""
    action = engine.state.runbook.action("a")
    assert action is not None
    return [f"{gate}: {reading.value}" for gate, reading in reopened(engine.state, action)]


async def test_a_gate_that_turns_red_after_its_step_is_open_again(tmp_path: Path) -> None:
    """The step stays done; the question stays, also after coming back, until it is green or the operator answers."""
    night = Night(tmp_path, here(gates=("mx",)), here("b"))
    async with night.engine() as engine:
        await gone_through(night, engine)
        night.mx.says = [replace(RED, value="somebody put the old MX back")]
        await eventually(lambda: open_again(engine) == ["mx: somebody put the old MX back"])
        assert engine.state.of("a").status is Status.DONE
    async with night.engine() as engine:
        assert open_again(engine) == ["mx: somebody put the old MX back"]
        assert engine.allowed("a")[Verb.OVERRIDE] == ""
        await engine.override("a", "it was me, for a test")
        assert open_again(engine) == []
        assert night.recorded(ev.GateOverridden)[0].reason == "it was me, for a test"


async def test_green_again_closes_the_question(tmp_path: Path) -> None:
    """What could not be looked at neither asks nor closes."""
    night = Night(tmp_path, here(gates=("mx",)), here("b"))
    async with night.engine() as engine:
        await gone_through(night, engine)
        night.mx.says = [BLIND]
        await eventually(lambda: engine.state.checks["mx"].state == "UNKNOWN")
        assert open_again(engine) == []
        night.mx.says = [WAITING]
        await eventually(lambda: bool(open_again(engine)))
        night.mx.says = [GREEN]
        await eventually(lambda: open_again(engine) == [])


async def test_a_gate_that_turns_red_while_its_step_runs_is_asked_about_after_it(tmp_path: Path) -> None:
    """While it runs nothing is asked; once it is done the question is there."""
    night = Night(tmp_path, here(text=f"while ! test -e {tmp_path}/go; do sleep 0.05; done", gates=("mx",)))
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: why(engine) == "")
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.state.of("a").status is Status.RUNNING)
        night.mx.says = [RED]
        await eventually(lambda: engine.state.checks["mx"].state == "FAIL")
        assert open_again(engine) == []
        (tmp_path / "go").touch()
        await engine.idle()
        assert open_again(engine) == ["mx: 12 wait"]


# ---- check=


async def test_a_step_is_done_only_when_its_check_has_turned_green_anew(tmp_path: Path) -> None:
    """What was green before the command counts for nothing; until two new looks it is running."""
    night = Night(tmp_path, here(checks=("mx",), verifies=(Verify("echo proved", 1),)))
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: engine.checks()[0].state is CheckState.PASS)
        night.mx.says = [RED]
        before = night.mx.looks
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert "the check mx turns green" in proposal.done_when
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.activity is not None and engine.activity.stage == execution.AWAITS_CHECK)
        await eventually(lambda: night.mx.looks > before + 2)
        assert engine.state.of("a").status is Status.RUNNING
        night.mx.says = [GREEN]
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE
        outcomes = [event.outcome for event in night.recorded(ev.Finished)]
        assert outcomes == ["verifying", "verifying", "done"]
        assert "mx has to turn green" in engine.export("md")


async def test_a_green_from_before_the_command_does_not_prove_it(tmp_path: Path) -> None:
    """A check that looks once an hour and was green is looked at anew, at once; it may be asked to look again."""
    night = Night(tmp_path, here(checks=("mx",)), every=3600.0)
    night.mx.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: engine.checks()[0].state is CheckState.PASS)
        night.mx.says = [RED]
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.checks()[0].state is CheckState.FAIL)
        assert engine.state.of("a").status is Status.RUNNING
        night.mx.says = [GREEN]
        engine.look_again("mx")
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE


async def test_a_check_that_does_not_turn_green_in_time_fails_the_step(tmp_path: Path) -> None:
    """The reason names the check and what it says; nothing is silently green."""
    night = Night(tmp_path, here(checks=("queue",), timeout=0.2))
    async with night.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.FAILED
        assert engine.state.of("a").reason == "not green: the check queue, which is FAIL: 12 wait (after 0.2 s)"


async def test_a_step_that_waits_for_its_check_can_be_marked_done(tmp_path: Path) -> None:
    """The operator's word ends the wait; the record says that the check was not green."""
    night = Night(tmp_path, here(checks=("queue",)))
    async with night.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert engine.allowed("a")[Verb.DONE] == ""
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.activity is not None and engine.activity.stage == execution.AWAITS_CHECK)
        await eventually(lambda: engine.checks()[1].state is CheckState.FAIL)
        await engine.mark_done("a", "twelve old bounces")
        assert engine.state.of("a").status is Status.BY_HAND
        (attempt,) = engine.state.attempts.values()
        assert (attempt.status, attempt.reason) == (
            Status.FAILED, "not green: the check queue, which is FAIL: 12 wait"
        )  # fmt: skip


async def test_a_step_that_waits_for_its_check_can_be_stopped(tmp_path: Path) -> None:
    """It is stopped, not failed, and the command's own end stands beside it."""
    night = Night(tmp_path, here(checks=("queue",)))
    async with night.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.activity is not None and engine.activity.stage == execution.AWAITS_CHECK)
        assert "not waited for any longer" in await engine.stop()
        await engine.idle()
        assert engine.state.of("a").status is Status.STOPPED
        assert "the command itself had ended with exit status 0" in engine.state.of("a").reason


async def test_leaving_while_a_check_is_awaited_leaves_the_outcome_open(tmp_path: Path) -> None:
    """Neither done nor failed: coming back says what was seen and what was not, and waits for the check again."""
    night = Night(tmp_path, here(checks=("queue",)))
    async with night.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.activity is not None and engine.activity.stage == execution.AWAITS_CHECK)
        await engine.pause("quit")
    async with night.engine() as engine:
        assert engine.state.of("a").status is Status.UNKNOWN
        assert "ended with exit status 0; its proof was not seen to the end" in engine.state.of("a").reason
        await engine.consent()
        await eventually(lambda: engine.activity is not None and engine.activity.stage == execution.AWAITS_CHECK)


async def test_a_check_that_nothing_measures_is_not_waited_for(tmp_path: Path) -> None:
    """The step fails at once and says that the operator has to look."""
    night = Night(tmp_path, here(checks=("elsewhere",)))
    async with night.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.FAILED
        assert "which nothing can measure here: look yourself" in engine.state.of("a").reason
        assert engine.allowed("a")[Verb.DONE] == ""


# ---- phases


async def test_checks_see_the_phase_of_the_next_action(tmp_path: Path) -> None:
    """When the walk comes to another phase, a check with another expectation there is no longer green as it was."""
    night = Night(tmp_path, here("a"), here("b"), phases={"downtime": "held"})
    book = night.bench.runbook
    (whole,) = book.phases
    first, second = whole.steps
    night.bench.runbook = replace(
        book,
        phases=(
            replace(whole, name="before", steps=(first,)),
            Phase("Downtime", PhaseRole.STEPS, 9, 2, number="2", name="downtime", steps=(second,)),
        ),
    )
    night.mx.says = night.queue.says = [GREEN]
    async with night.engine() as engine:
        await engine.consent()
        await eventually(lambda: engine.checks()[0].state is CheckState.PASS)
        states: list[tuple[CheckState, str]] = []
        engine.subscribe(lambda: states.append((engine.checks()[0].state, engine.checks()[0].value)))
        assert await confirm(engine, "a") is Status.DONE
        assert (CheckState.PENDING, "looking again, as the phase is downtime now") in states
        await eventually(lambda: engine.checks()[0].state is CheckState.PASS)
        assert night.mx.phases[0] == "before"
        assert night.mx.phases[-1] == "downtime"


async def test_the_operator_may_have_a_check_look_now(tmp_path: Path) -> None:
    """Not before anything was agreed to; then it looks, knowing that it was asked."""
    night = Night(tmp_path, here())
    async with night.engine() as engine:
        with pytest.raises(Refused, match="before you agreed"):
            engine.look_again("mx")
        await engine.consent()
        await eventually(lambda: night.mx.looks > 0)
        engine.look_again("mx")
        await eventually(lambda: True in night.mx.asked)
        await asyncio.sleep(0)
        assert True not in night.queue.asked
