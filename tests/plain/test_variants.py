"""Variants for systems and lists of items in line mode, and on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.adapters.local import LocalShell
from runbook_tui.core.model import LOCAL, Each, Host, ListSpec
from runbook_tui.core.run import Status
from tests.core.builders import a_literal, a_runbook, a_step, an_action
from tests.support.bench import Bench
from tests.support.desk import Desk
from tests.support.talk import finished

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action, Runbook, Step

OTHER = "plan9"
BOOK = """---
runbook:
  version: 1
  literals:
    plop: {var: user, match: '[a-z]+'}
  lists:
    mailboxes: {ask: "Users to copy"}
---
# Copy

## Copy

- Copy the mail <!-- step: #copy host=local each="user in mailboxes" -->

  ```sh {.run}
  echo copied plop
  ```
"""


def book(*steps: Action | Step) -> Runbook:
    """Make a runbook on this machine alone, with the list mailboxes and the literal user."""
    made = a_runbook(*steps, literals=(a_literal("user"),))
    return replace(made, hosts={LOCAL: Host(LOCAL)}, lists={"mailboxes": ListSpec("mailboxes")})


async def test_confirming_learns_the_system_and_the_cursor_goes_on(tmp_path: Path) -> None:
    """The variant of another system is refused by its own number; next is the one that applies, which then runs."""
    system = (await LocalShell(Host(LOCAL)).connect()).system
    other = an_action("other", "echo wrong", step="s", host=LOCAL, os=OTHER)
    mine = an_action("mine", "echo right", step="s", host=LOCAL, os=system)
    runbook = book(a_step(other, mine, number="1.1"), an_action("late", host=LOCAL, os=OTHER))
    async with Desk(Bench(runbook, tmp_path / "state").engine()) as desk:
        await desk.hear("^1.1a next: .*held because the system of local is not known yet: connecting asks it")
        desk.say("confirm")
        await desk.hear(f"^host local is {system}$")
        assert await desk.hear("refused") == f"1.1a refused: it does not apply: for {OTHER}; local is {system}"
        await desk.hear("^1.1b next: mine on local, to do")
        desk.say("go")
        await desk.hear(rf"^1.2 n/a: .*\(late\), for {OTHER}; local is {system}$")
        desk.say("confirm", "yes")
        await desk.hear(r"^1.1b \| right")
        await desk.hear("^every step is settled; the run is closed")
        assert desk.engine.state.of("other").attempts == ()


async def test_a_system_is_set_by_hand(tmp_path: Path) -> None:
    """`set os=WORD` says what the current step's host is; a variant that does not apply then is passed over."""
    runbook = book(an_action("a", host=LOCAL, os="freebsd"), an_action("b", host=LOCAL, os="debian"))
    async with Desk(Bench(runbook, tmp_path / "state").engine()) as desk:
        desk.say("set os=two words")
        await desk.hear("^1.* refused: 'two words' is no system")
        desk.say("set os=Debian")
        await desk.hear("next: b on local, to do")
        await desk.hear("^os is now Debian")
        desk.say("status")
        await desk.hear("^0 of 1 steps settled")


async def test_a_list_is_set_and_each_item_is_an_action(tmp_path: Path) -> None:
    """`set LIST=A,B` makes the items; the cursor goes to the first, and one is skipped, one run."""
    action = an_action("copy", "echo copied user", host=LOCAL, each=Each("user", "mailboxes"))
    async with Desk(Bench(book(action), tmp_path / "state").engine()) as desk:
        await desk.hear("next: copy on local, held because the list mailboxes is not known yet")
        desk.say("set mailboxes=alice,alice")
        await desk.hear("refused: that cannot be the list mailboxes")
        desk.say("set mailboxes=alice,bob")
        await desk.hear(r"^1.*a next: copy \(alice\) on local, to do")
        desk.say("skip has no mail", "confirm", "yes")
        await desk.hear(r"a skipped: has no mail")
        await desk.hear(r"b \| copied bob")
        await desk.hear("^every step is settled")
        assert desk.engine.state.of("copy:bob").status is Status.DONE


def test_a_list_is_given_on_the_command_line(tmp_path: Path) -> None:
    """`--var LIST=A,B` gives the items, checked before anything is made; `status` and `export` know them later."""
    path = tmp_path / "copy.md"
    path.write_text(BOOK)
    state = tmp_path / "state"
    for value in ("alice,Bob", "alice,alice"):
        wrong = finished("run", str(path), "--plain", "--var", f"mailboxes={value}", state=state)
        assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False), wrong.stderr
        assert "--var mailboxes: that cannot be the list mailboxes" in wrong.stderr
    done = finished(
        "run", str(path), "--plain", "--run-id", "night", "--var", "mailboxes=alice,bob", state=state,
        stdin="confirm\nyes\n",
    )  # fmt: skip
    assert "1.1a | copied alice" in done.stdout, done.stdout + done.stderr
    status = json.loads(finished("status", "night", "--json", state=state).stdout)
    (step,) = status["steps"]
    assert [(a["id"], a["state"]) for a in step["actions"]] == [("copy:alice", "done"), ("copy:bob", "todo")]
    assert "copied alice" in finished("export", "night", state=state).stdout
