"""What the values of a check's keys may be, so that a slip is found when the file is read and not at night."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import values
from runbook_tui.core.markdown.vocabulary import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from runbook_tui.core.markdown.yamlnodes import Value

    Rule = Callable[[Value], str]
    """Gives what a value should be where it is none; empty when it can stand."""

LISTS = frozenset({"at", "nameservers", "expect", "was", "accept", "refuse", "hosts"})
"""Keys that take several values; of all others one is wanted."""
AS_WRITTEN = frozenset({
    "port", "days", "exit", "status", "starttls", "boot", "record", "ttl-was", "warn", "fail",
})  # fmt: skip
"""Keys in which no literal is put: their values are known before the run."""
HELD = "held"
MOVED = "moved"
AS_USUAL = ("up", "open")
REFUSED = "refused"
MOST_RECIPIENTS = 20

_RECORD = re.compile(r"A|AAAA|CAA|CNAME|DNSKEY|DS|HTTPS|MX|NS|PTR|SOA|SPF|SRV|SSHFP|SVCB|TLSA|TXT|TYPE\d{1,5}")
_URL = re.compile(r"https?://[^\s/?#@]+(?:[/?#]\S*)?")
_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+|postmaster", re.IGNORECASE)


def problem(type_name: str, option: str, value: Value, hosts: Collection[str]) -> tuple[str, str] | None:
    """Give message and hint for a value that cannot stand; None when it can."""
    several = isinstance(value, list) and (option in LISTS) and not (option == "expect" and type_name in _PATTERNS)
    if isinstance(value, list | dict) and not several:
        return f"{option} is not a single value", ""
    if option in {"at", "nameservers"}:
        return _server(option, value, hosts)
    rule = _RULES.get((type_name, option)) or _RULES.get(("", option))
    if rule is None:
        return None
    hint = rule(value)
    return (f"{option}: {_shown(value)} cannot stand there", hint) if hint else None


def phase_problem(type_name: str, value: Value) -> tuple[str, str] | None:
    """Give message and hint for what a check of this type should find in a phase; None when it can stand."""
    rule = _PHASES.get(type_name)
    if rule is None:
        return f"a check of type {type_name} expects the same in every phase", "take phases away"
    hint = rule(value)
    return (f"phases: {_shown(value)} is nothing that a check of type {type_name} can expect", hint) if hint else None


def together(type_name: str, given: Mapping[str, Value]) -> tuple[str, str, str] | None:
    """Give key, message and hint for a value that does not fit another one of the check."""
    if type_name == "imap" and ("user" in given) != ("secret" in given):
        key, other = ("user", "secret") if "user" in given else ("secret", "user")
        return key, f"{key} is given without {other}", "to log in the check needs user and secret"
    if type_name == "outage" and "warn" in given and "fail" in given:
        warn, fail = (values.duration(str(given[key])) for key in ("warn", "fail"))
        if warn and fail and warn > fail:
            return "warn", "warn is later than fail", "the warning comes first"
    return None


def _shown(value: Value) -> str:
    match value:
        case None | "":
            return "an empty value"
        case bool():
            return "yes" if value else "no"
        case _:
            text = str(value)
            return repr(text if len(text) <= 60 else text[:59] + "…")


def _server(option: str, value: Value, hosts: Collection[str]) -> tuple[str, str] | None:
    for one in value if isinstance(value, list) else str(value or "").split(","):
        word = str(one).strip()
        if option == "at" and word.startswith("host:"):
            host = word.removeprefix("host:")
            if host not in hosts:
                return f"{option}: the host {host} is not declared", did_you_mean(host, hosts) or "declare it"
        elif values.server(word) is None and not (option == "at" and word == "authoritative"):
            words = "authoritative, host:NAME, or " if option == "at" else ""
            wanted = f"{words}an address such as 9.9.9.9 or [2620:fe::fe]:53"
            return f"{option}: {_shown(word)} is no name server", wanted
    return None


# ---- rules


def _number(least: int, most: int, hint: str) -> Rule:
    def rule(value: Value) -> str:
        text = "" if isinstance(value, bool) else str(value)
        return "" if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most else hint

    return rule


def _word(*words: str) -> Rule:
    def rule(value: Value) -> str:
        text = "" if isinstance(value, bool) else str(value)
        return "" if text in words else did_you_mean(text, words) or "one of: " + ", ".join(words)

    return rule


def _either(*rules: Rule) -> Rule:
    def rule(value: Value) -> str:
        hints = [rule(value) for rule in rules]
        return "" if not all(hints) else ", or ".join(hints)

    return rule


def _matching(fits: Callable[[str], object], hint: str) -> Rule:
    def rule(value: Value) -> str:
        text = "" if value is None or isinstance(value, bool) else str(value)
        return "" if fits(text) else hint

    return rule


def _truth(value: Value) -> str:
    return "" if isinstance(value, bool) else "one of: yes, no"


def _pattern(value: Value) -> str:
    why = values.pattern_problem(str(value))
    return f"it is no regular expression: {why}" if why else ""


def _recipients(value: Value) -> str:
    many = value if isinstance(value, list) else [value]
    if len(many) > MOST_RECIPIENTS:
        return f"more than {MOST_RECIPIENTS} recipients would look like an attack"
    return "" if all(_ADDRESS.fullmatch(str(one)) for one in many) else "mail addresses such as plop@domain.tld"


def _service_phase(value: Value) -> str:
    if not isinstance(value, dict):
        return _SERVICE(value)
    if not value or not value.keys() <= {"expect", "boot"}:
        return "it takes expect and boot"
    return next((hint for key, one in value.items() if (hint := _RULES["service", key](one))), "")


_COUNT = _number(0, 999_999_999, "how many mails may wait, such as 0")
_SERVICE = _word("up", "down")
_SIZE = _matching(lambda text: values.size(text) is not None, "a size such as 12G or 500M")
_SHARE = _matching(lambda text: values.share(text) is not None, "a share such as 20%")
_STATUS = _number(100, 599, "an HTTP status such as 200")
_TYPE = _matching(lambda text: _RECORD.fullmatch(text.upper()), "the type of a record: MX, A, AAAA, TXT …")
_TIME = _matching(lambda text: values.duration(text) is not None, "a duration such as 60s, 30m or 4h")
_WHERE = _matching(str.strip, "a value is missing")

_PATTERNS = ("command", "tcp", "http")
_RULES: Mapping[tuple[str, str], Rule] = {
    ("queue", "max"): _COUNT,
    ("disk", "path"): _matching(lambda text: text.startswith("/"), "a path that begins with /"),
    ("disk", "free"): _either(_SHARE, _SIZE),
    ("disk", "need"): _SIZE,
    ("http", "url"): _matching(_URL.fullmatch, "a URL that begins with https:// or http://"),
    ("http", "status"): _STATUS,
    ("smtp", "starttls"): _word("required", "offered", "none"),
    ("smtp", "accept"): _recipients,
    ("smtp", "refuse"): _recipients,
    ("tls", "starttls"): _word("smtp", "imap", "none"),
    ("service", "expect"): _SERVICE,
    ("service", "boot"): _either(_word("enabled", "disabled"), _truth),
    ("mx", "record"): _TYPE,
    ("dns", "record"): _TYPE,
    ("", "days"): _number(1, 3650, "a whole number of days, such as 14"),
    ("", "port"): _number(1, 65535, "a number from 1 to 65535"),
    ("", "exit"): _number(0, 255, "an exit status from 0 to 255"),
    ("", "ttl-was"): _TIME,
    ("", "warn"): _TIME,
    ("", "fail"): _TIME,
    **dict.fromkeys(((type_name, "expect") for type_name in _PATTERNS), _pattern),
    **dict.fromkeys((("", key) for key in ("name", "run", "service", "user", "secret", "select")), _WHERE),
}
"""By type and key, or by key alone."""

_OPEN = _word(*AS_USUAL, REFUSED)
_PHASES: Mapping[str, Rule] = {
    "imap": _word(*AS_USUAL, REFUSED, MOVED),
    "smtp": _word(*AS_USUAL, "later", REFUSED),
    "tls": _OPEN,
    "tcp": _either(_OPEN, _pattern),
    "http": _either(_OPEN, _STATUS),
    "queue": _either(_word(HELD), _COUNT),
    "service": _service_phase,
}
"""What `phases:` of a type can hold; other types have none."""
