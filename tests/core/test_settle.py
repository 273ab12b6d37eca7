"""Literals, answers and holds: what an action is now, and what keeps it from running."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.model import (
    Action,
    ActionKind,
    ExpectedOutput,
    FileChange,
    FileMode,
    Hold,
    HoldCode,
    HostName,
    Literal,
    LiteralSource,
    Undo,
    Verify,
)
from runbook_tui.core.run import RunState, Status
from runbook_tui.core.settle import effective, holds, mentioned, resolve, shown_status, value_problem
from tests.core.builders import Stamper, a_literal, a_runbook, a_step, an_action, ran


def state_of(*actions: Action, literals: tuple[Literal, ...] = (), events: tuple[ev.Event, ...] = ()) -> RunState:
    """Fold a run of these actions, each in a step of its own."""
    runbook = a_runbook(*actions, literals=literals)
    stamper = Stamper()
    stamper(*events)
    return stamper.state(runbook)


def codes(found: tuple[Hold, ...]) -> list[tuple[HoldCode, str]]:
    """Give code and subject of the holds."""
    return [(hold.code, hold.subject) for hold in found]


DOMAIN = a_literal("domain.tld")
MAIL = a_literal("mail.domain.tld")
LONGER = a_literal("domain.tld.example")
USER = a_literal("plop", word=True)
VALUES = {
    "domain.tld": "example.org",
    "mail.domain.tld": "mx.example.net",
    "plop": "ada",
    "domain.tld.example": "elsewhere.test",
}


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("dig MX domain.tld", "dig MX example.org"),
        ("dig imap.domain.tld", "dig imap.example.org"),
        ("dig mail.domain.tld.", "dig mx.example.net."),
        ("smtp.mail.domain.tld", "smtp.mx.example.net"),
        ("mydomain.tld domain.tldx domain.tld_x x-domain.tld", "mydomain.tld domain.tldx domain.tld_x x-domain.tld"),
        ("domainxtld", "domainxtld"),
        ("dig domain.tld.example domain.tld.test", "dig elsewhere.test example.org.test"),
        ("plop@domain.tld ~plop/ plop.", "ada@example.org ~ada/ ada."),
        ("mail.plop.tld plop.tld plopped un-plop my.plop", "mail.plop.tld plop.tld plopped un-plop my.plop"),
        ("/home/plop/Maildir plop:plop", "/home/ada/Maildir ada:ada"),
    ],
)  # fmt: skip
def test_literals_are_whole_tokens_longest_first(text: str, resolved: str) -> None:
    """Only whole tokens are replaced, the longest first; with `word` a label of a name is no token."""
    assert resolve(text, (DOMAIN, MAIL, USER, LONGER), VALUES) == resolved


def test_values_are_not_resolved_again() -> None:
    """A value that holds another literal's text stays as it is: each place is put in once."""
    both = {"domain.tld": "plop", "plop": "domain.tld"}
    assert resolve("domain.tld plop", (DOMAIN, USER), both) == "plop domain.tld"


def test_a_literal_inside_a_longer_one_is_not_mentioned() -> None:
    """Only the longer literal is asked for where it covers the shorter one."""
    assert mentioned("dig mail.domain.tld", (DOMAIN, MAIL)) == [MAIL]
    assert mentioned("dig domain.tld mail.domain.tld", (DOMAIN, MAIL)) == [DOMAIN, MAIL]
    assert mentioned("dig domain.tld.example", (DOMAIN, LONGER)) == [LONGER]
    assert mentioned("anything", ()) == []


@pytest.mark.parametrize(
    "value",
    ["x; id", "$(id)", "`id`", "-n", "a b", "a\nb", "'", '"', "", "a..b", "../x", "a\0b", "a|b", "~x", "é", "a\n"],
)
def test_unsafe_values_are_refused(value: str) -> None:
    """A value that is not plainly safe is refused, never quoted (PROMISES.md row 39)."""
    assert value_problem(DOMAIN, value)


@pytest.mark.parametrize("value", ["example.org", "ada", "/srv/mail", "a+b@c", "10.0.0.1:25", "x=1,y"])
def test_plain_values_stand(value: str) -> None:
    """Names, addresses and paths can stand for a literal."""
    assert value_problem(DOMAIN, value) == ""


def test_own_pattern_decides() -> None:
    """A literal's own pattern is matched whole, and lets no unseen character through."""
    own = a_literal("pool", match=r"[^;]+")
    assert value_problem(own, "two words ..") == ""
    assert value_problem(own, "a;b")
    assert value_problem(own, "a\nb")
    assert value_problem(a_literal("n", match="^[0-9]+$"), "12\n")


def test_effective_action_takes_answers_and_values_in() -> None:
    """Host, kind, mode and every text of the action are as they would be executed."""
    action = an_action(
        "a", "ls domain.tld", host=None, kind=ActionKind.FILE, cwd="/domain.tld", expect="domain.tld",
        file=FileChange("/etc/domain.tld", validate="check domain.tld"), verifies=(Verify("dig domain.tld", 1),),
        undos=(Undo("rm domain.tld", 1),), outputs=(ExpectedOutput("domain.tld", 1),),
    )  # fmt: skip
    state = state_of(
        action, literals=(DOMAIN,),
        events=(
            ev.Settled(what=ev.Settlement.HOST, value="new", action="a"),
            ev.Settled(what=ev.Settlement.MODE, value="append", action="a"),
            ev.Settled(what=ev.Settlement.LITERAL, value="example.org", subject="domain.tld"),
        ),
    )  # fmt: skip
    now = effective(state, action)
    assert now.host == "new"
    assert now.file == FileChange("/etc/example.org", FileMode.APPEND, validate="check example.org")
    texts = (now.text, now.cwd, now.expect, now.verifies[0].text, now.undos[0].text, now.outputs[0].text)
    assert texts == (
        "ls example.org", "/example.org", "example.org", "dig example.org", "rm example.org", "example.org",
    )  # fmt: skip


def test_missing_host_holds_until_given() -> None:
    """An action without a host is held; the operator's answer lifts it, and a host nobody reaches does not."""
    action = an_action("a", host=None)
    settled = ev.Settled(what=ev.Settlement.HOST, value="new", action="a")
    assert codes(holds(state_of(action), action)) == [(HoldCode.NO_HOST, "host")]
    assert holds(state_of(action, events=(settled,)), action) == ()
    nowhere = replace(settled, value="mars")
    assert codes(holds(state_of(action, events=(nowhere,)), action)) == [(HoldCode.UNKNOWN_HOST, "mars")]


def test_host_of_a_proof_must_be_known_too() -> None:
    """A proof or a way back on a host that nobody can reach holds the action back before it runs."""
    mars = HostName("mars")
    action = an_action("a", verifies=(Verify("true", 1, host=mars),), undos=(Undo("true", 1, host=mars),))
    assert codes(holds(state_of(action), action)) == [(HoldCode.UNKNOWN_HOST, "mars")]


@pytest.mark.parametrize(
    ("source", "answer", "held"),
    [
        (LiteralSource.VAR, None, HoldCode.LITERAL),
        (LiteralSource.VAR, "example.org", None),
        (LiteralSource.GUESS, None, HoldCode.LITERAL),
        (LiteralSource.SECRET, None, HoldCode.UNSUPPORTED),
        (LiteralSource.SECRET, "leak", HoldCode.UNSUPPORTED),
        (LiteralSource.HOST, None, HoldCode.LITERAL),
    ],
)
@pytest.mark.parametrize("place", ["text", "verifies", "undos", "outputs", "expect"])
def test_literals_without_value_hold(
    source: LiteralSource, answer: str | None, held: HoldCode | None, place: str
) -> None:
    """A literal without a value holds the action back wherever it stands, a secret always."""
    places: dict[str, Any] = {
        "text": "dig domain.tld", "verifies": (Verify("dig domain.tld", 1),), "expect": "domain.tld",
        "undos": (Undo("dig domain.tld", 1),), "outputs": (ExpectedOutput("domain.tld", 1),),
    }  # fmt: skip
    action = an_action("a", **{place: places[place]})
    events = (ev.VarsSet(values={"domain.tld": answer}),) if answer else ()
    found = holds(state_of(action, literals=(a_literal("domain.tld", source),), events=events), action)
    assert codes(found) == ([(held, "domain.tld")] if held else [])


def test_secret_is_never_put_in() -> None:
    """Even when somebody gave a value for a secret's word, the text keeps the word."""
    action = an_action("a", "login the_PassWord")
    secret = a_literal("the_PassWord", LiteralSource.SECRET)
    state = state_of(action, literals=(secret,), events=(ev.VarsSet(values={"the_PassWord": "x"}),))
    assert effective(state, action).text == "login the_PassWord"


def test_host_literal_takes_the_name_of_the_host() -> None:
    """A literal that stands for a host is its name, and a default stands for a variable."""
    host = a_literal("the.new.one", LiteralSource.HOST, key="new")
    folder = a_literal("FOLDER", key="folder", default="/srv")
    action = an_action("a", "scp the.new.one:FOLDER")
    state = state_of(action, literals=(host, folder))
    assert effective(state, action).text == "scp new.example.org:/srv"
    changed = state_of(action, literals=(host, folder), events=(ev.VarsSet(values={"folder": "/mnt"}),))
    assert effective(changed, action).text == "scp new.example.org:/mnt"


def test_accepting_lifts_what_was_only_guessed() -> None:
    """`accept` says that a word which looks like a placeholder is meant as it stands."""
    action = an_action("a", "dig domain.tld", holds=(Hold(HoldCode.UNREAD, "nobody read it", ""),))
    guess = a_literal("domain.tld", LiteralSource.GUESS)
    assert len(holds(state_of(action, literals=(guess,)), action)) == 2
    accept = ev.Settled(what=ev.Settlement.ACCEPT, value="yes", action="a")
    assert holds(state_of(action, literals=(guess,), events=(accept,)), action) == ()


@pytest.mark.parametrize(
    ("hold", "answer", "lifted"),
    [
        (Hold(HoldCode.KIND, "file or command"), (ev.Settlement.KIND, "command"), True),
        (Hold(HoldCode.KIND, "file or command"), (ev.Settlement.ACCEPT, "yes"), False),
        (Hold(HoldCode.UNSUPPORTED, "gates are not built"), (ev.Settlement.ACCEPT, "yes"), False),
        (Hold(HoldCode.NO_HOST, "no host"), (ev.Settlement.KIND, "manual"), True),
        (Hold(HoldCode.UNREAD, "unread"), (ev.Settlement.KIND, "manual"), True),
        (Hold(HoldCode.LITERAL, "found anew"), None, True),
    ],
)
def test_answers_lift_their_own_holds(hold: Hold, answer: tuple[ev.Settlement, str] | None, *, lifted: bool) -> None:
    """Each answer lifts the hold it answers and no other."""
    action = an_action("a", holds=(hold,))
    events = (ev.Settled(what=answer[0], value=answer[1], action="a"),) if answer else ()
    assert (holds(state_of(action, events=events), action) == ()) is lifted


@pytest.mark.parametrize(
    ("mode", "held"),
    [(None, HoldCode.NO_MODE), (FileMode.PATCH, HoldCode.UNSUPPORTED), (FileMode.CREATE, None)],
)
def test_file_step_needs_a_mode(mode: FileMode | None, held: HoldCode | None) -> None:
    """A file step without a mode is shown and asked about, never written."""
    action = an_action("a", kind=ActionKind.FILE, file=FileChange("/etc/motd", mode))
    assert codes(holds(state_of(action), action)) == ([(held, "mode")] if held else [])


def test_command_too_long_to_send_is_held() -> None:
    """A command that no kernel takes as one argument is held back, counted after its literals are put in."""
    action = an_action("a", "domain.tld")
    long = ev.VarsSet(values={"domain.tld": "x" * 100_001})
    assert codes(holds(state_of(action, literals=(DOMAIN,), events=(long,)), action)) == [
        (HoldCode.UNSUPPORTED, "text")
    ]


def test_needs_hold_until_settled() -> None:
    """An action waits for what it needs, be it an action or a whole step."""
    first, second = an_action("s-1", step="s"), an_action("s-2", step="s")
    last = an_action("z", needs=("s",))
    runbook = a_runbook(a_step(first, second), last)
    stamper = Stamper()
    stamper(*ran("s-1", "r-1"))
    assert codes(holds(stamper.state(runbook), last)) == [(HoldCode.NEEDS, "s")]
    assert shown_status(stamper.state(runbook), last) is Status.HELD
    stamper(ev.Skipped(action="s-2", reason="not here", by="ada"))
    assert holds(stamper.state(runbook), last) == ()
    assert shown_status(stamper.state(runbook), last) is Status.TODO
