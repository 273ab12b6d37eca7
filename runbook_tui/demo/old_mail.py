"""The mail that lies on the old server: years of it, in folders with flags, keywords and gaps in the UIDs.

Written in one go, as Dovecot would have left it (`imap.uidlist` says how its files look).
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from runbook_tui.demo.imap import mutf7
from runbook_tui.demo.imap.delivery import ensure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runbook_tui.demo.host import Host

KEYWORDS = ("$Forwarded", "Junk", "todo")
"""In dovecot-keywords: letters a, b, c of a file's flags."""

_SUBJECTS = (
    "Re: the boiler", "Minutes of Tuesday", "Invoice 2013-{n:04}", "Rückfrage", "Holiday photos", "[freebsd] ports",
    "Your order {n}", "Fwd: train times", "Backup finished", "Lunch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox to fill: how many mails, of them `fresh` unseen in new/, the others with one of `flags`."""

    count: int
    fresh: int = 0
    flags: tuple[str, ...] = ("S",)


FOLDERS: Mapping[str, Mapping[str, Folder]] = {
    "plop": {
        "INBOX": Folder(60, 6, ("S", "RS", "S", "FS", "Sa", "")), "Sent": Folder(30),
        "Entwürfe": Folder(4, 0, ("D", "DS")),
        "Archive": Folder(0), "Archive.2013": Folder(25, 0, ("S", "Sc")), "Junk": Folder(6, 2, ("Sb",)),
    },
    "alice": {
        "INBOX": Folder(35, 4, ("S", "RS", "")), "Sent": Folder(12), "Entwürfe": Folder(2, 0, ("D",)),
        "Familie & Freunde": Folder(5, 0, ("S", "FS")),
    },
    "bob": {"INBOX": Folder(18, 3), "Sent": Folder(5), "Trash": Folder(3, 0, ("ST",))},
}  # fmt: skip
"""About 200 mails."""

_FIRST = 1_356_000_000
"""The oldest mail: December 2012."""
_VALIDITY = 1_355_000_001


def fill(host: Host, user: str) -> None:
    """Write a user's Maildir, the same each time."""
    maildir = host.maildir(user)
    if maildir is None:
        raise LookupError(f"{host.name} has no user {user}")
    chance = random.Random(f"{user}@{host.domain}")  # noqa: S311 -- the same mails each time
    names = FOLDERS[user]
    for number, (name, folder) in enumerate(names.items()):
        path = maildir if name == "INBOX" else maildir / f".{mutf7.encode(name)}"
        ensure(path)
        if path != maildir:
            (path / "maildirfolder").touch()
        _fill_folder(path, folder, _mails(host, user, name, folder.count), _VALIDITY + number, chance)
    subscribed = (f"{mutf7.encode(name)}\n".replace(".", "\t") for name in names if name not in {"INBOX", "Archive"})
    (maildir / "subscriptions").write_text("V\t2\n\n" + "".join(subscribed), encoding="utf-8")


def _fill_folder(
    path: Path, folder: Folder, mails: Iterable[tuple[int, bytes]], validity: int, chance: random.Random
) -> None:
    uid, lines = 0, []
    for index, (when, content) in enumerate(mails):
        uid += 1 + (chance.random() < 0.15) * chance.randint(1, 4)  # what was deleted left a gap
        lines_in = content.count(b"\n")
        base = f"{when}.M{index:06d}P4711.old,S={len(content)},W={len(content) + lines_in}"
        is_fresh = index >= folder.count - folder.fresh
        letters = folder.flags[index % len(folder.flags)]
        file = path / ("new" if is_fresh else "cur") / (base if is_fresh else f"{base}:2,{letters}")
        file.write_bytes(content)
        os.utime(file, (when, when))
        lines.append(f"{uid} :{base}\n")
    guid = f"{chance.getrandbits(128):032x}"
    header = f"3 V{validity} N{uid + 1} G{guid}\n"
    (path / "dovecot-uidlist").write_text(header + "".join(lines), encoding="utf-8")
    keywords = "".join(f"{number} {word}\n" for number, word in enumerate(KEYWORDS))
    (path / "dovecot-keywords").write_text(keywords, encoding="utf-8")


def _mails(host: Host, user: str, mailbox: str, count: int) -> Iterable[tuple[int, bytes]]:
    """Give internal dates in Unix seconds and contents: some with an attachment, drafts without Message-ID."""
    me = f"{user}@{host.domain}"
    outward = mailbox in {"Sent", "Entwürfe"}
    for index in range(count):
        when = _FIRST + index * 86_400 + len(mailbox) * 3600
        sender, to = (me, "ann@outside.test") if outward else (f"ann{index % 5}@outside.test", me)
        # two different mails with one Message-ID, as mailing lists and broken clients make them
        identity = (
            "" if mailbox == "Entwürfe" else f"Message-ID: <{max(index, 1)}.{len(mailbox)}.{user}@outside.test>\n"
        )
        subject = _SUBJECTS[index % len(_SUBJECTS)].format(n=index)
        head = f"From: {sender}\nTo: {to}\nSubject: {subject}\n{identity}Date: {formatdate(when)}\nMIME-Version: 1.0\n"
        yield when, (head + _body(index)).encode("utf-8")


def _body(index: int) -> str:
    text = f"Hello,\n\nthis is mail {index} of years ago. Grüße\n" + "And so on and so forth.\n" * (index % 9)
    if index % 20 != 7:
        return f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{text}"
    return (
        'Content-Type: multipart/mixed; boundary="=-part"\n\n--=-part\nContent-Type: text/plain; charset=utf-8\n\n'
        f"{text}--=-part\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        f"Content-Disposition: attachment; filename=photo.jpg\n\n{('QUJD' * 18 + chr(10)) * 30}--=-part--\n"
    )
