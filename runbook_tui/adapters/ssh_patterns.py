"""The patterns of ssh_config(5) and known_hosts: `*`, `?` and `!`, without regard to case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns is the name's and no negated one is (ssh_config(5), PATTERNS)."""
    matched = False
    for pattern in patterns:
        glob = pattern.removeprefix("!")
        expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in glob)
        if re.fullmatch(expression, name, re.IGNORECASE):
            if glob != pattern:
                return False
            matched = True
    return matched
