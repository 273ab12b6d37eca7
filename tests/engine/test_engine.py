"""The engine drives real shells: what it records, what it refuses, how attempts end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused, StateDirError
from runbook_tui.core.model import (
    LOCAL,
    ActionKind,
    ExpectedOutput,
    FileChange,
    FileMode,
    Hold,
    HoldCode,
    Match,
    Undo,
    Verify,
)
from runbook_tui.core.run import Status, Verb
from tests.core.builders import a_literal, a_runbook, a_step, an_action
from tests.support.bench import Bench, HeldClock, confirm, eventually, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runbook_tui.core.model import Action, Step
    from runbook_tui.ports import Journal


def here(name: str = "a", text: str = "true", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make a command on this machine."""
    return an_action(name, text, host=LOCAL, **fields)


def bench_of(tmp_path: Path, *actions: Action | Step, **fields: Any) -> Bench:  # noqa: ANN401 -- fields of Bench
    """Make a bench for a runbook on this machine only."""
    runbook = a_runbook(*actions, literals=fields.pop("literals", ()))
    return Bench(replace(runbook, hosts={LOCAL: runbook.hosts[LOCAL]}), tmp_path / "state", **fields)


class FullJournal:
    """The run's own journal on a disk that is full until `room` is True."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.room = False

    def append(self, event: ev.Event, *, durable: bool = True) -> ev.Record:
        """Refuse as a full disk does."""
        if not self.room:
            raise StateDirError("No space is left on the disk of the journal")
        return self._journal.append(event, durable=durable)

    @property
    def head(self) -> str:
        """The journal's head."""
        return self._journal.head

    @property
    def records(self) -> Sequence[ev.Record]:
        """The journal's records."""
        return self._journal.records

    def seal(self) -> None:
        """Seal the journal."""
        self._journal.seal()


async def test_a_confirmed_command_runs_once_and_is_recorded_in_order(tmp_path: Path) -> None:
    """What the host is, confirmation, intent, start, output and end are recorded in order; it is executed once."""
    effects = tmp_path / "effects"
    bench = bench_of(tmp_path, here(text=f"echo once >> {effects}; echo said"))
    async with bench.engine() as engine:
        assert await confirm(engine, "a") is Status.DONE
        types = [record.event.type for record in bench.folder.journal(bench.clock).records] if bench.folder else []
        assert types == ["run_opened", "settled", "confirmed", "intent", "started", "output", "finished", "run_closed"]
        assert engine.feed("night-1").since(0)[0] == ["said"]
    assert effects.read_text() == "once\n"


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("exit 3", Status.FAILED, "exit status 3 (wanted 0)"),
        ("kill -9 $$", Status.FAILED, "exit status 137, as after signal KILL"),
        ("false\necho not reached", Status.FAILED, "exit status 1"),
        ("exit 255", Status.FAILED, "exit status 255"),
    ],
)
async def test_what_does_not_end_well_is_failed_with_the_reason(
    text: str, status: Status, reason: str, tmp_path: Path
) -> None:
    """Exit statuses and signals are told apart, and a line that fails fails the whole."""
    async with bench_of(tmp_path, here(text=text)).engine() as engine:
        assert await confirm(engine, "a") is status
        assert reason in engine.state.of("a").reason
        assert "not reached" not in engine.feed("night-1").since(0)[0]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"expect": "^hal"}, Status.DONE),
        ({"expect": "^allo"}, Status.FAILED),
        ({"outputs": (ExpectedOutput("hallo", 1, Match.EXACT),)}, Status.DONE),
        ({"outputs": (ExpectedOutput("all", 1, Match.EXACT),)}, Status.FAILED),
        ({"outputs": (ExpectedOutput("all", 1),)}, Status.DONE),
        ({"exits": frozenset({0, 24})}, Status.DONE),
        ({"verifies": (Verify("test 1 = 1", 1),)}, Status.DONE),
        ({"verifies": (Verify("test 1 = 1", 1), Verify("echo 5; exit 1", 1))}, Status.FAILED),
        ({"verifies": (Verify("echo 7", 1, expect="^7$"),)}, Status.DONE),
        ({"verifies": (Verify("echo 7", 1, expect="^8$"),)}, Status.FAILED),
    ],
)
async def test_done_means_status_expectation_and_proof_agree(
    fields: dict[str, Any], status: Status, tmp_path: Path
) -> None:
    """An action is done only when its exit status, its expectation and its proofs all say so."""
    async with bench_of(tmp_path, here(text="echo hallo", **fields)).engine() as engine:
        assert await confirm(engine, "a") is status


async def test_a_proof_is_repeated_as_often_as_it_says(tmp_path: Path) -> None:
    """`retry=` repeats a proof, never the action."""
    effects, looks = tmp_path / "effects", tmp_path / "looks"
    proof = Verify(f"echo x >> {looks}; test $(wc -l < {looks}) -ge 3", 1, retry=5, every=0.01)
    async with bench_of(tmp_path, here(text=f"echo x >> {effects}", verifies=(proof,))).engine() as engine:
        assert await confirm(engine, "a") is Status.DONE
    assert (effects.read_text(), looks.read_text()) == ("x\n", "x\n" * 3)


async def test_only_the_wanted_words_confirm(tmp_path: Path) -> None:
    """A danger step wants its host's name; anything else runs nothing and records nothing."""
    async with bench_of(tmp_path, here(danger=True)).engine() as engine:
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert proposal.wants == "local"
        seq = engine.state.seq
        for typed in ("", "y", "yes", "Local", "local "):
            with pytest.raises(Refused):
                await engine.confirm(proposal, typed)
        assert engine.state.seq == seq
        await engine.confirm(proposal, "local")
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE


async def test_a_confirmation_works_once(tmp_path: Path) -> None:
    """The same dialog answered twice runs nothing twice."""
    effects = tmp_path / "effects"
    async with bench_of(tmp_path, here(text=f"echo x >> {effects}; exit 1")).engine() as engine:
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, "y")
        with pytest.raises(Refused, match="running"):
            await engine.confirm(proposal, "y")
        await engine.idle()
        with pytest.raises(Refused, match="out of date"):
            await engine.confirm(proposal, "y")
    assert effects.read_text() == "x\n"


async def test_stop_ends_the_whole_group_and_says_so(tmp_path: Path) -> None:
    """Stopping reaches the children of the command, and the action is stopped, not failed."""
    marker = tmp_path / "marker"
    action = here(text=f"(sleep 60; echo late > {marker}) | cat & echo up; wait")
    async with bench_of(tmp_path, action).engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await until(engine, lambda: engine.activity is not None and engine.activity.stage == "running")
        said = await engine.stop()
        assert "nothing of it runs any more" in said
        await engine.idle()
        assert engine.state.of("a").status is Status.STOPPED
        assert "TERM" in engine.state.of("a").reason
    assert not marker.exists()


async def test_what_ignores_term_is_offered_kill(tmp_path: Path) -> None:
    """KILL is refused before TERM was tried, offered when something lives on, and ends it."""
    text = "trap '' TERM; echo up; while :; do sleep 0.2; done"
    async with bench_of(tmp_path, here(text=text)).engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        feed = engine.feed("night-1")
        await until(engine, lambda: engine.activity is not None and engine.activity.stage == "running")
        await eventually(lambda: feed.total > 0)
        with pytest.raises(Refused, match="after TERM"):
            await engine.stop(kill=True)
        assert "still run" in await engine.stop()
        assert engine.kill_offered
        await engine.stop(kill=True)
        await engine.idle()
        assert engine.state.of("a").status is Status.STOPPED


async def test_past_its_timeout_a_command_is_stopped_and_failed(tmp_path: Path) -> None:
    """A timeout sends TERM once and the action is failed with that reason."""
    async with bench_of(tmp_path, here(text="sleep 60", timeout=0.2)).engine() as engine:
        assert await confirm(engine, "a") is Status.FAILED
        assert "longer than 0.2 s" in engine.state.of("a").reason


async def test_undo_runs_the_way_back_through_the_same_confirmation(tmp_path: Path) -> None:
    """An undo is an attempt of its own; after it the action is undone and can be done again."""
    target = tmp_path / "file"
    action = here(text=f"touch {target}", undos=(Undo(f"rm {target}", 1),))
    async with bench_of(tmp_path, action).engine() as engine:
        assert engine.allowed("a")[Verb.UNDO]
        assert await confirm(engine, "a") is Status.DONE
        assert engine.state.closed
        assert await confirm(engine, "a", Verb.UNDO) is Status.UNDONE
        assert not target.exists()
        assert not engine.state.closed
        assert await confirm(engine, "a", Verb.RETRY) is Status.DONE


async def test_an_edited_command_is_recorded_with_the_written_one(tmp_path: Path) -> None:
    """The transcript can show both: what was confirmed and what the runbook says."""
    async with bench_of(tmp_path, here(text="false")).engine() as engine:
        assert await confirm(engine, "a", Verb.EDIT, "true") is Status.DONE
        attempt = engine.state.attempts["night-1"]
        assert (attempt.command, attempt.written) == ("true", "false")


async def test_a_file_step_shows_a_diff_writes_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file step through a real shell: diff, write, proof on disk, undo from the backup."""
    monkeypatch.setenv("HOME", str(tmp_path))
    target = tmp_path / "main.cf"
    target.write_text("myhostname = old\n")
    file = FileChange(path=str(target), mode=FileMode.SET)
    action = here(text="myhostname = new\n", kind=ActionKind.FILE, file=file)
    async with bench_of(tmp_path, action).engine() as engine:
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert "-myhostname = old" in proposal.detail
        assert "+myhostname = new" in proposal.detail
        assert await confirm(engine, "a") is Status.DONE
        assert target.read_text() == "myhostname = new\n"
        assert await confirm(engine, "a", Verb.UNDO) is Status.UNDONE
        assert target.read_text() == "myhostname = old\n"


async def test_held_actions_are_settled_and_the_answers_recorded(tmp_path: Path) -> None:
    """Host, literal and reading are answered; a bad value is refused in words; then it runs with the values in."""
    action = here(text="echo domain.tld", holds=(Hold(HoldCode.UNREAD, "not sure"),))
    action = replace(action, host=None)
    bench = bench_of(tmp_path, action, literals=[a_literal("domain.tld", key="domain")])
    async with bench.engine() as engine:
        assert "no value" in engine.allowed("a")[Verb.CONFIRM]
        with pytest.raises(Refused, match="no host 'nowhere'"):
            await engine.settle("a", ev.Settlement.HOST, "nowhere")
        with pytest.raises(Refused):
            await engine.settle("a", ev.Settlement.LITERAL, "x; id", "domain.tld")
        await engine.settle("a", ev.Settlement.HOST, "local")
        await engine.settle("a", ev.Settlement.ACCEPT)
        await engine.settle("a", ev.Settlement.LITERAL, "plop.example", "domain.tld")
        assert await confirm(engine, "a") is Status.DONE
        assert engine.feed("night-1").since(0)[0] == ["plop.example"]


async def test_a_wait_survives_the_program_and_ends_by_the_wall_clock(tmp_path: Path) -> None:
    """A wait goes on while the program is closed, and is done when its time has passed."""
    clock = HeldClock()
    bench = bench_of(tmp_path, here(kind=ActionKind.WAIT, wait_for=3600.0), clock=clock)
    async with bench.engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await eventually(lambda: bool(clock.sleepers))
        clock.advance(60)
        await eventually(lambda: bool(clock.sleepers))
        assert engine.state.of("a").status is Status.RUNNING
        assert engine.activity is None
    clock.wall = clock.wall.replace(hour=5)
    async with bench.engine() as engine:
        await until(engine, lambda: engine.state.of("a").status is Status.DONE)
    bench.leave()


async def test_leaving_a_wait_early_wants_a_reason(tmp_path: Path) -> None:
    """A wait is left by a skip with a typed reason, which ends it."""
    bench = bench_of(tmp_path, here(kind=ActionKind.WAIT, wait_for=3600.0), clock=HeldClock())
    async with bench.engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        with pytest.raises(Refused, match="reason"):
            await engine.skip("a", "  ")
        await engine.skip("a", "the TTL was short")
        assert engine.state.of("a").status is Status.SKIPPED
        assert engine.state.waits == ()


async def test_what_a_killed_program_left_is_looked_for_and_never_runs_by_itself(tmp_path: Path) -> None:
    """Sent, never answered and not known on the host: unknown is all that can be said, and `rerun` must be typed."""
    effects = tmp_path / "effects"
    bench = bench_of(tmp_path, here(text=f"echo x >> {effects}"))
    async with bench.engine() as engine:
        proposal = await engine.propose("a", Verb.CONFIRM)
        recorder = engine._recorder
        recorder.intend(engine._confirmation(proposal, "y"))
        recorder.intend(ev.Intent(action="a", attempt=proposal.attempt, host="local", sha256=proposal.sha256))
        recorder.intend(ev.Started(action="a", attempt=proposal.attempt, pgid=1))
    async with bench.engine() as engine:
        assert engine.state.of("a").status is Status.UNKNOWN
        assert engine.allowed("a")[Verb.RETRY]
        await engine.consent()
        await engine.idle()
        assert engine.state.of("a").status is Status.UNKNOWN
        assert engine.allowed("a")[Verb.CONFIRM]
        proposal = await engine.propose("a", Verb.RETRY)
        assert proposal.wants == "rerun"
        with pytest.raises(Refused):
            await engine.confirm(proposal, "y")
        assert not effects.exists()
        await engine.confirm(proposal, "rerun")
        await engine.idle()
    assert effects.read_text() == "x\n"


async def test_what_runs_goes_on_when_the_program_is_left_and_is_found_again(tmp_path: Path) -> None:
    """The command runs once, its whole output is there, and it is done by its own exit status."""
    go, effects = tmp_path / "go", tmp_path / "effects"
    text = f"echo x >> {effects}; echo up; printf 'half '; until test -e {go}; do sleep 0.05; done; echo down; exit 3"
    bench = bench_of(tmp_path, here(text=text, exits=frozenset({3})))
    async with bench.engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await eventually(lambda: engine.feed("night-1").since(0)[0] == ["up"])
        await engine.pause("SIGTERM")
        assert engine.state.paused == "SIGTERM"
        with pytest.raises(Refused):
            await engine.propose("a", Verb.RETRY)
    assert (tmp_path / "state/runs/night/SHA256SUMS").exists()
    go.touch()
    async with bench.engine() as engine:
        assert engine.state.of("a").status is Status.UNKNOWN
        await engine.consent()
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE
        assert engine.state.attempts["night-1"].exit == 3
        assert engine.feed("night-1").since(0)[0] == ["up", "half down"]
        assert engine.state.attempts["night-1"].output_bytes == len("up\nhalf down\n")
    assert effects.read_text() == "x\n"
    assert (tmp_path / "state/runs/night/output/night-1.log").read_text() == "up\nhalf down\n"


async def test_a_proof_that_was_not_seen_is_looked_at_again(tmp_path: Path) -> None:
    """The command had ended when the program was left: it does not run again, only its proof does."""
    effects, proved = tmp_path / "effects", tmp_path / "proved"
    proof = Verify(f"echo p >> {proved}; test -e {tmp_path}/go || sleep 60", 1)
    bench = bench_of(tmp_path, here(text=f"echo x >> {effects}", verifies=(proof,)))
    async with bench.engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await eventually(proved.exists)
        await engine.pause("quit")
    (tmp_path / "go").touch()
    async with bench.engine() as engine:
        await engine.consent()
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE
    assert effects.read_text() == "x\n"
    assert proved.read_text() == "p\np\n"


async def test_read_only_refuses_everything_that_changes(tmp_path: Path) -> None:
    """With --read-only every verb is refused with that reason."""
    async with bench_of(tmp_path, here(), read_only=True).engine() as engine:
        assert set(engine.allowed("a").values()) == {"this run was opened read-only"}
        for doing in (
            engine.propose("a", Verb.CONFIRM),
            engine.skip("a", "why"),
            engine.note("a", "text"),
            engine.note("", "text"),
            engine.stop(),
            engine.settle("", ev.Settlement.LITERAL, "v", "x"),
            engine.trust("local", "x"),
        ):
            with pytest.raises(Refused, match="read-only"):
                await doing


async def test_what_runs_is_left_alone_read_only(tmp_path: Path) -> None:
    """A job of an earlier sitting is neither asked about nor fenced; the next sitting that may do so finds its end."""
    go = tmp_path / "go"
    bench = bench_of(tmp_path, here(text=f"while [ ! -e {go} ]; do sleep 0.05; done"))
    async with bench.engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await eventually(lambda: engine.state.attempts["night-1"].started_at is not None, 60)
    bench.read_only = True
    async with bench.engine() as engine:
        await engine.consent()
        assert engine.activity is None
        assert engine.state.of("a").status is Status.UNKNOWN
    bench.read_only = False
    go.touch()
    async with bench.engine() as engine:
        await engine.consent()
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE


async def test_actions_of_a_step_come_in_order(tmp_path: Path) -> None:
    """The second action of a step waits for the first; a skip settles the first."""
    bench = bench_of(tmp_path, a_step(here("s.1", step="s"), here("s.2", step="s")))
    async with bench.engine() as engine:
        assert "1a of the same step comes first" in engine.allowed("s.2")[Verb.CONFIRM]
        await engine.skip("s.1", "not needed")
        assert await confirm(engine, "s.2") is Status.DONE


async def test_nothing_is_contacted_before_consent(tmp_path: Path) -> None:
    """While hosts are listed that nobody agreed to contact, no proposal is made."""
    bench = Bench(a_runbook(an_action("a")), tmp_path / "state")
    async with bench.engine() as engine:
        assert any("root@old.example.org" in line for line in engine.consent_lines())
        with pytest.raises(Refused, match="agreed"):
            await engine.propose("a", Verb.CONFIRM)
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE


async def test_withheld_output_is_neither_shown_nor_stored(tmp_path: Path) -> None:
    """`.no-log` keeps the text out of the pane, the file and the transcript; expectations still see it."""
    bench = bench_of(tmp_path, here(text="echo hush-hush", no_log=True, expect="hush"))
    async with bench.engine() as engine:
        assert await confirm(engine, "a") is Status.DONE
        assert "hush-hush" not in "".join(engine.feed("night-1").since(0)[0])
        assert bench.folder is not None
        assert "hush-hush" not in bench.folder.outputs().text("night-1")
        assert engine.export("md").count("hush-hush") == engine.export("md").count("echo hush-hush")


async def test_on_a_full_disk_nothing_new_starts_and_what_ran_is_not_forgotten(tmp_path: Path) -> None:
    """The running action is followed to its end; its outcome is written once there is room, before anything new."""
    bench = bench_of(tmp_path, here("a", "sleep 0.2; exit 4"), here("b"))
    async with bench.engine() as engine:
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await until(engine, lambda: engine.activity is not None and engine.activity.stage == "running")
        journal = engine._recorder.journal
        full = FullJournal(journal)
        engine._recorder.journal = full
        await engine.idle()
        assert engine.state.of("a").status is Status.RUNNING
        assert "No space" in engine.trouble
        with pytest.raises(StateDirError):
            await engine.skip("b", "because")
        assert engine.state.of("b").status is Status.TODO
        full.room = True
        await engine.skip("b", "because")
        assert engine.state.of("a").status is Status.FAILED
        assert engine.trouble == ""
