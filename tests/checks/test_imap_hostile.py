"""Check `imap`, against servers that hang, flood, lie and repeat what they were told: a sentence in time, no thread."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters import imap_client
from runbook_tui.checks.imap import ImapProbe
from runbook_tui.checks.reached import Target
from runbook_tui.ports import CheckState
from tests.checks.certificates import Papers
from tests.checks.talkers import HOSTILE, NAME, drip, flood, serving, sight, silent
from tests.support.sight import KnownSecrets

if TYPE_CHECKING:
    from runbook_tui.ports import Reading
    from tests.checks.talkers import Serve

PASSWORD = "open-sesame"
CAPABLE = b"* CAPABILITY IMAP4rev1 NAMESPACE\r\n"
ANSWERS = {
    b"CAPABILITY": CAPABLE, b"LOGIN": b"", b"NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\n',
    b"LIST": b'* LIST () "/" INBOX\r\n', b"LSUB": b'* LSUB () "/" INBOX\r\n',
    b"STATUS": b"* STATUS INBOX (MESSAGES 1 UNSEEN 0 UIDVALIDITY 7)\r\n",
    b"EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n",
    b"FETCH": b"* 1 FETCH (RFC822.SIZE 4 BODY[]<0> {4}\r\nbody)\r\n", b"LOGOUT": b"* BYE\r\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Give the test's authorities."""
    return Papers.make(tmp_path_factory.mktemp("papers"))


def imap(greeting: bytes = b"* OK ready\r\n", **other: bytes | None) -> Serve:
    """Give a server that answers as a good one does, but for the commands that are named; None: it hangs there.

    An answer that ends with `NO`, `BAD` or `BYE` and text is tagged with it, `DROP` ends the connection.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while line := await reader.readuntil(b"\n"):
            tag, _, command = line.strip().partition(b" ")
            verb = command.split(b" ")[0].upper()
            answer = other.get(verb.decode().lower(), ANSWERS.get(verb, b""))
            if answer is None:
                await asyncio.Event().wait()
            elif answer == b"DROP":
                return
            elif answer.startswith((b"NO ", b"BAD ")):
                writer.write(tag + b" " + answer + b"\r\n")
            else:
                writer.write(answer + tag + b" OK done\r\n")
            await writer.drain()

    return serve


def probe(patience: float = 20.0, port: int = 993) -> ImapProbe:
    """Give a probe."""
    return ImapProbe(Target("new", port, NAME, patience=patience), "plop", "imap plop", name=NAME)


async def look(papers: Papers, server: Serve, patience: float = 20.0) -> Reading:
    """Look once at a server over TLS."""
    async with serving(server, papers.context("good")) as port:
        at = sight(port, papers.ca)
        at.secrets = KnownSecrets({"imap plop": PASSWORD})
        return await probe(patience).read(at)


def looking() -> int:
    """Count the threads that are in the middle of a look."""
    found = 0
    for frame in sys._current_frames().values():
        inner = frame
        while inner is not None:
            if inner.f_code.co_filename == imap_client.__file__:
                found += 1
                break
            inner = inner.f_back  # type: ignore[assignment]
    return found


async def all_ended() -> None:
    """Return when no thread looks any more."""
    async with asyncio.timeout(60):
        while looking():  # noqa: ASYNC110 -- nobody can tell of another thread's frames
            await asyncio.sleep(0.01)


async def test_the_good_server_of_these_tests(papers: Papers) -> None:
    """It is PASS, so that what the others lack is what they fail for."""
    reading = await look(papers, imap())
    assert (reading.state, reading.value) == (CheckState.PASS, "1 mails in 1 folder")


@pytest.mark.parametrize("stage", [
    "capability", "login", "namespace", "list", "lsub", "status", "examine", "fetch",
])  # fmt: skip
async def test_it_hangs_at_each_stage(papers: Papers, stage: str) -> None:
    """It is FAIL, with the stage, within its time, and the thread has ended."""
    began = time.monotonic()
    reading = await look(papers, imap(b"* OK ready\r\n", **{stage: None}), patience=0.7)
    assert reading.state is CheckState.FAIL
    assert "it stopped answering at" in reading.value
    assert time.monotonic() - began < 5
    await all_ended()


@pytest.mark.parametrize("stage", [
    "capability", "login", "namespace", "list", "lsub", "status", "examine", "fetch",
])  # fmt: skip
@pytest.mark.parametrize("how", [b"DROP", b"BAD " + HOSTILE, b"* " + HOSTILE + b"\r\n", b"* BYE gone\r\n", b"\r\n"])
async def test_it_breaks_at_each_stage(papers: Papers, stage: str, how: bytes) -> None:
    """It is never PASS, and there is a sentence."""
    reading = await look(papers, imap(b"* OK ready\r\n", **{stage: how}))
    assert reading.state in {CheckState.FAIL, CheckState.UNKNOWN, CheckState.WARN}
    assert reading.value
    await all_ended()


@pytest.mark.parametrize("server", [
    silent, flood(b"* OK x\r\n"), flood(b"x" * 5000), drip(b"* OK x\r\n"), drip(b"x"),
    imap(greeting=b"* BYE " + HOSTILE + b"\r\n"), imap(greeting=b"* PREAUTH welcome\r\n"),
    imap(greeting=HOSTILE + b"\r\n"),
    imap(list=b'* LIST () "/" {99999999999}\r\n'), imap(list=b'* LIST () "/" {99999999999999999999999}\r\n'),
    imap(list=b'* LIST () "/" x\r\n' * 300_000), imap(examine=b"* 99999999999 EXISTS\r\n"),
    imap(list=b"* LIST (((((((\r\n"), imap(status=b"* STATUS INBOX (MESSAGES\r\n"), imap(list=b'* LIST () "/" &\r\n'),
    imap(fetch=b"* 1 FETCH (BODY[]<0> NIL)\r\n"), imap(fetch=b""), imap(examine=b""),
    imap(namespace=b"* NAMESPACE x\r\n"),
])  # fmt: skip
async def test_servers_that_misbehave(papers: Papers, server: Serve) -> None:
    """It is never PASS; there is a sentence, in time, and no thread is left."""
    began = time.monotonic()
    reading = await look(papers, server, patience=1.0)
    assert reading.state in {CheckState.FAIL, CheckState.UNKNOWN, CheckState.WARN}, reading
    assert reading.value
    assert time.monotonic() - began < 8
    await all_ended()


async def test_what_it_repeats_of_the_password_is_not_shown(papers: Papers) -> None:
    """A server knows it; nobody else is told."""
    said = f"NO wrong password {PASSWORD}, really {PASSWORD}".encode()
    reading = await look(papers, imap(login=said))
    assert (reading.state, reading.value) == (
        CheckState.FAIL, "auth: wrong password (the password), really (the password)",
    )  # fmt: skip
    folder = f'* LIST () "/" {PASSWORD}\r\n'.encode()
    assert PASSWORD not in repr(await look(papers, imap(list=folder)))


async def test_a_login_that_fails_for_another_reason(papers: Papers) -> None:
    """It says nothing of the password, so it is tried again."""
    looking_twice = probe()
    logins = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal logins
        logins += 1
        await imap(login=b"NO [UNAVAILABLE] later" if logins == 1 else b"")(reader, writer)

    async with serving(serve, papers.context("good")) as port:
        at = sight(port, papers.ca)
        at.secrets = KnownSecrets({"imap plop": PASSWORD})
        first, second = await looking_twice.read(at), await looking_twice.read(at)
    assert (first.state, first.value) == (CheckState.FAIL, "at LOGIN: [UNAVAILABLE] later")
    assert second.state is CheckState.PASS


async def test_silent_logins_come_to_an_end(papers: Papers) -> None:
    """A login without an answer may count as a wrong one: three of them are enough."""
    logins = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal logins
        logins += 1
        await imap(login=None)(reader, writer)

    async with serving(serve, papers.context("good")) as port:
        at = sight(port, papers.ca)
        at.secrets = KnownSecrets({"imap plop": PASSWORD})
        trying = probe(0.4)
        readings = [await trying.read(at) for _ in range(5)]
    assert logins == 3
    assert [one.state for one in readings] == [CheckState.FAIL] * 5
    assert "not tried again by itself" in readings[-1].value


@pytest.mark.parametrize("capability", [b"* CAPABILITY IMAP4rev1\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS\r\n"])
async def test_starttls_taken_out_on_the_way(papers: Papers, capability: bytes) -> None:
    """No password goes out in plain."""
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner = imap(capability=capability, starttls=b"NO not now")
        original = reader.readuntil

        async def remember(separator: bytes = b"\n") -> bytes:
            line = await original(separator)
            heard.extend(line)
            return line

        reader.readuntil = remember  # type: ignore[method-assign,assignment]
        await inner(reader, writer)

    async with serving(serve) as port:
        at = sight(port, papers.ca)
        at.secrets = KnownSecrets({"imap plop": PASSWORD})
        reading = await probe(port=143).read(at)
    assert reading.state is CheckState.FAIL
    assert "STARTTLS" in reading.value
    assert b"LOGIN" not in heard
    assert PASSWORD.encode() not in heard


async def test_a_look_that_is_given_up_ends_its_thread(papers: Papers) -> None:
    """Cancelling closes the socket under it."""
    async with serving(imap(list=None), papers.context("good")) as port:
        at = sight(port, papers.ca)
        at.secrets = KnownSecrets({"imap plop": PASSWORD})
        task = asyncio.create_task(probe(60).read(at))
        async with asyncio.timeout(60):
            while not looking():  # noqa: ASYNC110 -- same
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait({task})
        await all_ended()
    assert task.cancelled()
