"""Why mail waits: reasons of Postfix made alike so that they can be counted, and what each kind asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from runbook_tui.ports import CheckState

LONGEST_REASON = 400
"""Characters of a reason that are looked at."""

_SPELLINGS = (
    (re.compile(r"<[^<>]*>"), "<…>"),
    (re.compile(r"[\w.+=-]{1,64}@[\w.-]{1,255}"), "…@…"),
    (re.compile(r"\d{9,}\.[\w.:,=-]+"), "…"),  # the name of a file in a Maildir
    (re.compile(r"[\w.-]{1,255}\[[\da-fA-F.:]{2,45}\](:\d{1,5})?"), "HOST"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"\b(?:[a-zA-Z\d](?:[\w-]{0,62})\.)+[a-zA-Z][a-zA-Z\d-]{1,62}\b"), "HOST"),
    (re.compile(r"\b(?=[A-F]*\d)[0-9A-F]{8,14}\b|\b(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])\w{12,20}\b"), "ID"),
    (re.compile(r"\b\d{3,} (?=seconds|s\b)"), "N "),
)
"""What differs from mail to mail, and how it is told; in this order."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of reason: what it means for the check, and what to do about it."""

    state: CheckState
    hint: str


UNKNOWN_KIND = Kind(CheckState.PENDING, "")
_KINDS = tuple((re.compile(pattern, re.IGNORECASE), Kind(state, hint)) for pattern, state, hint in (
    (r"gr[ea]y-?list", CheckState.PENDING, "greylisted: the next try goes through"),
    (r"too many hops|loops back to myself|mail forwarding loop", CheckState.FAIL,
     "mail goes round in circles: see the check routes; what is stuck needs a higher hopcount_limit and postqueue -f"),
    (r"relay access denied|relaying denied", CheckState.FAIL,
     "the next server does not relay for us: relay_domains or mynetworks there"),
    (r"user unknown|unknown user|no such user|user doesn't exist|unknown in (?:local|relay|virtual)", CheckState.FAIL,
     "the recipient is not known there: compare the users of both hosts"),
    (r"no space left|insufficient system storage|disk full", CheckState.FAIL,
     "a disk is full: make room, then postqueue -f"),
    (r"permission denied|operation not permitted|read-only file system", CheckState.FAIL,
     "the mailbox cannot be written: look at owner and mode of the path, then postqueue -f"),
    (r"command not found|status 127|unknown mail transport", CheckState.FAIL,
     "what should deliver is not there: mailbox_command, mailbox_transport"),
    (r"quota", CheckState.WARN, "a mailbox is full"),
    (r"certificate|TLS is required|Cannot start TLS|TLS handshake", CheckState.WARN, "TLS to the next server fails"),
    (r"host not found|name service error|host or domain name not found", CheckState.WARN, "DNS: the name is not found"),
    (r"connection refused", CheckState.PENDING, "nobody listens there: right while old stands still, else start it"),
    (r"timed out|no route to host|network is unreachable", CheckState.PENDING,
     "no way to the next server: address, firewall, port 25"),
    (r"\b4\d\d[ -]", CheckState.PENDING, "the next server asks to come back later"),
))  # fmt: skip

_PERMANENT = re.compile(r"SOFTBOUNCE|said: 5\d\d|\b5\d\d[ -]5\.\d|unknown user:|dsn=5\.")


@lru_cache(maxsize=1024)
def alike(reason: str) -> str:
    """Give the reason without what differs from mail to mail: addresses, queue ids, host names, file names."""
    text = " ".join(reason[:LONGEST_REASON].split())
    for pattern, told in _SPELLINGS:
        text = pattern.sub(told, text)
    return text


@lru_cache(maxsize=1024)
def kind_of(reason: str) -> Kind:
    """Give what a reason means."""
    text = reason[:LONGEST_REASON]
    return next((kind for pattern, kind in _KINDS if pattern.search(text)), UNKNOWN_KIND)


def is_softened(reason: str) -> bool:
    """Tell whether the mail would have bounced but for soft_bounce: it waits after a permanent refusal.

    MIGRATION.md section 0, item 2.
    """
    return _PERMANENT.search(reason[:LONGEST_REASON]) is not None
