"""Nothing from outside is parsed as markup or reaches the terminal as a control (PROMISES.md P8, facts 6 and 7)."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.geometry import Offset

from runbook_tui.core.model import CheckSpec, Host, Undo, Verify
from runbook_tui.ports import Ended, Identity
from runbook_tui.ui.app import RunbookApp
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.start import StartScreen
from tests.ui.books import action, book, step
from tests.ui.pilots import an_app, opened, past_guard, shown, until
from tests.ui.stage import OLD, Answer, Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.bench import HeldClock

MARKUP = "[@click=app.pwn]x[/] queue [active] 3 [/var/spool]"
HOSTILE = "a\x1b]0;PWNED\x07b\x1b[2Jc\x9b31md\u202ee\x7ff\x1b]52;c;cHduZWQ=\x07g\u200bh\x1b]8;;http://evil\x1b\\i"
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")
SIZE = (140, 45)


@contextlib.asynccontextmanager
async def nasty(folder: Path, clock: HeldClock, text: str) -> AsyncIterator[Stage]:
    """Open a run in which the text stands everywhere a file or a far side can put it, one step of it failed."""
    check = CheckSpec("room", "command", {"host": "old", "run": f"df # {text}"}, label=text)
    proof = Verify(f"test '{text}'\n", 14)
    one = action("one", text, f"echo '{text}'\n", undos=(Undo(f"echo '{text}'\n", 12),), verifies=(proof,))
    two = action("two", text, f"printf '{text}'\n")
    made = book((text, (step("1.1", text, one, source=f"Prose: {text}\n", warnings=(text,)), step("1.2", text, two))),
                title=text)  # fmt: skip
    made = replace(made, checks=(check,), hosts={OLD: Host(OLD, f"root@old {text}", text)})
    since = replace(made, phases=(), sha256="1" * 64)
    there = {OLD: Identity(OLD, text, text, text, text, text)}
    async with open_stage(folder, clock, made, identities=there, source_now=since) as stage:
        stage.far[OLD].answers |= {"df #": Answer(text.encode()), "test '": Answer(text.encode(), Ended(exit=1))}
        await stage.run("one", output=f"{text}\n{text}".encode())
        await stage.engine.note("one", text)
        yield stage


@pytest.mark.parametrize("text", [MARKUP, HOSTILE])
async def test_hostile_text_is_shown_and_does_nothing(text: str, tmp_path: Path, clock: HeldClock) -> None:
    """Titles, prose, commands, output, reasons, notes and dialogs show it; no control reaches a strip."""
    async with nasty(tmp_path, clock, text) as stage, an_app(stage.engine, clock).run_test(
        size=SIZE, notifications=True
    ) as pilot:
        app = pilot.app
        assert isinstance(app, RunbookApp)
        pwned: list[str] = []
        app.action_pwn = lambda: pwned.append("x")  # type: ignore[attr-defined]
        await opened(app, StartScreen)
        assert not FORBIDDEN.search(shown(app).replace("\n", ""))
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and app.main.drawn)
        for key in ("", "r", "n", "a", "e", "g", "h", "v", "question_mark", "o", "ctrl+p"):
            await pilot.press(*[key] * bool(key))
            await until(lambda key=key: bool(key) is (app.screen is not app.main))  # type: ignore[misc]
            await pilot.pause(0.05)
            screen_text = shown(app)
            assert not FORBIDDEN.search(screen_text.replace("\n", "")), key
            if text == MARKUP and key in {"", "r", "o"}:
                assert "[@click=app.pwn]x[/]" in screen_text, key
                assert "[active] 3 [/var/spool]" in screen_text, key
            await pilot.press("escape")
            await until(lambda: app.screen is app.main)
        app.say(text)
        await pilot.pause()
        assert not FORBIDDEN.search(shown(app).replace("\n", ""))
    assert pwned == []


async def test_markup_in_text_can_not_be_clicked(tmp_path: Path, clock: HeldClock) -> None:
    """Clicking every cell that shows `[@click=app.pwn]` runs no action."""
    async with nasty(tmp_path, clock, MARKUP) as stage, an_app(stage.engine, clock).run_test(
        size=SIZE, notifications=True
    ) as pilot:
        app = pilot.app
        assert isinstance(app, RunbookApp)
        pwned: list[str] = []
        app.action_pwn = lambda: pwned.append("x")  # type: ignore[attr-defined]
        await opened(app, StartScreen)
        await pilot.press("escape")
        await until(lambda: app.screen is app.main and "click=app" in shown(app))
        for y, line in enumerate(shown(app).splitlines()):
            if "click=app" in line:
                at = line.index("]x[") + 1
                assert not app.screen.get_style_at(at, y).meta.get("@click")
                await pilot.click(offset=Offset(at, y))
    assert pwned == []


async def test_links_in_prose_do_not_act(tmp_path: Path, clock: HeldClock) -> None:
    """A link shows its text and nothing more; images, HTML and comments are not shown as such."""
    source = (
        "See [the manual](https://evil.example/x) and <https://evil.example/y>.\n\n"
        "<!-- step: #x .manual -->\n\n![a picture](http://evil/p.png)\n\n<b>bold</b>\n\n"
        "```sh {.run #hidden host=old}\nnot an action here\n```\n"
    )
    made = book(("One", (step("1.1", "Prose", action("one", "Prose", line=99), source=source),)))
    async with open_stage(tmp_path, clock, made) as stage, an_app(stage.engine, clock).run_test(
        size=SIZE, notifications=True
    ) as pilot:
        app = pilot.app
        assert isinstance(app, RunbookApp)
        await until(lambda: "the manual" in shown(app))
        text = shown(app)
        assert "not an action here" in text
        for hidden in ("evil.example/x", "<!--", ".manual", "p.png", "<b>", "{.run", "#hidden"):
            assert hidden not in text, hidden
        for widget in app.screen.query("*"):
            assert not [m for line in widget.render_lines(widget.size.region) for s in line if (m := s.style) and
                        m.meta.get("@click")], widget  # fmt: skip


async def test_a_confirmation_shows_control_characters_as_pictures(tmp_path: Path, clock: HeldClock) -> None:
    """An ESC in the command is shown where it stands: nothing in what runs is hidden."""
    made = book(("One", (step("1.1", "Look", action("one", "Look", "echo \x1b[8mhidden\n")),)))
    async with open_stage(tmp_path, clock, made) as stage, an_app(stage.engine, clock).run_test(
        size=SIZE, notifications=True
    ) as pilot:
        app = pilot.app
        assert isinstance(app, RunbookApp)
        await pilot.press("c")
        await opened(app, ConfirmScreen)
        await past_guard(app, clock)
        await pilot.pause()
        assert "echo ␛[8mhidden" in shown(app)


def test_no_widget_takes_markup() -> None:
    """The package never asks for markup, and gives f-strings to no notify or Label."""
    package = Path(__file__).parents[2] / "runbook_tui" / "ui"
    forbidden = re.compile(r"markup=True|from_markup|Text\.from_markup|\bLabel\(|notify\(f|DataTable|RichLog|\bLog\(")
    for path in package.rglob("*.py"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path
