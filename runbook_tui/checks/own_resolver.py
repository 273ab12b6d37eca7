"""What a host's own resolver says, asked over SSH with whichever tool is there: dig, drill, host, or getent."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from runbook_tui.checks.asking import ask
from runbook_tui.core.errors import HostError
from runbook_tui.core.lookup import Answer, Record, Reply

if TYPE_CHECKING:
    from runbook_tui.ports import Sight

_STATUS = re.compile(r"(?:status|rcode): ([A-Z0-9]+)")
_SECTION = re.compile(r";; ([A-Z]+) SECTION:")
_RECORD = re.compile(r"(\S+)\s+(\d{1,10})\s+IN\s+([A-Z0-9]+)\s+(.+)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_GETENT = {"A": "ahostsv4", "AAAA": "ahostsv6"}
MOST_RECORDS = 256


def command(name: str, rdtype: str) -> str:
    """Give the POSIX sh that asks; it only reads. Every tool but getent prints the sections of the reply."""
    owner, kind = shlex.quote(name.rstrip(".") + "."), shlex.quote(rdtype)
    database = _GETENT.get(rdtype, "")
    getent = f"getent {database} {shlex.quote(name)} || getent hosts {shlex.quote(name)}"
    return "\n".join([
        "LC_ALL=C; export LC_ALL",
        "has() { command -v $1 >/dev/null 2>&1; }",
        f"if has dig; then dig +tries=1 +time=3 -t {kind} -q {owner}",
        f"elif has drill; then drill {owner} {kind}",
        f"elif has host; then host -v -R 1 -W 3 -t {kind} {owner}",
        *([f"elif has getent; then echo getent; {getent}"] if database else []),
        "else echo no tool; fi",
    ])  # fmt: skip


async def answer_of(sight: Sight, host: str, name: str, rdtype: str) -> Answer:
    """Ask the host's resolver; a host that cannot be asked is trouble."""
    try:
        parts = await ask(sight, host, {"dns": command(name, rdtype)})
    except HostError as error:
        return Answer(trouble=str(error), unsent=True)
    part = parts.get("dns")
    return understood(tuple(part.lines) if part else (), name, rdtype)


def understood(lines: tuple[str, ...], name: str, rdtype: str) -> Answer:
    """Read what a tool printed; what is not understood is trouble, with the line that was seen."""
    said = [line for line in lines if line.strip()]
    first = said[0].strip() if said else ""
    if first == "no tool":
        return Answer(trouble="it has no tool that asks for this: dig, drill or host", unsent=True)
    if first == "getent":
        return _from_getent(said[1:], name, rdtype)
    status = next((found.group(1) for line in said if (found := _STATUS.search(line))), "")
    if not status:
        silent = any("timed out" in line or "no servers could be reached" in line for line in said)
        seen = said[-1].strip() if said else "nothing"
        return Answer(trouble="its resolver does not answer" if silent else f"not understood: {seen}")
    sections: dict[str, list[Record]] = {"ANSWER": [], "AUTHORITY": []}
    current: list[Record] | None = None
    for line in said:
        if found := _SECTION.match(line):
            current = sections.get(found.group(1))
        elif line.startswith(";"):
            current = None if line.startswith(";;") else current
        elif current is not None and len(current) < MOST_RECORDS and (record := _RECORD.match(line)):
            current.append(_record(*record.groups()))
    return Answer(Reply(status, answer=tuple(sections["ANSWER"]), authority=tuple(sections["AUTHORITY"])))


def _record(name: str, ttl: str, rdtype: str, data: str) -> Record:
    strings = _STRING.findall(data) if rdtype in {"TXT", "SPF"} else []
    value = "".join(strings) if strings else " ".join(data.split())
    return Record(name.lower(), rdtype, int(ttl), value if strings else value.lower())


def _from_getent(lines: list[str], name: str, rdtype: str) -> Answer:
    """Read `ADDRESS STREAM name` lines; they have no TTL, and no difference between no name and no answer."""
    family = "." if rdtype == "A" else ":"
    addresses = dict.fromkeys(words[0] for line in lines if (words := line.split()) and family in words[0])
    if not addresses:
        return Answer(trouble="getent finds nothing, and does not say why")
    owner = name.lower().rstrip(".") + "."
    return Answer(Reply("NOERROR", answer=tuple(Record(owner, rdtype, 0, address) for address in addresses)))
