"""Check `http`, against real servers: pages, other statuses, redirections, pages that never end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.http import HttpProbe, request
from runbook_tui.core.model import CheckSpec
from runbook_tui.ports import CheckState
from tests.checks.certificates import Papers
from tests.checks.talkers import HOSTILE, NAME, drip, flood, script, serving, sight, silent
from tests.demo.loopback import free_port

if TYPE_CHECKING:
    import asyncio

    from tests.checks.talkers import Serve

PLAIN = f"http://{NAME}/"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Give the test's authorities."""
    return Papers.make(tmp_path_factory.mktemp("papers"))


def page(
    status: str = "200 OK", body: bytes = b"hello", *headers: str, length: bool = True, hang: bool = False
) -> Serve:  # fmt: skip
    """Give a server that answers any request with this."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return script(None, "\r\n".join([*lines, "", ""]).encode() + body, hang=hang)


def probe(url: str = PLAIN, *, expect: str = "", ca: str = "", patience: float = 10.0,
          phases: dict[str, object] | None = None) -> HttpProbe:  # fmt: skip
    """Give a probe that wants status 200."""
    return HttpProbe(url, 200, expect, phases or {}, ca=ca, patience=patience)


async def test_a_page() -> None:
    """The status and the text are enough; a connection that stays open is not waited for."""
    began = time.monotonic()
    async with serving(page(hang=True)) as port:
        reading = await probe(expect="^hel+o$", patience=20).read(sight(port))
    assert (reading.state, reading.value) == (CheckState.PASS, "status 200 OK")
    assert time.monotonic() - began < 5


async def test_what_is_sent() -> None:
    """One GET for the path and query, with the name and port of the URL."""
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()

    async with serving(serve) as port:
        await probe(f"http://{NAME}:8080/a?b=c#d").read(sight(port))
    assert heard.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: mail.example.test:8080\r\n")


async def test_a_chunked_page() -> None:
    """Its parts are one text."""
    body = b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    async with serving(page("200 OK", body, "Transfer-Encoding: chunked", length=False)) as port:
        assert (await probe(expect="^hello$").read(sight(port))).state is CheckState.PASS


@pytest.mark.parametrize(("status", "says"), [
    ("503 Gone for maintenance", "status 503 Gone for maintenance; 200 is expected"),
    ("302 Found", "status 302 Found, which leads to https://elsewhere.test/; 200 is expected"),
])  # fmt: skip
async def test_another_status(status: str, says: str) -> None:
    """It is FAIL; where it leads is told, and nobody goes there."""
    headers = ("Location: https://elsewhere.test/",) if status.startswith("302") else ()
    async with serving(page(status, b"", *headers)) as port:
        reading = await probe().read(sight(port))
    assert (reading.state, reading.value) == (CheckState.FAIL, says)


async def test_phases() -> None:
    """503 is right during the downtime, and the usual page's text is not asked for then."""
    phased = probe(expect="hello", phases={"downtime": 503, "dark": "refused"})
    async with serving(page("503 Down", b"back soon")) as port:
        assert (await phased.read(sight(port, phase="downtime"))).state is CheckState.PASS
        assert (await phased.read(sight(port))).state is CheckState.FAIL
        assert (await phased.read(sight(port, phase="dark"))).state is CheckState.FAIL
    assert (await phased.read(sight(free_port(), phase="dark"))).state is CheckState.PASS
    assert (await phased.read(sight(free_port()))).state is CheckState.FAIL


async def test_text_that_is_missing() -> None:
    """In a whole page it is FAIL; in one that was cut off, nothing is known."""
    async with serving(page(body=b"nothing")) as port:
        assert (await probe(expect="hello").read(sight(port))).state is CheckState.FAIL
    cut = script(None, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel")
    async with serving(cut) as port:
        reading = await probe(expect="hello").read(sight(port))
        assert (reading.state, "cut off" in reading.value) == (CheckState.UNKNOWN, True)


@pytest.mark.parametrize("server", [flood(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000), drip(b"x")])
async def test_only_the_beginning_is_read(server: Serve) -> None:
    """What never ends is cut after 64 KiB, or after its time."""
    began = time.monotonic()
    async with serving(server) as port:
        reading = await probe(expect="never there", patience=0.6).read(sight(port))
    assert reading.state is CheckState.FAIL
    assert time.monotonic() - began < 5


async def test_a_page_that_does_not_end() -> None:
    """Its status is known, but it is no PASS."""
    async with serving(script(None, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel", hang=True)) as port:
        reading = await probe(patience=0.4).read(sight(port))
    assert (reading.state, reading.value) == (CheckState.WARN, "status 200, but the page does not end")


@pytest.mark.parametrize("server", [
    silent, script(None, hang=True), script(b""), flood(b"HTTP/1.1 200 OK\r\nX: y\r\n"), flood(b"h: x" * 5000),
    script(None, HOSTILE + b"\r\n\r\n"), script(None, b"HTTP/1.1 999999 x\r\n\r\n"), script(None, b"HTTP/1.1 "),
    script(None, b"HTTP/1.1 500 " + HOSTILE + b"\r\nLocation: " + HOSTILE + b"\r\n\r\n" + HOSTILE),
])  # fmt: skip
async def test_servers_that_misbehave(server: Serve) -> None:
    """There is a FAIL and a sentence, in time."""
    began = time.monotonic()
    async with serving(server) as port:
        reading = await probe(patience=0.6).read(sight(port))
    assert reading.state is CheckState.FAIL
    assert reading.value
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("kind", "state"), [("good", "PASS"), ("expired", "FAIL"), ("other name", "FAIL")])
async def test_https(papers: Papers, kind: str, state: str) -> None:
    """A page whose certificate is not good is not fetched."""
    async with serving(page(), papers.context(kind)) as port:
        reading = await probe(f"https://{NAME}/", expect="hello", ca=papers.ca).read(sight(port))
    assert reading.state == state
    assert ("certificate" in reading.value) is (state == "FAIL")


async def test_the_next_address_is_tried() -> None:
    """As a browser does, when the first one refuses."""
    async with serving(page(), address="127.0.0.2") as port:
        reading = await probe().read(sight(port, "", "", "127.0.0.3", "127.0.0.2"))
    assert (reading.state, reading.rows[0].cells[0]) == (CheckState.PASS, "127.0.0.2")


@pytest.mark.parametrize("url", ["ftp://x/", "http:///x", "http://x y/", "http://x/\r\nEvil: y", "http://x:99999/"])
async def test_urls_that_are_none(url: str) -> None:
    """They are not asked: UNKNOWN."""
    assert (await probe(url).read(sight(1))).state is CheckState.UNKNOWN


def test_requests() -> None:
    """Ports come from the scheme; a password in a URL is not sent."""
    assert request("https://a.test/x")[:2] == ("a.test", 443)
    assert request("http://[::1]:8080")[:2] == ("::1", 8080)
    assert request("http://user:word@a.test/")[2].name == "a.test"


def test_from_front_matter() -> None:
    """Literals are put in."""
    options = {"url": "https://webmail.X/", "status": 200, "expect": "X"}
    made = HttpProbe.of(CheckSpec("w", "http", options), lambda text: text.replace("X", "domain.test"))
    assert (made.url, made.expect, made.asks) == (
        "https://webmail.domain.test/", "domain.test", "GET https://webmail.domain.test/"
    )  # fmt: skip


async def test_up_in_a_phase_is_the_usual_page() -> None:
    """Its status and text are wanted as ever."""
    usual = probe(expect="^hel+o$", phases={"after": "up"})
    async with serving(page()) as port:
        assert (await usual.read(sight(port, phase="after"))).state is CheckState.PASS
    async with serving(page(body=b"bye")) as port:
        assert (await usual.read(sight(port, phase="after"))).state is CheckState.FAIL
