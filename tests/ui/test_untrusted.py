"""Nothing from outside is parsed as markup or reaches the terminal as a control (PROMISES.md P8, facts 6 and 7)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual.geometry import Offset

from runbook_tui.core.model import Undo
from runbook_tui.core.proposal import YES
from runbook_tui.core.run import Verb
from runbook_tui.ui.screens.confirm import ConfirmScreen
from tests.ui.books import IDENTITIES, action, book, step
from tests.ui.pilots import HeldClock, an_app, past_guard, shown, until
from tests.ui.scripted import Scripted

MARKUP = "[@click=app.pwn]x[/] queue [active] 3 [/var/spool]"
HOSTILE = "a\x1b]0;PWNED\x07b\x1b[2Jc\x9b31md\u202ee\x7ff\x1b]52;c;cHduZWQ=\x07g\u200bh\x1b]8;;http://evil\x1b\\i"
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")
SIZE = (140, 45)


def nasty(text: str) -> Scripted:
    """Make a run in which the text stands everywhere a file can put it."""
    one = action("one", text, f"echo '{text}'\n", undos=(Undo(f"echo '{text}'\n", 12),), expect=text)
    two = action("two", text, f"printf '{text}'\n")
    made = book((text, (step("1.1", text, one, source=f"Prose: {text}\n", warnings=(text,)), step("1.2", text, two))),
                title=text)  # fmt: skip
    return Scripted(made, identities=dict(IDENTITIES), agreed=True, warnings=(text,), wanted=[text],
                    details={"two": f"+{text}\n-{text}\n"}, drift={"one": "changed"})  # fmt: skip


@pytest.mark.parametrize("text", [MARKUP, HOSTILE])
async def test_hostile_text_is_shown_and_does_nothing(text: str, clock: HeldClock) -> None:
    """Titles, prose, commands, output, reasons, notes and dialogs show it; no control reaches a strip."""
    scripted = nasty(text)
    proposal = await scripted.propose("one", Verb.CONFIRM)
    await scripted.confirm(proposal, YES)
    scripted.output(f"{text}\n{text}".encode())
    scripted.finish(1, text, verifies=(text,))
    await scripted.note("one", text)
    app = an_app(scripted, clock)
    pwned: list[str] = []
    app.action_pwn = lambda: pwned.append("x")  # type: ignore[attr-defined]
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        await pilot.pause()
        for keys in ((), ("r",), ("n",), ("a",), ("e",), ("g",), ("h",), ("question_mark",), ("o",), ("ctrl+p",)):
            await pilot.press(*keys)
            await pilot.pause()
            screen_text = shown(app)
            assert not FORBIDDEN.search(screen_text.replace("\n", "")), keys
            if text == MARKUP and keys in {(), ("r",), ("o",)}:
                assert "[@click=app.pwn]x[/]" in screen_text, keys
                assert "[active] 3 [/var/spool]" in screen_text, keys
            await pilot.press("escape")
            await pilot.pause()
        app.say(text)
        await pilot.pause()
        assert not FORBIDDEN.search(shown(app).replace("\n", ""))
    assert pwned == []


async def test_markup_in_text_can_not_be_clicked(clock: HeldClock) -> None:
    """Clicking every cell that shows `[@click=app.pwn]` runs no action."""
    scripted = nasty(MARKUP)
    app = an_app(scripted, clock)
    pwned: list[str] = []
    app.action_pwn = lambda: pwned.append("x")  # type: ignore[attr-defined]
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(lambda: app.main.drawn and "click=app" in shown(app))
        for y, line in enumerate(shown(app).splitlines()):
            if "click=app" in line:
                at = line.index("]x[") + 1
                assert not app.screen.get_style_at(at, y).meta.get("@click")
                await pilot.click(offset=Offset(at, y))
    assert pwned == []


async def test_links_in_prose_do_not_act(clock: HeldClock) -> None:
    """A link shows its text and nothing more; images, HTML and comments are not shown as such."""
    source = (
        "See [the manual](https://evil.example/x) and <https://evil.example/y>.\n\n"
        "<!-- step: #x .manual -->\n\n![a picture](http://evil/p.png)\n\n<b>bold</b>\n\n"
        "```sh {.run #hidden host=old}\nnot an action here\n```\n"
    )
    made = book(("One", (step("1.1", "Prose", action("one", "Prose", line=99), source=source),)))
    app = an_app(Scripted(made, agreed=True), clock)
    async with app.run_test(size=SIZE, notifications=True):
        await until(lambda: "the manual" in shown(app))
        text = shown(app)
        assert "not an action here" in text
        for hidden in ("evil.example/x", "<!--", ".manual", "p.png", "<b>", "{.run", "#hidden"):
            assert hidden not in text, hidden
        for widget in app.screen.query("*"):
            assert not [m for line in widget.render_lines(widget.size.region) for s in line if (m := s.style) and
                        m.meta.get("@click")], widget  # fmt: skip


async def test_a_confirmation_shows_control_characters_as_pictures(clock: HeldClock) -> None:
    """An ESC in the command is shown where it stands: nothing in what runs is hidden."""
    scripted = nasty("plain")
    runbook = scripted.runbook
    first = runbook.phases[0].steps[0]
    changed = replace(first, actions=(replace(first.actions[0], text="echo \x1b[8mhidden\n"),))
    made = replace(runbook, phases=(replace(runbook.phases[0], steps=(changed,)),))
    app = an_app(Scripted(made, identities=dict(IDENTITIES), agreed=True), clock)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await past_guard(app, clock)
        await pilot.pause()
        assert "echo ␛[8mhidden" in shown(app)


def test_no_widget_takes_markup() -> None:
    """The package never asks for markup, and gives f-strings to no notify or Label."""
    package = Path(__file__).parents[2] / "runbook_tui" / "ui"
    forbidden = re.compile(r"markup=True|from_markup|Text\.from_markup|\bLabel\(|notify\(f|DataTable|RichLog|\bLog\(")
    for path in package.rglob("*.py"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path
