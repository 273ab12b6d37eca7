"""The world's control socket: the app asks how the world is, moves its clock, breaks and mends things.

One request a connection: a line of JSON `{"do": WORD, …}`, answered by a line with `ok` or `error`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from runbook_tui.core.errors import HostError
from runbook_tui.core.rehearsal import Fault, MailView, QueueView, ResolverView, WorldView
from runbook_tui.demo.clock import Face
from runbook_tui.demo.ledger import Report

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.demo.clock import WorldClock

LONGEST_LINE = 1 << 22
ANSWER_WITHIN = 120.0
"""Seconds an answer may take: reconciling waits for the mails that are under way."""


class Steered(Protocol):
    """What of the world the socket steers."""

    @property
    def clock(self) -> WorldClock:
        """World time."""

    def view(self) -> WorldView:
        """Give the world as it is now."""

    def calls_by_name(self) -> dict[str, int]:
        """Give how often each stand-in was called."""

    def set_rate(self, rate: float) -> None:
        """Let that many numbered mails a real second set out; 0 stops the stream."""

    async def advance(self, seconds: float) -> None:
        """Move world time on, and let what is due happen."""

    async def toggle(self, fault: Fault) -> bool:
        """Break it, or mend it; give whether it is broken now."""

    async def reconcile(self) -> Report:
        """Stop the stream, let every mail that can arrive arrive, and count."""


async def serve(world: Steered, path: Path) -> asyncio.Server:
    """Answer on a socket in the world's own folder."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            try:
                said = {"ok": await _obey(world, request), "face": asdict(world.clock.face)}
            except (ValueError, KeyError, OSError) as error:
                said = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, json.JSONDecodeError):
            pass
        finally:
            writer.close()

    # The world's folder is 0700, so that nobody else gets here.
    return await asyncio.start_unix_server(answer, path, limit=LONGEST_LINE)


async def _obey(world: Steered, request: dict[str, Any]) -> object:
    match request["do"]:
        case "look":
            return asdict(world.view()) | {"faults": sorted(world.view().faults)}
        case "calls":
            return world.calls_by_name()
        case "rate":
            world.set_rate(float(request["rate"]))
        case "advance":
            await world.advance(float(request["seconds"]))
        case "toggle":
            return await world.toggle(Fault(request["fault"]))
        case "reconcile":
            return (await world.reconcile()).as_json()
        case word:
            raise ValueError(f"the world does not know {word!r}")
    return None


class WorldClient:
    """The app's end: implements `ports.Rehearsal`, and keeps the app's clock on world time."""

    def __init__(self, socket: Path, clock: WorldClock, rate: float) -> None:
        self._socket = socket
        self._clock = clock
        self._rate = rate

    async def look(self) -> WorldView:
        """Ask how the world is.

        Raises:
            HostError: the world does not answer.
        """
        return _view(await self._ask("look"))

    async def fast_forward(self) -> str:
        """Jump to the end of the next cached MX record; say what was done."""
        expiry = (await self.look()).next_expiry
        if expiry is None:
            return "No resolver has the MX cached, so there is no TTL to wait for."
        await self.advance(expiry + 1)
        return f"World time moved on by {expiry + 1:.0f} s, to the end of the next TTL."

    async def advance(self, seconds: float) -> None:
        """Move world time on."""
        await self._ask("advance", seconds=seconds)

    async def stream(self) -> str:
        """Stop the stream of numbered mails, or start it again; say which."""
        going = (await self.look()).rate > 0
        await self._ask("rate", rate=0.0 if going else self._rate)
        return "The stream of mails is stopped." if going else f"Mails set out again, {self._rate:g} a second."

    async def toggle(self, fault: Fault) -> str:
        """Break something on purpose, or mend it; say which."""
        broken = await self._ask("toggle", fault=fault)
        return f"Broken on purpose: {fault}." if broken else f"Mended: {fault}."

    async def calls(self) -> dict[str, int]:
        """Ask how often each stand-in was called."""
        return dict(await self._ask("calls"))

    async def reconcile(self) -> Report:
        """Have every mail that can arrive arrive, and count."""
        return Report.from_json(await self._ask("reconcile"))

    async def _ask(self, word: str, **more: object) -> Any:  # noqa: ANN401 -- JSON
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=LONGEST_LINE)
                try:
                    writer.write(json.dumps({"do": word, **more}).encode() + b"\n")
                    said = json.loads(await reader.readline() or b'{"error": "it went away"}')
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            hint = "Leave with q and begin anew."
            raise HostError("The rehearsal's world does not answer", str(error), hint) from None
        if "face" in said:
            self._clock.set(Face(**said["face"]))
        if "error" in said:
            raise HostError("The rehearsal's world could not do that", said["error"])
        return said["ok"]


def _view(values: dict[str, Any]) -> WorldView:
    return WorldView(
        **values
        | {
            "resolvers": tuple(
                ResolverView(**r | {"caches": tuple((text, left) for text, left in r["caches"])})
                for r in values["resolvers"]
            ),
            "queues": tuple(
                QueueView(**q | {"counts": tuple((name, count) for name, count in q["counts"])})
                for q in values["queues"]
            ),
            "mails": MailView(**values["mails"]),
            "faults": frozenset(Fault(fault) for fault in values["faults"]),
        }
    )
