"""What handles a mail on its way in or looks at it: sa-learn, spamassassin, spamc, procmail, php's syntax check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.demo.imap.delivery import deliver
from runbook_tui.demo.standins import packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runbook_tui.demo.standins.call import Call, Command, Options

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def _bayes(call: Call, given: Options) -> Path:
    """Give where the tokens are: `--dbpath DIR/bayes` names the start of the files' names (sa-learn(1))."""
    account = call.machine.host.users().get(call.user)
    prefix = given.value("dbpath") or f"{account.home if account else '/root'}/.spamassassin/bayes"
    if prefix.endswith("/"):
        prefix += "bayes"
    return call.file(f"{prefix.removesuffix('_toks')}_toks")


def sa_learn(call: Call) -> int:
    """Learn, back up, restore and count the tokens; the backup is sa-learn's own text (`v`, `t` lines)."""
    given = call.options(
        "u:p:D", long="backup restore= dbpath= dump ham spam sync no-sync username= prefspath= siteconfigpath= clear"
    )
    tokens = _bayes(call, given)
    if "restore" in given.values:
        text = call.file(given.value("restore")).read_text("utf-8")
        if not text.startswith("v\t"):
            call.fail("bayes: database version must be the first line in the backup file, correct and re-run")
        tokens.parent.mkdir(parents=True, exist_ok=True)
        tokens.write_text(text, encoding="utf-8")
    elif "backup" in given.flags:
        call.stdout.write(_text_of(tokens))
    elif "dump" in given.flags:
        lines = _text_of(tokens).splitlines()
        counted = {"nspam": _count(lines, "num_spam"), "nham": _count(lines, "num_nonspam")}
        for name, value in {**counted, "ntokens": sum(line.startswith("t") for line in lines)}.items():
            call.say(f"0.000          0 {value:>10}          0  non-token data: {name}")
    elif given.flags & {"ham", "spam"}:
        call.say(f"Learned tokens from {len(given.rest)} message(s) ({len(given.rest)} message(s) examined)")
    elif "clear" in given.flags:
        tokens.unlink(missing_ok=True)
    elif not given.flags & {"sync"}:
        call.refuse()
    return 0


def _count(lines: list[str], name: str) -> int:
    return next((int(line.split("\t")[1]) for line in lines if line.endswith(name)), 0)


def _text_of(tokens: Path) -> str:
    if tokens.exists():
        return tokens.read_text("utf-8")
    return "v\t3\tdb_version # this must be the first line!!!\nv\t0\tnum_spam\nv\t0\tnum_nonspam\n"


_SETTING = re.compile(
    r"(required_score|required_hits|rewrite_header|rewrite_subject|report_safe|trusted_networks|internal_networks|lock_method"
    r"|use_bayes|bayes_\w+|score|header|body|rawbody|uri|meta|describe|tflags|whitelist_from|welcomelist_from|blacklist_from"
    r"|blocklist_from|ok_languages|ok_locales|add_header|loadplugin|include|ifplugin|if|endif|else|skip_rbl_checks|use_\w+"
    r"|dns_\w+|clear_\w+|lang|fold_headers|auto_whitelist_\w+|allow_user_rules|required_version|require_version)\b"
)


def spamassassin(call: Call) -> int:
    """Check the settings with --lint; mark a mail from standard input."""
    given = call.options("tD", long="lint test-mode version")
    host = call.machine.host
    if "lint" in given.flags:
        bad = [
            f"{path.name}: {line.strip()}"
            for path in sorted(host.path(host.layout.spamassassin).glob("*.cf"))
            for line in path.read_text("utf-8").splitlines()
            if line.strip() and not line.lstrip().startswith("#") and not _SETTING.match(line.strip())
        ]
        for line in bad:
            call.warn(f'warn: config: failed to parse line, skipping, in "{host.layout.spamassassin}/{line}"')
        if bad:
            call.warn(f"warn: lint: {len(bad)} issues detected, please rerun with debug enabled for more information")
        return 1 if bad else 0
    if "version" in given.flags:
        call.say("SpamAssassin version 4.0.1")
        return 0
    call.stdout.write(_marked(call.stdin.read()).decode("utf-8", "surrogateescape"))
    return 0


def spamc(call: Call) -> int:
    """Have spamd mark a mail; without a spamd it passes unmarked."""
    call.options("d:p:s:u:t:", long="dest= port= max-size= username= timeout=")
    content = call.stdin.read()
    daemon = next(
        (call.machine.services[name] for name in ("spamd", "sa-spamd") if name in call.machine.services), None
    )
    up = daemon is not None and call.ask(lambda: daemon.running)
    call.stdout.write((_marked(content) if up else content).decode("utf-8", "surrogateescape"))
    return 0


def _marked(content: bytes) -> bytes:
    flag = b"Yes, score=1000.0" if GTUBE in content else b"No, score=0.0"
    return b"X-Spam-Status: %b required=5.0\n%b" % (flag, content)


def procmail(call: Call) -> int:
    """Deliver a mail from standard input where DEFAULT or a Maildir says; recipes are not understood.

    Raises:
        OSError: the Maildir cannot be written.
    """
    given = call.options("a:d:f:tYm", long="")
    if "m" in given.flags:
        call.refuse("-m")
    name = given.value("d") or call.user
    host = call.machine.host
    account = host.users().get(name)
    if account is None:
        call.fail(f'procmail: Unknown user "{name}"', 67)
    files = [host.path(host.layout.procmailrc), host.path(f"{account.home}/.procmailrc")]
    text = "\n".join(path.read_text("utf-8") for path in files if path.exists())
    if re.search(r"^:0", text, re.MULTILINE):
        call.refuse("recipes")
    place = re.search(r"^DEFAULT=(.*)$", text, re.MULTILINE)
    target = (place[1].strip('"') if place else f"/var/mail/{name}").replace("$HOME", account.home)
    if not target.endswith("/"):
        call.refuse(f"an mbox ({target})")
    deliver(host.path(target), call.stdin.read(), hostname=host.fqdn)
    return 0


def php(call: Call) -> int:
    """Check a file as far as every bracket and quote has its other half."""
    given = call.options("lv")
    if "l" not in given.flags or len(given.rest) != 1:
        call.refuse()
    if call.machine.host.layout.system == "debian" and not packages.installed(call.machine.host) & {
        "php-pgsql", "libapache2-mod-php", "roundcube-core"
    }:  # fmt: skip
        call.fail("/bin/sh: php: not found", 127)
    name = given.rest[0]
    if not call.file(name).exists():
        call.fail(f"Could not open input file: {name}")
    strings_and_comments = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|//[^\n]*|#[^\n]*|/\*.*?\*/"""
    text = re.sub(strings_and_comments, "", call.file(name).read_text("utf-8"), flags=re.DOTALL)
    pairs = {")": "(", "]": "[", "}": "{"}
    opened: list[str] = []
    for letter in re.sub(r"[^][(){}'\"]", "", text):
        if letter in "([{":
            opened.append(letter)
        elif not opened or opened.pop() != pairs.get(letter):
            opened = ["?"]
            break
    if opened:
        call.say(f"PHP Parse error:  syntax error in {name}\nErrors parsing {name}")
        return 255
    call.say(f"No syntax errors detected in {name}")
    return 0


COMMANDS: Mapping[str, Command] = {
    "sa-learn": sa_learn, "spamassassin": spamassassin, "spamc": spamc, "procmail": procmail, "php": php,
}  # fmt: skip
