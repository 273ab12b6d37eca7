"""Check `tls`, against real TLS servers whose certificates are good, or fail in every way there is."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.tls_client import literal
from runbook_tui.checks.reached import Target
from runbook_tui.checks.tls import TlsProbe, judge
from runbook_tui.core.contact import TlsSeen, Trouble
from runbook_tui.core.model import CheckSpec
from runbook_tui.ports import CheckState
from tests.checks.certificates import Papers
from tests.checks.talkers import HOSTILE, NAME, drip, flood, script, serving, sight, silent
from tests.demo.loopback import free_port
from tests.support.sight import TestSight

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from tests.checks.talkers import Serve


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Give the test's authorities."""
    return Papers.make(tmp_path_factory.mktemp("papers"))


def probe(ca: str, starttls: str = "", patience: float = 20.0) -> TlsProbe:
    """Give a probe for the test's name."""
    return TlsProbe(Target("new", 993, NAME, patience=patience), ca=ca, starttls=starttls)


async def test_a_good_certificate(papers: Papers) -> None:
    """It is PASS, with key, end and names in the row, and its days as the level."""
    async with serving(silent, papers.context("good")) as port:
        reading = await probe(papers.ca).read(sight(port))
    assert (reading.state, reading.value) == (CheckState.PASS, f"good for {NAME} for 90 more days")
    assert reading.rows[0].cells[1:3] == ("TLSv1.3", "EC 256")
    assert (reading.rows[0].cells[4], reading.level) == (NAME, 89)


async def test_what_a_phase_expects(papers: Papers) -> None:
    """In a phase in which nobody may listen a closed port is PASS and an open one FAIL; `up` is as ever."""
    look = probe(papers.ca)
    look.phases = {"before": "refused", "after": "up", "odd": "asleep"}
    closed = await look.read(sight(free_port(), phase="before"))
    assert (closed.state, closed.value) == (CheckState.PASS, "it refuses connections, as it should")
    async with serving(silent, papers.context("good")) as port:
        states = [(await look.read(sight(port, phase=phase))).state for phase in ("before", "after", "", "odd")]
    assert states == [CheckState.FAIL, CheckState.PASS, CheckState.PASS, CheckState.UNKNOWN]


@pytest.mark.parametrize(("kind", "says"), [
    ("expired", "its certificate expired on 2"), ("not yet", "its certificate is not valid before 2"),
    ("other name", f"its certificate is not for {NAME}, only for "),
    ("no name", f"its certificate is not for {NAME}, only for nobody"),
    ("self-signed", "its certificate is self-signed: nobody vouches for it"),
    ("incomplete", "its chain is incomplete: the certificate of Test Middle is neither sent nor known here"),
    ("stranger", "the authority at the end of its chain is not known here: Other Root"),
    ("stranger's", "the authority at the end of its chain is neither sent nor known here (issuer: Other Middle)"),
])  # fmt: skip
async def test_each_fault_has_its_own_sentence(papers: Papers, kind: str, says: str) -> None:
    """All of them FAIL, and the certificate stands in the row none the less."""
    async with serving(silent, papers.context(kind)) as port:
        reading = await probe(papers.ca).read(sight(port))
    assert reading.state is CheckState.FAIL
    assert reading.value.startswith(says)
    assert reading.rows[0].cells[2] == "EC 256"


async def test_a_certificate_that_soon_ends(papers: Papers) -> None:
    """It is a warning below the days that are wanted, and none above."""
    async with serving(silent, papers.context("soon")) as port:
        near = await probe(papers.ca).read(sight(port))
        few = probe(papers.ca)
        few.days = 3
        far = await few.read(sight(port))
    assert (near.state, far.state) == (CheckState.WARN, CheckState.PASS)
    assert near.value.endswith("more days only; 14 are wanted")


async def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    """It did not look: UNKNOWN, with the file."""
    (tmp_path / "no-pem").write_text("nothing")
    for path in (tmp_path / "nowhere.pem", tmp_path / "no-pem"):
        reading = await probe(str(path)).read(sight(1))
        assert reading.state is CheckState.UNKNOWN
        assert str(path) in reading.value


async def test_the_systems_authorities_do_not_know_the_tests(papers: Papers) -> None:
    """Without `ca:` its chain ends nowhere."""
    async with serving(silent, papers.context("good")) as port:
        assert (await probe("").read(sight(port))).state is CheckState.FAIL
        assert (await probe("").read(sight(port, papers.ca))).state is CheckState.PASS


def upgrading(context: ssl.SSLContext, *steps: bytes, extra: bytes = b"") -> Serve:
    """Give a server that says these, each but the first after a line, and begins TLS after the last."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for place, step in enumerate(steps):
            if place:
                await reader.readuntil(b"\n")
            writer.write(step + (extra if step is steps[-1] else b""))
            await writer.drain()
        await writer.start_tls(context)
        await asyncio.Event().wait()

    return serve


SMTP = (b"220 mx\r\n", b"250-mx\r\n250-PIPELINING\r\n250 starttls\r\n", b"220 go\r\n")
IMAP = (b"* OK ready\r\n", b"* CAPABILITY IMAP4rev1\r\na OK begin\r\n")


@pytest.mark.parametrize(("starttls", "steps"), [("smtp", SMTP), ("imap", IMAP)])
@pytest.mark.parametrize(("kind", "state"), [("good", "PASS"), ("expired", "FAIL")])
async def test_starttls(papers: Papers, starttls: str, steps: tuple[bytes, ...], kind: str, state: str) -> None:
    """The certificate behind STARTTLS is judged like any other."""
    async with serving(upgrading(papers.context(kind), *steps)) as port:
        reading = await probe(papers.ca, starttls).read(sight(port))
    assert reading.state == state
    assert reading.rows[0].cells[2] == "EC 256"


@pytest.mark.parametrize(("starttls", "steps"), [("smtp", SMTP), ("imap", IMAP)])
async def test_text_put_in_before_tls(papers: Papers, starttls: str, steps: tuple[bytes, ...]) -> None:
    """What stands in plain behind the leave to begin is an attack (CVE-2011-0411), and FAIL."""
    async with serving(upgrading(papers.context("good"), *steps, extra=b"a OK injected\r\n")) as port:
        reading = await probe(papers.ca, starttls).read(sight(port))
    assert (reading.state, reading.value) == (CheckState.FAIL, "at STARTTLS: text in plain after STARTTLS")


@pytest.mark.parametrize(("starttls", "steps", "says"), [
    ("smtp", (b"220 mx\r\n", b"250 mx\r\n"), "at STARTTLS: STARTTLS is not offered"),
    ("smtp", (b"554 no\r\n",), "at the greeting: 554 no"),
    ("smtp", (b"220 mx\r\n", b"500 what\r\n"), "at EHLO: 500 what"),
    ("imap", (b"* OK x\r\n", b"a BAD no\r\n"), "at STARTTLS: a BAD no"),
    ("imap", (b"* BYE x\r\n",), "at the greeting: * BYE x"),
    ("imap", (b"* OK x\r\n", b"* more\r\n" * 200), "at STARTTLS: an answer without end"),
])  # fmt: skip
async def test_no_starttls(papers: Papers, starttls: str, steps: tuple[bytes, ...], says: str) -> None:
    """Where TLS is not begun, it is FAIL with what was said."""
    async with serving(script(*steps)) as port:
        reading = await probe(papers.ca, starttls).read(sight(port))
    assert (reading.state, reading.value) == (CheckState.FAIL, says)


@pytest.mark.parametrize("starttls", ["", "smtp", "imap"])
@pytest.mark.parametrize("server", [
    silent, flood(b"x" * 5000), flood(b"220-x\r\n"), flood(b"* x\r\n"), drip(b"2"), drip(b"\x16\x03\x01"),
    script(HOSTILE + b"\r\n"), script(b""), script(b"220 a\r\n", hang=True), script(b"* OK\r\n", hang=True),
])  # fmt: skip
async def test_servers_that_misbehave(papers: Papers, server: Serve, starttls: str) -> None:
    """There is a FAIL and a sentence, in time."""
    began = time.monotonic()
    async with serving(server) as port:
        reading = await probe(papers.ca, starttls, patience=0.6).read(sight(port))
    assert reading.state is CheckState.FAIL
    assert reading.value
    assert time.monotonic() - began < 5


async def test_nobody_listens(papers: Papers) -> None:
    """A refused connection is FAIL."""
    reading = await probe(papers.ca).read(sight(free_port()))
    assert reading.state is CheckState.FAIL
    assert reading.value.startswith("it refuses connections")


def test_what_was_not_seen_is_not_good() -> None:
    """Without a certificate that can be read nothing is PASS; silence of the network is UNKNOWN."""
    now = TestSight().now
    assert judge(TlsSeen(version="TLSv1.3"), NAME, 14, now).state is CheckState.UNKNOWN
    assert judge(TlsSeen(Trouble.SILENT), NAME, 14, now).state is CheckState.UNKNOWN


def test_from_front_matter() -> None:
    """How TLS begins comes from the port, unless it is said."""
    def made(**options: object) -> TlsProbe:
        return TlsProbe.of(CheckSpec("c", "tls", {"host": "new", **options}), str)

    assert [made(port=port).starttls for port in (25, 587, 143, 465, 993, 443)] == ["smtp", "smtp", "imap", "", "", ""]
    assert made(port=2525, starttls="smtp").starttls == "smtp"
    assert made(port=25, starttls="none").starttls == ""
    assert made(port=993, days=30).days == 30
    assert literal("::1") == b"[IPv6:::1]"
