"""Stored passwords of world users: in shadow(5) or master.passwd(5), looking like crypt(3)'s and as opaque.

They are no real crypt(3): Python has none from 3.13 on. What matters to a migration is that a hash moved to the new
machine lets its owner in there, and that one left behind does not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.demo.host import Host

_FILES = {"freebsd": "/etc/master.passwd", "debian": "/etc/shadow"}
LOCKED = "*"


def hashed(password: str, salt: str = "") -> str:
    """Give what is stored for a password: `$6$SALT$HASH`."""
    salt = salt or secrets.token_hex(4)
    digest = hashlib.sha512(f"{salt}${password}".encode()).digest()
    return f"$6${salt}${base64.b64encode(digest, b'./').decode().rstrip('=')}"


def path_of(host: Host) -> Path:
    """Give the file that keeps a host's passwords."""
    return host.path(_FILES[host.layout.system])


def stored(host: Host, user: str) -> str:
    """Give what is stored for a user; LOCKED when nothing is."""
    path = path_of(host)
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        name, value, *_ = [*line.split(":"), ""]
        if name == user:
            return value
    return LOCKED


def store(host: Host, user: str, value: str) -> None:
    """Keep a hash for a user who has a line; nothing happens for another."""
    path = path_of(host)
    lines = [line.split(":") for line in path.read_text("utf-8").splitlines()]
    for fields in lines:
        if fields[0] == user:
            fields[1] = value
    path.write_text("".join(":".join(fields) + "\n" for fields in lines), encoding="utf-8")


def accepts(host: Host, user: str, password: str) -> bool:
    """Tell whether a password is the user's on this host."""
    value = stored(host, user)
    parts = value.split("$")
    return len(parts) == 4 and hmac.compare_digest(value, hashed(password, parts[2]))
