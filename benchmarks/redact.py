"""Redaction beside one alternation of `re` over the same forms; exits 1 when a goal of SPEED.md g is missed.

Run as `python -m benchmarks.redact [MEGABYTES] [ROUNDS]` in the root of the repository, where nothing else works hard.
"""

from __future__ import annotations

import random
import re
import statistics
import sys
import time
from typing import TYPE_CHECKING

from runbook_tui.core.redact import LineRedactor, Redactor, mark
from runbook_tui.core.secret import Secret
from runbook_tui.core.text import Cleaner, CleanLine

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = (1, 5, 20)
OF_PEER = 2.0
"""How many times the peer's throughput is wanted, from WANTED_FROM secrets on."""

WANTED_FROM = 5
CHUNK = 64 * 1024
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_!&/+ "


def output(size: int) -> bytes:
    """Give lines such as a mail server logs, the same each time."""
    chance = random.Random(1)  # noqa: S311 -- a text to measure with
    lines = []
    while size > 0:
        clock = f"Nov 23 21:{chance.randrange(60):02}:{chance.randrange(60):02}"
        client = f"host{chance.randrange(999)}.example.org[192.0.2.{chance.randrange(255)}]"
        queue = chance.randbytes(6).hex().upper()
        lines.append(f"{clock} mx postfix/smtpd[{chance.randrange(99999)}]: {queue}: client={client}")
        size -= len(lines[-1]) + 1
    return ("\n".join(lines) + "\n").encode()


def secrets(count: int) -> list[Secret]:
    """Give passwords of 12 to 20 characters, the same each time."""
    chance = random.Random(count)  # noqa: S311 -- no real password
    return [
        Secret(f"s{number}", "".join(chance.choices(LETTERS, k=chance.randint(12, 20))).strip() + "x")
        for number in range(count)
    ]


def peer(redactor: Redactor) -> Callable[[list[CleanLine]], list[CleanLine]]:
    """Give what does the same for lines with one compiled alternation; it holds nothing back and sees no skeleton."""
    names = redactor._names  # noqa: SLF001 -- the peer looks for the very same forms
    anything = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))

    def redact(lines: list[CleanLine]) -> list[CleanLine]:
        whole = "\n".join([line.text for line in lines])
        given = anything.sub(lambda found: mark(names[found.group()]), whole)
        if given == whole:
            return lines
        return [CleanLine(text, line.raw_length) for text, line in zip(given.split("\n"), lines, strict=True)]

    return redact


def seconds(redact: Callable[[list[CleanLine]], list[CleanLine]], chunks: list[list[CleanLine]]) -> float:
    """Give how long all chunks take."""
    started = time.perf_counter()
    for chunk in chunks:
        redact(chunk)
    return time.perf_counter() - started


def measure(count: int, raw: bytes, rounds: int) -> bool:
    """Print the medians of interleaved rounds for so many secrets; give whether the goal is met."""
    redactor = Redactor(secrets(count))
    pieces = [raw[at : at + CHUNK] for at in range(0, len(raw), CHUNK)]
    cleaner = Cleaner()
    chunks = [cleaner.feed(piece) for piece in pieces]
    taken: dict[str, list[float]] = {"clean": [], "redact": [], "re": []}
    for _ in range(rounds + 1):
        taken["clean"].append(seconds(lambda _: [], chunks) + _cleaning(pieces))
        taken["redact"].append(seconds(LineRedactor(lambda: redactor).feed, chunks))
        taken["re"].append(seconds(peer(redactor), chunks))
    speed = {name: len(raw) / 1e6 / statistics.median(times[1:]) for name, times in taken.items()}
    ratio = statistics.median(b / a for a, b in zip(taken["redact"][1:], taken["re"][1:], strict=True))
    forms = len(redactor._names)  # noqa: SLF001 -- to be printed
    print(  # noqa: T201 -- what this program is for
        f"{count:3} secrets, {forms:4} forms: redact {speed['redact']:7.1f} MB/s, re {speed['re']:7.1f} MB/s, "
        f"ratio {ratio:6.1f}x; cleaning alone {speed['clean']:.0f} MB/s"
    )
    return count < WANTED_FROM or ratio >= OF_PEER


def _cleaning(pieces: list[bytes]) -> float:
    cleaner = Cleaner()
    started = time.perf_counter()
    for piece in pieces:
        cleaner.feed(piece)
    return time.perf_counter() - started


def main(megabytes: float, rounds: int) -> int:
    """Print what was measured; give the exit status."""
    raw = output(int(megabytes * 1e6))
    met = [measure(count, raw, rounds) for count in SECRETS]
    if not all(met):
        print(f"missed: {OF_PEER:g}x of a stdlib alternation from {WANTED_FROM} secrets on")  # noqa: T201
    return int(not all(met))


if __name__ == "__main__":
    given = [*sys.argv[1:], "4", "5"][:2] if len(sys.argv) < 3 else sys.argv[1:3]
    sys.exit(main(float(given[0]), int(given[1])))
