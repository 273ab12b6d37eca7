"""Crontabs as cron reads them, and cron on world time."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.clock import Face, WorldClock
from runbook_tui.demo.cron import Cron
from runbook_tui.demo.crontab import CrontabError, parse
from runbook_tui.demo.host import DEBIAN, Host, Tier

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("times", "moment", "due"),
    [
        ("*/3 * * * *", "2026-11-23T10:03", True),
        ("*/3 * * * *", "2026-11-23T10:04", False),
        ("5,10-12 * * * *", "2026-11-23T10:11", True),
        ("0 2 * * 1-5", "2026-11-23T02:00", True),
        ("0 2 * * sun", "2026-11-23T02:00", False),
        ("0 2 * * 7", "2026-11-22T02:00", True),
        ("0 0 1 * mon", "2026-11-23T00:00", True),
        ("0 0 1 jan *", "2026-11-01T00:00", False),
        ("@hourly", "2026-11-23T10:00", True),
    ],
)
def test_a_line_is_due_when_its_fields_say_so(times: str, moment: str, due: bool) -> None:
    """Steps, lists, ranges, names, both Sundays, and either of two day fields."""
    [job] = parse(f'# mail\nMAILTO=""\n{times} $HOME/bin/getmymailnow > /dev/null\n')
    assert job.due(datetime.fromisoformat(moment)) == due
    assert job.command == "$HOME/bin/getmymailnow > /dev/null"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("61 * * * * x", "2: bad minute"), ("* 24 * * * x", "2: bad hour"), ("* * 0 * * x", "2: bad day-of-month"),
        ("* * * foo * x", "2: bad month"), ("* * * * 8 x", "2: bad day-of-week"), ("*/0 * * * * x", "2: bad minute"),
        ("9-3 * * * * x", "2: bad minute"), ("@often x", "2: bad time specifier"), ("* * * * *", "2: bad command"),
        ("getmymailnow", "2: bad minute"), ("* *", "2: bad day-of-month"),
    ],
)  # fmt: skip
def test_a_broken_line_is_named(line: str, words: str) -> None:
    """The first field that is wrong is said, with the number of the line."""
    with pytest.raises(CrontabError, match=f"^{words}$"):
        parse(f"# first\n{line}\n")


def test_what_is_no_job_is_passed_over() -> None:
    """Comments, settings, empty lines and what runs at boot only give nothing to do."""
    assert parse("\n# x\nPATH=/bin:/usr/bin\n@reboot true\n") == ()


class Bench:
    """A host with a user plop, its cron, and what that ran."""

    def __init__(self, folder: Path) -> None:
        moment = datetime.fromisoformat("2026-11-23T10:00:30+00:00").timestamp()
        self.clock = WorldClock(Face(asyncio.get_running_loop().time(), moment, 1.0))
        self.host = Host(
            "new", "example.test", address="127.0.0.1", layout=DEBIAN, root=folder, tier=Tier.PLAIN, clock=self.clock
        )
        self.host.path("/etc").mkdir(parents=True)
        self.host.path("/etc/passwd").write_text("plop:x:1000:1000::/home/plop:/bin/sh\n", encoding="ascii")
        self.tab = self.host.path(f"{DEBIAN.crontabs}/plop")
        self.tab.parent.mkdir(parents=True)
        self.ran: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.hold = asyncio.Event()
        self.hold.set()
        self.cron = Cron(self.host, self.run)

    async def run(self, user: str, command: str) -> int:
        """Note a command, and let it last as long as it is held."""
        self.ran.put_nowait((user, command))
        await self.hold.wait()
        return 0

    async def advance(self, seconds: float) -> None:
        """Jump, and let everybody who is woken by it act."""
        self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)


async def test_cron_follows_the_world_s_clock_and_runs_once_a_jump(tmp_path: Path) -> None:
    """Nothing before its minute, once in it, once after a jump of a week, and never when stopped."""
    bench = Bench(tmp_path)
    bench.tab.write_text("*/3 * * * * fetch\n", encoding="ascii")
    await bench.cron.start()
    await bench.advance(60)
    assert bench.ran.empty()
    await bench.advance(120)
    assert bench.ran.get_nowait() == ("plop", "fetch")
    await bench.advance(7 * 86400)
    assert bench.ran.qsize() == 1
    assert "(plop) CMD (fetch)" in bench.host.path(DEBIAN.maillog).read_text(encoding="utf-8")
    await bench.cron.stop()
    assert not bench.cron.running
    await bench.advance(3600)
    assert bench.ran.qsize() == 1


async def test_a_line_that_still_runs_is_not_started_again(tmp_path: Path) -> None:
    """The next minute finds it running; when it has ended it is due again."""
    bench = Bench(tmp_path)
    bench.tab.write_text("* * * * * slow\n", encoding="ascii")
    bench.hold.clear()
    await bench.cron.start()
    await bench.advance(60)
    await bench.advance(60)
    assert bench.ran.qsize() == 1
    bench.hold.set()
    await bench.advance(0)
    await bench.advance(60)
    assert bench.ran.qsize() == 2
    await bench.cron.stop()


async def test_a_broken_crontab_and_a_stranger_s_are_left_alone(tmp_path: Path) -> None:
    """Cron goes on with the others."""
    bench = Bench(tmp_path)
    bench.tab.write_text("* * * * * good\n", encoding="ascii")
    bench.tab.with_name("nobody-here").write_text("* * * * * stranger\n", encoding="ascii")
    await bench.cron.start()
    await bench.advance(60)
    assert bench.ran.get_nowait() == ("plop", "good")
    assert bench.ran.empty()
    bench.tab.write_text("nonsense\n", encoding="ascii")
    await bench.advance(60)
    assert bench.ran.empty()
    assert bench.cron.running
    await bench.cron.stop()
