"""Check `smtp`, against aiosmtpd with and without TLS, and against servers that lie, hang and flood."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from runbook_tui.checks.reached import Target
from runbook_tui.checks.smtp import Door, SmtpProbe, Starttls, Wanted, judge
from runbook_tui.core.contact import SmtpReply, SmtpSeen, Trouble
from runbook_tui.core.model import CheckSpec
from runbook_tui.ports import CheckState
from tests.checks.certificates import Papers
from tests.checks.talkers import HOSTILE, NAME, drip, flood, script, serving, sight, silent
from tests.demo.loopback import free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.checks.talkers import Serve

GOOD, BAD = "plop@domain.test", "x@elsewhere.test"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Give the test's authorities."""
    return Papers.make(tmp_path_factory.mktemp("papers"))


class Handler:
    """Takes one recipient, refuses all others, and remembers every command."""

    def __init__(self, good: str = "250 ok", bad: str = "554 5.7.1 Relay access denied") -> None:
        self.good = good
        self.bad = bad
        self.said: list[str] = []

    async def handle_RCPT(  # noqa: N802 -- the library's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any  # noqa: ANN401, ARG002
    ) -> str:  # fmt: skip
        """Answer a recipient."""
        self.said.append(f"RCPT {address}")
        return self.good if address == GOOD else self.bad

    async def handle_MAIL(  # noqa: N802 -- same
        self, server: Any, session: Any, envelope: Any, address: str, options: Any  # noqa: ANN401, ARG002
    ) -> str:  # fmt: skip
        """Answer a sender."""
        self.said.append(f"MAIL {address}")
        envelope.mail_from = address
        return "250 ok"

    async def handle_RSET(self, *_: object) -> str:  # noqa: N802 -- same
        """Answer a reset."""
        self.said.append("RSET")
        return "250 ok"

    async def handle_QUIT(self, *_: object) -> str:  # noqa: N802 -- same
        """Answer a farewell."""
        self.said.append("QUIT")
        return "221 bye"

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802 -- same
        """Answer what must never come."""
        self.said.append("DATA")
        return "250 taken"


@contextmanager
def server(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a real mail server; give its port."""

    class Made(Controller):
        def factory(self) -> SMTP:
            return SMTP(handler, hostname="mx.domain.test", tls_context=tls)

    controller = Made(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def probe(papers: Papers | None = None, starttls: str = "", phases: dict[str, object] | None = None,
          patience: float = 20.0) -> SmtpProbe:  # fmt: skip
    """Give a probe that names one recipient of each kind."""
    ca = papers.ca if papers else ""
    target = Target("new", 25, NAME, patience=patience)
    return SmtpProbe(target, (GOOD,), (BAD,), starttls, ca=ca, phases=phases or {})


async def test_a_server_that_does_as_it_should() -> None:
    """It is PASS, and it was sent nothing but sender, recipients, RSET and QUIT."""
    handler = Handler()
    with server(handler) as port:
        reading = await probe().read(sight(port))
    assert (reading.state, reading.value) == (CheckState.PASS, "220, no TLS, 1 taken, 1 refused")
    assert handler.said == ["MAIL <>", f"RCPT {GOOD}", f"RCPT {BAD}", "RSET", "QUIT"]
    assert reading.rows[0].cells[3] == f"{GOOD}: 250 ok · {BAD}: 554 5.7.1 Relay access denied"


@pytest.mark.parametrize(("good", "bad", "state", "says"), [
    ("454 4.7.1 Relay access denied", "554 no", "FAIL", "is its domain in relay_domains or mydestination?"),
    ("450 4.2.0 Greylisted", "554 no", "FAIL", "greylisted"),
    ("550 5.1.1 unknown", "554 no", "FAIL", "250 is expected"),
    ("250 ok", "250 ok", "FAIL", "an open relay?"),
    ("251 will forward", "450 later", "PASS", ""),
    ("250 ok", "503 bad sequence", "UNKNOWN", "no refusal of the recipient"),
    ("250 ok", "421 too many", "UNKNOWN", "no refusal of the recipient"),
    ("250 ok", "530 5.7.0 STARTTLS first", "UNKNOWN", "no refusal of the recipient"),
])  # fmt: skip
async def test_the_matrix(good: str, bad: str, state: str, says: str) -> None:
    """What is taken must be taken, what is to be refused refused, and nothing else counts as a refusal."""
    with server(Handler(good, bad)) as port:
        reading = await probe().read(sight(port))
    assert reading.state == state
    assert says in reading.value


async def test_an_unknown_user_who_is_taken_is_no_open_relay() -> None:
    """A recipient of a domain that is accepted anyway hints at its users, one of another domain at the relay."""
    with server(Handler("250 ok", "250 ok")) as port:
        own = await replace(probe(), refuse=(f"nobody@{GOOD.partition('@')[2].upper()}",)).read(sight(port))
        other = await probe().read(sight(port))
    assert own.state is CheckState.FAIL
    assert "is there such a user or alias" in own.value
    assert "open relay" not in own.value
    assert "an open relay?" in other.value


class TestTls:
    """STARTTLS."""

    @pytest.mark.parametrize("starttls", ["", "offered", "required"])
    async def test_a_good_certificate(self, papers: Papers, starttls: str) -> None:
        """It is PASS, and the recipients are named inside."""
        handler = Handler()
        with server(handler, papers.context("good")) as port:
            reading = await probe(papers, starttls).read(sight(port))
        assert (reading.state, reading.value) == (CheckState.PASS, "220, TLSv1.3, 1 taken, 1 refused")
        assert handler.said == ["MAIL <>", f"RCPT {GOOD}", f"RCPT {BAD}", "RSET", "QUIT"]

    @pytest.mark.parametrize(("starttls", "state"), [("", "PASS"), ("offered", "WARN"), ("required", "FAIL")])
    async def test_a_bad_certificate(self, papers: Papers, starttls: str, state: str) -> None:
        """It fails where a good one is required, warns where TLS is expected, and is named in any case."""
        with server(Handler(), papers.context("expired")) as port:
            reading = await probe(papers, starttls).read(sight(port))
        assert reading.state == state
        assert "its certificate expired" in reading.value

    @pytest.mark.parametrize(("starttls", "state"), [
        ("", "PASS"), ("none", "PASS"), ("offered", "FAIL"), ("required", "FAIL"),
    ])  # fmt: skip
    async def test_taken_out_on_the_way(self, papers: Papers, starttls: str, state: str) -> None:
        """Without STARTTLS it is FAIL wherever TLS is expected."""
        with server(Handler()) as port:
            reading = await probe(papers, starttls).read(sight(port))
        assert reading.state == state
        assert ("STARTTLS is not offered" in reading.value) is (state == "FAIL")

    async def test_it_may_not_vanish(self, papers: Papers) -> None:
        """Once it was offered, its absence is FAIL even where nothing was expected."""
        once = probe(papers)
        with server(Handler(), papers.context("good")) as port:
            first = await once.read(sight(port))
        with server(Handler()) as port:
            second = await once.read(sight(port))
        assert (first.state, second.state) == (CheckState.PASS, CheckState.FAIL)
        assert "not offered any more" in second.value

    async def test_none_is_not_used(self, papers: Papers) -> None:
        """Then the dialogue stays plain."""
        with server(Handler(), papers.context("good")) as port:
            reading = await probe(papers, "none").read(sight(port))
        assert reading.value == "220, no TLS, 1 taken, 1 refused"

    @pytest.mark.parametrize("answer", [b"454 TLS not available\r\n", b"220 go\r\n220 injected\r\n", b"220 go\r\nxx"])
    async def test_offered_but_not_begun(self, papers: Papers, answer: bytes) -> None:
        """Neither a refusal nor text in plain behind it is PASS."""
        steps = (b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", answer)
        async with serving(script(*steps, hang=True)) as port:
            reading = await probe(papers, patience=1.0).read(sight(port))
        assert reading.state is CheckState.FAIL


class TestPhases:
    """What is expected in the phase the walk is in."""

    async def test_refusing_is_right_in_its_phase(self) -> None:
        """Port closed, or a greeting that takes nothing, is PASS; taking mail is FAIL."""
        refusing = probe(phases={"downtime": "refused"})
        closed = await refusing.read(sight(free_port(), phase="downtime"))
        assert (closed.state, closed.value) == (CheckState.PASS, "it refuses connections, as it should")
        async with serving(script(b"554 no mail here\r\n", None)) as port:
            assert (await refusing.read(sight(port, phase="downtime"))).state is CheckState.PASS
            assert (await refusing.read(sight(port))).state is CheckState.FAIL
        with server(Handler()) as port:
            assert (await refusing.read(sight(port, phase="downtime"))).state is CheckState.FAIL
            assert (await refusing.read(sight(port))).state is CheckState.PASS

    @pytest.mark.parametrize("trouble", [Trouble.SILENT, Trouble.UNREACHABLE, Trouble.NO_LOOKUP])
    def test_silence_is_no_refusal(self, trouble: Trouble) -> None:
        """A packet that vanishes proves nothing: UNKNOWN."""
        assert judge(SmtpSeen(trouble), Wanted(door=Door.REFUSED)).state is CheckState.UNKNOWN

    async def test_putting_off(self) -> None:
        """`later` wants 4xx for what is taken otherwise."""
        later = probe(phases={"freeze": "later", "after": "up"})
        with server(Handler(good="450 4.3.2 later")) as port:
            assert (await later.read(sight(port, phase="freeze"))).state is CheckState.PASS
            assert (await later.read(sight(port))).state is CheckState.FAIL
        with server(Handler()) as port:
            assert (await later.read(sight(port, phase="freeze"))).state is CheckState.FAIL
            assert (await later.read(sight(port, phase="after"))).state is CheckState.PASS

    async def test_a_word_that_means_nothing(self) -> None:
        """It is UNKNOWN, and says so."""
        reading = await probe(phases={"x": "asleep"}).read(sight(1, phase="x"))
        assert reading.state is CheckState.UNKNOWN
        assert "asleep" in reading.value


BEGIN = (b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"554 no\r\n", b"250 ok\r\n")
STAGES = ("the greeting", "EHLO", "MAIL", "RCPT", "RCPT", "RSET")


@pytest.mark.parametrize("length", range(6))
async def test_a_server_that_hangs_at_each_stage(length: int) -> None:
    """It is FAIL, with the stage, within its time."""
    began = time.monotonic()
    async with serving(script(*BEGIN[:length] or (None,), hang=True)) as port:
        reading = await probe(starttls="none", patience=0.5).read(sight(port))
    assert (reading.state, reading.value) == (CheckState.FAIL, f"it stopped answering at {STAGES[length]}")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("length", range(6))
async def test_a_server_that_hangs_up_at_each_stage(length: int) -> None:
    """It is FAIL, with the stage."""
    async with serving(script(*BEGIN[:length] or (b"",))) as port:
        reading = await probe(starttls="none", patience=2).read(sight(port))
    assert reading.state is CheckState.FAIL
    assert f"it closed the connection at {STAGES[length]}" in reading.value


@pytest.mark.parametrize("misbehaving", [
    silent, flood(b"220-x\r\n"), flood(b"x" * 9000), drip(b"220-x\r\n"), drip(b"2"),
    script(HOSTILE + b"\r\n", hang=True),
    script(b"220 " + HOSTILE + b"\r\n", HOSTILE + b"\r\n"), script(b"220-a\r\n250 b\r\n"), script(b"999 a\r\n"),
    script(b"220 a\r\n", b"250-" + HOSTILE + b"\r\n250 x\r\n", b"500 " + HOSTILE + b"\r\n"),
])  # fmt: skip
async def test_servers_that_misbehave(misbehaving: Serve) -> None:
    """There is a FAIL and a sentence, in time."""
    began = time.monotonic()
    async with serving(misbehaving) as port:
        reading = await probe(starttls="none", patience=0.6).read(sight(port))
    assert reading.state is CheckState.FAIL
    assert reading.value
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("address", ["a@b>\r\nDATA\r\n", "a b@c", "<a@b>", "ö@b.test"])
async def test_addresses_that_are_none(address: str) -> None:
    """They are not sent: UNKNOWN."""
    odd = probe()
    odd.accept = (address,)
    assert (await odd.read(sight(1))).state is CheckState.UNKNOWN


def test_a_refusal_counts_only_after_the_sender() -> None:
    """Where MAIL fails, no recipient was refused."""
    seen = SmtpSeen(greeting=SmtpReply(220), offered=False, sender=SmtpReply(451, "later"))
    judged = judge(seen, Wanted(refuse=(BAD,)))
    assert (judged.state, judged.says) == (CheckState.FAIL, "MAIL FROM:<>: 451 later; 250 is expected")


def test_from_front_matter() -> None:
    """One address or a list; port 25 when none is said."""
    options = {"host": "new", "accept": "a@X", "refuse": ["b@c", "d@e"], "starttls": "required"}
    made = SmtpProbe.of(CheckSpec("s", "smtp", options), lambda text: text.replace("X", "domain.test"))
    assert (made.accept, made.refuse, made.target.port) == (("a@domain.test",), ("b@c", "d@e"), 25)
    assert made.starttls == Starttls.REQUIRED
    assert "no mail" in made.asks
