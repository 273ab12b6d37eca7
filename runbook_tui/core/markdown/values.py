"""Values of attributes and front-matter keys: durations, exit statuses, patterns, permissions."""

from __future__ import annotations

import re
import warnings

from runbook_tui.core.model import Each

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d|w)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, None: 1.0}
LONGEST_DURATION = 10 * 365 * 86400.0
"""Seconds; ten years. Anything longer is a slip, and would overflow a calendar."""
LONGEST_PATTERN = 1000
"""Characters of a regular expression."""

_EXITS = re.compile(r"\d{1,3}([ ,]+\d{1,3})*")
_PERM = re.compile(r"0?[0-7]{3,4}")
_OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
_EACH = re.compile(r"\s*([A-Za-z][A-Za-z0-9_-]*)\s+in\s+([A-Za-z][A-Za-z0-9_-]*)\s*")

_ALTERNATIVE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):([A-Za-z0-9][A-Za-z0-9_.-]*)")


def duration(text: str) -> float | None:
    """Give the seconds of `60s`, `30m`, `48h`, `7d`; a bare number counts as seconds. None when it is none."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    seconds = float(found.group(1)) * _SECONDS[found.group(2)]
    return seconds if 0 < seconds <= LONGEST_DURATION else None


def exits(text: str) -> frozenset[int] | None:
    """Give the exit statuses of `0` or `0 24`; None when they are none or above 255."""
    if not _EXITS.fullmatch(text.strip()):
        return None
    found = frozenset(int(word) for word in re.split(r"[ ,]+", text.strip()))
    return found if max(found) <= 255 else None


def pattern_problem(text: str) -> str:
    """Say why a regular expression cannot be used; empty when it can."""
    if len(text) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # Python's word for POSIX classes such as [[:space:]]
            re.compile(text)
    except (re.error, FutureWarning) as error:
        return str(error)
    except (OverflowError, RecursionError):
        return "it is too large"
    return ""


def is_perm(text: str) -> bool:
    """Whether the text is an octal mode such as `644` or `0600`."""
    return _PERM.fullmatch(text) is not None


def is_owner(text: str) -> bool:
    """Whether the text is `user` or `user:group`."""
    return _OWNER.fullmatch(text) is not None


def each(text: str) -> Each | None:
    """Give variable and list of `user in mailboxes`."""
    found = _EACH.fullmatch(text)
    return Each(found.group(1), found.group(2)) if found else None


def alternative(text: str) -> tuple[str, str] | None:
    """Give group and choice of `filter:rspamd`; None when it is not written so."""
    found = _ALTERNATIVE.fullmatch(text.strip())
    return (found.group(1), found.group(2)) if found else None


def yes_or_no(text: str) -> bool | None:
    """Give yes or no as a bool; None for any other word."""
    return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower())


def word_set(text: str) -> frozenset[str]:
    """Give the words of a text: a long list of words reads best as one paragraph."""
    return frozenset(text.split())
