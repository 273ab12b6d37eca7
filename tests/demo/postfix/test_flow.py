"""Mail through the embedded Postfix: taken or refused, delivered, relayed, put off, given up."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.postfix.queue import QueueName
from tests.demo.postfix.conftest import DOMAIN, until

if TYPE_CHECKING:
    from tests.demo.postfix.conftest import Mail

RELAY = {
    "relay_domains": DOMAIN,
    "relay_recipient_maps": "inline:{alice@example.test=x,bob@example.test=x}",
    "transport_maps": f"inline:{{{DOMAIN}=smtp:[old.example.test]}}",
}
"""What makes `new` pass mail on to `old`."""


async def test_mail_for_a_user_is_in_the_maildir(mail: Mail) -> None:
    """A mail for a local user arrives in new/ with the headers and the log line of local(8)."""
    await mail.old.postfix.start()
    answers = await mail.send(mail.old, f"alice@{DOMAIN}")
    assert answers[:2] == ["250 2.1.0 Ok", "250 2.1.5 Ok"]
    queued = re.fullmatch(r"250 2\.0\.0 Ok: queued as ([0-9A-F]+)", answers[2])
    assert queued
    await until(lambda: "removed" in mail.old.log)
    (content,) = mail.old.inbox("alice")
    head = f"Return-Path: <a@sender.test>\nX-Original-To: alice@{DOMAIN}\nDelivered-To: alice@{DOMAIN}\nReceived: from "
    head += f"sender.test (unknown [{mail.outside}])\n\tby old.{DOMAIN} (Postfix) with ESMTP"
    assert content.decode().startswith(head)
    assert content.endswith(b"\n\nhello\n")
    assert re.search(
        rf"postfix/local\[\d+\]: {queued[1]}: to=<alice@{DOMAIN}>, relay=local, delay=\S+, delays=\S+, dsn=2.0.0, "
        r"status=sent \(delivered to maildir\)", mail.old.log,
    )  # fmt: skip
    assert len(mail.old.postfix.queue) == 0


async def test_new_passes_mail_on_to_old(mail: Mail) -> None:
    """With relay_domains and a transport, new relays to old, and the log names the relay."""
    mail.new.main_cf(**RELAY)
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    await mail.send(mail.new, f"bob@{DOMAIN}")
    await until(lambda: mail.old.inbox("bob"))
    await until(lambda: "removed" in mail.new.log)
    assert f"relay=old.{DOMAIN}[{mail.old.host.address}]:25, " in mail.new.log
    assert re.search(r"postfix/smtp\[\d+\]: .* status=sent \(250 2\.0\.0 Ok: queued as ", mail.new.log)
    assert mail.old.inbox("bob")[0].count(b"\nReceived: ") == 2


async def test_relay_domains_left_out(mail: Mail) -> None:
    """Without relay_domains new refuses the domain, for now or for good as its restrictions say (MIGRATION.md 0.1)."""
    mail.new.main_cf(smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination")
    await mail.new.postfix.start()
    words = f"<alice@{DOMAIN}>: Relay access denied"
    assert await mail.new.ask("MAIL FROM:<a@b.test>", f"RCPT TO:<alice@{DOMAIN}>", client=mail.outside) == [
        "250 2.1.0 Ok", f"554 5.7.1 {words}",
    ]  # fmt: skip
    mail.new.main_cf()
    await mail.new.postfix.reload()
    assert await mail.new.rcpt(f"alice@{DOMAIN}", mail.outside) == f"454 4.7.1 {words}"
    told = f"NOQUEUE: reject: RCPT from unknown[{mail.outside}]: 454 4.7.1 {words}; from=<> to=<alice@{DOMAIN}>"
    assert told in mail.new.log


async def test_main_cf_counts_from_a_reload_on(mail: Mail) -> None:
    """An edited main.cf changes nothing before reload; a broken one leaves the old in use."""
    await mail.new.postfix.start()
    mail.new.main_cf(mydestination=DOMAIN)
    question = ("MAIL FROM:<a@b.test>", f"RCPT TO:<alice@{DOMAIN}>")
    assert (await mail.new.ask(*question, client=mail.outside))[1].startswith("454")
    await mail.new.postfix.reload()
    assert (await mail.new.ask(*question, client=mail.outside))[1] == "250 2.1.5 Ok"
    mail.new.write("/etc/postfix/main.cf", "no equals sign\n")
    with pytest.raises(ServiceError, match=r"main\.cf, line 1: missing '=' after attribute name"):
        await mail.new.postfix.reload()
    assert (await mail.new.ask(*question, client=mail.outside))[1] == "250 2.1.5 Ok"


async def test_refused_while_old_is_stopped_and_delivered_after_a_flush(mail: Mail) -> None:
    """Mail waits in new's queue while old is down, survives new's restart, backs off, and leaves with a flush."""
    mail.new.main_cf(**RELAY)
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    reason = f"connect to old.{DOMAIN}[{mail.old.host.address}]:25: Connection refused"
    await until(lambda: f"dsn=4.4.1, status=deferred ({reason})" in mail.new.log)
    (waiting,) = mail.new.postfix.queue
    assert waiting.queue is QueueName.DEFERRED
    assert waiting.recipients[0].reason == reason
    assert waiting.next_try - mail.clock.time() == pytest.approx(300, abs=60)
    await mail.new.postfix.stop()
    with pytest.raises(ConnectionRefusedError):
        await mail.send(mail.new, f"alice@{DOMAIN}")
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    assert [one.queue_id for one in mail.new.postfix.queue] == [waiting.queue_id]
    assert mail.old.inbox("alice") == []
    mail.new.postfix.flush("elsewhere.test")
    assert next(iter(mail.new.postfix.queue)).queue is QueueName.DEFERRED
    mail.new.postfix.flush(DOMAIN)
    await until(lambda: mail.old.inbox("alice"))


async def test_world_time_carries_the_retries(mail: Mail) -> None:
    """A jump of the clock brings the next attempt, and at the end of the queue's lifetime the bounce."""
    mail.new.main_cf(**RELAY)
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    await until(lambda: mail.new.log.count("status=deferred") == 1)
    mail.clock.advance(400)
    await until(lambda: mail.new.log.count("status=deferred") == 2)
    await until(lambda: next(iter(mail.new.postfix.queue)).queue is QueueName.DEFERRED)
    mail.clock.advance(6 * 86400)
    await until(lambda: mail.new.bounced)
    assert mail.new.bounced[0][0] == f"alice@{DOMAIN}"
    assert "status=expired, returned to sender" in mail.new.log
    assert len(mail.new.postfix.queue) == 0


async def test_soft_bounce_keeps_what_would_be_lost(mail: Mail) -> None:
    """With soft_bounce a 550 becomes a 450 at the door and SOFTBOUNCE in the queue; without it a bounce."""
    mail.new.main_cf(mydestination=DOMAIN, soft_bounce="yes")
    await mail.new.postfix.start()
    refused = f"<nosuch@{DOMAIN}>: Recipient address rejected: User unknown in local recipient table"
    assert (await mail.send(mail.new, f"alice@{DOMAIN}"))[1] == "250 2.1.5 Ok"
    assert await mail.new.rcpt(f"nosuch@{DOMAIN}", mail.outside) == f"450 4.1.1 {refused}"
    mail.new.postfix.submit("root", [f"nosuch@{DOMAIN}"], b"Subject: x\n\ny\n")
    await until(lambda: 'dsn=4.1.1, status=SOFTBOUNCE (unknown user: "nosuch")' in mail.new.log)
    assert mail.new.bounced == []
    mail.new.main_cf(mydestination=DOMAIN)
    await mail.new.postfix.reload()
    assert await mail.new.rcpt(f"nosuch@{DOMAIN}", mail.outside) == f"550 5.1.1 {refused}"
    await until(lambda: next(iter(mail.new.postfix.queue)).queue is QueueName.DEFERRED)
    mail.new.postfix.flush()
    await until(lambda: mail.new.bounced)
    assert mail.new.bounced == [(f"nosuch@{DOMAIN}", 'unknown user: "nosuch"')]


async def test_a_relayed_refusal_is_told_in_the_other_hosts_words(mail: Mail) -> None:
    """What the next host says to RCPT is in the log with its status, and the mail bounces."""
    mail.new.main_cf(relay_domains=DOMAIN, transport_maps=f"inline:{{{DOMAIN}=smtp:[old.{DOMAIN}]}}")
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    await mail.send(mail.new, f"nosuch@{DOMAIN}")
    await until(lambda: mail.new.bounced)
    why = (
        f"host old.{DOMAIN}[{mail.old.host.address}] said: 550 5.1.1 <nosuch@{DOMAIN}>: Recipient address rejected: "
        "User unknown in local recipient table (in reply to RCPT TO command)"
    )
    assert mail.new.bounced == [(f"nosuch@{DOMAIN}", why)]
    assert f"dsn=5.1.1, status=bounced ({why})" in mail.new.log


async def test_a_loop_ends_with_too_many_hops(mail: Mail) -> None:
    """Old passes to new and new to old: in a moment the mail bounces after 50 hops (MIGRATION.md 0.3)."""
    mail.new.main_cf(**RELAY)
    back = {**RELAY, "transport_maps": f"inline:{{{DOMAIN}=smtp:[new.{DOMAIN}]}}"}
    mail.old.main_cf(mydestination="localhost", **back)
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    await until(lambda: mail.new.bounced or mail.old.bounced)
    (bounced,) = mail.new.bounced + mail.old.bounced
    assert "said: 554 5.4.0 Error: too many hops (in reply to end of DATA command)" in bounced[1]


async def test_an_mx_that_is_this_host_loops_back_to_myself(mail: Mail) -> None:
    """Without brackets the MX is asked for; when it is this host itself, the mail bounces."""
    mail.names.mail[DOMAIN] = [(10, f"new.{DOMAIN}"), (20, f"old.{DOMAIN}")]
    mail.new.main_cf(**{**RELAY, "transport_maps": f"inline:{{{DOMAIN}=smtp:{DOMAIN}}}"})
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    await until(lambda: mail.new.bounced)
    assert mail.new.bounced == [(f"alice@{DOMAIN}", f"mail for {DOMAIN} loops back to myself")]
    assert f"connect from unknown[{mail.new.host.address}]" not in mail.new.log
    mail.names.mail[DOMAIN] = [(5, f"old.{DOMAIN}"), (10, f"new.{DOMAIN}")]
    await mail.send(mail.new, f"alice@{DOMAIN}", "second")
    await until(lambda: mail.old.inbox("alice"))


async def test_a_host_with_this_hosts_own_name_is_a_loop(mail: Mail) -> None:
    """Two hosts of the same myhostname cannot relay to each other."""
    mail.new.main_cf(**RELAY, myhostname=f"mail.{DOMAIN}")
    mail.old.main_cf(mydestination=DOMAIN, myhostname=f"mail.{DOMAIN}")
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    await until(lambda: mail.new.bounced)
    assert "loops back to myself" in mail.new.bounced[0][1]


async def test_a_missing_table_stops_mail_for_now(mail: Mail) -> None:
    """A transport table that was never compiled is 451 for every recipient; a stale one stays in use with a warning."""
    mail.new.main_cf(**{**RELAY, "transport_maps": "hash:/etc/postfix/transport"})
    mail.new.write("/etc/postfix/transport", f"{DOMAIN} smtp:[old.{DOMAIN}]\n")
    await mail.new.postfix.start()
    question = ("MAIL FROM:<>", f"RCPT TO:<alice@{DOMAIN}>", f"RCPT TO:<root@new.{DOMAIN}>")
    answers = await mail.new.ask(*question, client=mail.outside)
    assert answers[1] == f"451 4.3.0 <alice@{DOMAIN}>: Temporary lookup failure"
    assert answers[2] == f"451 4.3.0 <root@new.{DOMAIN}>: Temporary lookup failure"
    assert "open database /etc/postfix/transport.db: No such file or directory" in mail.new.log
    await mail.new.ok("postmap", "/etc/postfix/transport")
    assert (await mail.new.ask(*question, client=mail.outside))[1] == "250 2.1.5 Ok"


async def test_hold_and_release(mail: Mail) -> None:
    """A held mail survives every flush and is delivered when released; a deleted one never."""
    mail.new.main_cf(**RELAY)
    await mail.new.postfix.start()
    for text in ("kept", "gone"):
        await mail.send(mail.new, f"alice@{DOMAIN}", text)
    await until(lambda: mail.new.log.count("status=deferred") == 2)
    first, second = mail.new.postfix.queue
    assert (await mail.new.run("postsuper", "-h", first.queue_id))[2] == (
        f"postsuper: {first.queue_id}: placed on hold\npostsuper: Placed on hold: 1 message\n"
    )
    assert (await mail.new.run("postsuper", "-d", second.queue_id))[2].endswith("postsuper: Deleted: 1 message\n")
    await mail.old.postfix.start()
    await mail.new.ok("postqueue", "-f")
    assert [(one.queue_id, one.queue) for one in mail.new.postfix.queue] == [(first.queue_id, QueueName.HOLD)]
    assert (await mail.new.run("postsuper", "-H", "ALL"))[2] == "postsuper: Released from hold: 1 message\n"
    await until(lambda: mail.old.inbox("alice"))
    assert b"Subject: kept" in mail.old.inbox("alice")[0]


async def test_drained_before_it_is_stopped(mail: Mail) -> None:
    """master_service_disable=inet closes the port at reload, and what is queued still goes out (MIGRATION.md 6.1)."""
    await mail.old.postfix.start()
    mail.old.main_cf(mydestination=f"{DOMAIN}, $myhostname", master_service_disable="inet")
    await mail.old.postfix.reload()
    with pytest.raises(ConnectionRefusedError):
        await mail.send(mail.old, f"alice@{DOMAIN}")
    assert mail.old.postfix.running
    mail.old.postfix.submit("root", [f"alice@{DOMAIN}"], b"To: alice\n\nhello\n")
    await until(lambda: mail.old.inbox("alice"))


async def test_a_full_disk_loses_nothing(mail: Mail) -> None:
    """Clients hear 452 while the disk is full, and a delivery is put off, not bounced."""
    mail.new.main_cf(mydestination=DOMAIN)
    await mail.new.postfix.start()
    mail.new.host.full = True
    assert await mail.new.ask("MAIL FROM:<>", client=mail.outside) == ["452 4.3.1 Insufficient system storage"]
    mail.new.postfix.submit("root", [f"alice@{DOMAIN}"], b"To: alice\n\nhello\n")
    await until(lambda: "No space left on device" in mail.new.log)
    told = r"dsn=4\.\d\.\d, status=deferred \(maildir delivery failed: .*No space left on device\)"
    assert re.search(told, mail.new.log)
    mail.new.host.full = False
    await until(lambda: next(iter(mail.new.postfix.queue)).queue is QueueName.DEFERRED)
    mail.new.postfix.flush()
    await until(lambda: mail.new.inbox("alice"))


async def test_a_maildir_that_cannot_be_written_bounces(mail: Mail) -> None:
    """A file where the Maildir should be is a bounce, as a wrong owner is in life."""
    mail.new.main_cf(mydestination=DOMAIN)
    mail.new.write("/home/alice/Maildir", "not a folder")
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    await until(lambda: mail.new.bounced)
    assert mail.new.bounced[0][1].startswith("maildir delivery failed: create maildir file /home/alice/Maildir/tmp/: ")


async def test_aliases_reach_everybody_once(mail: Mail) -> None:
    """An alias for two is delivered to both; a retry after one failed does not reach the other again."""
    mail.new.write("/home/bob/Maildir", "in the way")
    mail.new.main_cf(mydestination=f"{DOMAIN}, $myhostname", soft_bounce="yes")
    await mail.new.postfix.start()
    await mail.send(mail.new, f"both@{DOMAIN}")
    await until(lambda: "SOFTBOUNCE" in mail.new.log and mail.new.inbox("alice"))
    assert f"to=<bob@new.{DOMAIN}>, orig_to=<both@{DOMAIN}>," in mail.new.log
    mail.new.host.path("/home/bob/Maildir").unlink()
    await until(lambda: next(iter(mail.new.postfix.queue)).queue is QueueName.DEFERRED)
    mail.new.postfix.flush()
    await until(lambda: mail.new.inbox("bob"))
    assert len(mail.new.inbox("alice")) == 1


async def test_debians_mailbox_command_hides_mail(mail: Mail) -> None:
    """With procmail as mailbox_command the log says sent, and the Maildir stays empty (MIGRATION.md 0.8)."""
    mail.new.main_cf(mydestination=DOMAIN, mailbox_command='procmail -a "$EXTENSION"')
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    await until(lambda: 'status=sent (delivered to command: procmail -a "$EXTENSION")' in mail.new.log)
    assert mail.new.inbox("alice") == []
    assert b"Subject: hello" in mail.new.host.path("/var/mail/alice").read_bytes()


async def test_nothing_guards_against_relaying(mail: Mail) -> None:
    """With compatibility_level 0 and no restrictions, smtpd does not serve at all, and says why in the log."""
    mail.new.main_cf(compatibility_level="0")
    await mail.new.postfix.start()
    with pytest.raises((ConnectionError, AssertionError, TimeoutError)):
        assert await mail.new.ask("MAIL FROM:<>", client=mail.outside) == ["250 2.1.0 Ok"]
    assert "specify at least one working instance of: reject_unauth_destination" in mail.new.log


async def test_two_starts_and_a_taken_port(mail: Mail) -> None:
    """A second start is no error; a port in use is said in a sentence."""
    await mail.new.postfix.start()
    await mail.new.postfix.start()
    server = await asyncio.start_server(lambda _r, w: w.close(), mail.old.host.address, mail.old.host.port(25))
    with pytest.raises(ServiceError, match=r"^fatal: bind .* port \d+: "):
        await mail.old.postfix.start()
    assert not mail.old.postfix.running
    server.close()
    await server.wait_closed()


async def test_mail_between_the_hosts_goes_over_tls_where_both_may(mail: Mail) -> None:
    """With security level may on both sides STARTTLS is offered and used, and the Received line says ESMTPS."""
    mail.old.main_cf(mydestination=DOMAIN, smtpd_tls_security_level="may")
    mail.new.main_cf(**RELAY, smtp_tls_security_level="may")
    await mail.old.postfix.start()
    await mail.new.postfix.start()
    await mail.send(mail.new, f"alice@{DOMAIN}")
    await until(lambda: mail.old.inbox("alice"))
    assert f"by old.{DOMAIN} (Postfix) with ESMTPS id ".encode() in mail.old.inbox("alice")[0]
