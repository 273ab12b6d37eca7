"""How a typed line is understood."""

from __future__ import annotations

import pytest

from runbook_tui.plain.words import USAGE, NotAnOrderError, Order, Word, acts_at_once, asks, understand


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("confirm", Order(Word.CONFIRM)),
        ("  skip   not needed here ", Order(Word.SKIP, "not needed here")),
        ("stop kill", Order(Word.STOP, "kill")),
        ("set domain.tld=example.org", Order(Word.SET, "domain.tld=example.org")),
        ("go", Order(Word.GO)),
        ("go 3.2b", Order(Word.GO, "3.2b")),
        ("edit echo 'a  b' | wc", Order(Word.EDIT, "echo 'a  b' | wc")),
    ],
)
def test_a_verb_and_what_follows_it(line: str, order: Order) -> None:
    """The first word is the verb, the rest of the line is kept as it stands."""
    assert understand(line) == order


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("confrim", "did you mean confirm?"),
        ("yes", "help lists the verbs"),
        ("override", "something is missing: override REASON"),
        ("note   ", "something is missing: note TEXT"),
        ("confirm 3.2", "confirm stands alone"),
        ("quit now", "quit stands alone"),
        ("stop now", "stop [kill]"),
        ("CONFIRM", "did you mean confirm?"),
    ],
)
def test_a_line_that_is_no_order_says_what_is_wrong(line: str, said: str) -> None:
    """A misspelt, incomplete or overfull line is refused with a sentence, never guessed at."""
    with pytest.raises(NotAnOrderError) as caught:
        understand(line)
    assert said in str(caught.value)


def test_only_five_verbs_act_while_an_action_runs() -> None:
    """Stop, status, checks, note and help act at once; no other verb does (ARCHITECTURE.md, "Line mode")."""
    assert {word for word in Word if acts_at_once(word)} == {"stop", "status", "checks", "note", "help"}


def test_the_verbs_that_ask_are_those_that_run_something() -> None:
    """Whatever runs or removes something asks first."""
    asking = {"confirm", "retry", "edit", "undo", "rollback", "reload", "recheck", "clean"}
    assert {word for word in Word if asks(f" {word} x")} == asking


def test_every_verb_is_explained() -> None:
    """The help lists each verb with its spelling."""
    assert set(USAGE) == set(Word)
    assert all(usage.startswith(word) for word, (usage, _) in USAGE.items())
