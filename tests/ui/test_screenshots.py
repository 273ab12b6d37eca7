"""The pictures of the README: compared with what is drawn now, rewritten with `--update-screens`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.watch import CheckView
from runbook_tui.core.events import Settlement
from runbook_tui.core.run import Verb
from runbook_tui.ports import CheckState
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.themes import LIGHT
from tests.ui.books import IDENTITIES, migration
from tests.ui.pilots import HeldClock, an_app, past_guard, shown, until
from tests.ui.scripted import START, Scripted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runbook_tui.ui.app import RunbookApp

PICTURES = Path(__file__).parents[2] / "screenshots"
DIFF = """\
/etc/postfix/main.cf is there: -rw-r--r-- uid 0 gid 0
--- /etc/postfix/main.cf
+++ /etc/postfix/main.cf
@@ -12,4 +12,5 @@
 myhostname = new.plop.example
-relay_domains = $mydestination
+relay_domains = hash:/etc/postfix/relay_domains
+transport_maps = hash:/etc/postfix/transport
 mynetworks = 127.0.0.0/8
"""


def checks() -> list[CheckView]:
    """Give three checks, one of them not well."""
    return [
        CheckView(name, kind, label, f"asks {name}", state, value, "", START, START, 30.0)
        for name, kind, label, state, value in (
            ("ssh-old", "ssh", "ssh old", CheckState.PASS, "answers in 38 ms"),
            ("ssh-new", "ssh", "ssh new", CheckState.PASS, "answers in 21 ms"),
            ("room", "command", "room on new", CheckState.WARN, "84 % of /home is used"),
        )
    ]


async def at_start() -> Scripted:
    """Give the migration at its start."""
    return fresh()


def fresh() -> Scripted:
    """Give the migration at its start."""
    return Scripted(
        migration(), identities=dict(IDENTITIES), agreed=True, check_views=checks(), details={"relay-main": DIFF}
    )


async def at_last_copy() -> Scripted:
    """Come to the dangerous step."""
    scripted = fresh()
    await scripted.run("users")
    await scripted.mark_done("ttl", "lowered to 300 at the registrar, 01:12")
    await scripted.run("first")
    for name in ("relay-main", "relay-domains", "relay-maps"):
        await scripted.skip(name, "no other domain is served")
    await scripted.skip("day", "lowered two days ago")
    await scripted.run("smtp")
    return scripted


async def running() -> Scripted:
    """Let the dangerous step run."""
    scripted = await at_last_copy()
    await scripted.confirm(await scripted.propose("last", Verb.CONFIRM), "old")
    mails = b"".join(b"Maildir/cur/%d.M1P9.old:2,S\n" % (1385394021 + n * 37) for n in range(40))
    scripted.output(b"sending incremental file list\n" + mails + b"    812,331,008  71%   12.40MB/s    0:00:16\r")
    return scripted


async def at_relay() -> Scripted:
    """Come to the file step."""
    scripted = fresh()
    await scripted.run("users")
    await scripted.mark_done("ttl", "lowered to 300 at the registrar, 01:12")
    await scripted.run("first")
    await scripted.settle("relay-domains", Settlement.LITERAL, "plop.example", "domain.tld")
    return scripted


async def failed() -> Scripted:
    """Let the file step fail."""
    scripted = await at_relay()
    said = (
        b"writing /etc/postfix/main.cf\nvalidating: postfix check\n"
        b"postfix: fatal: /etc/postfix/main.cf, line 41: missing = after transport_maps\n"
        b"restored /etc/postfix/main.cf from its backup\n"
    )
    await scripted.run("relay-main", 65, "postfix check says the file is not valid; the old one is back", said)
    return scripted


SCENES: dict[str, tuple[Callable[[], Awaitable[Scripted]], tuple[int, int], dict[str, str], str]] = {
    "main": (running, (140, 45), {}, ""),
    "confirm": (at_start, (140, 45), {}, "c"),
    "danger": (at_last_copy, (140, 45), {}, "c"),
    "file-diff": (at_relay, (140, 45), {}, "c"),
    "failed": (failed, (140, 45), {}, ""),
    "small": (running, (80, 24), {}, ""),
    "light": (running, (140, 45), {"theme": LIGHT.name}, ""),
}


def without_fonts(svg: str) -> str:
    """Take the links to fonts of elsewhere away, and let blanks stand where a renderer would swallow them."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)


async def still(app: RunbookApp) -> str:
    """Give the picture once two in a row are the same."""
    before = ""
    pictures: list[str] = []

    def settled() -> bool:
        nonlocal before
        now = shown(app)
        same, before = now == before, now
        pictures.append(now)
        return same and len(pictures) > 20

    await until(settled)
    return without_fonts(app.export_screenshot(title="mailrunbook"))


@pytest.mark.parametrize("scene", sorted(SCENES))
async def test_a_picture_is_as_it_was(scene: str, clock: HeldClock, request: pytest.FixtureRequest) -> None:
    """What is drawn is byte for byte the picture in screenshots/."""
    make, size, options, key = SCENES[scene]
    scripted = await make()
    app = an_app(scripted, clock, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: app.main.drawn)
        if key:
            await pilot.press(key)
            await until(lambda: isinstance(app.screen, ConfirmScreen))
            await past_guard(app, clock)
        svg = await still(app)
    picture = PICTURES / f"{scene}.svg"
    if request.config.getoption("--update-screens"):
        picture.write_text(svg, encoding="utf-8")
    assert picture.read_text(encoding="utf-8") == svg
