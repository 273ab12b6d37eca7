"""Connects to a TCP port and waits for what it says first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.adapters.wire import BrokenError, talking, text
from runbook_tui.core.contact import Banner

if TYPE_CHECKING:
    from runbook_tui.core.contact import Endpoint

LONGEST_BANNER = 4096


async def look(endpoint: Endpoint, expect: str, patience: float) -> Banner:
    """Connect; with `expect`, a regular expression, read until it matches what came."""
    received = b""
    try:
        async with talking(endpoint, patience) as wire:
            wire.stage = "the banner"
            while expect and len(received) < LONGEST_BANNER:
                data = await wire.some()
                received += data
                if not data or _matches(expect, received):
                    break
    except BrokenError as error:
        return Banner(error.trouble, text(received) or error.said)
    return Banner(None, text(received), matched=_matches(expect, received))


def _matches(expect: str, received: bytes) -> bool:
    return re.search(expect, received[:LONGEST_BANNER].decode("utf-8", "backslashreplace"), re.MULTILINE) is not None
