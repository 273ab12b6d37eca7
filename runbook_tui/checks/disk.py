"""Check `disk`: is there room where the mail goes, in blocks and in inodes? See MIGRATION.md C14."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runbook_tui.checks.asking import ask, blind
from runbook_tui.core.errors import HostError
from runbook_tui.core.markdown.values import UNITS, share, size
from runbook_tui.ports import CheckState, Probe, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight

USUAL_SHARE = 0.15
"""Share of the room that should stay free where the runbook does not say."""

FULL = 0.01
"""Share of the room below which a disk is as good as full."""

# Device and mount point may hold blanks, so a line is told by its numbers.
_BLOCKS = re.compile(r"\S.*?\s+(\d{1,18})\s+(\d{1,18})\s+(-?\d{1,18})\s+(?:\d{1,9}%|-)\s+(/.*)")
_INODES_BSD = re.compile(
    r"\S.*?\s+\d{1,18}\s+-?\d{1,18}\s+-?\d{1,18}\s+\d{1,9}%\s+(\d{1,18})\s+(\d{1,18})\s+(?:\d{1,9}%|-)\s+/.*"
)
_INODES = re.compile(r"\S.*?\s+(?:\d{1,18}|-)\s+(\d{1,18}|-)\s+(-?\d{1,18}|-)\s+(?:\d{1,9}%|-)\s+/.*")


@dataclass(frozen=True, slots=True)
class Room:
    """What is used and free of something; `free` may be below zero where some is kept for root."""

    used: int
    free: int

    @property
    def share(self) -> float:
        """The share that is free, 0 to 1."""
        whole = self.used + max(0, self.free)
        return max(0, self.free) / whole if whole else 0.0


def blocks_of(text: str) -> tuple[Room, str] | None:
    """Give the room in bytes and the mount point out of `df -Pk PATH`; None when it is not understood."""
    match text.splitlines():
        case [head, line] if head.startswith("Filesystem") and (found := _BLOCKS.fullmatch(line)):
            return Room(int(found[2]) * 1024, int(found[3]) * 1024), found[4]
    return None


def inodes_of(text: str) -> Room | None:
    """Give the inodes out of `df -Pi PATH` (Linux) or `df -i PATH` (FreeBSD), None where there is no limit."""
    lines = text.splitlines()
    if len(lines) != 2:
        return None
    found = (_INODES_BSD if "iused" in lines[0] else _INODES).fullmatch(lines[1])
    if found is None or "-" in found.groups() or found[1] == found[2] == "0":
        return None
    return Room(int(found[1]), int(found[2]))


def human(room: float) -> str:
    """Give bytes roughly: `12 G`."""
    for unit, length in reversed(UNITS.items()):
        if unit and room >= length:
            return f"{room / length:.{0 if room >= 10 * length else 1}f} {unit}"
    return f"{int(room)} bytes"


@dataclass(slots=True)
class DiskProbe(Probe):
    """Asks df(1) for `path`. PASS with `free` (a share such as `20%`, or a size) left, and room for `need`."""

    host: str
    path: str
    free: str = ""
    need: str = ""
    columns = ("what", "used", "free", "share")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        host, path, free, need = (resolve(str(spec.options.get(key, ""))) for key in ("host", "path", "free", "need"))
        return cls(host, path, free, need)

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"on {self.host}: df -Pk and df -i of {self.path}"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        path = shlex.quote(self.path)
        # POSIX has no -i: Linux wants -P beside it so that a line stays one, FreeBSD has no such lines.
        inodes = f"case $(uname -s) in Linux) df -Pi {path};; *) df -i {path};; esac"
        try:
            parts = await ask(sight, self.host, {"blocks": f"df -Pk {path}", "inodes": inodes})
        except HostError as error:
            return blind(error)
        blocks, said = blocks_of(parts["blocks"].text), parts["blocks"].text
        if blocks is None or parts["blocks"].exit != 0:
            return Reading(CheckState.UNKNOWN, "df was not understood", said, error=said[-200:])
        detail = f"{said}\n{parts['inodes'].text}"
        reading = judge(*blocks, inodes_of(parts["inodes"].text), self.free, self.need)
        return replace(reading, detail=detail)


def judge(room: Room, mount: str, inodes: Room | None, free: str, need: str) -> Reading:
    """Say what the room means. `inodes` None: there is no limit. Sizes as `values.size` reads them."""
    wanted, needed = _wanted(free, room), size(need) if need else 0
    if wanted is None or needed is None:
        slip = free if wanted is None else need
        return Reading(CheckState.UNKNOWN, f"{slip} is no size such as 12G or share such as 20%")
    findings = list(_findings(room, inodes, wanted, needed))
    states = {state for state, _ in findings}
    state = next((one for one in (CheckState.FAIL, CheckState.WARN) if one in states), CheckState.PASS)
    told = [f"{human(room.free)} free of {mount} ({room.share:.0%})", *(text for _, text in findings)]
    rows = [Row(("blocks", human(room.used), human(room.free), f"{room.share:.0%}"))]
    if inodes is not None:
        rows.append(Row(("inodes", str(inodes.used), str(inodes.free), f"{inodes.share:.0%}")))
    return Reading(state, " · ".join(told), rows=tuple(rows), level=round(room.share * 100, 1))


def _wanted(free: str, room: Room) -> float | None:
    """Give the bytes that should be free."""
    part = share(free) if free else USUAL_SHARE
    return size(free) if part is None else part * (room.used + max(0, room.free))


def _findings(room: Room, inodes: Room | None, wanted: float, needed: int) -> Iterator[tuple[CheckState, str]]:
    if room.free < needed:
        yield CheckState.FAIL, f"{human(needed)} needed, {human(needed - max(0, room.free))} too little"
    elif room.free - needed < wanted and needed:
        yield CheckState.WARN, f"only {human(room.free - needed)} left when {human(needed)} came"
    if room.share < FULL:
        yield CheckState.FAIL, "full"
    elif room.free < wanted:
        yield CheckState.WARN, f"less than {human(wanted)}"
    if inodes is not None and inodes.share < USUAL_SHARE:
        full = inodes.share < FULL
        yield CheckState.FAIL if full else CheckState.WARN, f"{max(0, inodes.free)} inodes free ({inodes.share:.0%})"
