"""Header lines that Postfix writes or looks at."""

from __future__ import annotations

import email.utils
import re
import time

HEAD_END = b"\n\n"


def date(moment: float) -> str:
    """Give a moment, Unix seconds, as a Date header has it."""
    return f"{email.utils.formatdate(moment)[:-5]}+0000 (UTC)"


def hops(content: bytes) -> int:
    """Count the Received lines."""
    return len(re.findall(rb"\nreceived:", b"\n" + content.partition(HEAD_END)[0], re.IGNORECASE))


def message_id(content: bytes) -> str:
    """Give the Message-ID with its brackets; `<>` when there is none, as cleanup(8) logs it."""
    found = re.search(rb"^message-id:\s*(\S+)", content.partition(HEAD_END)[0], re.IGNORECASE | re.MULTILINE)
    return found[1].decode(errors="replace") if found else "<>"


def delivered_to(content: bytes, address: str) -> bool:
    """Whether a mail has been delivered to this address before."""
    return f"\nDelivered-To: {address}\n".encode() in b"\n" + content.partition(HEAD_END)[0] + b"\n"


def completed(content: bytes, queue_id: str, sender: str, hostname: str, now: float) -> bytes:
    """Give a mail that was written on this host with the headers it lacks, and its first Received line."""
    head, _, body = content.replace(b"\r\n", b"\n").partition(HEAD_END)
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    wanted = {
        "Message-Id": f"<{stamp}.{queue_id}@{hostname}>",
        "Date": date(now),
        "From": sender or "MAILER-DAEMON",
    }
    missing = [
        f"{name}: {value}".encode()
        for name, value in wanted.items()
        if not re.search(rf"^{name}:".encode(), head, re.IGNORECASE | re.MULTILINE)
    ]
    received = f"Received: by {hostname} (Postfix, from userid 0)\n\tid {queue_id}; {date(now)}".encode()
    lines = [received, *([head.strip(b"\n")] if head.strip() else []), *missing]
    return b"\n".join(lines) + HEAD_END + body
