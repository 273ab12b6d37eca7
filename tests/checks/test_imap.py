"""Check `imap`, against real Dovecots with TLS: one alone, old beside new, and everything that can go wrong."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.imap import ImapProbe
from runbook_tui.checks.reached import Target
from runbook_tui.core.model import CheckSpec
from runbook_tui.ports import CheckState
from tests.checks import dovecots
from tests.checks.certificates import Papers
from tests.checks.dovecots import OLD
from tests.checks.talkers import NAME, sight
from tests.demo.loopback import free_port
from tests.support.sight import KnownSecrets, TestSight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.ports import Reading
    from tests.checks.dovecots import Dovecot

pytestmark = pytest.mark.skipif(dovecots.PROGRAM is None, reason="Dovecot is not installed")

@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Give the test's authorities."""
    return Papers.make(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def filled(papers: Papers) -> Iterator[Dovecot]:
    """Run a Dovecot with mail in three folders; nothing in a test may change it."""
    with dovecots.running(papers) as daemon:
        daemon.deliver("INBOX", "INBOX", "Sent", "Käse.Brot & Öl")
        yield daemon


@pytest.fixture
def old(papers: Papers) -> Iterator[Dovecot]:
    """Run a Dovecot that stands for the old server."""
    with dovecots.running(papers) as daemon:
        daemon.deliver("INBOX", "INBOX", "Sent")
        yield daemon


def probe(ca: str, port: int = 993, *, against: bool = False, patience: float = 20.0, secret: str = "imap plop",
          phases: dict[str, object] | None = None) -> ImapProbe:  # fmt: skip
    """Give a probe of plop's mailbox."""
    target = Target("new", port, NAME, patience=patience)
    return ImapProbe(
        target, "plop", secret, "INBOX", Target("old", port, OLD, patience=patience) if against else None, NAME, ca,
        phases or {},
    )  # fmt: skip


def cells(reading: Reading) -> dict[str, tuple[str, ...]]:
    """Give the rows by folder."""
    return {row.cells[0]: row.cells[1:] for row in reading.rows}


class TestOne:
    """One server."""

    @pytest.mark.parametrize("port", [993, 143])
    async def test_a_mailbox(self, papers: Papers, filled: Dovecot, port: int) -> None:
        """It is PASS with its totals, over TLS from the first byte and over STARTTLS."""
        reading = await probe(papers.ca, port).read(sight(filled.port if port == 993 else filled.starttls_port))
        assert (reading.state, reading.value, reading.level) == (CheckState.PASS, "4 mails in 3 folders", 4.0)
        assert {name: row[0] for name, row in cells(reading).items()} == {
            "INBOX": "2", "Sent": "1", "Käse/Brot & Öl": "1",
        }  # fmt: skip
        assert "IMAP4REV1" in reading.detail

    async def test_nothing_is_changed(self, papers: Papers, filled: Dovecot) -> None:
        """No flag is set, and what is new stays new."""
        before = sorted(path.name for path in filled.maildir.glob("*/*"))
        for _ in range(2):
            assert (await probe(papers.ca).read(sight(filled.port))).state is CheckState.PASS
        assert not [path for path in filled.maildir.rglob("cur/*") if path.name.endswith("S")]
        assert [name for name in before if name.startswith("dovecot")] == [
            name for name in sorted(path.name for path in filled.maildir.glob("*/*")) if name.startswith("dovecot")
        ]
        status = filled.doveadm("mailbox", "status", "-u", "plop", "recent unseen", "INBOX")
        assert "recent=2" in status
        assert "unseen=2" in status

    async def test_without_a_secret_nobody_logs_in(self, papers: Papers, filled: Dovecot) -> None:
        """Connection and certificate are looked at alone."""
        logins = filled.log.count("Login:")
        reading = await probe(papers.ca, secret="").read(sight(filled.port))
        assert (reading.state, reading.value) == (CheckState.PASS, "it answers; nobody logs in")
        assert filled.log.count("Login:") == logins

    async def test_a_secret_that_is_missing(self, papers: Papers, filled: Dovecot) -> None:
        """It did not look: UNKNOWN, with why."""
        reading = await probe(papers.ca, secret="other").read(sight(filled.port))
        assert (reading.state, reading.value) == (CheckState.UNKNOWN, "there is no password for other")

    async def test_a_login_that_is_refused_is_not_tried_again(self, papers: Papers, filled: Dovecot) -> None:
        """Until the operator asks; then with the password of then. Nothing shows what was sent."""
        looking, at = probe(papers.ca), sight(filled.port)
        at.secrets = KnownSecrets({"imap plop": "wr0ng-passw0rd"})
        first = await looking.read(at)
        tried = filled.log.count("auth failed, 1 attempts")
        again = [await looking.read(at) for _ in range(3)]
        assert filled.log.count("auth failed, 1 attempts") == tried
        assert [one.state for one in (first, *again)] == [CheckState.FAIL] * 4
        assert first.value.startswith("auth: ")
        assert "not tried again by itself" in again[0].value
        assert "wr0ng" not in repr((first, again))
        at.secrets = KnownSecrets({"imap plop": dovecots.PASSWORD})
        assert (await looking.read(at)).state is CheckState.FAIL
        at.asked = True
        assert (await looking.read(at)).state is CheckState.PASS
        at.asked = False
        assert (await looking.read(at)).state is CheckState.PASS

    async def test_a_certificate_for_another_name(self, papers: Papers, filled: Dovecot) -> None:
        """Nobody logs in, and it is said why."""
        logins = filled.log.count("Login:")
        other = probe(papers.ca)
        other.name = "imap.elsewhere.test"
        reading = await other.read(sight(filled.port))
        assert (reading.state, reading.value) == (
            CheckState.FAIL, "tls: its certificate is not for imap.elsewhere.test",
        )  # fmt: skip
        assert (await probe("").read(sight(filled.port))).value.startswith("tls: ")
        assert filled.log.count("Login:") == logins

    async def test_nobody_listens_or_has_the_name(self, papers: Papers) -> None:
        """Each has its class."""
        refused = await probe(papers.ca).read(sight(free_port()))
        nameless = probe(papers.ca)
        nameless.target = Target("new", 993, "nowhere.test")
        reading = await nameless.read(sight(1))
        assert refused.value.startswith("refused: it refuses connections")
        assert reading.value == "dns: its name has no address: no such name"
        assert {refused.state, reading.state} == {CheckState.FAIL}

    async def test_a_mail_that_cannot_be_read(self, papers: Papers, old: Dovecot) -> None:
        """The right count and an empty mail are FAIL."""
        assert (await probe(papers.ca).read(sight(old.port))).state is CheckState.PASS
        for mail in (path for path in old.maildir.glob("[nc][eu][wr]/*") if path.is_file()):
            size = mail.stat().st_size
            mail.write_bytes(b"")
            mail.rename(mail.parent / f"{mail.name.partition(',')[0]},S={size},W={size}")
        reading = await probe(papers.ca).read(sight(old.port))
        assert reading.state is CheckState.FAIL
        assert "at FETCH" in reading.value

    async def test_a_folder_that_cannot_be_opened(self, papers: Papers, old: Dovecot) -> None:
        """It is FAIL, and named."""
        sent = old.maildir / ".Sent" / "cur"
        shutil.rmtree(sent)
        sent.write_text("no folder")
        for index in (old.maildir / ".Sent").glob("dovecot*"):
            index.unlink()
        reading = await probe(papers.ca).read(sight(old.port))
        assert reading.state is CheckState.FAIL
        assert reading.value.startswith("the folder Sent cannot be opened: ")

    async def test_refusing_is_right_in_its_phase(self, papers: Papers, filled: Dovecot) -> None:
        """Nobody logs in to see it."""
        refusing = probe(papers.ca, phases={"downtime": "refused"})
        assert (await refusing.read(sight(free_port(), phase="downtime"))).state is CheckState.PASS
        assert (await refusing.read(sight(filled.port, phase="downtime"))).state is CheckState.FAIL
        assert (await refusing.read(sight(filled.port))).state is CheckState.PASS


class TestBoth:
    """Old beside new."""

    def sight(self, new: Dovecot, old: Dovecot, papers: Papers) -> TestSight:
        """Give a sight in which both names lead where they should."""
        return sight(new.port, papers.ca, old=old.port)

    def probe(self) -> ImapProbe:
        """Give a probe of both."""
        return probe("", against=True)

    @contextlib.contextmanager
    def copied(self, papers: Papers, old: Dovecot) -> Iterator[Dovecot]:
        """Run a Dovecot on a copy of the old one's mail."""
        with dovecots.running(papers, copy_of=old.maildir) as new:
            yield new

    async def test_a_true_copy(self, papers: Papers, old: Dovecot) -> None:
        """Everything is there, with the same UIDVALIDITY."""
        with self.copied(papers, old) as new:
            reading = await self.probe().read(self.sight(new, old, papers))
        assert (reading.state, reading.value) == (CheckState.PASS, "3 mails in 2 folders = old")
        assert cells(reading) == {"INBOX": ("2", "2", "2 → 2", "same"), "Sent": ("1", "1", "1 → 1", "same")}

    async def test_mailboxes_that_move_are_compared_with_what_was_there_last(
        self, papers: Papers, old: Dovecot
    ) -> None:  # fmt: skip
        """Closed before; then open with all that the old server had, which stays closed; then the new one alone."""
        look = probe("", against=True, phases={"before": "refused", "open": "moved", "after": "up"})

        async def at(phase: str, new: int, old: int) -> Reading:
            return await look.read(sight(new, papers.ca, old=old, phase=phase))

        with self.copied(papers, old) as new:
            unseen = await at("open", new.port, free_port())
            before = await at("before", free_port(), old.port)
            moved = await at("open", new.port, free_port())
            both = await at("open", new.port, old.port)
            after = await at("after", new.port, free_port())
            shutil.rmtree(new.maildir / ".Sent")
            lost = await at("open", new.port, free_port())
        assert (unseen.state, "so nothing is compared" in unseen.value) == (CheckState.WARN, True)
        assert (before.state, before.value) == (CheckState.PASS, "it refuses connections, as it should")
        assert moved.state is CheckState.PASS
        assert moved.value.startswith("3 mails in 2 folders = old, as it was at ")
        assert (both.state, both.value) == (CheckState.FAIL, "old: it answers, but should refuse now")
        assert (lost.state, lost.value.partition(",")[0]) == (CheckState.FAIL, "Sent is not there")
        assert after.state is CheckState.PASS

    async def test_a_folder_that_is_empty(self, papers: Papers, old: Dovecot) -> None:
        """It is FAIL, with how many the old server has; a folder that is not there too."""
        with self.copied(papers, old) as new:
            shutil.rmtree(new.maildir / ".Sent")
            lost = await self.probe().read(self.sight(new, old, papers))
            new.doveadm("expunge", "-u", "plop", "mailbox", "INBOX", "all")
            empty = await self.probe().read(self.sight(new, old, papers))
        assert (lost.state, lost.value) == (CheckState.FAIL, "Sent is not there, old has 1")
        assert (empty.state, empty.value) == (CheckState.FAIL, "INBOX is empty, old has 2; 1 more like it")
        assert next(row.state for row in lost.rows if row.cells[0] == "Sent") is CheckState.FAIL

    async def test_drift(self, papers: Papers, old: Dovecot) -> None:
        """Mail that only the old server has is a warning; more on the new one is not."""
        with self.copied(papers, old) as new:
            new.deliver("INBOX")
            more = await self.probe().read(self.sight(new, old, papers))
            old.deliver("Sent", "Sent")
            fewer = await self.probe().read(self.sight(new, old, papers))
        assert (more.state, more.value) == (CheckState.PASS, "4 mails in 2 folders, old has 3")
        assert (fewer.state, fewer.value) == (CheckState.WARN, "Sent: 1 mails, old has 3")

    async def test_another_uidvalidity(self, papers: Papers, old: Dovecot) -> None:
        """Mail programs will fetch everything anew: a warning."""
        with self.copied(papers, old) as new:
            (new.maildir / "dovecot-uidlist").unlink()
            for index in new.maildir.glob("dovecot.index*"):
                index.unlink()
            reading = await self.probe().read(self.sight(new, old, papers))
        assert reading.state is CheckState.WARN, reading
        assert "INBOX: another UIDVALIDITY" in reading.value

    async def test_another_namespace(self, papers: Papers, old: Dovecot) -> None:
        """Prefix and delimiter that differ are FAIL; folders are still the same ones."""
        with dovecots.running(papers, ("INBOX.", "."), old.maildir) as new:
            reading = await self.probe().read(self.sight(new, old, papers))
        assert reading.state is CheckState.FAIL
        assert reading.value.startswith("namespace: prefix 'INBOX.' and delimiter '.'")
        assert set(cells(reading)) == {"INBOX", "Sent"}

    async def test_one_that_is_away(self, papers: Papers, old: Dovecot) -> None:
        """Then nothing is compared, and it is named."""
        reading = await self.probe().read(sight(old.port, papers.ca, old=free_port()))
        assert reading.state is CheckState.FAIL
        assert reading.value.startswith("old: refused")


def test_from_front_matter() -> None:
    """Host and `against` share port and user; the secret's name is not resolved here."""
    options = {"host": "new", "against": "old", "user": "X", "secret": "the_X", "select": "INBOX"}
    made = ImapProbe.of(CheckSpec("i", "imap", options, timeout=20), lambda text: text.replace("X", "plop"))
    assert made.against is not None
    assert (made.target.port, made.against.host, made.user, made.secret) == (993, "old", "plop", "the_X")
    assert made.columns == ("folder", "old", "new", "unseen", "UIDVALIDITY")
