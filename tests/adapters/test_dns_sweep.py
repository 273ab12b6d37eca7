"""The sweep over name servers believes only what answers its question, and a bad server harms its own answer alone."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from functools import partial
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import pytest

from runbook_tui.adapters.dns_sweep import DnsSweep
from runbook_tui.adapters.dns_wire import MOST_REMEMBERED, STOCK, Chance, Memo, template
from runbook_tui.core.lookup import Answer, Question, Record, Reply
from tests.support.bench import eventually
from tests.support.dns_crowd import address, crowd
from tests.support.dns_liar import mx, response, server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.dns_liar import Datagrams

NEW = Record("example.test.", "MX", 300, "10 new.example.test.")


async def ask(handle: Datagrams, talk: Datagrams | None = None, deadline: float = 0.3) -> Answer:
    """Ask a server of this behaviour for the MX."""
    async with server(handle, talk) as made:
        (answer,) = await DnsSweep().sweep([Question(made.address, "example.test", "MX", made.port)], deadline)
    return answer


def reply_of(answer: Answer) -> Reply:
    """Give the reply that must be there."""
    assert answer.reply is not None, answer.trouble
    return answer.reply


async def test_a_true_answer_is_told_as_plain_records() -> None:
    """Code, AA and the records with their TTLs come out, names in lower case."""
    answer = await ask(lambda q: [response(q, "example.test. 300 MX 10 New.Example.TEST.", aa=True).to_wire()])
    assert answer.reply == Reply("NOERROR", authoritative=True, answer=(NEW,))


async def test_strings_of_a_text_record_are_joined() -> None:
    """A TXT in two strings is one value (RFC 7208 3.3), with what a hostile zone put there untouched."""
    found = reply_of(await ask(lambda q: [response(q, 'example.test. 9 TXT "v=spf1 \\027[2J" "-all"').to_wire()]))
    assert [r.value for r in found.answer] == ["v=spf1 \x1b[2J-all"]


async def test_the_answers_come_in_the_order_of_the_questions() -> None:
    """300 servers, each with a TTL of its own and some latency: every answer stands where its question stood."""
    with crowd(300, slowest=0.05) as port:
        answers = await DnsSweep().sweep([Question(address(n), "example.test", "MX", port) for n in range(300)])
    assert [reply_of(answer).answer[0].ttl for answer in answers] == [60 + n % 32 for n in range(300)]


async def test_what_is_lost_is_asked_again() -> None:
    """With a third of the questions lost nearly all are answered after two resends, and no answer takes longer."""
    with crowd(200, loss=0.3, slowest=0.02) as port:
        answers = await DnsSweep().sweep([Question(address(n), "example.test", "MX", port) for n in range(200)], 1.4)
    good = [answer for answer in answers if answer.reply]
    assert len(good) > 170
    assert {answer.trouble for answer in answers if not answer.reply} <= {"no answer within 1.4 s"}


def other_id(query: bytes) -> bytes:
    """Answer with the next id."""
    return struct.pack("!H", (int.from_bytes(query[:2], "big") + 1) & 0xFFFF) + mx(query)[2:]


def other_name(query: bytes) -> bytes:
    """Answer a question about another name."""
    return mx(query).replace(query[13:20], b"forgery")


def other_type(query: bytes) -> bytes:
    """Answer a question for another type."""
    made = bytearray(mx(query))
    made[12 + len(b"\7example\4test\0") + 1] = 16
    return bytes(made)


def other_case(query: bytes) -> bytes:
    """Answer with every letter of the question turned."""
    end = 12 + len(b"\7example\4test\0")
    return mx(query)[:12] + query[12:end].swapcase() + mx(query)[end:]


def echo(query: bytes) -> bytes:
    """Send the question back."""
    return query


def no_question(query: bytes) -> bytes:
    """Answer without saying to what."""
    made = response(query)
    made.question = []
    return made.to_wire()


LIES: dict[str, Callable[[bytes], bytes]] = {
    "id": other_id, "name": other_name, "type": other_type, "case": other_case, "echo": echo,
    "no question": no_question, "two octets": lambda q: q[:2], "seven octets": lambda q: q[:7], "empty": lambda _: b"",
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_what_answers_another_question_never_counts(lie: Callable[[bytes], bytes]) -> None:
    """An answer with a wrong id, name, type or letter case is none, and a true one after it still counts."""
    assert (await ask(lambda q: [lie(q)])).reply is None
    assert reply_of(await ask(lambda q: [lie(q), mx(q)])).answer == (NEW,)


async def test_an_answer_from_elsewhere_never_counts() -> None:
    """A true answer from another address, or from another port of the right one, is dropped."""
    for elsewhere in ("127.0.0.2", "127.0.0.1"):
        async with server(lambda _: [], address=elsewhere) as other, server(lambda _: []) as asked:
            sent = other.transport
            assert sent is not None
            sweep = asyncio.ensure_future(
                DnsSweep().sweep([Question(asked.address, "example.test", "MX", asked.port)], 0.3)
            )
            await eventually(partial(bool, asked.heard))
            port, query = asked.heard[0]
            sent.sendto(mx(query), ("127.0.0.1", port))
            assert (await sweep)[0].trouble == "no answer within 0.3 s"


def small(query: bytes) -> bytes:
    """Write the name in small letters; the id before it may hold a letter's byte too and stays as it is."""
    return query[:2] + query[2:].lower()


async def test_a_server_that_changes_the_case_is_asked_over_tcp() -> None:
    """There the address is proved, so that an honest server that writes small letters is heard after all."""
    answer = await ask(lambda q: [mx(small(q))], lambda q: [mx(small(q))], deadline=6)
    assert reply_of(answer).answer == (NEW,)


def truncated(query: bytes) -> bytes:
    """Say that the answer is too long."""
    made = response(query)
    made.flags |= dns.flags.TC
    return made.to_wire()


async def test_a_truncated_answer_is_fetched_over_tcp() -> None:
    """The TC bit leads to TCP, where 200 records come whole."""
    many = [f"example.test. 300 MX {n} m{n}.example.test." for n in range(200)]
    answer = await ask(lambda q: [truncated(q)], lambda q: [response(q, *many).to_wire(max_size=65535)], deadline=5)
    assert len(reply_of(answer).answer) == 200


TALKS: dict[str, Datagrams | None] = {
    "closed": None, "id": lambda q: [other_id(q)], "nothing": lambda _: [], "cut": lambda q: [mx(q)[:-3]],
}  # fmt: skip


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
async def test_a_truncated_answer_alone_is_no_answer(talk: Datagrams | None) -> None:
    """Where TCP gives nothing that can be believed, the server has not answered, and the sentence says why."""
    answer = await ask(lambda q: [truncated(q)], talk, deadline=2)
    assert answer.reply is None
    assert answer.trouble


async def test_a_silent_tcp_server_costs_no_more_than_the_deadline() -> None:
    """A server that takes the connection and says nothing is given up with the rest."""
    stop = asyncio.Event()

    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        writer.close()

    async with server(lambda q: [truncated(q)]) as made:
        streams = await asyncio.start_server(mute, made.address, made.port)
        async with asyncio.timeout(60):
            (answer,) = await DnsSweep().sweep([Question(made.address, "example.test", "MX", made.port)], 0.3)
        stop.set()
        streams.close()
    assert answer.trouble == "no answer within 0.3 s"


def cut(length: int, query: bytes) -> list[bytes]:
    """Answer with the first octets of the truth."""
    return [mx(query)[:length]]


async def test_an_answer_cut_anywhere_is_trouble_of_that_server_alone() -> None:
    """Cut after every octet, an answer is no reply, while the whole one of another server is."""
    whole = len(mx(template("example.test", "MX", recurse=True).wire))
    async with contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(server(partial(cut, n))) for n in range(whole + 1)]
        questions = [Question(one.address, "example.test", "MX", one.port) for one in made]
        answers = await DnsSweep().sweep(questions, 0.3)
    assert [n for n, answer in enumerate(answers) if answer.reply] == [whole]
    assert any("cannot be understood" in answer.trouble for answer in answers)


async def test_noise_after_the_question_is_trouble() -> None:
    """Loops of pointers, absurd counts and trailing octets are said to be no answer, and raise nothing."""
    tails = [b"\xc0\x0c" * 40, b"\xff" * 300, b"\xc0\xff\x00\x0f\x00\x01\x00\x00\x00\x00\x00\x02\xc0\x0c"]

    def noise(tail: bytes) -> Datagrams:
        return lambda q: [q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:31] + tail]

    trailing = await ask(lambda q: [mx(q) + b"more"])
    for answer in [trailing, *[await ask(noise(tail)) for tail in tails]]:
        assert answer.reply is None
        assert answer.trouble.startswith("its answer cannot be understood")


async def test_a_server_without_edns_is_asked_without() -> None:
    """FORMERR to EDNS leads to the same question without it (RFC 6891 6.2.2)."""

    def old_server(query: bytes) -> list[bytes]:
        if dns.message.from_wire(query).edns >= 0:
            return [query[:2] + b"\x81\x81\0\1\0\0\0\0\0\0" + query[12:-11]]
        return [mx(query)]

    assert reply_of(await ask(old_server)).answer == (NEW,)


async def test_nothing_of_a_question_can_be_foretold() -> None:
    """64 questions go from 16 ports with ids and letter cases of their own; RD is as wanted, EDNS takes 1232 octets."""
    async with server(lambda q: [mx(q)]) as made:
        for recurse in (True, False):
            await DnsSweep().sweep([Question(made.address, "example.test", "MX", made.port, recurse)] * 64, 1)
    first, second = made.heard[:64], made.heard[64:]
    ports = {port for port, _ in first}
    assert 8 <= len(ports) <= 16
    assert not ports & {port for port, _ in second} or len(ports | {port for port, _ in second}) > 16
    assert len({octets[:2] for _, octets in first}) > 60
    assert len({octets[12:25] for _, octets in first}) > 50
    queries = [dns.message.from_wire(octets) for _, octets in made.heard]
    assert [bool(q.flags & dns.flags.RD) for q in queries] == [True] * 64 + [False] * 64
    assert {(q.edns, q.payload) for q in queries} == {(0, 1232)}


async def test_what_cannot_be_asked_says_so() -> None:
    """A name or an address that is none is the trouble of its own answer."""
    bad = [Question("127.0.0.1", "a..b", "MX"), Question("nowhere", "a.test", "MX"), Question("127.0.0.1", "a", "NOPE")]
    answers = await DnsSweep().sweep(bad, 0.2)
    assert [answer.unsent for answer in answers] == [True] * 3
    assert "nowhere is no address" in answers[1].trouble
    assert await DnsSweep().sweep([], 0.2) == ()


def test_chance_is_never_given_twice() -> None:
    """Draws of any size, also beyond the stock, are as large as wanted and all differ."""
    chance = Chance()
    drawn = [chance.draw(16) for _ in range(STOCK // 4)]
    assert len(set(drawn)) == len(drawn)
    assert max(drawn).bit_length() == 128
    assert chance.draw(2 * STOCK).bit_length() > 12 * STOCK


def test_a_memo_is_bounded() -> None:
    """A server that varies its answers without end fills no memory."""
    memo, query = Memo(), template("example.test", "MX", recurse=True)
    for ttl in range(MOST_REMEMBERED + 50):
        memo.reply(mx(query.wire, ttl=ttl), query.end)
    assert len(memo._known) == MOST_REMEMBERED


def test_a_memo_tells_different_answers_apart() -> None:
    """Equal but for id and case is one answer; another TTL, another record or another code is another."""
    memo, query = Memo(), template("example.test", "MX", recurse=True)
    one = memo.reply(mx(query.outgoing(0)), query.end)
    assert memo.reply(mx(query.outgoing(query.free)), query.end) is one
    assert memo.reply(mx(query.wire, ttl=299), query.end) != one
    assert memo.reply(mx(query.wire, "old.example.test."), query.end) != one
    assert memo.reply(response(query.wire, rcode="SERVFAIL").to_wire(), query.end) == Reply("SERVFAIL")
