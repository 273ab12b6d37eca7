"""Stand-ins of dig(1), host(1) and nsupdate(1), which ask the world's name servers over the wire."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.standins.call import Call, Command

PATIENCE = 3.0
"""Real seconds for an answer."""
NO_SERVER = 9
"""Exit status of dig when nobody answers."""
SWITCHES = frozenset({
    "short", "norec", "norecurse", "rec", "recurse", "noall", "answer", "all", "tcp", "notcp", "nocomments", "nocmd",
    "nostats", "noedns",
})  # fmt: skip
SETTINGS = ("time", "tries", "retry", "timeout")
_CODES = {dns.rcode.NXDOMAIN: "3(NXDOMAIN)", dns.rcode.SERVFAIL: "2(SERVFAIL)", dns.rcode.REFUSED: "5(REFUSED)"}


@dataclass(slots=True)
class _Question:
    name: str = ""
    rdtype: str = "A"
    server: str = ""
    port: int = 0
    switches: set[str] = field(default_factory=set)


def dig(call: Call) -> int:
    """Ask a name server and print the answer as dig does."""
    question = _dig_words(call)
    address, port = _server(call, question.server)
    query = dns.message.make_query(question.name or ".", question.rdtype if question.name else "NS")
    if question.switches & {"norec", "norecurse"}:
        query.flags &= ~dns.flags.RD
    try:
        reply = call.wait(_exchange(query, address, question.port or port, tcp="tcp" in question.switches))
    except (OSError, EOFError, dns.exception.DNSException):
        call.say(f";; communications error to {address}#{port}: connection refused\n;; no servers could be reached")
        return NO_SERVER
    records = [(rrset, record) for rrset in reply.answer for record in rrset]
    if "short" in question.switches:
        for _, record in records:
            call.say(record.to_text())
        return 0
    lines = [
        f"{rrset.name}\t{rrset.ttl}\tIN\t{dns.rdatatype.to_text(rrset.rdtype)}\t{record}" for rrset, record in records
    ]
    if "noall" in question.switches:
        lines = lines if "answer" in question.switches else []
    else:
        lines = [f"\n; <<>> DiG 9.18 (rehearsal) <<>> {' '.join(call.argv[1:])}", _header(reply), *_sections(reply)]
        lines += [f";; SERVER: {address}#{port}\n"]
    for line in lines:
        call.say(line)
    return 0


def _dig_words(call: Call) -> _Question:
    question = _Question()
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if word.startswith("@"):
            question.server = word[1:]
        elif word.startswith("+"):
            setting = word[1:].partition("=")[0]
            if setting not in SWITCHES and setting not in SETTINGS:
                call.refuse(word)
            question.switches.add(setting)
        elif word in ("-t", "-p") and words:
            value = words.pop(0)
            if word == "-t":
                question.rdtype = value
            else:
                question.port = int(value)
        elif word.startswith("-"):
            call.refuse(word)
        elif _is_type(word) and "." not in word:
            question.rdtype = word
        elif word.upper() != "IN":
            question.name = word
    if not _is_type(question.rdtype):
        call.refuse(f"type {question.rdtype}")
    return question


def _is_type(word: str) -> bool:
    try:
        dns.rdatatype.from_text(word)
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        return False
    return True


def _header(reply: dns.message.Message) -> str:
    return (
        f";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: {dns.rcode.to_text(reply.rcode())}, id: {reply.id}\n"
        f";; flags: {dns.flags.to_text(reply.flags).lower()}; QUERY: 1, ANSWER: {sum(map(len, reply.answer))}, "
        f"AUTHORITY: {sum(map(len, reply.authority))}, ADDITIONAL: {sum(map(len, reply.additional))}\n"
    )


def _sections(reply: dns.message.Message) -> list[str]:
    sections = (("ANSWER", reply.answer), ("AUTHORITY", reply.authority), ("ADDITIONAL", reply.additional))
    question = "".join(f";{one.name}\t\tIN\t{dns.rdatatype.to_text(one.rdtype)}\n" for one in reply.question)
    found = [f";; {name} SECTION:\n" + "\n".join(map(str, rrsets)) + "\n" for name, rrsets in sections if rrsets]
    return [f";; QUESTION SECTION:\n{question}", *found]


def host(call: Call) -> int:
    """Look a name up and say it in sentences."""
    options = call.options("t:")
    if not options.rest:
        call.refuse()
    name = options.rest[0]
    address, port = _server(call, options.rest[1] if len(options.rest) > 1 else "")
    sentences: list[str] = []
    for rdtype in [options.value("t")] if options.value("t") else ["A", "AAAA", "MX"]:
        try:
            reply = call.wait(_exchange(dns.message.make_query(name, rdtype), address, port, tcp=False))
        except (OSError, EOFError, dns.exception.DNSException):
            call.fail(";; connection timed out; no servers could be reached")
        if reply.rcode() != dns.rcode.NOERROR:
            call.say(f"Host {name} not found: {_CODES.get(reply.rcode(), dns.rcode.to_text(reply.rcode()))}")
            return 1
        sentences += [_sentence(str(rrset.name).rstrip("."), record) for rrset in reply.answer for record in rrset]
    if not sentences:
        call.say(f"{name} has no {options.value('t') or 'A'} record")
        return 1
    for sentence in dict.fromkeys(sentences):
        call.say(sentence)
    return 0


def _sentence(owner: str, record: dns.rdata.Rdata) -> str:
    kind = dns.rdatatype.to_text(record.rdtype)
    words = {
        "A": "has address", "AAAA": "has IPv6 address", "MX": "mail is handled by", "CNAME": "is an alias for",
        "TXT": "descriptive text", "NS": "name server",
    }  # fmt: skip
    return f"{owner} {words.get(kind, f'has {kind} record')} {record}"


# ---- nsupdate


@dataclass(slots=True)
class _Session:
    """What nsupdate has read so far."""

    zone: str
    address: str
    port: int
    ttl: int = 0
    key: dns.tsig.Key | None = None
    changes: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)


def nsupdate(call: Call) -> int:
    """Send the updates described on standard input or in a file (nsupdate(1))."""
    options = call.options("y:k:vt:")
    server = call.machine.world.authoritative
    session = _Session(call.machine.world.domain, server.address, server.port)
    if options.value("y"):
        *algorithm, name, secret = options.value("y").split(":")
        session.key = dns.tsig.Key(name, secret, algorithm[0] if algorithm else "hmac-sha256")
    if options.value("k"):
        session.key = _key_file(call.file(options.value("k")).read_text(encoding="ascii"))
    text = call.file(options.rest[0]).read_bytes() if options.rest else call.stdin.read()
    for line in text.decode("utf-8", "replace").splitlines():
        _obey(call, session, line)
    _send(call, session)
    return 0


def _key_file(text: str) -> dns.tsig.Key:
    """Read what tsig-keygen(8) writes."""
    found = {word: re.search(rf'{word}\s+"?([^";{{\s]+)', text) for word in ("key", "algorithm", "secret")}
    name, secret = found["key"], found["secret"]
    if name is None or secret is None:
        raise OSError("could not read key from file: unexpected token")
    return dns.tsig.Key(name[1], secret[1], found["algorithm"][1] if found["algorithm"] else "hmac-sha256")


def _obey(call: Call, session: _Session, line: str) -> None:
    lexer = shlex.shlex(line, posix=False, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ";"
    words = list(lexer)
    match [word.lower() if number < 2 else word for number, word in enumerate(words)]:
        case [] | ["send"]:
            _send(call, session)
        case ["server", name, *_]:
            session.address, _ = _server(call, name)
        case ["zone", name]:
            session.zone = name
        case ["ttl", seconds]:
            session.ttl = int(seconds)
        case ["update", "add", *rest] | ["add", *rest] if len(rest) > 2:
            session.changes.append(("add", _record(words[-len(rest) :], session.ttl)))
        case ["update", "delete" | "del", *rest] | ["delete" | "del", *rest] if rest:
            session.changes.append(("delete", _target(words[-len(rest) :])))
        case ["prereq", "yxrrset" | "nxrrset" | "yxdomain" | "nxdomain" as word, *rest] if rest:
            session.changes.append(("present" if word[0] == "y" else "absent", _target(words[2:])))
        case ["quit" | "answer" | "class", *_]:
            pass
        case _:
            call.refuse(line)


def _record(words: list[str], ttl: int) -> tuple[object, ...]:
    """Take `NAME [TTL] [IN] TYPE DATA` apart."""
    name, *rest = words
    if rest[0].isdecimal():
        ttl, rest = int(rest[0]), rest[1:]
    rest = rest[1:] if rest[0].upper() == "IN" else rest
    return dns.name.from_text(name), ttl, rest[0], " ".join(rest[1:])


def _target(words: list[str]) -> tuple[object, ...]:
    """Take `NAME [TTL] [IN] [TYPE [DATA]]` apart."""
    name, *rest = words
    rest = rest[1:] if rest and rest[0].isdecimal() else rest
    rest = rest[1:] if rest and rest[0].upper() == "IN" else rest
    return dns.name.from_text(name), *rest[:1], *([" ".join(rest[1:])] if len(rest) > 1 else [])


def _send(call: Call, session: _Session) -> None:
    if not session.changes:
        return
    update = dns.update.UpdateMessage(session.zone, keyring=session.key)
    try:
        for verb, words in session.changes:
            getattr(update, verb)(*words)
    except dns.exception.DNSException as error:
        call.fail(f"invalid rdata format: {error}\nsyntax error")
    session.changes.clear()
    try:
        reply = call.wait(_exchange(update, session.address, session.port, tcp=True))
    except dns.tsig.PeerError as error:
        why = "BADKEY" if isinstance(error, dns.tsig.PeerBadKey) else "BADSIG"
        call.fail(f"; TSIG error with server: tsig indicates error\nupdate failed: NOTAUTH({why})", 2)
    except (OSError, EOFError, dns.exception.DNSException):
        call.fail("; Communication with server failed: timed out")
    if reply.rcode() != dns.rcode.NOERROR:
        call.fail(f"update failed: {dns.rcode.to_text(reply.rcode())}", 2)


# ---- where


async def _exchange(query: dns.message.Message, address: str, port: int, *, tcp: bool) -> dns.message.Message:
    if tcp:
        return await dns.asyncquery.tcp(query, address, PATIENCE, port=port)
    reply, _ = await dns.asyncquery.udp_with_fallback(query, address, PATIENCE, port=port)
    return reply


def _server(call: Call, name: str) -> tuple[str, int]:
    """Give where a name server of the world is; without a name the hosts' own resolver."""
    world = call.machine.world
    resolver = world.resolvers[0]
    if not name:
        return resolver.address, resolver.port
    short = name.rstrip(".").removesuffix(f".{world.domain}")
    known = {one: machine.host.address for one, machine in world.machines.items()}
    known |= {one.name: one.address for one in world.resolvers} | {"ns1": world.authoritative.address}
    return known.get(short, name), resolver.port


COMMANDS: Mapping[str, Command] = {"dig": dig, "host": host, "nsupdate": nsupdate}
