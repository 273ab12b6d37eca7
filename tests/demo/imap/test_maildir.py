"""Maildirs as files: what is written, what is read back, and what a second look costs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_tui.demo.imap import mutf7
from runbook_tui.demo.imap.maildir import Mailbox, MailboxError, Store, deliver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "coded"),
    [("Entwürfe", "Entw&APw-rfe"), ("A & B", "A &- B"), ("日本語", "&ZeVnLIqe-"), ("INBOX", "INBOX")],
)
def test_a_name_is_spelled_as_rfc_3501_spells_it(name: str, coded: str) -> None:
    """Known spellings, in both directions."""
    assert mutf7.encode(name) == coded
    assert mutf7.decode(coded) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_name_survives_its_spelling(name: str) -> None:
    """Whatever a mailbox is called, its folder's name is ASCII and leads back to it."""
    coded = mutf7.encode(name)
    assert coded.isascii()
    assert mutf7.decode(coded) == name


@pytest.mark.parametrize("coded", ["a&b", "&AGE-", "Entwürfe", "&AP-", "&!-", "&APw"])
def test_another_spelling_is_refused(coded: str) -> None:
    """What is no modified UTF-7, or a needless one, is not a second name of the same mailbox."""
    with pytest.raises(ValueError, match=r"mUTF-7|utf-16|base64|padding|decode|truncated"):
        mutf7.decode(coded)


def test_a_delivery_is_one_file_in_new_with_its_sizes_in_the_name(tmp_path: Path) -> None:
    """CRLF becomes LF on disk; `S=` is the size on disk, `W=` the size with CRLF."""
    path = deliver(tmp_path / "Maildir", b"Subject: x\r\n\r\nbody\n", hostname="old.example.test", when=1_500_000_000)
    assert path.parent == tmp_path / "Maildir" / "new"
    assert path.read_bytes() == b"Subject: x\n\nbody\n"
    assert path.name.endswith(".old.example.test,S=17,W=20")
    assert path.stat().st_mtime == 1_500_000_000
    assert list((tmp_path / "Maildir" / "tmp").iterdir()) == []


def test_uids_go_by_arrival_whatever_the_order_of_the_directory(tmp_path: Path) -> None:
    """Seconds first, then microseconds, as the file names have them."""
    store = Store(tmp_path / "Maildir")
    store.mailbox("INBOX")
    for name in ("1700000002.M1P1.h", "1700000001.M20P1.h", "1700000001.M3P1.h"):
        (tmp_path / "Maildir" / "new" / name).write_bytes(b"Subject: x\n\n")
    names = [message.name for message in store.mailbox("INBOX").messages]
    assert names == ["1700000001.M3P1.h", "1700000001.M20P1.h", "1700000002.M1P1.h"]
    assert store.mailbox("INBOX").messages[0].size == 14


def test_flags_keywords_and_date_are_read_back_by_another_store(tmp_path: Path) -> None:
    """Everything is in the files: a second store on the same folder shows the same mails."""
    store = Store(tmp_path / "Maildir")
    store.file("Entwürfe", b"Subject: x\n\n", ("\\Seen", "\\draft", "Junk", "$L"), hostname="h", when=1_400_000_000)
    first = store.mailbox("Entwürfe")
    second = Store(tmp_path / "Maildir").mailbox("Entwürfe")
    (message,) = second.messages
    assert (second.uidvalidity, second.uidnext, second.guid) == (first.uidvalidity, 2, first.guid)
    assert (message.uid, message.flags, message.keywords) == (1, ("\\Seen", "\\Draft"), ("Junk", "$L"))
    assert message.internal_date.timestamp() == 1_400_000_000
    assert (tmp_path / "Maildir" / ".Entw&APw-rfe" / "dovecot-keywords").read_text() == "0 Junk\n1 $L\n"


def test_a_lost_keywords_file_leaves_unknown_keywords(tmp_path: Path) -> None:
    """As Dovecot shows them when dovecot-keywords was not copied (MIGRATION.md, I9)."""
    store = Store(tmp_path)
    store.file("INBOX", b"Subject: x\n\n", ("Junk",), hostname="h")
    (tmp_path / "dovecot-keywords").unlink()
    assert store.mailbox("INBOX").messages[0].keywords == ("unknown-0",)


def test_a_lost_uidlist_means_another_uidvalidity(tmp_path: Path) -> None:
    """Without dovecot-uidlist no client may trust the UIDs it has (MIGRATION.md, I9)."""
    store = Store(tmp_path)
    store.file("INBOX", b"Subject: x\n\n", hostname="h")
    before = store.mailbox("INBOX").uidvalidity
    (tmp_path / "dovecot-uidlist").unlink()
    assert store.mailbox("INBOX").uidvalidity > before
    assert store.mailbox("INBOX").messages[0].uid == 1


def test_more_keywords_than_letters_are_left_out(tmp_path: Path) -> None:
    """A file name has 26 letters; the 27th keyword is lost, the mail is not."""
    store = Store(tmp_path)
    message = store.file("INBOX", b"Subject: x\n\n", tuple(f"k{number}" for number in range(27)), hostname="h")
    assert len(message.keywords) == 26


def test_a_mail_renamed_behind_the_back_is_still_read(tmp_path: Path) -> None:
    """Another program that sets a flag moves the file: the text is found under its new name."""
    store = Store(tmp_path)
    message = store.file("INBOX", b"Subject: x\n\n", hostname="h")
    mailbox = store.mailbox("INBOX")
    message.path.rename(tmp_path / "cur" / f"{message.name}:2,S")
    assert mailbox.content(message) == b"Subject: x\r\n\r\n"
    mailbox.expunge([message.uid])
    with pytest.raises(FileNotFoundError):
        mailbox.content(message)


def test_an_old_subscriptions_file_stays_in_its_format(tmp_path: Path) -> None:
    """One name a line with dots, as Dovecot 1 wrote it, is read and added to."""
    store = Store(tmp_path)
    store.create("A.B")
    (tmp_path / "subscriptions").write_text("Entw&APw-rfe\n")
    store.subscribe("A.B")
    assert (tmp_path / "subscriptions").read_text() == "Entw&APw-rfe\nA.B\n"
    assert store.subscriptions() == ["Entwürfe", "A.B"]


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".", "a..b", ".a"])
def test_no_name_leads_out_of_the_maildir(tmp_path: Path, name: str) -> None:
    """Such a mailbox is neither made nor found."""
    store = Store(tmp_path / "Maildir")
    with pytest.raises(MailboxError):
        store.create(name)
    with pytest.raises(MailboxError):
        store.mailbox(name)
    store.create("Good")
    with pytest.raises(MailboxError):
        store.rename("Good", name)
    assert [path.name for path in tmp_path.iterdir()] == ["Maildir"]


def test_renaming_takes_the_mailboxes_below_along(tmp_path: Path) -> None:
    """With their UIDs; INBOX cannot be renamed."""
    store = Store(tmp_path)
    store.file("A.B", b"Subject: x\n\n", hostname="h")
    store.create("A")
    validity = store.mailbox("A.B").uidvalidity
    store.rename("A", "Z")
    assert store.names() == ["INBOX", "Z", "Z.B"]
    assert store.mailbox("Z.B").uidvalidity == validity
    with pytest.raises(MailboxError, match="INBOX"):
        store.rename("INBOX", "Y")


def test_a_second_look_at_twenty_thousand_mails_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing changed no folder is listed again; one new mail is seen at once."""
    for part in ("cur", "new", "tmp"):
        (tmp_path / part).mkdir()
    for number in range(20_000):
        (tmp_path / "cur" / f"{1_600_000_000 + number}.M1P1.h,S=9,W=9:2,S").touch()
    long_ago = time.time() - 60
    os.utime(tmp_path / "cur", (long_ago, long_ago))
    os.utime(tmp_path / "new", (long_ago, long_ago))
    mailbox = Mailbox(tmp_path, tmp_path)
    mailbox.sync()
    assert len(mailbox) == 20_000
    listed: list[Path] = []
    really = os.listdir

    def noted(path: Path) -> list[str]:
        listed.append(path)
        return really(path)

    monkeypatch.setattr(os, "listdir", noted)
    mailbox.sync()
    assert listed == []
    deliver(tmp_path, b"Subject: x\n\n", hostname="h")
    mailbox.sync()
    assert len(mailbox) == 20_001
    assert listed
