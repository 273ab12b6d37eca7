"""Values of attributes and front-matter keys: durations, exit statuses, patterns, permissions."""

from __future__ import annotations

import ipaddress
import re
import warnings

from runbook_tui.core.model import Each

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d|w)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, None: 1.0}
LONGEST_DURATION = 10 * 365 * 86400.0
"""Seconds; ten years. Anything longer is a slip, and would overflow a calendar."""
LONGEST_PATTERN = 1000
"""Characters of a regular expression."""

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGTP]?)i?B?", re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
"""Bytes of each unit of a size."""

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


def size(text: str) -> int | None:
    """Give the bytes of `12G`, `500 MB` or `1024`; None when it is no size."""
    found = _SIZE.fullmatch(text.strip())
    return int(float(found[1]) * UNITS[found[2].upper()]) if found else None


def share(text: str) -> float | None:
    """Give `20%` as a number from 0 to 1; None when it is no share."""
    found = _SHARE.fullmatch(text.strip())
    return float(found[1]) / 100 if found and float(found[1]) <= 100 else None


def server(text: str) -> tuple[str, str] | None:
    """Give address and port of `9.9.9.9`, `127.0.0.1:5301`, `2620:fe::fe` or `[2620:fe::fe]:5301`; else None.

    The port is empty where none is named.
    """
    address, port = text, ""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    good = not port or (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536)
    return (address, port) if good else None


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
