"""A run's seal: SHA256SUMS with the journal's count and head, readable by `sha256sum -c`, and its parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from runbook_tui.core.chain import ChainError, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable

JOURNAL_NAME = "events.jsonl"
RUNBOOK_NAME = "runbook.md"
VARIABLES_NAME = "vars.json"
SEAL_NAME = "SHA256SUMS"
SIGNATURE_NAME = "SHA256SUMS.sig"
TRANSCRIPT_NAME = "transcript.md"
OUTPUT_FOLDER = "output"

NAMESPACE = "mailrunbook"
"""What a signature is made for (`ssh-keygen -Y verify -n`): one made for another purpose does not count."""

SUMS_CHECK = f"sha256sum -c {SEAL_NAME}"
SIGNATURE_CHECK = f"ssh-keygen -Y check-novalidate -n {NAMESPACE} -s {SIGNATURE_NAME} < {SEAL_NAME}"
"""What checks a run's folder without this program."""

FIRST_LINE = "# mailrunbook seal 1"
_NAME = re.compile(
    r"runbook(?:-[0-9a-f]{64})?\.md|vars\.json|events\.jsonl|transcript\.md|"
    r"output/[A-Za-z0-9][A-Za-z0-9._-]*\.log", re.ASCII
)
_SIZE = re.compile(r"# bytes (\d{1,18}) (\S+)", re.ASCII)
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)", re.ASCII)
_FACT = re.compile(r"# (at|count|head) (\S*)", re.ASCII)


def copy_name(sha256: str) -> str:
    """Give the name of the copy of an edited runbook that the run adopted."""
    return f"runbook-{sha256}.md"


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file as it was when it was sealed. `size` is in bytes; the sum is of exactly that many."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Seal:
    """What a seal states: how many records there were, the hash of the last, and the files beside them."""

    count: int
    head: str
    at: datetime
    files: tuple[SealedFile, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What checking a seal's signature found: the key that made it, or why it proves nothing."""

    key: str = ""
    problem: str = ""


def seal_text(count: int, head: str, at: datetime, files: Iterable[SealedFile]) -> str:
    """Give the text of SHA256SUMS.

    Count, head and sizes stand in comment lines, which `sha256sum -c` passes over. The sizes let a later
    reader check the sealed beginning of a file that has grown since: the journal and the outputs are
    append-only, and a resumed run goes on behind the seal.

    Raises:
        ValueError: the time is naive or a name is none that a run has.
    """
    listed = sorted(files, key=lambda file: file.name)
    if strange := [file.name for file in listed if not _NAME.fullmatch(file.name)]:
        raise ValueError(f"{strange[0]!r} is no file of a run")
    lines = [FIRST_LINE, f"# at {time_text(at)}", f"# count {count}", f"# head {head}"]
    lines += [f"# bytes {file.size} {file.name}" for file in listed]
    lines += [f"{file.sha256}  {file.name}" for file in listed]
    return "\n".join(lines) + "\n"


def parse_seal(data: bytes) -> Seal:
    """Read SHA256SUMS back.

    Raises:
        ChainError: it is not a seal this version can read; the sentence names the line.
    """
    lines = data.decode("utf-8", "replace").split("\n")
    if lines[0] != FIRST_LINE:
        raise ChainError(f"line 1 is not {FIRST_LINE!r}: another program or version wrote it")
    if lines[-1]:
        raise ChainError(f"line {len(lines)} is cut off")
    facts: dict[str, str] = {}
    sizes: dict[str, int] = {}
    sums: dict[str, str] = {}
    for number, line in enumerate(lines[1:-1], start=2):
        fresh = True
        if found := _FACT.fullmatch(line):
            fresh = found[1] not in facts
            facts[found[1]] = found[2]
        elif (found := _SIZE.fullmatch(line)) and _NAME.fullmatch(found[2]):
            fresh = found[2] not in sizes
            sizes[found[2]] = int(found[1])
        elif (found := _SUM.fullmatch(line)) and _NAME.fullmatch(found[2]):
            fresh = found[2] not in sums
            sums[found[2]] = found[1]
        else:
            raise ChainError(f"line {number} is not understood")
        if not fresh:
            raise ChainError(f"line {number} says again what was said before")
    return _seal(facts, sizes, sums)


def _seal(facts: dict[str, str], sizes: dict[str, int], sums: dict[str, str]) -> Seal:
    if set(sizes) != set(sums):
        lonely = sorted(set(sizes) ^ set(sums))
        raise ChainError(f"{lonely[0]} has a size or a sum, but not both")
    if missing := [name for name in (JOURNAL_NAME, RUNBOOK_NAME, VARIABLES_NAME) if name not in sums]:
        raise ChainError(f"{missing[0]} is not in it")
    try:
        count, head, at = int(facts["count"]), facts["head"], datetime.fromisoformat(facts["at"])
    except (KeyError, ValueError):
        raise ChainError("its count, head or time is missing or cannot be read") from None
    is_head = re.fullmatch("[0-9a-f]{64}" if count else "", head)
    if count < 0 or not is_head or at.tzinfo is None:
        raise ChainError("its count, head or time makes no sense")
    return Seal(count, head, at, tuple(SealedFile(name, sizes[name], sums[name]) for name in sums))
