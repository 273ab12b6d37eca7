"""The pictures of the README: compared with what is drawn now, rewritten with `--update-screens`."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks import probes
from runbook_tui.checks import watch as watch_module
from runbook_tui.core.events import Settlement
from runbook_tui.ports import Ended
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.themes import LIGHT
from tests.ui.pilots import an_app, opened, past_guard, shown, until
from tests.ui.stage import NEW, OLD, Answer, Stage, open_stage
from tests.ui.test_rehearsal import FarWorld

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from runbook_tui.core.model import CheckSpec
    from runbook_tui.core.run import RunState
    from runbook_tui.ports import Probe
    from runbook_tui.ui.app import RunbookApp
    from tests.support.bench import HeldClock

PICTURES = Path(__file__).parents[2] / "screenshots"
MAIN_CF = b"""\
# See /usr/share/postfix/main.cf.dist for a commented, more complete version
smtpd_banner = $myhostname ESMTP
biff = no
myhostname = new.plop.example
mydestination = plop.example, localhost
relay_domains = $mydestination
mynetworks = 127.0.0.0/8
"""
MAILS = b"".join(b"Maildir/cur/%d.M%dP9.old:2,S\n" % (1385394021 + n * 3747, n * 91 % 1000) for n in range(60))
BEGIN = b"sending incremental file list\n" + MAILS
FIRST = BEGIN + b"  1,144,221,696 100%   11.80MB/s    0:01:32 (xfr#41203, to-chk=0/41288)\n"
LAST = BEGIN + b"    812,331,008  71%   12.40MB/s    0:00:16\r"


def rarely(state: RunState) -> dict[str, tuple[CheckSpec, Probe]]:
    """Give the run's checks, which look by themselves once: how often they looked stands in the picture."""
    return {name: (replace(spec, every=1e9), probe) for name, (spec, probe) in probes(state).items()}


@pytest.fixture
async def stage(
    tmp_path: Path, clock: HeldClock, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Stage]:
    """Open the migration and agree to what it contacts."""
    monkeypatch.setattr(watch_module, "SECOND_LOOK", 1e9)
    word = "REHEARSAL" if request.node.callspec.params["scene"] == "rehearsal" else ""
    async with open_stage(tmp_path / "state", clock, make_probes=rarely, rehearsal=word) as opened_stage:
        yield opened_stage


async def at_start(stage: Stage) -> None:
    """Stand at the first step."""
    del stage


async def until_relay(stage: Stage) -> None:
    """Come to the file steps."""
    clock = stage.clock
    clock.advance(40)
    await stage.run("users")
    clock.advance(60)
    await stage.engine.mark_done("ttl", "lowered to 300 at the registrar")
    clock.advance(20)
    copying = await stage.start("first", answer=Answer(FIRST, None))
    clock.advance(97)
    copying.end()
    await stage.engine.idle()
    clock.advance(20)


async def at_relay(stage: Stage) -> None:
    """Come to a file that is there already."""
    stage.far[NEW].files["/etc/postfix/main.cf"] = MAIN_CF
    await until_relay(stage)
    await stage.engine.settle("relay-domains", Settlement.LITERAL, "plop.example", "domain.tld")


async def until_downtime(stage: Stage) -> None:
    """Come to the step that stops the old server."""
    await until_relay(stage)
    for action in ("relay-main", "relay-domains", "relay-maps"):
        await stage.engine.skip(action, "no other domain is served")
    await stage.engine.skip("day", "lowered two days ago")
    stage.clock.advance(30)


async def at_last_copy(stage: Stage) -> None:
    """Come to the dangerous step."""
    await until_downtime(stage)
    stopping = await stage.start("smtp")
    stage.clock.advance(2)
    stopping.end()
    await stage.engine.idle()
    stage.clock.advance(25)


async def running(stage: Stage) -> None:
    """Let the dangerous step run."""
    await at_last_copy(stage)
    copying = await stage.start("last", answer=Answer(LAST, None))
    stage.clock.advance(41)
    copying.say(b"    818,884,608  71%   12.40MB/s    0:00:16\r")


async def failed(stage: Stage) -> None:
    """Let a step end well, and its proof say that it did not do what it should."""
    await until_downtime(stage)
    stopped = b"postfix/postfix-script: stopping the Postfix mail system\n"
    said = b"Connection to localhost (127.0.0.1) 25 port [tcp/smtp] succeeded!\n"
    stage.far[OLD].answers["nc -z"] = Answer(said, Ended(exit=1))
    stopping = await stage.start("smtp", answer=Answer(stopped, None))
    stage.clock.advance(2)
    stopping.end()
    await stage.engine.idle()


SCENES: dict[str, tuple[Callable[[Stage], Awaitable[None]], tuple[int, int], dict[str, object], str]] = {
    "main": (running, (140, 45), {}, ""),
    "confirm": (at_start, (140, 45), {}, "c"),
    "danger": (at_last_copy, (140, 45), {}, "c"),
    "file-diff": (at_relay, (140, 45), {}, "c"),
    "failed": (failed, (140, 45), {}, ""),
    "small": (running, (80, 24), {}, ""),
    "light": (running, (140, 45), {"theme": LIGHT.name}, ""),
    "rehearsal": (running, (140, 45), {"rehearsal": FarWorld()}, ""),
}


SIGN = re.compile(r"(?<=[-+|=@:/*!~.#;])(&(?:amp|lt|gt);|[-+|=@:/*!~.#])")
"""A sign after another one, which fonts with ligatures would merge with it."""


def portable(svg: str) -> str:
    """Take links to fonts of elsewhere away, keep blanks, and keep `--` and `+++` from becoming one sign.

    Not every renderer knows the property that forbids ligatures; a `tspan` of its own breaks them everywhere.
    """
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(-matrix \{\n)", r"\1        font-variant-ligatures: none;\n", svg, count=1)
    svg = re.sub(r"(?<=>)[^<]+(?=</text>)", lambda text: SIGN.sub(r"<tspan>\1</tspan>", text[0]), svg)
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)


async def still(app: RunbookApp) -> str:
    """Give the picture once it has stayed the same for a while."""
    pictures: list[str] = []

    def settled() -> bool:
        pictures.append(shown(app))
        return len(pictures) > 20 and len(set(pictures[-20:])) == 1

    await until(settled)
    return drawn(app)


@pytest.mark.parametrize("scene", sorted(SCENES))
async def test_a_picture_is_as_it_was(
    scene: str, stage: Stage, clock: HeldClock, request: pytest.FixtureRequest
) -> None:
    """What is drawn of the real engine comes to be, byte for byte, the picture in screenshots/."""
    play, size, options, key = SCENES[scene]
    await play(stage)
    app = an_app(stage.engine, clock, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        if "rehearsal" in options:
            await until(lambda: "234 sent" in shown(app))
        await still(app)
        if key:
            await pilot.press(key)
            await opened(app, ConfirmScreen)
            await past_guard(app, clock)
        picture = PICTURES / f"{scene}.svg"
        if request.config.getoption("--update-screens"):
            picture.write_text(await still(app), encoding="utf-8")
        # How long the rehearsal's scroll bar is depends on when the world's pane came.
        seen = texts if scene == "rehearsal" else str
        wanted = seen(picture.read_text(encoding="utf-8"))
        with contextlib.suppress(AssertionError):  # what differs is told below
            await until(lambda: seen(drawn(app)) == wanted)
        svg = drawn(app)
    assert seen(svg) == wanted


def drawn(app: RunbookApp) -> str:
    """Give what is drawn now."""
    return portable(app.export_screenshot(title="mailrunbook"))


def texts(svg: str) -> str:
    """Give every stretch of text of a picture but the ends of scroll bars."""
    return "\n".join(text for text in re.findall(r"<text[^>]*>(.*?)</text>", svg) if not re.fullmatch("[▁-▇]", text))
