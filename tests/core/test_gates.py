"""Gates, conditions, alternatives: what is asked, what an answer changes, what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.applies import not_for
from runbook_tui.core.errors import Refused
from runbook_tui.core.events import Settlement
from runbook_tui.core.gates import measured
from runbook_tui.core.markdown import read
from runbook_tui.core.model import Action, CheckSpec, HoldCode, LiteralSource, Runbook, Severity
from runbook_tui.core.run import RunState, Status, Verb
from runbook_tui.core.settle import check_answer, holds, shown_status
from runbook_tui.core.verbs import allowed, next_action, passed_no_return, progress, step_status
from tests.core.builders import Stamper, a_literal, a_runbook, a_step, an_action, ran
from tests.core.markdown_texts import annotated, fence, only, problem, step

CHECKS = """---
runbook:
  version: 1
  hosts:
    old: {ssh: old}
    new: {ssh: new}
  checks:
    mx: {type: mx, name: domain.tld, expect: new.tld, was: old.tld, ttl-was: 1h, at: [authoritative, 9.9.9.9, 8.8.8.8]}
    queue: {type: queue, host: old, max: 0}
    queue-some: {type: queue, host: old, max: 3}
    imap: {type: imap, host: new, user: plop, secret: the_PassWord, select: INBOX}
    imap-both: {type: imap, host: new, against: old, user: plop, secret: the_PassWord, port: 993}
    spool: {type: command, host: old, run: "df -Pk /var/spool", exit: 0, expect: "^ok"}
    spf: {type: dns, record: TXT, name: domain.tld, at: ["127.0.0.1:5353"], expect: "v=spf1"}
    banner: {type: tcp, host: new, port: 25, expect: "^220 "}
    smtp: {type: smtp, host: old, port: 25, accept: [plop@domain.tld], refuse: [x@elsewhere.test], starttls: required}
    cert: {type: tls, host: new, port: 993, name: imap.domain.tld, days: 14, ca: file}
    postfix: {type: service, host: new, service: postfix, expect: up, boot: enabled}
    room: {type: disk, host: new, path: /home, free: 20%, need: "12G"}
    webmail: {type: http, url: "https://webmail.domain.tld/", status: 200, expect: "Login", phases: {downtime: 503}}
    outage: {type: outage, name: domain.tld, warn: 30m, fail: 4h}
    routes: {type: routes, name: domain.tld, hosts: [new, old]}
    shell: {type: ssh, host: old}
---
# Plan

## Cut over <!-- phase: downtime -->
"""
MEASURED = {
    "mx": "MX of plop.example at the authoritative servers, 9.9.9.9 and 8.8.8.8 = new.tld, "
    "and no cache still holds old.tld (its TTL was 1h).",
    "queue": "the mail queue on old is empty.",
    "queue-some": "the mail queue on old holds 3 messages at most.",
    "imap": "IMAP on new, port 143, lets in as plop and opens INBOX.",
    "imap-both": "IMAP on new, port 993, lets in as plop; folders, messages and flags there are those on old.",
    "spool": "“df -Pk /var/spool” on old ends with exit status 0, and its output matches ^ok.",
    "spf": "TXT of plop.example at 127.0.0.1:5353 = v=spf1.",
    "banner": "port 25 of new can be reached, and what it says first matches ^220 .",
    "smtp": "SMTP on old, port 25, takes mail for plop@plop.example, refuses mail for x@elsewhere.test, "
    "offers STARTTLS (required).",
    "cert": "the certificate on new, port 993, stands for imap.plop.example and is valid for 14 days more "
    "(authorities: file).",
    "postfix": "the service postfix on new is up, and at boot it is enabled.",
    "room": "/home on new has 20% free and room for 12G.",
    "webmail": "https://webmail.plop.example/ answers with status 200, and the page matches Login. "
    "In the phase downtime it should be: 503.",
    "outage": "mail for plop.example has been down for less than 30m (a warning) or 4h (a failure).",
    "routes": "a mail for plop.example given to new and old comes to one end, without going round in a circle.",
    "shell": "old can be reached over ssh.",
}


def put(text: str) -> str:
    """Put the domain in."""
    return text.replace("domain.tld", "plop.example")


@pytest.mark.parametrize("name", MEASURED)
def test_what_each_type_of_check_would_measure(name: str) -> None:
    """Every type of the format is told in plain words with its keys and values, and no key of a secret."""
    runbook = read(CHECKS.encode())
    assert runbook.problems == ()
    check = next(check for check in runbook.checks if check.name == name)
    assert measured(check, put, "downtime") == MEASURED[name]
    assert "the_PassWord" not in MEASURED[name]


def test_a_type_nobody_knows_is_told_by_its_keys() -> None:
    """A check of a later format is not silently a shorter question."""
    assert measured(CheckSpec("x", "moon", {"phase": "full", "late": True}), put) == "moon: phase full, late yes."


# ---- gates

DOMAIN = a_literal("domain.tld", LiteralSource.VAR, default="plop.example")
GATED = an_action("gated", gates=("mx", "queue"))
PLAIN = an_action("plain")


def with_checks(*actions: Action) -> Runbook:
    """Make a runbook with two checks."""
    checks = (CheckSpec("mx", "mx", {"name": "domain.tld"}), CheckSpec("queue", "queue", {"host": "old"}))
    return replace(a_runbook(*actions, literals=(DOMAIN,)), checks=checks)


def after(runbook: Runbook, *events: ev.Event) -> RunState:
    """Fold the events of a run."""
    stamper = Stamper()
    stamper(*events)
    return stamper.state(runbook)


def passed(gate: str, action: str = "gated") -> ev.GateOverridden:
    """Let an action through a gate."""
    return ev.GateOverridden(action=action, gate=gate, reason="I looked", by="ada")


def test_a_gate_holds_its_action_and_says_what_would_be_measured() -> None:
    """Each gate is one hold with the measured thing in it, literals put in; the action cannot be confirmed."""
    state = after(with_checks(GATED))
    found = holds(state, GATED)
    assert [(h.code, h.subject) for h in found] == [(HoldCode.GATE, "mx"), (HoldCode.GATE, "queue")]
    assert found[0].why.startswith("gate mx: is it so? It would be measured: MX of plop.example at")
    assert shown_status(state, GATED) is Status.HELD
    assert "gate mx" in allowed(state, "gated")[Verb.CONFIRM]
    assert allowed(state, "gated")[Verb.OVERRIDE] == ""


def test_an_answered_gate_no_longer_holds() -> None:
    """Only the gate that was answered is open; with all of them answered it can be confirmed."""
    state = after(with_checks(GATED), passed("mx"))
    assert [h.subject for h in holds(state, GATED)] == ["queue"]
    state = after(with_checks(GATED), passed("mx"), passed("queue"))
    assert (holds(state, GATED), allowed(state, "gated")[Verb.CONFIRM]) == ((), "")
    assert allowed(state, "gated")[Verb.OVERRIDE] == "its gates are green or answered"


def test_a_gate_is_answered_for_its_own_action_alone() -> None:
    """The same gate on another action is asked again: time has passed since."""
    later = an_action("later", gates=("mx",))
    state = after(with_checks(GATED, later), passed("mx"), passed("queue"))
    assert [h.subject for h in holds(state, later)] == ["mx"]


def test_the_items_of_a_list_are_let_through_together() -> None:
    """What repeats is one action in the file: its gate is asked once, not for every mailbox."""
    more = "  literals: {plop: {var: user}}\n  lists: {boxes: {default: [ann, bob]}}\n"
    text = CHECKS.replace("  checks:", more + "  checks:")
    text += "\n### Copy\n\n``` sh {#copy .run host=old gate=queue each='user in boxes'}\necho plop\n```\n"
    runbook = read(text.encode())
    assert runbook.errors == ()
    state = after(runbook)
    copies = list(state.runbook.actions())
    assert [[h.code for h in holds(state, a)] for a in copies] == [[HoldCode.GATE], [HoldCode.GATE]]
    state = after(runbook, passed("queue", "copy:ann"))
    assert [holds(state, a) for a in copies] == [(), ()]


@pytest.mark.parametrize(
    ("action", "events", "why"),
    [
        (PLAIN, (), "it has no gate"),
        (replace(GATED, needs=("plain",)), (), "first: plain comes first"),
        (replace(GATED, host=None), (), "first: it does not say on which host"),
        (GATED, (ev.Skipped(action="gated", reason="r", by="ada"),), "it is skipped already"),
    ],
)
def test_a_gate_is_asked_about_last(action: Action, events: tuple[ev.Event, ...], why: str) -> None:
    """What was seen before everything else was settled says little about the moment itself."""
    runbook = with_checks(*((action, PLAIN) if action is not PLAIN else (PLAIN,)))
    assert allowed(after(runbook, *events), action.id)[Verb.OVERRIDE] == why


def test_a_gate_waits_for_the_action_before_it_in_its_step() -> None:
    """The second action of a step is not let through before the first one is settled."""
    first, second = an_action("s-1", step="s"), an_action("s-2", step="s", gates=("mx",))
    runbook = replace(with_checks(), phases=a_runbook(a_step(first, second, number="1.1")).phases)
    assert allowed(after(runbook), "s-2")[Verb.OVERRIDE] == "1.1a of the same step comes first"
    assert allowed(after(runbook, *ran("s-1")), "s-2")[Verb.OVERRIDE] == ""


# ---- conditions and alternatives

SENTENCE = "webmail runs on the old server"
WEB = an_action("web", when=SENTENCE)
WEB_TOO = an_action("web-too", when=SENTENCE, needs=("web",))
SPAM = an_action("spam", alt=("filter", "spamassassin"))
RSPAM = an_action("rspam", alt=("filter", "rspamd"))
BOOK = a_runbook(WEB, WEB_TOO, SPAM, RSPAM)


def answer(what: Settlement, subject: str, value: str) -> ev.Settled:
    """Answer for the whole run."""
    return ev.Settled(what=what, value=value, subject=subject)


NO = answer(Settlement.WHEN, SENTENCE, "no")
YES = answer(Settlement.WHEN, SENTENCE, "yes")
RSPAMD = answer(Settlement.ALT, "filter", "rspamd")


def test_a_condition_is_asked_once_for_all_its_actions() -> None:
    """The same sentence holds every action that bears it, and one answer decides all of them."""
    assert [h.code for h in holds(after(BOOK), WEB)] == [HoldCode.WHEN]
    assert holds(after(BOOK, YES), WEB) == ()
    state = after(BOOK, NO)
    assert [not_for(state, a) for a in (WEB, WEB_TOO)] == [f"not here: {SENTENCE}"] * 2
    assert [shown_status(state, a) for a in (WEB, WEB_TOO)] == [Status.SKIPPED] * 2
    assert allowed(state, "web")[Verb.CONFIRM] == f"it does not apply: not here: {SENTENCE}"
    assert allowed(state, "web")[Verb.SETTLE] == ""


def test_what_does_not_apply_is_nothing_to_do() -> None:
    """It is never next, does not count in the progress, and what needs it is free."""
    state = after(BOOK, NO, RSPAMD)
    upcoming = next_action(state)
    assert upcoming is not None
    assert upcoming.id == "rspam"
    assert progress(state) == (0, 1)
    needing = an_action("needing", needs=("web",))
    assert holds(after(a_runbook(WEB, needing), NO), needing) == ()


def test_an_alternative_is_chosen_for_its_group() -> None:
    """Before the choice every way is held and names them all; after it the others say what was chosen."""
    assert holds(after(BOOK), SPAM)[0].why == (
        "it is one of several ways for filter (spamassassin, rspamd); which one is taken?"
    )
    state = after(BOOK, RSPAMD)
    assert (holds(state, RSPAM), not_for(state, RSPAM)) == ((), "")
    assert not_for(state, SPAM) == "spamassassin: rspamd was chosen"


def test_a_later_answer_takes_nothing_back() -> None:
    """What ran stays done although the answer was changed to no afterwards."""
    state = after(BOOK, YES, *ran("web"), NO)
    assert (not_for(state, WEB), shown_status(state, WEB)) == ("", Status.DONE)
    assert not_for(state, WEB_TOO) == f"not here: {SENTENCE}"
    assert step_status(state, state.runbook.steps().__next__()) is Status.DONE


@pytest.mark.parametrize(
    ("action", "what", "value", "title"),
    [
        ("web", Settlement.WHEN, "maybe", "'maybe' is neither yes nor no"),
        ("spam", Settlement.WHEN, "yes", "it has no condition to be answered"),
        ("spam", Settlement.ALT, "exim", "'exim' is none of the ways for filter"),
        ("web", Settlement.ALT, "rspamd", "it is not one of several ways"),
    ],
)
def test_answers_that_cannot_stand(action: str, what: Settlement, value: str, title: str) -> None:
    """An answer is one of those that can be given, or refused in words."""
    with pytest.raises(Refused) as refused:
        check_answer(after(BOOK), action, what, value, "")
    assert refused.value.title == title


# ---- the point of no return

FINAL = an_action("final", no_return=True)


@pytest.mark.parametrize(
    ("events", "asked", "passed_by"),
    [
        ((), "plain", None),
        (ran("final"), "plain", "final"),
        (ran("final"), "final", "final"),
        (ran("final"), "gated", None),
        (ran("final", exit_status=1), "plain", None),
        ([ev.MarkedDone(action="final", note="n", by="ada")], "plain", "final"),
        ([ev.Skipped(action="final", reason="r", by="ada")], "plain", None),
    ],
)
def test_the_point_of_no_return_is_passed(events: list[ev.Event], asked: str, passed_by: str | None) -> None:
    """It counts for what stands before it once it was done; what comes after it can be undone as before."""
    state = after(a_runbook(PLAIN, FINAL, GATED), *events)
    action = state.runbook.action(asked)
    assert action is not None
    found = passed_no_return(state, action)
    assert (found.id if found else None) == passed_by


# ---- the file

def test_the_attributes_are_read() -> None:
    """Gates, condition, alternative, dry run and optional are the action's own, and nothing of them holds it."""
    info = "sh {.run host=old gate='up, up' when=' it is there ' alt=filter:rspamd optional=yes dry-run='ls -l'}"
    action = only(annotated(step(fence("x", info), fence("y", "sh {.example}"))))
    assert (action.gates, action.when, action.alt) == (("up",), "it is there", ("filter", "rspamd"))
    assert (action.optional, action.dry_run, action.holds) == (True, "ls -l", ())


@pytest.mark.parametrize(
    ("info", "code", "severity"),
    [
        ("sh {.run host=old alt=rspamd}", "bad-value", Severity.ERROR),
        ("sh {.run host=old alt=a:b:c}", "bad-value", Severity.ERROR),
        ("sh {.run host=old when=' '}", "bad-value", Severity.ERROR),
        ("sh {.run host=old gate=upp}", "dangling-gate", Severity.ERROR),
        ("sh {.run host=old alt=filter:rspamd}", "one-choice", Severity.WARNING),
    ],
)
def test_what_lint_says(info: str, code: str, severity: Severity) -> None:
    """An alternative is `group:choice` with a second choice, a sentence is not empty, a gate is declared."""
    assert problem(annotated(step(fence("x", info))), code).severity is severity


def test_two_choices_of_a_group_are_well() -> None:
    """A group that offers a choice is no problem, also where a choice has several actions."""
    ways = ("rspamd", "spamassassin", "rspamd")
    assert annotated(step(*(fence("x", f"sh {{.run host=old alt=filter:{way}}}") for way in ways))).problems == ()
