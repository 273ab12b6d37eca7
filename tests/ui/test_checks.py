"""The live checks on the screen: a line each, the full table, and gates that they lift and open again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from runbook_tui.checks.view import CheckView, Point
from runbook_tui.core import events as ev
from runbook_tui.core.model import CheckSpec
from runbook_tui.core.run import Status
from runbook_tui.ports import CheckState, Reading, Row
from runbook_tui.ui.screens.checks import ChecksScreen, check_block
from runbook_tui.ui.screens.dialogs import ReasonScreen
from runbook_tui.ui.trend import sparkline
from runbook_tui.ui.widgets.checks import check_line
from tests.checks.fakes import GREEN, Saying
from tests.ui.books import action, book, step
from tests.ui.pilots import an_app, opened, shown, until
from tests.ui.stage import open_stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runbook_tui.core.run import RunState
    from runbook_tui.engine import Engine
    from runbook_tui.ports import Probe
    from tests.support.bench import HeldClock

NOW = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
ETA = datetime(2026, 11, 23, 13, 42, 10, tzinfo=UTC)
HOSTILE = "a\x1b]0;PWNED\x07b\x1b[2Jc[@click=app.quit]d[/]\u202e"


def a_view(**fields: object) -> CheckView:
    """Make a view of a check that is on its way."""
    rows = (Row(("9.9.9.9", "new", "240 s"), CheckState.PASS), Row(("192.0.2.53", "old", "40 s"), CheckState.PENDING))
    view = CheckView(
        name="mx", type="mx", label="MX", asks="MX of plop.example", every=60.0, state=CheckState.PENDING,
        asks_lines=("MX of plop.example at 9.9.9.9", "MX of plop.example at 192.0.2.53"),
        columns=("resolver", "answer", "TTL left"), rows=rows, value="14 of 16 resolvers have it", eta=ETA,
        since=NOW, looked=NOW, next=NOW,
        history=(Point(NOW, CheckState.PENDING, 0.5), Point(NOW, CheckState.PASS, 1.0)),
    )  # fmt: skip
    return replace(view, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "drawn"),
    [((0, 1, 2, 3, 4, 5, 6, 7), "▁▂▃▄▅▆▇█"), ((0, 0), "▁▁"), ((5, 5), "▄▄"), ((1, None, 3), "▁·█"), ((), "")],
)
def test_the_course_is_drawn_from_the_levels(levels: tuple[float | None, ...], drawn: str) -> None:
    """The lowest is low, the highest high, a look that saw nothing is a dot, equal ones are level."""
    points = [Point(NOW, CheckState.UNKNOWN if level is None else CheckState.FAIL, level) for level in levels]
    assert sparkline(points, 20) == drawn


def test_a_check_without_numbers_is_drawn_by_its_states() -> None:
    """The worse the higher, the newest last, no more than there is room for."""
    points = [Point(NOW, state) for state in (CheckState.FAIL, CheckState.UNKNOWN, CheckState.WARN, CheckState.PASS)]
    assert sparkline(points, 3) == "·▆▁"


def test_a_line_fits_and_says_until_when() -> None:
    """Glyph, word, label, value and ETA; the course only where there is room; never wider than the pane."""
    wide, narrow = (check_line(a_view(), 24, width, NOW).plain for width in (100, 60))
    assert wide.startswith("◔ pending MX                        14 of 16 resolvers have it · by 13:42:10 UTC")
    assert wide.endswith("▁█")
    assert "█" not in narrow
    assert max(len(wide), len(narrow)) <= 100
    assert len(narrow) <= 60
    assert "UTC" not in check_line(a_view(value="last cache expires 13:42:10"), 24, 100, NOW).plain


def test_the_page_has_all_that_is_known() -> None:
    """What is asked, the table with its heads, the last error and its age, the times."""
    text = check_block(a_view(error="timeout", error_at=NOW), NOW, 140).plain
    for part in (
        "MX of plop.example at 192.0.2.53", "resolver    answer  TTL left", "✓ 9.9.9.9     new     240 s",
        "◔ 192.0.2.53  old     40 s", "timeout · 0.0 s ago", "so since 2026-11-23 13:30:00 UTC", "looks again in 0.0 s",
        "every 1 min 00 s",
    ):  # fmt: skip
        assert part in text, text


@pytest.mark.parametrize("width", [40, 80, 140])
def test_hostile_text_acts_nowhere_and_no_table_is_too_wide(width: int) -> None:
    """Control characters are shown as pictures, markup as it stands, in every field."""
    rows = (Row((HOSTILE * 20, HOSTILE, HOSTILE, HOSTILE), CheckState.FAIL),) * 3
    view = a_view(
        value=HOSTILE, label=HOSTILE, asks_lines=(HOSTILE,), columns=(HOSTILE,), rows=rows, error=HOSTILE, error_at=NOW
    )
    block = check_block(view, NOW, width)
    for content in (block, check_line(view, 24, width, NOW)):
        assert not any(ord(char) < 32 and char != "\n" for char in content.plain)
        assert "\u202e" not in content.plain
        assert not any("click" in str(span.style) for span in content.spans)
    table = [line for line in block.plain.split("\n") if line.lstrip().startswith("✗ a")]
    assert table
    assert all(len(line) <= width or width < 60 for line in table)


# ---- in the app


class Live:
    """A runbook with a gate on mx, whose check says what the test has it say."""

    def __init__(self) -> None:
        self.mx = Saying(Reading(CheckState.PENDING, "14 of 16 resolvers have it", eta=ETA, level=14.0))
        cut = action("cut", "Let new deliver", gates=("mx",))
        steps = (step("1.1", "Let new deliver", cut), step("1.2", "Go on", action("after", "Go on")))
        spec = CheckSpec("mx", "later", every=1.0, label="MX of plop.example")
        self.book = replace(book(("Final step", steps)), checks=(spec,))

    def probes(self, state: RunState) -> Mapping[str, tuple[CheckSpec, Probe]]:
        """Give the one check."""
        return {spec.name: (spec, self.mx) for spec in state.runbook.checks}

    async def says(self, engine: Engine, reading: Reading) -> None:
        """Have the check say something else, and look twice."""
        self.mx.says = [reading]
        for _ in range(2):
            await engine._live.watch.look("mx")


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_gate_is_lifted_and_opened_again_before_ones_eyes(
    tmp_path: Path, clock: HeldClock, size: tuple[int, int]
) -> None:
    """Held with the ETA, green, done; then red: a notification, a mark on the step, and b answers it."""
    live = Live()
    async with open_stage(tmp_path, clock, live.book, make_probes=live.probes) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=size, notifications=True) as pilot:
            await until(lambda: "14 of 16 resolvers have it" in shown(app))
            assert "by 13:42:10 UTC" in " ".join(shown(app).replace("│", " ").split())
            await live.says(stage.engine, replace(GREEN, value="16 of 16", level=16.0))
            await until(lambda: "✓ pass" in shown(app) and "held" not in shown(app))
            await stage.run("cut")
            assert stage.engine.state.of("cut").status is Status.DONE
            await live.says(stage.engine, Reading(CheckState.FAIL, "somebody put the old MX back", level=0.0))
            said = "gate mx is FAIL since it was done: somebody put the old MX back"
            await until(lambda: any(said in note.message for note in app._notifications))
            await pilot.press("up")
            await until(lambda: app.main.spot is not None and app.main.spot.id == "cut")
            if size[0] > 80:
                await until(lambda: "⊘ ✓ done" in shown(app))
            await pilot.press("b")
            await opened(app, ReasonScreen)
            await until(lambda: "Write why it may stand so." in shown(app))
            app.screen.query_one("#reason", Input).value = "ok"
            await pilot.press("enter")
            await until(lambda: bool(stage.events(ev.GateOverridden)))
            assert stage.events(ev.GateOverridden)[0].said == "FAIL: somebody put the old MX back"
            await until(lambda: "⊘ ✓ done" not in shown(app))


async def test_r_on_the_page_has_every_check_look_now(tmp_path: Path, clock: HeldClock) -> None:
    """The look is asked for, and what it saw is drawn."""
    live = Live()
    async with open_stage(tmp_path, clock, live.book, make_probes=live.probes) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=(100, 40)) as pilot:
            await until(lambda: app.main.drawn)
            await pilot.press("v")
            await opened(app, ChecksScreen)
            live.mx.says = [Reading(CheckState.FAIL, "third value")]
            await pilot.press("r")
            await until(lambda: live.mx.asked[-1])
            await until(lambda: "third value" in shown(app))
