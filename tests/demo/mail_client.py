"""A mailbox store filled and read through IMAPClient, the same way whatever server it talks to."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

FOLDERS = ("Entwürfe", "Archive", "Archive.2019", "A & B")
CRITERIA = (
    "UNSEEN", "KEYWORD Junk", "NOT SEEN FLAGGED", "HEADER Message-ID 5@", "BEFORE 1-Jan-2019",
    "OR SUBJECT nummer LARGER 200", "UID 2:*", "BODY line", "ON 04-Mar-2020",
)  # fmt: skip
PASSWORD = "secret of plop"


@contextmanager
def connected(
    address: str, port: int, *, tls: ssl.SSLContext | None = None, implicit: bool = False, password: str = PASSWORD
) -> Iterator[IMAPClient]:
    """Log in as plop: over TLS from the start, after STARTTLS, or in the clear."""
    client = IMAPClient(address, port, ssl=implicit, ssl_context=tls if implicit else None, timeout=60)
    try:
        if tls and not implicit:
            client.starttls(tls)
        client.login("plop", password)
        yield client
    except BaseException:
        client.shutdown()
        raise
    client.logout()


def fill(client: IMAPClient) -> None:
    """Make folders with flags, keywords, dates, gaps in the UIDs, a copy and a subscription."""
    for folder in FOLDERS:
        client.create_folder(folder)
    client.subscribe_folder("Entwürfe")
    client.subscribe_folder("Archive.2019")
    for number in range(9):
        flags: list[bytes] = [rb"\Seen"] * (number % 2) + [b"Junk"] * (number % 3 == 1) + [b"$Forwarded"] * (number > 6)
        when = datetime(2015 + number, 3, 4, 5, 6, 7, tzinfo=UTC)
        client.append(("INBOX", *FOLDERS)[number % 4], letter(number), flags, when)
    client.select_folder("INBOX")
    client.append("INBOX", letter(77), [])
    doomed, kept, *_ = client.search("ALL")
    client.copy([kept], "A & B")
    client.add_flags([kept], [rb"\Flagged", rb"\Answered", b"Custom"])
    client.delete_messages([doomed])
    client.expunge()
    client.unselect_folder()


def letter(number: int) -> bytes:
    """Write a mail with a folded header and more than ASCII."""
    text = f"From: a{number}@example.test\nSubject: Nummer\n {number}\nMessage-ID: <{number}@example.test>\n\nGrüße\n"
    return text.encode() + b"line\n" * number


def view(client: IMAPClient) -> dict[str, Any]:
    """Read everything a client can know of the mails, without changing them."""
    seen: dict[str, Any] = {}
    for _, _, folder in client.list_folders():
        state = client.select_folder(folder, readonly=True)
        uids = client.search("ALL")
        mails = client.fetch(uids, ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]"]) if uids else {}
        parts = ["BODY.PEEK[HEADER.FIELDS (Subject X-No)]", "BODY.PEEK[TEXT]<0.5>"]
        headers = client.fetch(uids, parts) if uids else {}
        seen[folder] = {
            "state": {key: state[key] for key in (b"UIDVALIDITY", b"UIDNEXT", b"EXISTS")},
            "keywords": set(state[b"FLAGS"]),
            "mails": {
                uid: (
                    {flag for flag in mail[b"FLAGS"] if flag != rb"\Recent"},
                    mail[b"INTERNALDATE"], mail[b"RFC822.SIZE"], hashlib.sha256(mail[b"BODY[]"]).hexdigest(),
                )
                for uid, mail in mails.items()
            },
            "parts": {uid: {key: part for key, part in mail.items() if key != b"SEQ"} for uid, mail in headers.items()},
            "searches": [
                client.search(criteria)
                for criteria in CRITERIA
            ],
        }  # fmt: skip
        seen[folder]["status"] = client.folder_status(folder, ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"])
    seen["subscribed"] = sorted(name for _, _, name in client.list_sub_folders())
    return seen
