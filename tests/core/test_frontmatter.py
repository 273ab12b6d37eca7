"""The front matter of a runbook: hosts, literals, lists and checks."""

from __future__ import annotations

from runbook_tui.core.markdown import read
from runbook_tui.core.model import LiteralSource
from tests.core.markdown_texts import fence, step


def test_the_front_matter_is_read() -> None:
    """Hosts, literals, lists and checks as the front matter declares them; the blog's own keys are left alone."""
    text = """---
layout: post
categories:
runbook:
  version: 1
  source: {file: a.md, sha256: 7f0c}
  hosts:
    old: {ssh: root@old.server.tld, name: old.server.tld, os: freebsd, also: [old server, old one]}
    new: {ssh: alias}
  literals:
    new.server.tld: {host: new}
    domain.tld: {var: domain, ask: "Mail domain", match: '^[a-z.]+$', default: example.org}
    plop: {var: user, word: true}
    the_PassWord: {secret: "imap ${user}"}
  lists:
    mailboxes: {ask: "Users", default: [plop, 7]}
  checks:
    spool: {type: queue, host: old, max: 0, every: 30s, timeout: 2m, label: Spool, phases: {day: 1}}
---
# T <!-- phase: day -->

Ask plop about domain.tld.
"""
    runbook = read(text.encode())
    assert runbook.problems == ()
    assert [(h.name, h.ssh, h.dns_name, h.os, h.also) for h in runbook.hosts.values()] == [
        ("old", "root@old.server.tld", "old.server.tld", "freebsd", ("old server", "old one")),
        ("new", "alias", "", "", ()),
    ]
    assert [(x.text, x.source, x.key, x.word, x.default) for x in runbook.literals] == [
        ("new.server.tld", LiteralSource.HOST, "new", False, None),
        ("domain.tld", LiteralSource.VAR, "domain", False, "example.org"),
        ("plop", LiteralSource.VAR, "user", True, None),
        ("the_PassWord", LiteralSource.SECRET, "imap ${user}", False, None),
    ]
    assert [x.lines for x in runbook.literals] == [(), (22,), (22,), ()]
    assert runbook.lists["mailboxes"].default == ("plop", "7")
    (check,) = runbook.checks
    assert (check.type, check.every, check.timeout, check.label) == ("queue", 30.0, 120.0, "Spool")
    assert dict(check.options) == {"host": "old", "max": 0}
    assert check.phases == {"day": 1}


def test_every_documented_check_is_taken() -> None:
    """The checks FORMAT.md shows are all known, with the keys it shows."""
    body = """---
runbook:
  hosts: {old: {ssh: a}, new: {ssh: b}}
  checks:
    mx: {type: mx, name: d.tld, expect: a, was: b, ttl-was: 1h, changed-by: "#mx", at: [9.9.9.9], every: 60s}
    queue-old: {type: queue, host: old, max: 0, every: 15s}
    imap: {type: imap, host: new, user: plop, secret: the_PassWord, select: INBOX}
    spool: {type: command, host: old, run: "df", exit: 0, expect: "regex", every: 30s}
    spf: {type: dns, record: TXT, name: d.tld, at: ["127.0.0.1:5353"], expect: "v=spf1"}
    banner: {type: tcp, host: new, port: 25, expect: "^220 "}
    smtp-old: {type: smtp, host: old, port: 25, accept: [a@d.tld], phases: {down: refused}, starttls: none}
    cert: {type: tls, host: new, port: 993, name: imap.d.tld, days: 14, ca: file}
    postfix: {type: service, host: new, service: postfix, expect: up, boot: enabled}
    room: {type: disk, host: new, path: /home, free: 20%, need: "12G"}
    webmail: {type: http, url: "https://w.d.tld/", status: 200, expect: "regex", phases: {down: 503}}
    outage: {type: outage, name: d.tld, warn: 30m, fail: 4h}
    routes: {type: routes, name: d.tld, hosts: [new, old]}
    imap-both: {type: imap, host: new, against: old, user: plop, secret: the_PassWord}
    reach: {type: ssh, host: local}
---
# T <!-- phase: down -->

## Change <!-- step: #mx .manual -->
"""
    runbook = read(body.encode())
    assert runbook.problems == ()
    assert len(runbook.checks) == 15


def test_hosts_of_the_command_line_are_known() -> None:
    """A name given with `--host` may be used though the front matter does not declare it."""
    body = "---\nrunbook: {version: 1}\n---\n" + step(fence("x", "sh {.run host=third}"))
    assert [p.code for p in read(body.encode()).errors] == ["unknown-host"]
    assert read(body.encode(), hosts=("third",)).errors == ()


def test_the_longest_literal_of_a_place_counts() -> None:
    """Where `plop.tld` stands, its beginning `plop` is no literal of its own (FORMAT.md, Spelling 4)."""
    body = (
        "---\nrunbook:\n  literals:\n    plop: {var: user}\n    plop.tld: {var: domain}\n---\n# T\n\nplop.tld\n\nplop\n"
    )
    assert {lit.text: lit.lines for lit in read(body.encode()).literals} == {"plop": (11,), "plop.tld": (9,)}
