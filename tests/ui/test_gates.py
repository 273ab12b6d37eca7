"""Gates, conditions, dry runs and the point of no return on the screen: seen at the step, answered in dialogs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.widgets import Input, Select

from runbook_tui.core import events as ev
from runbook_tui.core.model import ActionKind, CheckSpec, Undo
from runbook_tui.core.run import Status
from runbook_tui.ports import Ended
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import ReasonScreen
from runbook_tui.ui.screens.settle import SettleScreen
from tests.support.bench import unmeasured
from tests.ui.books import NEW, OLD, action, book, step
from tests.ui.pilots import agree, an_app, opened, past_guard, shown, until
from tests.ui.stage import Answer, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action, Runbook
    from tests.support.bench import HeldClock

SIZE = (120, 45)
SMALL = (80, 24)
CHECKS = (
    CheckSpec("mx", "mx", {"name": "plop.example", "at": ["authoritative", "9.9.9.9"], "expect": "new.plop.example"}),
    CheckSpec("queue-old", "queue", {"host": "old", "max": 0}),
)


def one(*actions: Action) -> Runbook:
    """Make a runbook with a step for each action, and two checks that gates may name."""
    steps = tuple(step(f"1.{n}", f"Step {a.id}", a) for n, a in enumerate(actions, 1))
    return replace(book(("Final step", steps)), checks=CHECKS)


def text(app: object) -> str:
    """Give what is shown with every run of blanks as one: lines are broken where the dialog ends."""
    return " ".join(shown(app).replace("│", " ").split())  # type: ignore[arg-type]


async def test_a_gate_is_a_question_that_b_answers(tmp_path: Path, clock: HeldClock) -> None:
    """The step and the dialog say what would be measured; an empty answer is not taken; then it can be confirmed."""
    gated = action("cut", "Let new deliver", gates=("mx", "queue-old"))
    async with open_stage(tmp_path, clock, one(gated), make_probes=unmeasured) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: "look yourself, then b writes down what you saw" in text(app))
            assert "MX of plop.example at the authoritative servers and 9.9.9.9 = new.plop.example" in text(app)
            await pilot.press("b")
            await opened(app, ReasonScreen)
            await until(lambda: "gate queue-old: is it so? It would be measured: the mail queue on old" in text(app))
            await pilot.press("enter")
            assert isinstance(app.screen, ReasonScreen)
            app.screen.query_one("#reason", Input).value = "dig says new, the queue is empty"
            await pilot.press("enter")
            await until(lambda: app.screen is app.main and stage.events(ev.GateOverridden))
            assert [(e.gate, e.reason) for e in stage.events(ev.GateOverridden)] == [
                ("mx", "dig says new, the queue is empty"), ("queue-old", "dig says new, the queue is empty"),
            ]  # fmt: skip
            await until(lambda: "mx 2026-11-23 02:00 UTC, anna: dig says new" in text(app))
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            assert "queue-old: anna said so at 2026-11-23 02:00:01 UTC: dig says new" in text(app)


async def test_b_without_a_gate_says_so(tmp_path: Path, clock: HeldClock) -> None:
    """On a step without a gate the key is refused in words."""
    async with open_stage(tmp_path, clock, one(action("cut", "Let new deliver"))) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn)
            await pilot.press("b")
            await until(lambda: "Override gate is refused: it has no gate" in text(app))


async def test_the_point_of_no_return_is_announced(tmp_path: Path, clock: HeldClock) -> None:
    """In the list, at the step and loudest in its confirmation, which wants the host's name without `.danger`."""
    final = action("final", "Let new deliver", host=NEW, no_return=True)
    async with open_stage(tmp_path, clock, one(final, action("after", "Go on"))) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: "POINT OF NO RETURN" in shown(app))
            assert "⊣ · to do" in shown(app)
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            await until(lambda: "Nothing leads back after this." in text(app))
            assert app.screen.has_class("-danger")
            await past_guard(app, clock)
            await until(lambda: not app.screen.query_one("#typed", Input).disabled)
            await pilot.press(*"new", "enter")
            await agree(app, clock, pilot)
            await until(lambda: [e.typed for e in stage.events(ev.Confirmed)] == ["new"])


async def test_the_point_of_no_return_is_seen_on_a_small_terminal(tmp_path: Path, clock: HeldClock) -> None:
    """At 80 by 24 the one line of the step has it too, and the confirmation shows it before anything else."""
    async with open_stage(tmp_path, clock, one(action("final", "Let new deliver", no_return=True))) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SMALL, notifications=True) as pilot:
            await until(lambda: "NO RETURN" in shown(app).splitlines()[1])
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            await until(lambda: "Nothing leads back after this." in text(app))


async def test_marking_the_point_of_no_return_done_says_what_it_is(tmp_path: Path, clock: HeldClock) -> None:
    """A step done by hand has no confirmation: its note is asked for with the same words."""
    final = action("final", "Call the provider", "", kind=ActionKind.MANUAL, host=None, no_return=True)
    async with open_stage(tmp_path, clock, one(final)) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn)
            await pilot.press("m")
            await opened(app, ReasonScreen)
            assert "This is the point of no return" in text(app)


async def test_an_undo_behind_the_point_of_no_return_is_warned(tmp_path: Path, clock: HeldClock) -> None:
    """Once it was done, the way back of an earlier step says that the point is passed."""
    first = action("first", "Stop postfix", undos=(Undo("service postfix start", 1),))
    async with open_stage(tmp_path, clock, one(first, action("final", "Let new deliver", no_return=True))) as stage:
        await stage.run("first")
        await stage.run("final")
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: app.main.drawn)
            await pilot.press("g")
            await pilot.press(*"1.1", "enter")
            await until(lambda: app.screen is app.main and app.main.spot.action.id == "first")  # type: ignore[union-attr]
            await pilot.press("u")
            await opened(app, ConfirmScreen)
            assert "the point of no return is passed: 1.2 (Let new deliver) is done" in text(app)


async def test_a_dry_run_is_shown_above_what_runs(tmp_path: Path, clock: HeldClock) -> None:
    """Its command and cleaned output stand before the command; a failed one is marked and warned of."""
    copy = action("copy", "Copy", "rsync -a a b\n", dry_run="rsync -an a b")
    async with open_stage(tmp_path, clock, one(copy)) as stage:
        stage.far[OLD].answers["rsync -an"] = Answer(b"\x1b[31mdeleting x\n", Ended(exit=23))
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: "dry run" in shown(app))
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            lines = shown(app)
            parts = ("What the dry run says", "$ rsync -an a b", "deleting x", "What runs")
            order = [lines.index(part) for part in parts]
            assert order == sorted(order)
            assert "✗ failed: exit status 23" in lines
            assert "the dry run did not end well: exit status 23" in lines
            assert "[31m" not in lines


async def test_a_way_back_on_another_host_names_it(tmp_path: Path, clock: HeldClock) -> None:
    """The step and its confirmation say where the way back would run."""
    copy = action("copy", "Copy", undos=(Undo("rm -rf /home/plop/Maildir", 1, host=NEW),))
    async with open_stage(tmp_path, clock, one(copy)) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: "way back on new: rm -rf /home/plop/Maildir" in text(app))
            await pilot.press("c")
            await opened(app, ConfirmScreen)
            assert "way back on new: rm -rf /home/plop/Maildir" in text(app)


async def test_a_condition_and_a_choice_are_settled(tmp_path: Path, clock: HeldClock) -> None:
    """The dialog asks both; what does not apply is n/a with its reason, and the cursor goes on."""
    actions = (
        action("fetch", "Stop fetching", when="there is a fetchmail"),
        action("rspamd", "Set up rspamd", alt=("filter", "rspamd")),
        action("none", "Filter nothing", alt=("filter", "none")),
    )
    async with open_stage(tmp_path, clock, one(*actions)) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: "only when: there is a fetchmail; is it so here?" in text(app))
            await pilot.press("a")
            await opened(app, SettleScreen)
            app.screen.query_one("#when", Select).value = "no"
            await pilot.click("#ok")
            await until(lambda: app.screen is app.main and app.main.spot.action.id == "rspamd")  # type: ignore[union-attr]
            await until(lambda: "n/a" in shown(app))
            await pilot.press("a")
            await opened(app, SettleScreen)
            app.screen.query_one("#alt", Select).value = "none"
            await pilot.click("#ok")
            await until(lambda: app.screen is app.main and app.main.spot.action.id == "none")  # type: ignore[union-attr]
            assert [(e.what, e.subject, e.value) for e in stage.events(ev.Settled)][-2:] == [
                ("when", "there is a fetchmail", "no"), ("alt", "filter", "none"),
            ]  # fmt: skip


async def test_what_is_optional_may_be_skipped_with_an_empty_line(tmp_path: Path, clock: HeldClock) -> None:
    """The step says that it is optional, and the dialog takes an empty line."""
    async with open_stage(tmp_path, clock, one(action("spf", "Add the record", optional=True))) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(lambda: "optional" in shown(app))
            await pilot.press("s")
            await opened(app, ReasonScreen)
            await pilot.press("enter")
            await until(lambda: stage.engine.state.of("spf").status is Status.SKIPPED)
            assert stage.engine.state.of("spf").reason == "optional"
