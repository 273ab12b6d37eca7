"""A secret that everything repeats is nowhere in what is kept or shown of a run."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core.redact import KnownSecrets, mark
from runbook_tui.core.secret import Secret
from runbook_tui.engine.looking import Ends
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "kanarienvogel-7f3a9c"


def test_what_is_cut_out_of_a_dry_run_leaves_no_half_of_a_secret() -> None:
    """At every place of the cut the secret is whole when it is looked for."""
    known = KnownSecrets([Secret("relay", CANARY)])
    for before in range(40, 110):
        kept = Ends(known, most=128)
        for byte in f"{'x' * before}{CANARY}{'y' * 60}{CANARY}{'z' * 50}\n".encode():
            kept.take(bytes((byte,)))
        said = kept.text()
        assert kept.left_out or mark("relay") in said
        assert not any(CANARY[at : at + 6] in said for at in range(len(CANARY) - 5))


async def test_line_mode_says_no_secret_wherever_it_comes_from(tmp_path: Path) -> None:
    """Titles, output plain and encoded, a held action's text, a refusal: the mark stands in its place."""
    coded = base64.b64encode(CANARY.encode()).decode()
    echo = f"printf '%s\\n' kanarien'vogel'-7f3a9c; printf '%s\\n' {coded[:9]}''{coded[9:]}"
    speaking = replace(an_action("a", echo, host="local"), title=f"Log in with {CANARY}")
    held = an_action("b", f"login {CANARY}", host="local")
    book = replace(a_runbook(speaking, held), hosts={})
    bench = Bench(book, tmp_path / "state", given=[Secret("relay", CANARY)])
    async with Desk(bench.engine()) as desk:
        desk.say("confirm", "yes")
        await desk.hear("1.1 done", 60)
        desk.say("status", f"skip {CANARY}", f"set {CANARY}=x", f"export {CANARY} {tmp_path}/x", "go 1.2", "confirm")
        await desk.hear("held", 60)
    heard = "\n".join(desk.heard)
    assert mark("relay") in heard
    kept = b"".join(p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file() and p.name != "runbook.md")
    for form in (CANARY, coded, CANARY.encode().hex()):
        assert form not in heard
        assert form.encode() not in kept
