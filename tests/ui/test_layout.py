"""Every size from 20 by 5 to 200 by 60 works or says what it needs; colour never carries a meaning alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.color import Color
from textual.geometry import Size

from runbook_tui.ports import Ended
from runbook_tui.ui.screens.start import StartScreen
from runbook_tui.ui.themes import DARK, LIGHT
from runbook_tui.ui.words import CHECK, STATUS
from tests.ui.pilots import an_app, opened, shown, until
from tests.ui.stage import OLD, Answer, migration, open_stage

MX = "### Change the MX record <!-- step: #mx .manual -->\n\nAt the registrar.\n"
TTL = "### Lower the time to live <!-- step: #ttl .manual -->\n"

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import HeldClock
    from tests.ui.stage import Stage


async def test_wide_shows_everything_side_by_side(stage: Stage, clock: HeldClock) -> None:
    """From 100 columns on steps, step, output, checks and keys are there at once."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(100, 30), notifications=True):
        await until(lambda: "CHECKS" in shown(app) and "Create the users" in shown(app))
        text = shown(app)
        for wanted in ("STEPS", "STEP", "OUTPUT", "CHECKS", "0/9 steps done", "· to do", "⊘ held", "c Confirm…"):
            assert wanted in text, wanted


async def test_80_by_24_collapses_steps_and_checks(stage: Stage, clock: HeldClock) -> None:
    """Steps are one line above and checks one line below; Tab walks the panes full-screen and Escape goes back."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(lambda: "▶ 1.1  Create the users" in shown(app))
        text = shown(app)
        assert "STEPS" not in text
        assert "CHECKS" in text.splitlines()[-2]
        assert "OUTPUT" in text
        titles = ("━ STEPS", "━ STEP ", "━ OUTPUT ", "━ CHECKS ")
        for title in titles:
            await pilot.press("tab")
            await until(lambda title=title: [t for t in titles if t in shown(app)] == [title])  # type: ignore[misc]
        await pilot.press("escape")
        await until(lambda: "OUTPUT" in shown(app) and " STEP " in shown(app))


async def test_checks_on_one_line_name_what_is_not_well(stage: Stage, clock: HeldClock) -> None:
    """On 80 columns checks that pass are counted; one that does not comes first, with its name and what it saw."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(80, 24), notifications=True):
        await until(lambda: "✓ pass all 4" in shown(app))
        stage.far[OLD].answers["deferred"] = Answer(b"7\n")
        clock.advance(30)
        await until(lambda: "✗ fail deferred mail on old: does not match ^0$: 7 · ✓ pass the other 3" in shown(app))


async def test_narrow_shows_one_pane_at_a_time(stage: Stage, clock: HeldClock) -> None:
    """Below 80 columns one pane fills the screen, the step first."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(60, 20), notifications=True) as pilot:
        await until(lambda: "adduser" in shown(app))
        assert "OUTPUT" not in shown(app)
        await pilot.press("tab")
        await until(lambda: "OUTPUT" in shown(app) and "adduser" not in shown(app))


async def test_too_small_says_what_is_needed(stage: Stage, clock: HeldClock) -> None:
    """A terminal that is too small is told so, and keys do not break it."""
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(20, 5), notifications=True) as pilot:
        for size in (Size(20, 5), Size(39, 24), Size(80, 9), Size(1, 1)):
            app._driver.process_message(events.Resize(size, size))  # type: ignore[union-attr]
            if size.width > 1:
                said = f"this is {size.width} by {size.height}"
                await until(lambda said=said: said in re.sub(r"\s+", " ", shown(app)))  # type: ignore[misc]
            await pilot.press("down", "tab", "s", "escape", "question_mark", "escape")
            await until(lambda: app.screen is app.main)


async def test_a_resize_storm_breaks_nothing(stage: Stage, clock: HeldClock) -> None:
    """Two hundred sizes in a row, down to nothing and up again, and the screen is whole afterwards."""
    job = await stage.start("users")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        for n in range(200):
            job.say(b"line %d\n" % n)
            size = Size(1 + n * 37 % 160, 1 + n * 13 % 60)
            app._driver.process_message(events.Resize(size, size))  # type: ignore[union-attr]
        app._driver.process_message(events.Resize(Size(120, 40), Size(120, 40)))  # type: ignore[union-attr]
        await pilot.pause()
        await until(lambda: "STEPS" in shown(app) and "line 199" in shown(app))


async def test_the_screen_follows_the_state(stage: Stage, clock: HeldClock) -> None:
    """A failure says first what failed and which verbs make sense; the list shows word and glyph."""
    await stage.skip("users", "ttl", "first", "relay-main", "relay-domains")
    await stage.run("relay-maps", 1, b"postmap: fatal: open /etc/postfix/relay_domains\n")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(120, 40), notifications=True):
        await until(lambda: "✗ failed: exit status 1 (wanted 0)" in shown(app))
        text = shown(app)
        assert "postmap: fatal" in text
        assert "r retry" in text
        assert "u undo" not in text
        assert re.search(r"2\.2 .*✗ failed", text)


async def test_drift_is_marked(tmp_path: Path, clock: HeldClock) -> None:
    """A step that changed in the file since says so in the list and in its pane."""

    def edited(text: str) -> str:
        return text.replace("--disabled-password", "--uid 1001").replace(MX, "").replace(TTL, f"{MX}\n{TTL}")

    since = migration(edited)
    async with open_stage(tmp_path, clock, source_now=since) as stage:
        app = an_app(stage.engine, clock)
        async with app.run_test(size=(140, 40), notifications=True) as pilot:
            await opened(app, StartScreen)
            await pilot.press("escape")
            await until(lambda: app.main.drawn and "≠ changed in the file since" in shown(app))
            assert re.search(r"3\.4 .*↕ · to do", shown(app))


async def test_what_a_failed_proof_printed_is_under_its_sentence(stage: Stage, clock: HeldClock) -> None:
    """Which proof failed, how the command itself ended, and the last four lines that the proof printed."""
    await stage.skip("users", "ttl", "first", "relay-main", "relay-domains", "relay-maps", "day")
    said = b"".join(b"line %d\n" % n for n in range(1, 8))
    stage.far[OLD].answers["nc -z"] = Answer(said, Ended(exit=1))
    await stage.run("smtp")
    app = an_app(stage.engine, clock)
    async with app.run_test(size=(140, 45), notifications=True):
        await until(lambda: "the command itself" in shown(app))
        rows = [line[42:].strip(" │▌▐") for line in shown(app).splitlines()]
        start = rows.index("· ! nc -z localhost 25: ended with exit status 1")
        assert rows[start + 1 : start + 6] == ["3 lines before these", "line 4", "line 5", "line 6", "line 7"]


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_text_has_contrast(theme: object) -> None:
    """Every colour that text is painted in has a contrast of 4.5 or more on every surface (WCAG 2.1, 1.4.3)."""
    colours = {**vars(theme), **theme.variables}  # type: ignore[attr-defined]
    names = ["foreground", "primary", "secondary", "success", "warning", "error", "muted"]
    for name in names + [n for n in colours if n.startswith("host-")]:
        for surface in ("background", "surface", "panel"):
            assert contrast(colours[name], colours[surface]) >= 4.5, (name, surface)


def contrast(one: str, two: str) -> float:
    """Give the contrast of two colours as WCAG defines it."""
    light, dark = sorted((luminance(Color.parse(one)), luminance(Color.parse(two))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Color) -> float:
    """Give the relative luminance."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_every_state_is_told_by_glyph_and_word() -> None:
    """No two states share a glyph or a word."""
    for table in (STATUS, CHECK):
        assert len({s.glyph for s in table.values()}) == len(table)
        assert len({s.word for s in table.values()}) == len(table)
