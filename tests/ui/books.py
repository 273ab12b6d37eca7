"""The runbook of the scripted screens: a short migration with every kind of step."""

from __future__ import annotations

import hashlib
from typing import Any

from runbook_tui.core.model import (
    LOCAL,
    Action,
    ActionId,
    ActionKind,
    FileChange,
    FileMode,
    Hold,
    HoldCode,
    Host,
    HostName,
    Literal,
    LiteralSource,
    Phase,
    PhaseRole,
    Runbook,
    Step,
    StepId,
    Undo,
    Verify,
)
from runbook_tui.ports import Identity

OLD = HostName("old")
NEW = HostName("new")
IDENTITIES = {
    OLD: Identity(
        OLD, "root", "old.plop.example", "198.51.100.10:22", "SHA256:4xGmXh0vVYkTnq0yq8bS3v1uJq5l0aZ9cP2dE7fRwQk"
    ),
    NEW: Identity(
        NEW, "root", "new.plop.example", "203.0.113.20:22", "SHA256:9kTz1mB6uW0rLhQy2sVnE4pXcA8dGf3oJi5tYb7eUlM"
    ),
}


def action(name: str, title: str, text: str = "true\n", **fields: Any) -> Action:  # noqa: ANN401 -- fields of Action
    """Make an action whose step bears its name unless `step` says otherwise."""
    fields.setdefault("step", StepId(name))
    fields.setdefault("kind", ActionKind.COMMAND)
    fields.setdefault("host", OLD)
    fields.setdefault("line", 10)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Action(id=ActionId(name), title=title, digest=digest, text=text, **fields)


def step(number: str, title: str, *actions: Action, source: str = "", warnings: tuple[str, ...] = ()) -> Step:
    """Make a step."""
    name = actions[0].step if actions else StepId(f"s{number}")
    return Step(
        id=name, number=number, title=title, line=1, end_line=20, source=f"## {title}\n\n{source}", actions=actions,
        warnings=warnings,
    )


def book(*phases: tuple[str, tuple[Step, ...]], title: str = "Move plop.example to the new server") -> Runbook:
    """Make a runbook of phases."""
    made = tuple(
        Phase(name, PhaseRole.STEPS, line=1, level=2, number=str(index), steps=steps)
        for index, (name, steps) in enumerate(phases, 1)
    )
    return Runbook(
        title=title, text="", sha256="0" * 64, encoding="utf-8", annotated=True, phases=made,
        hosts={
            OLD: Host(OLD, "root@old.plop.example", "old.plop.example"),
            NEW: Host(NEW, "root@new.plop.example", "new.plop.example"),
            LOCAL: Host(LOCAL),
        },
        literals=(Literal("domain.tld", LiteralSource.VAR, "domain", ask="Mail domain"),),
    )  # fmt: skip


RELAY = """\
relay_domains = hash:/etc/postfix/relay_domains
transport_maps = hash:/etc/postfix/transport
"""


def migration() -> Runbook:
    """Make the whole one."""
    users = action("users", "Create the users", "adduser --disabled-password plop\n", host=NEW, danger=False)
    ttl = action("ttl", "Lower the time to live", kind=ActionKind.MANUAL, host=None, text="")
    first = action(
        "first", "Copy the mail a first time",
        "rsync -aH --info=progress2 ~plop/Maildir/ root@new:/home/plop/Maildir/\n",
        undos=(Undo("rm -rf /home/plop/Maildir.partial\n", 12),),
    )  # fmt: skip
    relay = StepId("relay")
    main_cf = action(
        "relay-main", "main.cf", RELAY, step=relay, kind=ActionKind.FILE, host=NEW,
        file=FileChange("/etc/postfix/main.cf", FileMode.SET, validate="postfix check"),
    )  # fmt: skip
    domains = action(
        "relay-domains", "relay_domains", "domain.tld OK\n", step=relay, kind=ActionKind.FILE, host=NEW,
        file=FileChange("/etc/postfix/relay_domains", FileMode.CREATE),
    )  # fmt: skip
    maps = action(
        "relay-maps", "Build the maps", "postmap /etc/postfix/relay_domains\nservice postfix reload\n", step=relay,
        host=NEW, danger=False,
    )  # fmt: skip
    day = action("day", "Wait until every cache has expired", kind=ActionKind.WAIT, host=None, text="", wait_for=86_400)
    smtp = action(
        "smtp", "Stop taking mail on the old server", "service postfix stop\n",
        undos=(Undo("service postfix start\n", 13),), verifies=(Verify("! nc -z localhost 25\n", 14),),
    )  # fmt: skip
    last = action(
        "last", "Copy what changed since the last pass",
        "rsync -aH --delete-after --backup-dir=/home/plop/.before-last --info=progress2 \\\n"
        "  ~plop/Maildir/ root@new:/home/plop/Maildir/\n",
        danger=True, line=5, undos=(Undo("service postfix start\nservice dovecot start\n", 16),),
        verifies=(Verify('test -z "$(rsync -anic ~plop/Maildir/ root@new:/home/plop/Maildir/)"\n', 17),),
    )  # fmt: skip
    audit = action("audit", "Compare both sides", "mailrunbook audit\n", host=None,
                   holds=(Hold(HoldCode.NO_HOST, "it does not say on which host", "host"),))  # fmt: skip
    mx = action("mx", "Change the MX record", kind=ActionKind.MANUAL, host=None, text="", danger=False)
    return book(
        ("Prepare", (
            step("1.1", "Create the users", users, source="The same names and numbers as on the old server."),
            step("1.2", "Lower the time to live", ttl, source="In the zone of `domain.tld`, to five minutes."),
        )),
        ("Initial step", (
            step("2.1", "Copy the mail a first time", first, source="Long, but nothing waits for it."),
            step("2.2", "If a different domain should be relayed", main_cf, domains, maps,
                 source="Only where another domain is served too."),
            step("2.3", "Wait until every cache has expired", day, source="One day, as the old record said."),
        )),
        ("Final step", (
            step("3.1", "Stop taking mail on the old server", smtp, source="Senders try again for days."),
            step("3.2", "Copy what changed since the last pass", last, source=(
                "The old server is stopped, so this pass sees **every mail**. It also deletes on the new server what "
                "no longer exists on the old one; deleted files are kept in a backup folder.\n\n"
                "```sh {.run host=old}\nrsync\n```\n")),
            step("3.3", "Compare both sides", audit, source="Nothing may be missing."),
            step("3.4", "Change the MX record", mx, source="At the registrar."),
        )),
    )  # fmt: skip
