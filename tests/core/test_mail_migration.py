"""The shipped migration runbook keeps the order and the manners that MIGRATION.md proves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runbook_tui.core.markdown import read
from runbook_tui.core.model import Action, ActionKind, Runbook

FILE = Path(__file__).parents[2] / "runbooks" / "mail-migration.md"


@pytest.fixture(scope="module")
def book() -> Runbook:
    """Give the runbook, read."""
    return read(FILE.read_bytes(), name=FILE.name)


def texts(action: Action) -> list[str]:
    """Give everything of an action that a shell runs."""
    file = [action.file.validate] if action.file else [action.text]
    return [*file, *(v.text for v in action.verifies), *(u.text for u in action.undos)]


def positions(book: Runbook) -> dict[str, int]:
    """Give each step's place on the way forward."""
    return {step.id: number for number, step in enumerate(book.steps())}


def ancestors(book: Runbook, step_id: str) -> set[str]:
    """Give every step that must be settled before this one, by `needs=` alone."""
    found: set[str] = set()
    waiting = [step_id]
    while waiting:
        step = book.step(waiting.pop())
        assert step is not None
        for action in step.actions:
            fresh = set(action.needs) - found
            found |= fresh
            waiting += fresh
    return found


def test_the_file_is_without_a_problem(book: Runbook) -> None:
    """It lints without an error, a warning or a note."""
    assert book.problems == ()


def test_every_command_and_file_has_a_declared_host(book: Runbook) -> None:
    """No command and no file step leaves open where it belongs."""
    acting = [a for a in book.actions() if a.kind in {ActionKind.COMMAND, ActionKind.FILE}]
    assert len(acting) > 80
    assert [a.id for a in acting if a.host not in book.hosts] == []


def test_every_command_is_proved_or_looks_only(book: Runbook) -> None:
    """What changes something has a proof; only `host-key`, `apt`, `probe` and looks at settings have none."""
    unproved = {a.step for a in book.actions() if a.kind is ActionKind.COMMAND and not a.verifies}
    assert unproved == {"host-key", "apt", "probe", "guard", "loop-guard", "end"}


def test_what_deletes_is_a_danger_and_is_warned_of(book: Runbook) -> None:
    """A fence that deletes mail or drops a database in use wants typed words and has a warning above it."""
    deletes = re.compile(r"\brm -rf\b|--delete-after")
    dangers = [a for a in book.actions() if a.danger]
    assert {a.step for a in book.actions() if deletes.search(a.text)} <= {a.step for a in dangers}
    for action in dangers:
        step = book.step(action.step)
        assert step is not None
        assert step.warnings, action.id


def test_there_is_one_point_of_no_return(book: Runbook) -> None:
    """New's first delivery is the only one, and nothing before it cannot be taken back."""
    assert [a.step for a in book.actions() if a.no_return] == ["takeover"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ttl", "ttl-wait"),
        ("ttl-wait", "mx"),
        ("recipients", "transport"),
        ("aliases", "postfix-start"),
        ("probe", "mx"),
        ("mx", "spf"),
        ("mx", "mx-wait"),
        ("mx-wait", "go"),
        ("copy", "final-copy"),
        ("go", "fetch-stop"),
        ("fetch-stop", "drain"),
        ("drain", "postfix-stop"),
        ("postfix-stop", "dovecot-stop"),
        ("webmail-stop", "dovecot-stop"),
        ("dovecot-stop", "final-copy"),
        ("guard", "final-copy"),
        ("final-copy", "audit"),
        ("audit", "takeover"),
        ("takeover", "flush"),
        ("loop-guard", "old-relays"),
        ("takeover", "old-relays"),
        ("flush", "dovecot-listen"),
        ("webmail-stop", "db-final"),
        ("takeover", "fetch-start"),
        ("stragglers", "soft-bounce-off"),
        ("archive", "old-clean"),
        ("old-off", "old-clean"),
    ],
)
def test_the_order_that_loses_nothing_is_forced(book: Runbook, before: str, after: str) -> None:
    """What must come first is needed by what comes after it (MIGRATION.md 0.3, F1 to F12), not only written above."""
    places = positions(book)
    assert places[before] < places[after]
    assert before in ancestors(book, after)


def test_new_reads_its_final_settings_once_and_then_flushes(book: Runbook) -> None:
    """The take-over is one postconf and one reload; the flush is a step of its own (MIGRATION.md F6)."""
    step = book.step("takeover")
    assert step is not None
    text = step.actions[0].text
    assert text.count("postconf -e") == 1
    assert text.count("postfix reload") == 1
    assert "postqueue -f" not in text


def test_new_passes_on_what_it_accepts_and_refuses_nothing_for_good(book: Runbook) -> None:
    """The relay set-up has relay_domains, the recipient map, the route and soft_bounce (MIGRATION.md 0.1, 0.2)."""
    step = book.step("postfix-relay")
    assert step is not None
    settings = ("relay_domains = domain.tld", "relay_recipient_maps = hash:", "transport_maps = hash:", "soft_bounce")
    for wanted in settings:
        assert wanted in step.actions[0].text
    route = book.step("transport")
    assert route is not None
    assert "smtp:[192.0.2.10]" in route.actions[0].text


def test_soft_bounce_is_switched_off_and_looked_after(book: Runbook) -> None:
    """The safety net is taken away near the end, and the last step proves that it is gone."""
    last = list(book.steps())[-1]
    assert last.id == "end"
    assert 'postconf -h soft_bounce)" = no' in last.actions[0].text
    assert "soft-bounce-off" in ancestors(book, "end")


def test_the_downtime_is_a_phase_of_its_own(book: Runbook) -> None:
    """The outage clock runs from stopping the fetchers until users read on new, and not in the days after."""
    named = {str(step.id): phase.name for phase in book.phases for step in phase.steps}
    inside = ("fetch-stop", "drain", "final-copy", "takeover", "old-relays", "canary-final")
    assert {named[name] for name in inside} == {"downtime", "open"}
    opened = [name for name, phase in named.items() if phase == "open"]
    assert (opened[0], opened[-1]) == ("dovecot-listen", "canary-final")
    assert named["mx-wait"] != "downtime"
    assert named["old-clean"] != "downtime"


def test_commands_are_portable(book: Runbook) -> None:
    """No command needs more than POSIX sh where it matters: no `sed -i`, no bashism, no long option of GNU."""
    forbidden = re.compile(r"sed -i|\[\[ |echo -[ne]\b|<<<|\bfunction \w|\bsource |date -d|stat -c|xargs -r|grep -P")
    found = [(a.id, text) for a in book.actions() for text in texts(a) if forbidden.search(text)]
    assert found == []


def test_no_mailbox_is_opened_for_writing_on_new(book: Runbook) -> None:
    """IMAP is tried with EXAMINE: SELECT moves mail from new/ to cur/ (MIGRATION.md section 6, 3)."""
    shown = [b.text for s in book.steps() for b in s.blocks]
    assert not any(re.search(r"\bSELECT +(INBOX|\")", text) for text in shown)
    assert any("EXAMINE INBOX" in text for text in shown)


def test_copies_never_leave_half_a_mail_behind(book: Runbook) -> None:
    """Each copy of a Maildir uses one list of exclusions, and none keeps partial files (MIGRATION.md I9)."""
    copies = [line for a in book.actions() for t in texts(a) for line in t.splitlines() if "rsync -a" in line]
    assert len(copies) >= 3
    assert all("--exclude-from=/root/mailrunbook/exclude" in line for line in copies)
    assert not any(re.search(r"--partial| -[A-Za-z]*P", line) for line in copies)


def test_names_of_a_user_stand_as_whole_words(book: Runbook) -> None:
    """`plop` glued to a dot or dash is not replaced, so every user would share one file; none is written so."""
    glued = re.compile(r"plop[.-][a-z]|[a-z0-9][.-]plop\b")
    found = [(a.id, m.group()) for a in book.actions() for text in texts(a) for m in glued.finditer(text)]
    assert found == []


def test_both_systems_are_served_where_they_differ(book: Runbook) -> None:
    """Every fence for FreeBSD has a sister for Debian in its step, and the other way round."""
    for step in book.steps():
        systems = [a.attributes["os"] for a in step.actions if "os" in a.attributes]
        assert sorted(systems) in ([], ["debian", "freebsd"]), step.id


def test_no_secret_stands_in_a_command(book: Runbook) -> None:
    """No literal of the runbook is a secret and no command has a password in it."""
    assert not any(lit.source == "secret" for lit in book.literals)
    assert not any(re.search(r"(?i)passw(or)?d\s*[=:]\s*\S", text) for a in book.actions() for text in texts(a))


def test_users_are_led_to_new_only_when_their_mail_is_there(book: Runbook) -> None:
    """Mailboxes and certificate hold the switch back and end the downtime; the page ends the webmail's steps."""
    actions = {str(a.step): a for a in book.actions()}
    for name in ("names", "address"):
        assert actions[name].gates == ("mailboxes", "cert-new")
    for name in ("dovecot-listen", "canary-final"):
        assert actions[name].checks == ("mailboxes", "cert-new")
    for name in ("webmail-new", "db-replace"):
        assert actions[name].checks == ("webmail",)


def test_new_is_closed_to_mail_programs_until_the_end(book: Runbook) -> None:
    """In every phase before the last copy the checks want it to refuse; every phase has a name they can speak of."""
    assert all(phase.name for phase in book.phases if phase.steps)
    checks = {check.name: check for check in book.checks}
    order = list(dict.fromkeys(phase.name for phase in book.phases if phase.steps))
    for phase in order[: order.index("open")]:
        assert (checks["mailboxes"].phases[phase], checks["cert-new"].phases[phase]) == ("refused", "refused"), phase
    assert (checks["mailboxes"].phases["open"], checks["mailboxes"].phases["after"]) == ("moved", "up")
