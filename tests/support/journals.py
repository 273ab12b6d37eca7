"""A clock that stands where it is put, a small run's events, and strategies for every event there is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from runbook_tui.core import events as ev
from runbook_tui.core.chain import GENESIS, canonical, decode, encode, stamp
from runbook_tui.ports import Drift

START = datetime(2026, 11, 23, 14, 15, tzinfo=UTC)
BOOT = "0f9d2c1e-6b1f-4c55-9c0e-2f3d5f6a7b8c"


class HeldClock:
    """A clock that goes on one second at each look at the wall clock, and otherwise only when told."""

    def __init__(self, at: datetime = START, mono: float = 100.0) -> None:
        self.at = at
        self.mono = mono

    def now(self) -> datetime:
        """Give the time, one second later each time."""
        self.pass_time(1.0)
        return self.at

    def monotonic(self) -> float:
        """Give the seconds that have passed."""
        return self.mono

    def drift(self) -> Drift:
        """Give none."""
        return Drift()

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on."""
        self.at += timedelta(seconds=seconds)
        self.mono += seconds

    async def nap(self, seconds: float) -> None:
        """Sleep as long."""
        await self.sleep(seconds)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.pass_time(seconds)


def opened(run: str = "r1", sha256: str = "0" * 64) -> ev.RunOpened:
    """Make the first event of a run."""
    return ev.RunOpened(
        run=run, runbook="/srv/motd.md", title="Rotate the motd", sha256=sha256, version="0.1", operator="ada",
        workstation="desk", hosts={"old": "root@old.example:22", "new": "root@new.example"},
    )  # fmt: skip


def small_run() -> list[ev.Event]:
    """Give the events of a run with one command that ended well."""
    return [
        opened(),
        ev.VarsSet(values={"name": "Zoë → Ω", "empty": ""}),
        ev.Confirmed(
            action="greet", attempt="r1-1", role="run", host="old", user="root", address="192.0.2.1:22",
            fingerprint="SHA256:abc", command="printf 'hi\\n'", sha256="1" * 64, by="ada", warnings=("as root",),
        ),
        ev.Intent(action="greet", attempt="r1-1", host="old", sha256="1" * 64),
        ev.Started(action="greet", attempt="r1-1", pgid=4711),
        ev.Finished(action="greet", attempt="r1-1", outcome="done", exit=0, seconds=0.25, verifies=("ok",)),
        ev.Noted(text="line one\nline two\u2028[/]\x1b[0m", by="ada"),
        ev.Paused(why="quit"),
    ]  # fmt: skip


def lines_of(events: list[ev.Event]) -> list[bytes]:
    """Give the journal's lines of these events, a second apart."""
    head, lines = GENESIS, []
    for seq, event in enumerate(events, start=1):
        at = START + timedelta(seconds=seq)
        record = stamp(event, seq=seq, at=at, mono=100.0 + seq, boot=BOOT, prev=head)
        head = record.hash
        lines.append(encode(record))
    return lines


def foreign_line(before: bytes, field: str = "") -> bytes:
    """Give an intact line that follows `before` with an event, or else a field, only a later version knows."""
    last = decode(before)
    event = ev.Noted(text="", by="ada")
    record = stamp(event, seq=last.seq + 1, at=START, mono=1.0, boot=BOOT, prev=last.hash)
    body = json.loads(encode(record)) | ({field: ""} if field else {"type": "teleported"})
    body["hash"] = hashlib.sha256(last.hash.encode() + canonical(body)).hexdigest()
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def any_event(text: st.SearchStrategy[str]) -> st.SearchStrategy[ev.Event]:
    """Give events of every type, their texts drawn from `text`."""
    whole = st.integers(-(2**60), 2**60)
    by_kind: dict[str, st.SearchStrategy[object]] = {
        "str": text,
        "int": whole,
        "int | None": st.none() | whole,
        "float": st.floats(allow_nan=False, allow_infinity=False) | whole,
        "tuple[str, ...]": st.lists(text, max_size=4).map(tuple),
        "Mapping[str, str]": st.dictionaries(text, text, max_size=4),
    }
    return st.one_of(
        [st.builds(cls, **{f.name: by_kind[str(f.type)] for f in fields(cls)}) for cls in ev.EVENTS.values()]
    )
