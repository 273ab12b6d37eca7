"""An edited runbook taken into a run: what was confirmed stays, what was not becomes what the file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.adopt import adopt
from runbook_tui.core.fold import ForeignEventError, fold
from runbook_tui.core.markdown.reader import read
from runbook_tui.core.run import Status
from tests.core.builders import Stamper, opened, ran

if TYPE_CHECKING:
    from runbook_tui.core.model import Runbook

TEXT = """\
---
title: Move
runbook:
  version: 1
  hosts:
    old: {ssh: root@old.example.org}
  lists:
    people: {default: [alice, bob]}
  literals:
    WHO: {var: person, ask: "Whose"}
---
# Move

## First <!-- step: #first host=old -->

``` sh {.run}
echo first
```

``` sh {.undo}
echo back
```

## Second <!-- step: #second host=old -->

``` sh {.run}
echo second
```

## Each <!-- step: #each host=old -->

``` sh {.run each="person in people"}
echo WHO
```

## Derived

``` sh {.run host=old}
echo derived
```
"""
FIRST = TEXT[TEXT.index("## First") : TEXT.index("## Second")]


def book(*changes: tuple[str, str]) -> Runbook:
    """Read the runbook with some texts replaced."""
    text = TEXT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    found = read(text.encode())
    assert not found.errors, found.errors
    return found


def run(*events: ev.Event) -> Stamper:
    """Stamp the events of a run of the unedited runbook."""
    stamper = Stamper()
    stamper(opened(book()), *events)
    return stamper


def test_only_what_was_not_confirmed_changes() -> None:
    """A step that nothing happened to becomes the new one; a confirmed one keeps command, proof and way back."""
    state = run(*ran("first")).state(book())
    new = book(("echo first", "echo other"), ("echo back", "echo gone"), ("echo second", "echo newer"))
    found = adopt(state, new)
    assert [(str(change), step) for change, step in found.changes] == [("changed", "1.2 Second")]
    assert found.kept == ("first",)
    first, second = found.state.runbook.action("first"), found.state.runbook.action("second")
    assert first
    assert first.text == "echo first\n"
    assert first.undos[0].text == "echo back\n"
    assert second
    assert second.text == "echo newer\n"
    assert found.state.of("first").status is Status.DONE
    assert found.state.runbook.sha256 == new.sha256


def test_a_changed_way_back_alone_is_a_change() -> None:
    """A confirmed step whose undo the file has otherwise says that it stays; nothing happens in silence."""
    new = book(("echo back", "echo gone"))
    assert adopt(run(*ran("first")).state(book()), new).kept == ("first",)
    assert adopt(run().state(book()), new).changes


def test_steps_come_go_and_move() -> None:
    """New, moved and removed steps are named; a confirmed one that moved is the same step at its new place."""
    gone = TEXT[TEXT.index("## Second") : TEXT.index("## Each")]
    extra = gone.replace("Second", "Zeroth").replace("#second", "#zeroth")
    new = book((gone, ""), ("## First", f"{extra}## First"))
    found = adopt(run(*ran("first")).state(book()), new)
    assert {(str(change), step) for change, step in found.changes} >= {("new", "1.1 Zeroth"), ("removed", "1.2 Second")}
    assert found.kept == ()
    step = found.state.runbook.step("first")
    assert step
    assert step.number == "1.2"


def test_a_confirmed_step_keeps_its_derived_name() -> None:
    """A name made of the command changes with it; what was done under the old one is not lost."""
    derived = next(a.id for a in book().actions() if a.text == "echo derived\n")
    stamper = run(*ran(derived))
    found = adopt(stamper.state(book()), book(("echo derived", "echo newer")))
    assert found.state.of(derived).status is Status.DONE
    action = found.state.runbook.action(derived)
    assert action
    assert action.text == "echo derived\n"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((FIRST, ""), "1.1 First: confirmed in this run and no longer"),
        (("root@old.example.org", "root@other.example.org"), "other hosts"),
        (("[alice, bob]", "[bob]"), "each:alice"),
    ],
)
def test_what_does_not_fit_is_refused(change: tuple[str, str], why: str) -> None:
    """A confirmed step that is gone, other hosts, an item that was done and is no longer in its list."""
    each = next(a.id for a in run().state(book()).runbook.actions() if a.item == "alice")
    state = run(*ran("first"), *ran(each, "mail-1-2")).state(book())
    found = adopt(state, book(change))
    assert why in found.refused
    assert found.state is state


def test_what_nobody_read_is_not_accepted() -> None:
    """An answer that was given on an action's old text does not hold for another text."""
    accepted = [ev.Settled(what="accept", value="yes", action=name) for name in ("first", "second")]
    found = adopt(run(*accepted).state(book()), book(("echo second", "echo newer")))
    assert found.state.answers.accepted == {"first"}


def test_the_journal_with_the_copy_gives_the_state_and_without_it_none() -> None:
    """A reload is folded like everything else; a copy that is gone is an error, not another run."""
    stamper, new = run(*ran("first")), book(("echo second", "echo newer"))
    stamper(ev.RunbookReloaded(sha256=new.sha256, by="ada"), *ran("second", "mail-1-2"))
    state = fold(book(), stamper.records, {new.sha256: new})
    second = state.runbook.action("second")
    assert second
    assert second.text == "echo newer\n"
    assert state.of("second").status is Status.DONE
    with pytest.raises(ForeignEventError, match="copy is not there"):
        fold(book(), stamper.records)
