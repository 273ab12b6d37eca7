"""Line mode: how gates, conditions, choices, dry runs and the point of no return are asked and answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_tui.core.model import LOCAL, CheckSpec, Host, Undo
from runbook_tui.core.run import Status
from tests.core.builders import NEW, a_runbook, an_action
from tests.support.bench import Bench, unmeasured
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action


def here(name: str, text: str = "true", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make a command on this machine."""
    return an_action(name, text, host=LOCAL, **fields)


def bench(tmp_path: Path, *actions: Action) -> Bench:
    """Make a bench for a runbook on this machine alone, with a check that gates may name."""
    checks = (CheckSpec("mx", "mx", {"name": "plop\x1b[2J.example", "at": ["authoritative"]}),)
    hosts = {LOCAL: Host(LOCAL), NEW: Host(NEW, "new.test")}
    return Bench(replace(a_runbook(*actions), hosts=hosts, checks=checks), tmp_path / "state", make_probes=unmeasured)


async def test_a_gate_is_asked_and_overridden(tmp_path: Path) -> None:
    """The question names what would be measured, cleaned; the answer is said, and then it can be confirmed."""
    async with Desk(bench(tmp_path, here("a", gates=("mx",)), here("b")).engine()) as desk:
        desk.say("yes")
        line = await desk.hear("^1.1 next: .*held because gate mx: is it so")
        assert "MX of plop␛[2J.example at the authoritative servers is there." in line
        await desk.hear("^1.1 .*look yourself, then: override WHAT YOU SAW")
        desk.say("confirm", "override")
        await desk.hear("^1.1 refused: held: gate mx")
        await desk.hear("something is missing: override REASON")
        desk.say("override dig says new", "confirm")
        await desk.hear("^1.1 gate mx overridden by ada: dig says new")
        await desk.hear("^1.1 now: .*to do")
        await desk.hear("^1.1 gate mx: ada said so at .*: dig says new")
        desk.say("yes")
        await desk.hear("^1.1 done in ")


async def test_a_condition_and_a_choice_are_answered(tmp_path: Path) -> None:
    """What does not apply is left behind by itself, and the walk goes on with what does."""
    first = here("a", when="there is a fetchmail")
    ways = here("b", alt=("filter", "rspamd")), here("c", alt=("filter", "none"))
    async with Desk(bench(tmp_path, first, *ways).engine()) as desk:
        desk.say("yes")
        await desk.hear("^1.1 next: .*only when: there is a fetchmail; is it so here")
        await desk.hear("^1.1 set when=yes or set when=no answers it")
        desk.say("set when=perhaps", "set when=no")
        await desk.hear("^1.1 refused: 'perhaps' is neither yes nor no")
        await desk.hear("^1.2 next: .*which one is taken")
        await desk.hear("when is now no")
        desk.say("set alt=none")
        await desk.hear("^1.3 next: c on local, to do")
        desk.say("confirm", "yes")
        await desk.hear("every step is settled")


async def test_what_is_optional_says_so_and_skips_alone(tmp_path: Path) -> None:
    """`skip` alone leaves out what is optional, and is refused elsewhere."""
    async with Desk(bench(tmp_path, here("a", optional=True), here("b")).engine()) as desk:
        desk.say("yes")
        await desk.hear("^1.1 optional: skip alone leaves it out")
        desk.say("skip", "skip")
        await desk.hear("^1.1 skipped: optional")
        await desk.hear("^1.2 refused: a reason is wanted")


async def test_a_dry_run_stands_above_the_command(tmp_path: Path) -> None:
    """Its command, its output and its end are said before what would run; a failure is said loudly."""
    action = here("a", "echo real", dry_run="echo would; echo more; exit 2")
    async with Desk(bench(tmp_path, action).engine()) as desk:
        desk.say("yes", "confirm", "yes")
        await desk.hear("run on local, before 1.1 is confirmed: echo would")
        await desk.hear("^1.1 dry run echo would; echo more; exit 2")
        await desk.hear(r"^1.1 dry run \| would")
        await desk.hear(r"^1.1 dry run \| more")
        await desk.hear("^1.1 dry run ended: FAILED: exit status 2")
        await desk.hear("^1.1 command echo real")
        await desk.hear("^1.1 warning: the dry run did not end well: exit status 2")
        await desk.hear("^1.1 done in ")


async def test_the_point_of_no_return_is_said_everywhere(tmp_path: Path) -> None:
    """In the list, at the step, at the top of its confirmation; it wants the host's name."""
    first, final = here("a", undos=(Undo("true", 1, host=NEW),)), here("b", no_return=True)
    async with Desk(bench(tmp_path, first, final).engine()) as desk:
        desk.say("yes", "go", "confirm", "no", "skip x", "confirm", "yes")
        await desk.hear(r"^1.2 to do: Step b \(b\), point of no return")
        await desk.hear("^1.1 way back on new: true")
        await desk.hear("^1.2 the point of no return: nothing leads back after it")
        await desk.hear("^1.2 POINT OF NO RETURN")
        await desk.hear("^1.2 asks: type local to run it")
        await desk.hear("^1.2 not run: that was not the answer")
        desk.say("confirm", "local")
        await desk.hear("^1.2 done in ")
        assert desk.engine.state.of("b").status is Status.DONE
