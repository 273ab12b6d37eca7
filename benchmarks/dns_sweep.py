"""Sweep over name servers on loopback beside dnspython's own client; exits 1 when a goal of SPEED.md d is missed.

Run as `python -m benchmarks.dns_sweep [COUNT] [ROUNDS]` in the root of the repository, where nothing else works hard.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from dataclasses import dataclass, field

import dns.asyncquery
import dns.exception
import dns.message

from runbook_tui.adapters.dns_sweep import RESEND, DnsSweep
from runbook_tui.core.lookup import Question
from tests.support.dns_crowd import FASTEST, address, crowd, slowest_of

SLOWEST = 0.150
LOSS = 0.03
DEADLINE = 2.0
TRIES = 2
"""Of dnspython's client, each as long as the whole deadline."""
OF_SLOWEST = 1.10
OF_PEER = 0.60


@dataclass
class Measured:
    """What one client needed: milliseconds of wall clock and of CPU a round, and how many were answered."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    last: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        """Give the medians."""
        wall, cpu = statistics.median(self.wall), statistics.median(self.cpu)
        return f"  {name:<22} {wall:7.0f} ms  cpu {cpu:6.0f} ms  answered {min(self.answered)}"


async def slowest_alone(count: int, port: int) -> tuple[int, float]:
    """Ask nobody but the slowest one: what any sweep has to wait for on this machine at this moment."""
    (answer,) = await DnsSweep().sweep([Question(address(slowest_of(count)), "example.test", "MX", port)], DEADLINE)
    return int(answer.reply is not None), answer.seconds


async def ours(count: int, port: int) -> tuple[int, float]:
    """Give how many answered and when the last answer came, in seconds."""
    questions = [Question(address(number), "example.test", "MX", port) for number in range(count)]
    answers = [answer for answer in await DnsSweep().sweep(questions, DEADLINE) if answer.reply]
    return len(answers), max(answer.seconds for answer in answers)


async def gathered(count: int, port: int) -> tuple[int, float]:
    """Ask with one call of dnspython's client a server, all at once."""
    started = time.monotonic()

    async def one(number: int) -> bool:
        for _ in range(TRIES):
            try:
                query = dns.message.make_query("example.test", "MX", use_edns=0, payload=1232)
                await dns.asyncquery.udp(query, address(number), DEADLINE, port)
            except (dns.exception.DNSException, OSError):
                continue
            return True
        return False

    found = await asyncio.gather(*(one(number) for number in range(count)))
    return sum(found), time.monotonic() - started


def measure(count: int, rounds: int, loss: float) -> tuple[Measured, Measured, Measured]:
    """Let them work in turns: the slowest resolver alone, ours, dnspython's."""
    found = (Measured(), Measured(), Measured())
    with crowd(count, loss=loss, slowest=SLOWEST) as port:
        for _ in range(rounds + 1):
            for client, measured in zip((slowest_alone, ours, gathered), found, strict=True):
                gc.collect()
                wall, cpu = time.monotonic(), time.process_time()
                answered, last = asyncio.run(client(count, port))
                measured.wall.append((time.monotonic() - wall) * 1000)
                measured.cpu.append((time.process_time() - cpu) * 1000)
                measured.answered.append(answered)
                measured.last.append(last * 1000)
    for measured in found:  # the first round loads modules and opens caches
        for values in (measured.wall, measured.cpu, measured.last, measured.answered):
            del values[0]
    return found


def main(count: int, rounds: int) -> int:
    """Print what was measured; give the exit status."""
    say = sys.stdout.write
    say(f"{count} resolvers, latency {FASTEST * 1000:.0f}..{SLOWEST * 1000:.0f} ms, medians of {rounds}\n")
    alone, own, peer = measure(count, rounds, 0.0)
    say("\n".join([alone.line("the slowest one alone"), own.line("ours"), peer.line("dns.asyncquery gather"), ""]))
    alone_ms, own_ms, peer_ms = (statistics.median(one.wall) for one in (alone, own, peer))
    say(f"the same with {LOSS:.0%} loss, deadline {DEADLINE:g} s\n")
    _, lossy, lossy_peer = measure(count, rounds, LOSS)
    say("\n".join([lossy.line("ours"), lossy_peer.line("dns.asyncquery gather"), ""]))
    within = OF_SLOWEST * (alone_ms + RESEND[-1] * 1000)
    goals = (
        (f"the slowest one alone, at most {OF_SLOWEST:.2f}", own_ms / alone_ms, OF_SLOWEST),
        (f"dnspython gather, at most {OF_PEER:.2f}", own_ms / peer_ms, OF_PEER),
        ("slowest + two resends, with loss, at most 1.00", statistics.median(lossy.last) / within, 1.0),
        ("unanswered with loss, a thousand: at most 1", 1000 * (count - min(lossy.answered)) / count, 1.0),
    )
    for name, ratio, most in goals:
        say(f"{'ok    ' if ratio <= most else 'MISSED'} {ratio:.2f} of {name}\n")
    return int(any(ratio > most for _, ratio, most in goals))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    raise SystemExit(main(*given, *(1000, 5)[len(given) :]))
