"""Gates, conditions, dry runs and the point of no return, from the question to the journal, on real shells."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused
from runbook_tui.core.model import LOCAL, ActionKind, CheckSpec, FileChange, FileMode, HostName, Undo
from runbook_tui.core.run import Status, Verb
from runbook_tui.engine import looking
from tests.core.builders import NEW, OLD, a_runbook, an_action
from tests.support.bench import Bench, HeldClock, confirm, eventually, unmeasured

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action
    from runbook_tui.engine import Engine
    from tests.engine.conftest import TwoHosts

CHECKS = (CheckSpec("mx", "mx", {"name": "plop.example"}), CheckSpec("queue", "queue", {"host": "old"}))


def here(name: str = "a", text: str = "true", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make a command on this machine."""
    return an_action(name, text, host=LOCAL, **fields)


def bench_of(tmp_path: Path, *actions: Action, **fields: Any) -> Bench:  # noqa: ANN401 -- fields of Bench
    """Make a bench for a runbook on this machine only, with two checks that gates may name."""
    runbook = a_runbook(*actions)
    runbook = replace(runbook, hosts={LOCAL: runbook.hosts[LOCAL]}, checks=CHECKS)
    return Bench(runbook, tmp_path / "state", make_probes=unmeasured, **fields)


def recorded(bench: Bench, kind: type[ev.Event]) -> list[ev.Event]:
    """Give the events of a kind from the journal on disk."""
    assert bench.folder is not None
    return [r.event for r in bench.folder.journal(bench.clock).records if isinstance(r.event, kind)]


async def agreed(engine: Engine) -> Engine:
    """Agree to what is asked without a further question."""
    await engine.consent()
    return engine


# ---- gates


async def test_one_override_answers_all_open_gates(tmp_path: Path) -> None:
    """Each gate gets an event with the reason; then it can be confirmed, and the confirmation says who said so."""
    bench = bench_of(tmp_path, here(gates=("mx", "queue")), clock=HeldClock())
    async with bench.engine() as engine:
        await agreed(engine)
        with pytest.raises(Refused, match="gate mx: is it so"):
            await engine.propose("a", Verb.CONFIRM)
        with pytest.raises(Refused, match="what you saw"):
            await engine.override("a", "  ")
        await engine.override("a", "all four show new")
        proposal = await engine.propose("a", Verb.CONFIRM)
        said = "ada said so at 2026-11-23 02:00:00 UTC: all four show new"
        assert proposal.gates == (f"mx: {said}", f"queue: {said}")
        with pytest.raises(Refused, match="its gates are green or answered"):
            await engine.override("a", "again")
        assert recorded(bench, ev.GateOverridden) == [
            ev.GateOverridden(action="a", gate=gate, reason="all four show new", by="ada") for gate in ("mx", "queue")
        ]
        assert "**Gate mx overridden** 2026-11-23 02:00:00 UTC by ada: all four show new" in engine.export("md")


async def test_an_answered_gate_is_known_after_coming_back(tmp_path: Path) -> None:
    """The answer is in the journal: the next sitting does not ask again."""
    bench = bench_of(tmp_path, here(gates=("mx",)))
    async with bench.engine() as engine:
        await engine.override("a", "seen")
    async with bench.engine() as engine:
        await agreed(engine)
        assert await confirm(engine, "a") is Status.DONE


async def test_a_wait_with_a_gate_alone_is_over_once_it_is_answered(tmp_path: Path) -> None:
    """A wait that names no time ends with its gate; before that it cannot begin."""
    wait = here("w", "", kind=ActionKind.WAIT, gates=("mx",))
    async with bench_of(tmp_path, wait).engine() as engine:
        await agreed(engine)
        with pytest.raises(Refused, match="gate mx"):
            await engine.propose("w", Verb.CONFIRM)
        await engine.override("w", "seen")
        await confirm(engine, "w")
        await eventually(lambda: engine.state.of("w").status is Status.DONE)


async def test_a_wait_with_time_and_gate_wants_both(tmp_path: Path) -> None:
    """Once its gate was answered the time still counts down."""
    wait = here("w", "", kind=ActionKind.WAIT, wait_for=3600.0, gates=("mx",))
    async with bench_of(tmp_path, wait, clock=HeldClock()).engine() as engine:
        await agreed(engine)
        await engine.override("w", "seen")
        assert await confirm(engine, "w") is Status.RUNNING
        with pytest.raises(Refused, match="a reason is wanted"):
            await engine.skip("w", "")


# ---- conditions, alternatives, options


async def test_an_answer_holds_for_the_whole_run_and_may_close_it(tmp_path: Path) -> None:
    """`no` is recorded under its sentence, ends what is left to do, and `yes` opens the run again."""
    bench = bench_of(tmp_path, here("a", when="there is a fetchmail"), here("b", when="there is a fetchmail"))
    async with bench.engine() as engine:
        await agreed(engine)
        await engine.settle("a", ev.Settlement.WHEN, "no")
        (*_, answer) = recorded(bench, ev.Settled)
        assert answer == ev.Settled(what="when", value="no", subject="there is a fetchmail")
        assert engine.state.closed
        await engine.settle("b", ev.Settlement.WHEN, "yes")
        assert not engine.state.closed
        assert [e.type for e in recorded(bench, ev.Reopened)] == ["reopened"]
        assert await confirm(engine, "a") is Status.DONE


async def test_a_choice_is_recorded_under_its_group(tmp_path: Path) -> None:
    """The chosen way can be confirmed, the others do not apply, and the transcript says what was chosen."""
    bench = bench_of(tmp_path, here("a", alt=("filter", "rspamd")), here("b", alt=("filter", "none")))
    async with bench.engine() as engine:
        await agreed(engine)
        await engine.settle("b", ev.Settlement.ALT, "rspamd")
        (*_, answer) = recorded(bench, ev.Settled)
        assert answer == ev.Settled(what="alt", value="rspamd", subject="filter")
        with pytest.raises(Refused, match="none: rspamd was chosen"):
            await engine.propose("b", Verb.CONFIRM)
        assert await confirm(engine, "a") is Status.DONE
        assert engine.state.closed
        assert "settled: alt `filter` is `rspamd`" in engine.export("md")


async def test_what_is_optional_is_skipped_without_a_reason(tmp_path: Path) -> None:
    """The reason is then `optional`; one that is given is kept; nothing else is skipped without one."""
    async with bench_of(tmp_path, here("a", optional=True), here("b", optional=True), here("c")).engine() as engine:
        await engine.skip("a", "")
        await engine.skip("b", "no room")
        assert [engine.state.of(name).reason for name in ("a", "b")] == ["optional", "no room"]
        with pytest.raises(Refused, match="a reason is wanted"):
            await engine.skip("c", " ")


# ---- dry runs


async def test_a_dry_run_is_shown_and_recorded_before_anything_runs(tmp_path: Path) -> None:
    """It is listed for consent, runs when the confirmation is built, and its output is in the record."""
    effect = tmp_path / "effect"
    action = here(text=f"touch {effect}", dry_run="printf '\\033[31mwould\\033[0m touch\\n'")
    bench = bench_of(tmp_path, action)
    async with bench.engine() as engine:
        assert engine.consent_lines()[0] == f"run on local, before 1.1 is confirmed: {action.dry_run}"
        with pytest.raises(Refused, match="before you agreed"):
            await engine.propose("a", Verb.CONFIRM)
        proposal = await (await agreed(engine)).propose("a", Verb.CONFIRM)
        dry = proposal.dry_run
        assert dry is not None
        assert (dry.output, dry.ended, dry.well) == ("would touch\n", "exit status 0", True)
        assert not effect.exists()
        await engine.confirm(proposal, proposal.wants)
        await engine.idle()
        (confirmed,) = recorded(bench, ev.Confirmed)
        assert isinstance(confirmed, ev.Confirmed)
        assert confirmed.detail == f"dry run: {action.dry_run}\nwould touch\nexit status 0\n"
        assert "would touch" in engine.export("md")


@pytest.mark.parametrize(
    ("command", "ended", "well"),
    [
        ("echo no; exit 3", "exit status 3", False),
        ("exit 24", "exit status 24", True),
        ("kill -9 $$", "ended by signal KILL", False),
        ("false\necho not reached", "exit status 1", False),
    ],
)
async def test_a_dry_run_that_fails_is_said_and_the_person_decides(
    command: str, ended: str, tmp_path: Path, *, well: bool
) -> None:
    """A status the action may end with is well; any other end is a warning, and nothing is refused."""
    async with bench_of(tmp_path, here(dry_run=command, exits=frozenset({0, 24}))).engine() as engine:
        proposal = await (await agreed(engine)).propose("a", Verb.CONFIRM)
        assert proposal.dry_run is not None
        assert (proposal.dry_run.ended, proposal.dry_run.well) == (ended, well)
        assert (f"the dry run did not end well: {ended}" in proposal.warnings) is not well
        assert await confirm(engine, "a") is Status.DONE


async def test_a_long_dry_run_shows_both_ends_and_says_what_is_left_out(tmp_path: Path) -> None:
    """64 KiB are kept, half from each end, and the bytes between them are counted."""
    count = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"
    command = f"echo first; {count}; echo last"
    async with bench_of(tmp_path, here(dry_run=command)).engine() as engine:
        proposal = await (await agreed(engine)).propose("a", Verb.CONFIRM)
        assert proposal.dry_run is not None
        output = proposal.dry_run.output
        left_out = len("first\nlast\n") + 3000 * 41 - looking.MOST_SHOWN
        assert output.startswith("first\n")
        assert output.endswith("last\n")
        assert f"… {left_out:,} characters left out …\n" in output
        assert len(output) < looking.MOST_SHOWN + 100


async def test_a_dry_run_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its time it is sent TERM over there and shown as failed; nothing of it is left behind."""
    monkeypatch.setattr(looking, "READ_TIMEOUT", 0.3)
    mine = tmp_path / "pid"
    async with bench_of(tmp_path, here(dry_run=f"sleep 1000 & echo $! > {mine}; wait")).engine() as engine:
        proposal = await (await agreed(engine)).propose("a", Verb.CONFIRM)
        assert proposal.dry_run is not None
        assert proposal.dry_run.ended == "it took longer than 0 s"
        await eventually(lambda: not _lives(int(mine.read_text())))


async def test_a_dry_run_that_is_given_up_is_ended(tmp_path: Path) -> None:
    """Closing the dialog that waits for it ends it over there too."""
    mine = tmp_path / "pid"
    async with bench_of(tmp_path, here(dry_run=f"sleep 1000 & echo $! > {mine}; wait")).engine() as engine:
        asking = asyncio.create_task((await agreed(engine)).propose("a", Verb.CONFIRM))
        await eventually(lambda: mine.exists() and bool(mine.read_text()))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        await eventually(lambda: not _lives(int(mine.read_text())))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_dry_run_of_a_file_stands_before_its_change(tmp_path: Path) -> None:
    """A file step's record has both, and `.no-log` keeps the dry run's output out of it."""
    file = FileChange(str(tmp_path / "motd"), FileMode.CREATE)
    first = here("a", "hello\n", kind=ActionKind.FILE, file=file, dry_run="echo would")
    bench = bench_of(tmp_path, first, here("b", no_log=True, dry_run="echo word"))
    async with bench.engine() as engine:
        await agreed(engine)
        await confirm(engine, "a")
        await confirm(engine, "b")
        details = [event.detail for event in recorded(bench, ev.Confirmed) if isinstance(event, ev.Confirmed)]
        assert details[0].startswith("dry run: echo would\nwould\nexit status 0\n")
        assert "+hello" in details[0]
        assert details[1] == "dry run: echo word\n(its output is withheld, as .no-log asks)\nexit status 0\n"


async def test_an_edited_command_says_whose_dry_run_it_is(tmp_path: Path) -> None:
    """The dry run is the runbook's; on an edited command that is said."""
    async with bench_of(tmp_path, here(dry_run="echo would")).engine() as engine:
        proposal = await (await agreed(engine)).propose("a", Verb.EDIT, "echo other")
        assert "the dry run is that of the command as the runbook has it" in proposal.warnings


# ---- the point of no return, and ways back elsewhere


async def test_the_point_of_no_return_wants_the_hosts_name(tmp_path: Path) -> None:
    """Without `.danger` too; afterwards an undo of what came before says that the point is passed."""
    first = here("first", undos=(Undo("true", 1),))
    async with bench_of(tmp_path, first, here("final", no_return=True), here("rest")).engine() as engine:
        await agreed(engine)
        await confirm(engine, "first")
        assert not (await engine.propose("first", Verb.UNDO)).warnings
        proposal = await engine.propose("final", Verb.CONFIRM)
        assert (proposal.wants, proposal.no_return, proposal.danger) == ("local", True, False)
        assert proposal.warnings[0].startswith("no way back after this")
        with pytest.raises(Refused, match="type exactly: local"):
            await engine.confirm(proposal, "y")
        await engine.confirm(proposal, "local")
        await engine.idle()
        undo = await engine.propose("first", Verb.UNDO)
        assert undo.warnings == ("the point of no return is passed: 1.2 (final) is done",)
        assert (undo.no_return, undo.wants) == (False, "y")


async def test_a_way_back_on_another_host_names_it(two_hosts: TwoHosts, tmp_path: Path) -> None:
    """The confirmation says where the way back would run when that is not the host of the step."""
    ways = (Undo("rm -rf copy", 1, host=NEW), Undo("true", 2, host=HostName("old")))
    runbook = replace(a_runbook(an_action("a", host=OLD, undos=ways)), hosts=two_hosts.hosts)
    async with Bench(runbook, tmp_path / "state", shells=two_hosts.shells).engine() as engine:
        proposal = await (await agreed(engine)).propose("a", Verb.CONFIRM)
        assert proposal.way_back == ("on new: rm -rf copy", "true")
