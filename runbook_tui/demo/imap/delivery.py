"""How a mail gets into a Maildir: written to tmp, then renamed into new, under a name nobody else has.

Names are those Dovecot gives: seconds, microseconds, process, host, `S=` size on disk, `W=` size with CRLF line ends.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"(\d+)\.(?:M(\d+))?")


def ensure(maildir: Path) -> None:
    """Make the three folders of a Maildir where they are missing."""
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)


def deliver(maildir: Path, content: bytes, *, hostname: str, letters: str = "", when: float | None = None) -> Path:
    """Put a mail into a Maildir, which is made if it is missing, and give its path.

    Lines end in LF on disk, whatever they ended in before. `letters` are flags as a file name has them, such as `Sa`;
    without any the mail is new. `when` is its internal date in Unix seconds, else now.

    Raises:
        OSError: the disk is full or the folder is not writable; nothing is left behind.
    """
    ensure(maildir)
    content = content.replace(b"\r\n", b"\n")
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    unique = f"M{rest // 1000:06d}P{os.getpid()}R{secrets.token_hex(4)}"
    name = f"{seconds}.{unique}.{hostname},S={len(content)},W={len(content) + content.count(10)}"
    draft = maildir / "tmp" / name
    try:
        draft.write_bytes(content)
        if when is not None:
            os.utime(draft, (when, when))
        return draft.rename(maildir / "cur" / f"{name}:2,{letters}" if letters else maildir / "new" / name)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def arrival(name: str) -> tuple[int, int, str]:
    """Give what sorts file names by time of arrival, which is the order of their UIDs."""
    match = _NAME.match(name)
    return (int(match[1]), int(match[2] or 0), name) if match else (0, 0, name)


def with_crlf(content: bytes) -> bytes:
    """Give a mail as it travels: every line ends in CRLF."""
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
