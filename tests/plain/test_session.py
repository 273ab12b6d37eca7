"""Line mode around a real engine, where the clock must be held or the order of lines decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runbook_tui.core.model import LOCAL, ActionKind, Hold, HoldCode, Host, StepId, Undo
from runbook_tui.core.run import Status
from runbook_tui.plain.words import LOOKING, USAGE, Word
from tests.core.builders import a_literal, a_runbook, a_step, an_action
from tests.support.bench import Bench, HeldClock, confirm, eventually
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action, Step

WAITING = "until [ -e {} ]; do sleep 0.02; done"
"""A command that runs until a file is there: its end is the test's to decide."""


def here(name: str, text: str = "true", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make a command on this machine."""
    return an_action(name, text, host=LOCAL, **fields)


def bench(tmp_path: Path, *actions: Action | Step, **fields: Any) -> Bench:  # noqa: ANN401 -- fields of Bench
    """Make a bench for a runbook on this machine alone: nothing has to be agreed to."""
    literals = fields.pop("literals", ())
    runbook = replace(a_runbook(*actions, literals=literals), hosts={LOCAL: Host(LOCAL)})
    return Bench(runbook, tmp_path / "state", **fields)


async def test_a_line_typed_while_an_action_runs_waits_for_its_end(tmp_path: Path) -> None:
    """A skip typed during the run is obeyed after it, for the action that is current then."""
    gate = tmp_path / "gate"
    async with Desk(bench(tmp_path, here("a", WAITING.format(gate)), here("b")).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear("^1.1 running on local")
        desk.say("skip not wanted", "status")
        await desk.hear("^1.1 allowed: stop, note")
        assert desk.engine.state.of("a").status is Status.RUNNING
        gate.touch()
        await desk.hear("^1.1 done in ")
        assert await desk.hear("skipped") == "1.2 skipped: not wanted"


async def test_the_end_of_input_waits_for_the_running_action(tmp_path: Path) -> None:
    """Closing the pipe does not cut off what runs; then the run is paused."""
    gate = tmp_path / "gate"
    async with Desk(bench(tmp_path, here("a", WAITING.format(gate)), here("b")).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear("^1.1 running")
        desk.hang_up()
        gate.touch()
        assert await desk.left() == "end of input"
        assert desk.engine.state.of("a").status is Status.DONE


async def test_whether_a_line_answers_does_not_depend_on_speed(tmp_path: Path) -> None:
    """`confirm, status, yes`: the confirmation is declined by `status`, also when that was obeyed at once."""
    gate = tmp_path / "gate"
    async with Desk(bench(tmp_path, here("a", WAITING.format(gate)), here("b")).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear("^1.1 running")
        desk.say("confirm", "status", "yes", "note after")
        await desk.hear("will not be answered")
        gate.touch()
        await desk.hear("^1.2 not run: that was not the answer")
        await desk.hear("no verb 'yes'")
        assert desk.engine.state.of("b").attempts == ()


async def test_a_held_confirmation_is_answered_by_the_held_line_after_it(tmp_path: Path) -> None:
    """Typed ahead, `confirm` and `yes` belong together."""
    gate = tmp_path / "gate"
    async with Desk(bench(tmp_path, here("a", WAITING.format(gate)), here("b")).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear("^1.1 running")
        desk.say("confirm", "yes", "status")
        await desk.hear("^1.1 now")
        gate.touch()
        await desk.hear("^1.2 done")


async def test_a_stop_typed_before_anything_started_is_not_lost(tmp_path: Path) -> None:
    """A stop right behind the confirmation stops what is then started."""
    async with Desk(bench(tmp_path, here("a", "sleep 1000")).engine()) as desk:
        desk.say("confirm", "yes", "stop")
        for _ in range(2):  # what the signal did and how the command ended come by two ways
            await desk.hear("^1.1 stopped: TERM was sent|nothing of it runs any more")
        assert desk.engine.state.of("a").status is Status.STOPPED


async def test_ctrl_c_stops_what_runs_and_otherwise_leaves(tmp_path: Path) -> None:
    """Ctrl-C is `stop` while something runs; else the run is to be left."""
    async with Desk(bench(tmp_path, here("a", "sleep 1000")).engine()) as desk:
        await desk.hear("^1.1 next")
        assert not await desk.interrupt()
        desk.say("confirm", "yes")
        await desk.hear("^1.1 running")
        assert await desk.interrupt()
        await desk.hear("^1.1 stopped")


async def test_kill_is_only_sent_after_term_was_not_enough(tmp_path: Path) -> None:
    """`stop kill` is refused first; it ends what ignores TERM."""
    text = f"trap '' TERM; echo ready; {WAITING.format(tmp_path / 'never')}"
    async with Desk(bench(tmp_path, here("a", text)).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear(r"^1.1 \| ready")
        desk.say("stop kill")
        await desk.hear("refused: KILL is offered after TERM")
        desk.say("stop")
        await desk.hear("lives on; stop kill")
        desk.say("stop kill")
        await desk.hear("^1.1 stopped: .*KILL")


async def test_a_long_silence_is_said_each_minute(tmp_path: Path) -> None:
    """A command that says nothing is reported silent for 60 s, then for 120 s, once each."""
    clock = HeldClock()
    gate = tmp_path / "gate"
    async with Desk(bench(tmp_path, here("a", WAITING.format(gate)), clock=clock).engine()) as desk:
        desk.say("confirm", "yes", "status")
        await desk.hear("^1.1 running")
        await eventually(lambda: desk.engine.activity is not None and desk.engine.activity.stage == "running")
        clock.advance(61)
        assert await desk.hear("silent for ") == "1.1 silent for 60 s"
        clock.advance(60)
        assert await desk.hear("silent for ") == "1.1 silent for 120 s"
        gate.touch()
        await desk.hear("^1.1 done in 2 min 01 s")


async def test_a_wait_counts_down_and_says_when_it_is_over(tmp_path: Path) -> None:
    """A wait is confirmed like a command, lets other lines act, and moves on when the time has come."""
    clock = HeldClock()
    wait = here("a", "", kind=ActionKind.WAIT, wait_for=3600.0)
    async with Desk(bench(tmp_path, wait, here("b"), clock=clock).engine()) as desk:
        desk.say("confirm", "yes")
        assert await desk.hear("^1.1 waiting") == "1.1 waiting until 2026-11-23 03:00:00 UTC"
        desk.say("confirm")
        await desk.hear("^1.1 refused: it is waiting already")
        await eventually(lambda: bool(clock.sleepers))
        while desk.engine.state.of("a").status is not Status.DONE:
            await eventually(lambda: bool(clock.sleepers) or desk.engine.state.of("a").status is Status.DONE)
            clock.advance(600)
        await desk.hear("^1.1 done in 1 h 00 min")
        await desk.hear("^1.2 next")


async def test_nothing_runs_read_only(tmp_path: Path) -> None:
    """Opened read-only every verb that changes something is refused; looking is not."""
    async with Desk(bench(tmp_path, here("a"), read_only=True).engine()) as desk:
        changing = [word for word in Word if word not in LOOKING]
        alone = {word for word in changing if USAGE[word][0].partition(" ")[2][:1] in {"", "["}}
        desk.say(*(word if word in alone else f"{word} x" for word in changing), "status")
        for _ in changing:
            await desk.hear("refused: this run was opened read-only")
        await desk.hear("^1.1 allowed: nothing")


async def test_a_literal_is_settled_and_a_bad_value_refused(tmp_path: Path) -> None:
    """A value that does not match is refused when it is entered; a good one lifts the hold."""
    action = here("a", "echo to domain.tld")
    literals = [a_literal("domain.tld", match=r"[a-z.]+")]
    async with Desk(bench(tmp_path, action, literals=literals).engine()) as desk:
        await desk.hear("^1.1 next: .*held because domain.tld has no value yet")
        desk.say("set domain.tld=$(reboot)")
        await desk.hear("^1.1 refused: .*is not a value for domain.tld")
        desk.say("set domain.tld = example.org", "confirm", "yes")
        await desk.hear("^1.1 command echo to example.org")
        await desk.hear(r"^1.1 \| to example.org")


async def test_host_kind_and_acceptance_are_settled(tmp_path: Path) -> None:
    """`set host`, `set kind` and `accept` lift what they are for; what cannot be set is refused with the choice."""
    holds = (Hold(HoldCode.NO_HOST, "it names no host"), Hold(HoldCode.UNREAD, "it was derived", "text"))
    async with Desk(bench(tmp_path, an_action("a", "true", host=None, holds=holds), here("b")).engine()) as desk:
        desk.say(
            "confirm", "set host moon", "set host local", "accept", "set kind cake", "set mode replace", "set host"
        )
        await desk.hear("^1.1 refused: held: it names no host; it was derived")
        await desk.hear("^1.1 refused: there is no host 'moon'")
        await desk.hear("^1.1 now: .*held because it was derived")
        await desk.hear("^1.1 now: a on local, to do")
        await desk.hear("'cake' is no kind")
        await desk.hear("only a file step has a mode")
        await desk.hear("refused: It is written set host NAME")
        desk.say("set kind run", "set kind manual", "confirm")
        await desk.hear("^kind is now run")
        await desk.hear("refused: it is done by hand; mark it done with a note")
        desk.say("done I did it")
        await desk.hear("^1.1 done by hand: I did it")


async def test_a_host_that_another_run_holds_is_taken_over_by_a_typed_line(tmp_path: Path) -> None:
    """Confirming is refused with the owner's name, `hosts` says it too, and `takeover local` makes it go on."""
    async with bench(tmp_path / "one", here("x"), here("y")).engine() as first:
        await confirm(first, "x")
    async with Desk(bench(tmp_path / "two", here("a"), here("b")).engine()) as desk:
        desk.say("confirm", "yes", "hosts", "takeover", "takeover moon", "takeover local", "confirm", "yes")
        await desk.hear("refused: local is held by another run of this runbook: ada@desk, since 20")
        await desk.hear("^host local is held by .*; if that run is over: takeover local")
        await desk.hear("something is missing: takeover HOST")
        await desk.hear("refused: there is no host 'moon'")
        await desk.hear("^the lock of local was taken over from another run of this runbook: ada@desk")
        await desk.hear("^1.1 done")


async def test_going_to_a_step_by_number_or_id(tmp_path: Path) -> None:
    """`go` takes an action's number or id, a step's number or id; alone it lists the steps."""
    step = a_step(here("x1", step=StepId("x")), here("x2", step=StepId("x")), number="2")
    async with Desk(bench(tmp_path, here("a"), step).engine()) as desk:
        desk.say("go 2b", "go x1", "go 2", "go a", "go 7", "go")
        for heard in ("^2b next: x2", "^2a next: x1", "^2a next: x1", "^1.1 next: a", "refused: there is no step '7'"):
            await desk.hear(heard)
        await desk.hear(r"^1.1 to do: Step a \(a\)")
        await desk.hear(r"^2 to do: Step x \(x\)")


async def test_an_edited_command_is_shown_beside_the_written_one(tmp_path: Path) -> None:
    """`edit` asks with both texts and runs the edited one."""
    async with Desk(bench(tmp_path, here("a", "echo written")).engine()) as desk:
        desk.say("edit echo edited", "yes")
        await desk.hear("^1.1 written echo written")
        await desk.hear("^1.1 command echo edited")
        await desk.hear(r"^1.1 \| edited")


async def test_an_undo_goes_through_the_same_confirmation(tmp_path: Path) -> None:
    """The way back is shown before it is needed, asked about when it is, and leaves the action to be done again."""
    made = tmp_path / "made"
    action = here("a", f"touch {made}", undos=(Undo(f"rm {made}", line=1),))
    async with Desk(bench(tmp_path, action, here("b")).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear(f"^1.1 way back .*rm {made}")
        await desk.hear("^1.1 done")
        desk.say("go 1.1", "undo", "yes")
        await desk.hear("^1.1 undoing on local")
        await desk.hear("^1.1 undone")
        assert not made.exists()
        await desk.hear("^1.1 now: a on local, undone")


async def test_the_whole_command_is_shown_cleaned(tmp_path: Path) -> None:
    """Every line of a command is shown before it runs, and nothing in it acts on the terminal."""
    async with Desk(bench(tmp_path, here("a", "printf one\n\nprintf '\x1b[2Jtwo'\n")).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear("^1.1 command printf one$")
        await desk.hear("^1.1 command$")
        assert "\x1b" not in await desk.hear("^1.1 command printf '.*two'")
        assert "\x1b" not in await desk.hear(r"^1.1 \| onetwo")


async def test_a_flood_is_cut_visibly_not_silently(tmp_path: Path) -> None:
    """More lines than the tail holds are said to be left out; the count is right."""
    async with Desk(bench(tmp_path, here("a", "seq 1 300000; printf end")).engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear("^1.1 done in", seconds=60)
        printed = sum(line.startswith("1.1 | ") for line in desk.heard)
        left_out = sum(int(line.split()[3]) for line in desk.heard if line.startswith("1.1 left out "))
        assert printed + left_out == 300_001
        assert "1.1 | end" in desk.heard


@pytest.mark.parametrize("answer", ["", "y", "Yes", "yes please", "local"])
async def test_only_yes_runs_it(tmp_path: Path, answer: str) -> None:
    """Anything but `yes`, an empty line too, runs nothing and is consumed."""
    async with Desk(bench(tmp_path, here("a")).engine()) as desk:
        desk.say("confirm", answer, "note go on")
        await desk.hear("^1.1 not run: that was not the answer")
        assert "not understood" not in await desk.hear("note by")
        assert desk.engine.state.of("a").attempts == ()


async def test_consent_is_asked_before_any_host_is_contacted(tmp_path: Path) -> None:
    """With hosts to contact the first line must be `yes`; another one leaves, and nothing was connected."""
    remote = Bench(a_runbook(here("a")), tmp_path / "state")
    async with Desk(remote.engine()) as desk:
        desk.say("confirm")
        await desk.hear("connect to old")
        await desk.hear("^asks: type yes")
        assert await desk.left() == "nothing was agreed to"
        assert all(view.identity is None for view in desk.engine.hosts())


async def test_a_reader_that_left_ends_the_sitting(tmp_path: Path) -> None:
    """When nobody can hear any more, the run is to be left as if the terminal had hung up."""
    async with Desk(bench(tmp_path, here("a")).engine()) as desk:
        await desk.hear("^1.1 next")
        desk.stop_listening()
        desk.say("status")
        await desk.hung_up.wait()
