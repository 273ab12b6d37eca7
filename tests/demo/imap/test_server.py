"""The IMAP server as IMAPClient and a hand on the keyboard see it."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
from imapclient.exceptions import IMAPClientError, LoginError

from runbook_tui.demo.imap.maildir import deliver
from runbook_tui.demo.machine import ServiceError
from tests.demo.imap.conftest import CONF, Site, Talk, in_thread
from tests.demo.mail_client import connected, fill, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from imapclient import IMAPClient


def used(up: Site, work: Callable[[IMAPClient], Any], *, implicit: bool = False) -> Any:  # noqa: ANN401
    """Do something as a client that is logged in."""
    with up.client(implicit=implicit) as client:
        return work(client)


async def test_both_ports_serve_the_same_over_verified_tls(up: Site) -> None:
    """STARTTLS on 143 and TLS on 993 end in the same mailboxes."""
    await in_thread(lambda: used(up, fill))
    assert await in_thread(lambda: used(up, view)) == await in_thread(lambda: used(up, view, implicit=True))


async def test_a_client_that_does_not_know_the_authority_refuses(up: Site) -> None:
    """The certificate is a real one: without its authority the handshake fails."""
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection(up.host.address, up.host.port(993), ssl=ssl.create_default_context())


@pytest.mark.usefixtures("up")
async def test_no_password_travels_in_the_clear(talk: Talk) -> None:
    """Before STARTTLS the server says LOGINDISABLED and refuses a password even if it is right."""
    heard = await talk('a LOGIN plop "secret of plop"', "b SELECT INBOX", "c UID FETCH 1 FLAGS", login=False, tls=False)
    assert b"STARTTLS LOGINDISABLED]" in heard
    assert b"AUTH=PLAIN" not in heard
    assert b"a NO [PRIVACYREQUIRED]" in heard
    assert b"b BAD" in heard
    assert b"c BAD" in heard


async def test_starttls_is_not_followed_by_another_greeting(up: Site) -> None:
    """After the handshake the server waits for the client (RFC 3501 section 6.2.1)."""
    reader, writer = await asyncio.open_connection(up.host.address, up.host.port(143))
    await reader.readline()
    writer.write(b"a STARTTLS\r\n")
    assert (await reader.readline()).startswith(b"a OK")
    await writer.start_tls(up.trusted, server_hostname=up.host.address)
    writer.write(b"b CAPABILITY\r\n")
    assert b"AUTH=PLAIN" in await reader.readline()
    assert (await reader.readline()).startswith(b"b OK")
    writer.close()


async def test_a_wrong_password_is_refused_and_logged(up: Site) -> None:
    """The client hears AUTHENTICATIONFAILED, the mail log has the user."""

    def wrong() -> None:
        with connected(up.host.address, up.host.port(143), tls=up.trusted, password="guessed"):
            pass

    with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
        await in_thread(wrong)
    assert "auth failed, 1 attempts): user=<plop>" in up.host.path("/var/log/mail.log").read_text()


@pytest.mark.usefixtures("up")
async def test_authenticate_plain_with_and_without_initial_response(talk: Talk) -> None:
    """Both forms of RFC 4959 log in."""
    response = "AHBsb3AAc2VjcmV0IG9mIHBsb3A="
    assert b"a OK [CAPABILITY" in await talk(f"a AUTHENTICATE PLAIN {response}", login=False)
    assert b"+ \r\na OK [CAPABILITY" in await talk("a AUTHENTICATE PLAIN", response, login=False)
    assert b"a NO" in await talk("a AUTHENTICATE PLAIN ====", login=False)


async def test_examine_leaves_new_mail_where_it_was(up: Site, talk: Talk) -> None:
    r"""Looking moves nothing and uses up no \Recent; SELECT does both: DEMO.md section 4."""
    maildir = up.host.path("/home/plop/Maildir")
    path = deliver(maildir, b"Subject: x\n\nbody\n", hostname="new")
    for _ in range(2):
        status = "a STATUS INBOX (MESSAGES RECENT UNSEEN UIDNEXT)"
        heard = await talk(status, "b EXAMINE INBOX", "c FETCH 1 (FLAGS BODY[])")
        assert b"(MESSAGES 1 RECENT 1 UIDNEXT 2 UNSEEN 1)" in heard
        assert b"* 1 RECENT" in heard
        assert b"FLAGS (\\Recent) BODY[] {20}" in heard
        assert path.exists()
    assert b"* 1 RECENT" in await talk("a SELECT INBOX")
    assert [file.name for file in (maildir / "cur").iterdir()] == [f"{path.name}:2,"]
    assert b"* 0 RECENT" in await talk("a SELECT INBOX")


async def test_a_body_that_is_read_is_seen_and_one_that_is_peeked_at_is_not(up: Site, talk: Talk) -> None:
    r"""BODY[] sets \Seen and says so; BODY.PEEK[] does not; nothing is written under EXAMINE."""
    up.store.file("INBOX", b"Subject: x\n\nbody\n", hostname="new")
    assert b"FLAGS" not in (await talk("a SELECT INBOX", "b FETCH 1 BODY.PEEK[TEXT]")).partition(b"a OK")[2]
    heard = await talk("a SELECT INBOX", "b FETCH 1 BODY[TEXT]")
    assert b"* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {6}\r\nbody\r\n)" in heard
    assert b"b OK Store ignored" in await talk("a EXAMINE INBOX", "b STORE 1 FLAGS ()")
    assert b"* SEARCH 1\r\n" in await talk("a EXAMINE INBOX", "b SEARCH SEEN")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("a FROBNICATE", b"a BAD"),
        ("a", b"a BAD"),
        ("a UID NOOP", b"a BAD"),
        ("a FETCH 9 FLAGS", b"a BAD Error in IMAP command: Invalid messageset"),
        ("a FETCH x FLAGS", b"a BAD Error in IMAP command: Invalid messageset"),
        ("a FETCH 1 (FLAGS", b"a BAD Error in IMAP command: Missing ')'"),
        ("a FETCH 1 ENVELOPE", b"a BAD ENVELOPE: not in the rehearsal"),
        ("a FETCH 1 BODY[1.MIME]", b"a BAD BODY[1.MIME]: not in the rehearsal"),
        ("a FETCH 1 COLOUR", b"a BAD Error in IMAP command: Unknown parameter: COLOUR"),
        ("a SEARCH COLOUR red", b"a BAD Error in IMAP command: Unknown argument COLOUR"),
        ("a SEARCH SINCE yesterday", b"a BAD Error in IMAP command: Invalid search date parameter"),
        ("a SEARCH", b"a BAD"),
        ("a SEARCH NOT", b"a BAD"),
        ("a STORE 1 +FLAGS (\\Recent)", b"a BAD Error in IMAP command: Invalid system flag \\RECENT"),
        ("a STORE 1 COLOURS (x)", b"a BAD Error in IMAP command: Invalid arguments"),
        ("a STATUS INBOX (COLOUR)", b"a BAD Error in IMAP command: Invalid status item COLOUR"),
        ("a STATUS nix (MESSAGES)", b"a NO [NONEXISTENT] Mailbox doesn't exist: nix"),
        ("a COPY 1 nix", b"a NO [TRYCREATE] Mailbox doesn't exist: nix"),
        ("a CREATE INBOX", b"a NO [ALREADYEXISTS] Mailbox already exists"),
        ("a CREATE a/../../b", b"a NO [CANNOT]"),
        ("a CREATE Entw&rfe", b"a NO Mailbox name is not valid mUTF-7"),
        ("a DELETE INBOX", b"a NO INBOX can't be deleted"),
        ("a DELETE nix", b"a NO [NONEXISTENT]"),
        ("a RENAME nix b", b"a NO [NONEXISTENT]"),
        ("a SUBSCRIBE nix", b"a NO Mailbox doesn't exist: nix"),
        ("a UNSUBSCRIBE nix", b"a OK"),
        ("a APPEND nix {3+}\r\nabc", b"a NO [TRYCREATE] Mailbox doesn't exist: nix"),
        ("a APPEND INBOX {99999999999+}", b"* BYE Literal too large"),
        ('a LIST (RECURSIVEMATCH) "" *', b"not in the rehearsal"),
        ('a LIST "" * RETURN (SPECIAL-USE)', b'* LIST (\\HasNoChildren) "." INBOX'),
        ('a LIST "" ""', b'* LIST (\\Noselect) "." ""'),
        ("a ID NIL", b'* ID ("name" "Dovecot")'),
        ("a CHECK", b"a OK"),
        ("a NAMESPACE", b'* NAMESPACE (("" ".")) NIL NIL'),
        ("a IDLE\r\nfoo", b"a BAD Expected DONE"),
        ("a UNSELECT\r\nb CLOSE", b"b BAD No mailbox selected"),
    ],
)  # fmt: skip
async def test_a_command_gets_the_reply_dovecot_gives(up: Site, talk: Talk, line: str, reply: bytes) -> None:
    """What is wrong, unknown or left out is said, and the connection lives on."""
    up.store.file("INBOX", b"Subject: x\n\nbody\n", hostname="new")
    heard = await talk("s SELECT INBOX", line)
    assert reply in heard
    assert b"z OK Logout completed." in heard or reply.startswith(b"* BYE")


async def test_a_parent_that_does_not_exist_is_listed_as_such(up: Site, talk: Talk) -> None:
    r"""`%` stops at the separator; a mailbox above another one shows as \Noselect."""
    up.store.create("A.B")
    heard = await talk('a LIST "" %', 'b LIST "" *', 'c LIST "A." *')
    first, second, third = (part.count(b"* LIST") for part in heard.partition(b"l OK")[2].split(b"List completed.")[:3])
    assert (first, second, third) == (2, 3, 1)
    assert b'* LIST (\\Noselect \\HasChildren) "." A\r\n' in heard


async def test_an_idling_client_hears_of_a_new_mail_within_a_second(up: Site) -> None:
    """A mail that another program delivers is announced while the client waits."""

    def idle(client: IMAPClient) -> tuple[list[Any], float]:
        client.select_folder("INBOX")
        client.idle()
        deliver(up.host.path("/home/plop/Maildir"), b"Subject: x\n\n", hostname="new")
        start = time.monotonic()
        news = client.idle_check(timeout=60)
        took = time.monotonic() - start
        client.idle_done()
        return news, took

    news, took = await in_thread(lambda: used(up, idle))
    assert (1, b"EXISTS") in news
    assert took < 1


async def test_another_clients_expunge_and_flags_are_told_when_numbers_may_change(up: Site, talk: Talk) -> None:
    """Moving two of three mails away while somebody else is there: numbers stay right for both."""
    for number in range(3):
        up.store.file("INBOX", b"Subject: %d\n\n" % number, ("\\Seen",), hostname="new")
    up.store.create("Archive")

    def meddle(client: IMAPClient) -> None:
        client.select_folder("INBOX")
        client.move([1, 2], "Archive")
        client.add_flags(3, "Hot")

    def watch(client: IMAPClient) -> tuple[Any, Any]:
        client.select_folder("INBOX")
        used(up, meddle)
        client.use_uid = False
        return client.fetch([3], ["UID"]), client.noop()[1]

    third, news = await in_thread(lambda: used(up, watch))
    assert third[3][b"UID"] == 3
    assert [item[1] for item in news] == [b"EXPUNGE", b"EXPUNGE"]
    assert b"(MESSAGES 2 UIDNEXT 3)" in await talk("a STATUS Archive (MESSAGES UIDNEXT)")


async def test_close_expunges_and_unselect_does_not(up: Site, talk: Talk) -> None:
    r"""Only CLOSE of a mailbox that was selected to be changed deletes what is \Deleted; a UID is never used again."""
    up.store.file("INBOX", b"Subject: x\n\n", ("\\Deleted",), hostname="new")
    for words in ("a SELECT INBOX", "b UNSELECT"), ("a EXAMINE INBOX", "b CLOSE"), ("a EXAMINE INBOX", "b EXPUNGE"):
        assert b"(MESSAGES 1 UIDNEXT 2)" in await talk(*words, "c STATUS INBOX (MESSAGES UIDNEXT)")
    assert b"(MESSAGES 0 UIDNEXT 2)" in await talk("a SELECT INBOX", "b CLOSE", "c STATUS INBOX (MESSAGES UIDNEXT)")
    up.store.file("INBOX", b"Subject: y\n\n", hostname="new")
    assert [message.uid for message in up.store.mailbox("INBOX").messages] == [2]


async def test_stop_says_goodbye_and_closes_the_ports(up: Site) -> None:
    """Clients hear BYE, the port refuses, and a second stop is no error; start opens it again."""
    reader, _writer = await asyncio.open_connection(up.host.address, up.host.port(143))
    await reader.readline()
    await up.server.stop()
    assert await reader.read() == b"* BYE Server shutting down.\r\n"
    _writer.close()
    await up.server.stop()
    assert not up.server.running
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(up.host.address, up.host.port(143))
    await up.server.start()
    await up.server.start()
    assert await in_thread(lambda: used(up, lambda client: client.noop()))


@pytest.mark.parametrize(
    ("conf", "error"),
    [
        (CONF + "foo = bar\n", "Unknown setting: foo"),
        (CONF.replace("mail.pem", "none.pem"), "ssl_cert: Can't open file /etc/dovecot/none.pem"),
        (CONF + "service imap {\n", "Missing '}'"),
    ],
)
async def test_a_broken_configuration_keeps_it_from_starting(up: Site, conf: str, error: str) -> None:
    """Start fails with Dovecot's words; a reload fails too, and the server goes on with what it had."""
    up.configure(conf)
    with pytest.raises(ServiceError, match=error):
        await up.server.reload()
    assert await in_thread(lambda: used(up, lambda client: client.noop()))
    await up.server.stop()
    with pytest.raises(ServiceError, match=error):
        await up.server.start()
    assert not up.server.running


async def test_it_listens_where_the_configuration_says(site: Site) -> None:
    """With `listen = 127.0.0.1` it runs and nobody outside reaches it; without TLS there is no port 993."""
    site.configure(CONF.replace("listen = *", "listen = 127.0.0.1"))
    await site.server.start()
    assert site.server.running
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(site.host.address, site.host.port(143))
    await site.server.stop()
    site.configure("protocols = imap\nssl = no\ndisable_plaintext_auth = no\n")
    await site.server.start()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(site.host.address, site.host.port(993))

    def log_in() -> None:
        with connected(site.host.address, site.host.port(143)) as client:
            client.noop()

    await in_thread(log_in)


async def test_a_taken_port_is_said_and_the_other_one_closed(up: Site) -> None:
    """A second server on the same address cannot start and leaves nothing open."""
    other = type(up.server)(up.host, up.server.tls, lambda *_: False)  # type: ignore[arg-type]
    with pytest.raises(ServiceError, match=r"bind\(.*failed"):
        await other.start()
    assert not other.running


async def test_mail_is_where_mail_location_says(site: Site, talk: Talk) -> None:
    """With Debian's mbox default, mail that was delivered to ~/Maildir is not seen (MIGRATION.md 0.8)."""
    deliver(site.host.path("/home/plop/Maildir"), b"Subject: x\n\n", hostname="new")
    site.configure(CONF.replace("maildir:~/Maildir", "mbox:~/mail:INBOX=/var/mail/%u"))
    await site.server.start()
    assert b"(MESSAGES 0)" in await talk("a STATUS INBOX (MESSAGES)")
    site.configure(CONF)
    await site.server.reload()
    assert b"(MESSAGES 1)" in await talk("a STATUS INBOX (MESSAGES)")


async def test_a_disk_that_cannot_be_written_is_an_answer_not_an_end(up: Site, talk: Talk) -> None:
    """APPEND into a folder whose tmp is no folder is refused, logged, and the next command works."""
    up.store.file("Archive", b"Subject: x\n\n", hostname="new")
    tmp = up.host.path("/home/plop/Maildir/.Archive/tmp")
    tmp.rmdir()
    tmp.write_text("in the way")
    heard = await talk("a APPEND Archive {3+}\r\nabc", "b STATUS Archive (MESSAGES)")
    assert b"a NO [SERVERBUG]" in heard
    assert b"(MESSAGES 1)" in heard
    assert "imap(plop): Error" in up.host.path("/var/log/mail.log").read_text()


async def test_a_mailbox_that_was_exchanged_under_a_client_ends_its_session(up: Site) -> None:
    """An rsync that brings another UIDVALIDITY makes every UID the client knows wrong."""
    up.store.file("INBOX", b"Subject: x\n\n", hostname="new")

    def exchange(client: IMAPClient) -> None:
        client.select_folder("INBOX")
        uidlist = up.host.path("/home/plop/Maildir/dovecot-uidlist")
        uidlist.write_text(uidlist.read_text().replace("3 V", "3 V9"))
        client.noop()

    with pytest.raises((IMAPClientError, OSError), match=r"UIDVALIDITY changed|abort|EOF"):
        await in_thread(lambda: used(up, exchange))
