"""The output pane follows only at its end, leaves a reader alone, is bounded and can be copied (STYLE.md F1-F4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App, ComposeResult
from textual.geometry import Offset
from textual.selection import Selection

from runbook_tui.core.feed import Feed
from runbook_tui.core.text import CleanLine
from runbook_tui.ui.widgets.output_view import OutputView
from tests.ui.pilots import an_app, shown, until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage


class Alone(App[None]):
    """The view by itself."""

    def compose(self) -> ComposeResult:
        """One view."""
        yield OutputView(id="output")

    @property
    def view(self) -> OutputView:
        """The view."""
        return self.query_one(OutputView)


def add(feed: Feed, lines: Iterable[str]) -> None:
    """Add finished lines."""
    feed.append(CleanLine(line, 0) for line in lines)


def top(view: OutputView) -> str:
    """Give the first line that is painted."""
    return view.render_line(0).text.strip()


def bottom(view: OutputView) -> str:
    """Give the last line that is painted."""
    return view.render_line(view.size.height - 1).text.strip()


async def test_it_follows_the_end() -> None:
    """What arrives last is what is seen last."""
    app, feed = Alone(), Feed()
    async with app.run_test(size=(60, 10)) as pilot:
        app.view.show_feed(feed)
        add(feed, (f"line {n}" for n in range(200)))
        app.view.drain()
        await until(lambda: bottom(app.view) == "line 199")
        feed.partial = "half"
        app.view.drain()
        await until(lambda: bottom(app.view) == "half")
        await pilot.pause()
        assert app.view.unseen == 0


async def test_a_reader_who_scrolled_up_is_left_alone() -> None:
    """New lines do not move the text; they are counted, and End goes on following."""
    app, feed = Alone(), Feed()
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        view.show_feed(feed)
        add(feed, (f"line {n}" for n in range(100)))
        view.drain()
        await until(lambda: bottom(view) == "line 99")
        view.focus()
        await pilot.press("pageup")
        await until(lambda: not view.following and view.scroll_offset.y == view.scroll_target_y)
        before = top(view)
        add(feed, (f"more {n}" for n in range(50)))
        view.drain()
        await pilot.pause()
        assert top(view) == before
        assert view.unseen == 50
        await pilot.press("end")
        await until(lambda: bottom(view) == "more 49" and view.following and view.unseen == 0)


async def test_dropped_lines_do_not_slide_under_the_reader() -> None:
    """When the oldest k lines go, the view scrolls k back; what is read stays where it is, and memory is bounded."""
    app, feed = Alone(), Feed(max_lines=100)
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        view.show_feed(feed)
        add(feed, (f"line {n}" for n in range(100)))
        view.drain()
        await until(lambda: bottom(view) == "line 99")
        view.focus()
        await pilot.press("pageup")
        await until(lambda: not view.following and view.scroll_offset.y == view.scroll_target_y)
        before = top(view)
        add(feed, (f"more {n}" for n in range(30)))
        view.drain()
        await pilot.pause()
        assert top(view) == before
        add(feed, (f"flood {n}" for n in range(1000)))
        view.drain()
        await pilot.pause()
        assert view.line_count == 100


async def test_a_flood_costs_one_drain() -> None:
    """Twenty thousand lines between two looks are taken over at once; no widget is made for them."""
    app, feed = Alone(), Feed()
    async with app.run_test(size=(60, 10)):
        app.view.show_feed(feed)
        add(feed, (f"line {n}" for n in range(60_000)))
        app.view.drain()
        await until(lambda: bottom(app.view) == "line 59999")
        assert app.view.line_count == feed.max_lines
        assert not app.view.children


async def test_a_selection_is_copied_and_moves_with_its_lines() -> None:
    """Selected text is what is copied, also after older lines were dropped."""
    app, feed = Alone(), Feed(max_lines=5)
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        view.show_feed(feed)
        add(feed, ("zero", "one", "two [b]x[/b]", "three", "four"))
        view.drain()
        await pilot.pause()
        app.screen.selections = {view: Selection(Offset(0, 2), Offset(4, 3))}
        assert app.screen.get_selected_text() == "two [b]x[/b]\nthre"
        add(feed, ("five",))
        view.drain()
        assert app.screen.get_selected_text() == "two [b]x[/b]\nthre"


async def test_finding_goes_round() -> None:
    """Search finds the next and the one before, whatever the case, and says when there is none."""
    app, feed = Alone(), Feed()
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        view.show_feed(feed)
        add(feed, ("Error: first" if n == 20 else "an error" if n == 80 else f"line {n}" for n in range(100)))
        view.drain()
        await until(lambda: bottom(view) == "line 99")
        assert view.find("ERROR")
        assert view.found == 20
        assert view.find("ERROR")
        assert view.found == 80
        assert view.find("ERROR", backwards=True)
        assert view.found == 20
        assert not view.find("[nothing]")
        await pilot.pause()


async def test_the_pane_says_new_lines_silence_and_progress(stage: Stage, clock: HeldClock) -> None:
    """Header and badge: attempt, elapsed, silence, percent while there is one, and new lines below a reader."""
    job = await stage.start("users")
    clock.advance(29)
    job.say(b"".join(b"line %d\n" % n for n in range(100)) + b" 40% done\r")
    clock.advance(12)
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(lambda: "silent for 12 s" in shown(app))
        assert "00:00:41" in shown(app)
        assert "40 %" in shown(app)
        await pilot.press("pageup")
        await until(lambda: "not following" in shown(app))
        job.say(b"\nmore\n")
        await until(lambda: "2 new ↓" in shown(app))
        await until(lambda: "40 %" not in shown(app))
        await pilot.press("end")
        await until(lambda: "new ↓" not in shown(app))
