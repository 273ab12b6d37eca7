"""`each=`: a list's items as actions of their own, and which items it may have."""

from __future__ import annotations

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.each import now_standing
from runbook_tui.core.errors import Refused
from runbook_tui.core.fold import ForeignEventError
from runbook_tui.core.markdown import read
from runbook_tui.core.model import HoldCode
from runbook_tui.core.run import RunState, Status, Verb
from runbook_tui.core.settle import check_answer, effective, holds
from runbook_tui.core.transcript import render
from runbook_tui.core.verbs import allowed, number_of
from tests.core.builders import Stamper, opened, ran
from tests.core.variants import BOOK, variants

TWO = "default: [alice, bob]"
COPIES = ["fetch:alice", "count:alice", "fetch:bob", "count:bob"]


def the_list(*items: str) -> ev.Settled:
    """Make the record of a list's items."""
    return ev.Settled(what=ev.Settlement.LIST, subject="mailboxes", value=",".join(items))


def stamped(*events: ev.Event, **changes: str) -> tuple[RunState, Stamper]:
    """Fold the variants after these events; give the records too."""
    runbook = variants(**changes)
    stamper = Stamper()
    stamper(opened(runbook), *events)
    return stamper.state(runbook), stamper


def copies(state: RunState) -> list[str]:
    """Give the actions of the step that repeats."""
    step = state.runbook.step("copy")
    assert step is not None
    return [action.id for action in step.actions]


def test_every_item_is_an_action_of_its_own_item_by_item() -> None:
    """All of alice's actions come before bob's, each with its number and title; the item stands for its literal."""
    state, _ = stamped(ev.Settled(what=ev.Settlement.LITERAL, subject="plop", value="zed"), mailboxes=TWO)
    assert copies(state) == COPIES
    assert [number_of(state, name) for name in COPIES] == ["2.1a", "2.1b", "2.1c", "2.1d"]
    bob = state.runbook.action("fetch:bob")
    assert bob is not None
    assert bob.title.endswith("(bob)")
    now = effective(state, bob)
    assert now.text == "rsync ~bob/Maildir/ new:~bob/\n"
    assert now.verifies[0].text == "test -d /home/bob\n"
    assert holds(state, bob) == ()


def test_a_list_that_is_not_known_holds_its_action() -> None:
    """Without items there is one action, held for the list and not for the literal that stands for an item."""
    state, _ = stamped()
    assert copies(state) == ["fetch", "count"]
    fetch = state.runbook.action("fetch")
    assert fetch is not None
    (hold,) = holds(state, fetch)
    assert (hold.code, hold.why) == (HoldCode.LIST, "the list mailboxes is not known yet")
    assert "the list mailboxes is not known yet" in allowed(state, "fetch")[Verb.CONFIRM]


@pytest.mark.parametrize(
    "event", [the_list("alice", "bob"), ev.VarsSet(values={"mailboxes": "alice, bob"})], ids=["set", "--var"]
)
def test_items_given_stand_from_then_on(event: ev.Event) -> None:
    """A list set in the run or on the command line makes its actions, and events about them fold again."""
    state, stamper = stamped(event)
    assert copies(state) == COPIES
    stamper(*ran("fetch:alice"))
    assert stamper.state(variants()).of("fetch:alice").status is Status.DONE
    with pytest.raises(ForeignEventError):
        stamped(*ran("fetch:alice"), event)


def test_a_failed_item_keeps_no_other_item_waiting() -> None:
    """After alice's copy failed bob's may be confirmed and alice's retried; alice's own count waits for it."""
    state, _ = stamped(*ran("fetch:alice", exit_status=1), mailboxes=TWO)
    assert allowed(state, "fetch:alice")[Verb.RETRY] == ""
    assert allowed(state, "fetch:bob")[Verb.CONFIRM] == ""
    assert "fetch:alice comes first" in allowed(state, "count:alice")[Verb.CONFIRM]
    state, _ = stamped(*ran("fetch:alice", exit_status=1), *ran("fetch:bob", "mail-1-2"), mailboxes=TWO)
    assert allowed(state, "count:bob")[Verb.CONFIRM] == ""


def test_a_need_means_all_items() -> None:
    """What needs the copy waits for alice's and bob's."""
    look = next(reversed(list(variants().actions()))).id
    state, _ = stamped(*ran("fetch:alice"), mailboxes=TWO)
    assert "fetch comes first" in allowed(state, look)[Verb.CONFIRM]
    state, _ = stamped(*ran("fetch:alice"), *ran("fetch:bob", "mail-1-2"), mailboxes=TWO)
    assert allowed(state, look)[Verb.CONFIRM] == ""


@pytest.mark.parametrize("value", ["", " , ", "alice,alice", "alice,,bob", "Alice", "alice;id", "alice,bob c"])
def test_items_that_cannot_stand_are_refused(value: str) -> None:
    """An empty list, an item twice and a value the literal's pattern does not match are refused, never mended."""
    state, _ = stamped()
    with pytest.raises(Refused):
        check_answer(state, "fetch", ev.Settlement.LIST, value, "mailboxes")
    check_answer(state, "fetch", ev.Settlement.LIST, "alice, bob", "mailboxes")


def test_a_list_that_was_begun_may_only_grow() -> None:
    """Until something was done for an item the list may be any other; afterwards it only gets longer."""
    state, _ = stamped(mailboxes=TWO)
    check_answer(state, "", ev.Settlement.LIST, "carol", "mailboxes")
    state, _ = stamped(*ran("fetch:bob"), mailboxes=TWO)
    check_answer(state, "", ev.Settlement.LIST, "alice,bob,carol", "mailboxes")
    for value in ("alice", "bob,alice", "carol,alice,bob"):
        with pytest.raises(Refused, match="must begin with alice,bob"):
            check_answer(state, "", ev.Settlement.LIST, value, "mailboxes")
    state, _ = stamped(*ran("fetch:bob"), the_list("alice", "bob", "carol"), mailboxes=TWO)
    assert state.of("fetch:bob").status is Status.DONE
    assert copies(state)[-2:] == ["fetch:carol", "count:carol"]


def test_what_was_settled_before_the_list_holds_for_its_items() -> None:
    """A host given to the action while its list was not known is the host of each of its items."""
    state, _ = stamped(
        ev.Settled(what=ev.Settlement.HOST, value="new", action="fetch"), the_list("alice"), the_list("alice", "bob")
    )
    found = [state.runbook.action(name) for name in ("fetch:alice", "fetch:bob", "count:bob")]
    assert [effective(state, action).host for action in found if action] == ["new", "new", "old"]


def test_the_cursor_finds_what_its_action_has_become() -> None:
    """An action that got items is its first item, an item that is gone the first one now."""
    state, _ = stamped(the_list("alice", "bob"))
    for before, after in (("count", "count:alice"), ("count:bob", "count:bob"), ("count:carol", "count:alice")):
        found = now_standing(state.runbook, before)
        assert found is not None
        assert found.id == after
    assert now_standing(state.runbook, "nothing") is None


def test_the_transcript_has_every_item() -> None:
    """Each item's record stands under the step, with the command that ran for it."""
    state, stamper = stamped(*ran("fetch:alice", command="rsync ~alice/"), the_list("alice", "bob"), mailboxes=TWO)
    text = render(state, stamper.records, lambda _: "", "md")
    (headline,) = [line for line in text.splitlines() if "**2.1a · done**" in line]
    assert headline.endswith("(alice)")
    assert "rsync ~alice/" in text
    assert "**2.1c · to do**" in text


@pytest.mark.parametrize(
    ("before", "after", "code", "hint"),
    [
        ("user in mailboxes", "usr in mailboxes", "dangling-variable", "did you mean user?"),
        ("user in mailboxes", "user in mailbox", "dangling-each", "did you mean mailboxes?"),
        ("os=freebsd}", 'os="free bsd"}', "bad-value", ""),
        ('"Users to copy"}', '"Users", default: [alice, Bob]}', "bad-value", ""),
        ('"Users to copy"}', '"Users", default: [alice, alice]}', "bad-value", ""),
        ("mailboxes: {ask", "plop: {ask", "name-taken", ""),
        ("name: old.server.tld}", "name: old.server.tld, os: free bsd}", "bad-value", "the host itself is asked"),
    ],
)
def test_what_does_not_fit_together_is_an_error(before: str, after: str, code: str, hint: str) -> None:
    """A list or variable that is not declared, an item that cannot stand and a system of two words are errors."""
    runbook = read(BOOK.replace(before, after, 1).encode(), name="move.md")
    found = [problem for problem in runbook.errors if problem.code == code]
    assert found
    assert hint in found[0].hint
