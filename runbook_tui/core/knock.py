"""What port 25 of an address does, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Door(StrEnum):
    """What became of a connection to an SMTP port. UNREACHABLE says something of this side only."""

    OPEN = "takes mail"
    LATER = "says to come back later"
    CLOSED = "takes no mail"
    REFUSED = "refuses connections"
    SILENT = "does not answer"
    UNREACHABLE = "cannot be reached from here"


@dataclass(frozen=True, slots=True)
class Knock:
    """What a door did, and the first line that came out of it: raw text of a stranger, up to 200 characters."""

    door: Door
    said: str = ""
