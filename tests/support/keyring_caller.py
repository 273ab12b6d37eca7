"""A program that keeps one Keyring and does what its standard input says, a JSON object a line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from runbook_tui.adapters.keyring import Keyring
from runbook_tui.core.errors import SecretError
from runbook_tui.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

TICK = 0.01


async def _do(keyring: Keyring, order: dict[str, str]) -> dict[str, Any]:
    name = order["name"]
    match order["do"]:
        case "get":
            found = await keyring.get(name)
            return {"value": None if found is None else found.reveal(), "source": keyring.source}
        case "set":
            await keyring.set(Secret(name, order["value"]))
            return {"value": True}
        case "delete":
            return {"value": await keyring.delete(name)}
        case "ask_again":
            keyring.ask_again()
            return {"value": True}
        case "impatient":
            try:
                return {"value": str(await asyncio.wait_for(keyring.get(name), float(order["value"])))}
            except TimeoutError:
                return {"value": "gave up"}
    raise AssertionError(order)


async def _ticking(stalls: list[float]) -> None:
    """Take note of how long the loop was held up between two ticks."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(TICK)
        stalls.append(time.monotonic() - before - TICK)


async def _serve(read: Callable[[], str]) -> None:
    keyring = Keyring(patience=float(sys.argv[1]))
    while line := await asyncio.to_thread(read):
        stalls = [0.0]
        ticking = asyncio.create_task(_ticking(stalls))
        before = time.monotonic()
        try:
            said = await _do(keyring, json.loads(line))
        except SecretError as error:
            said = {"error": type(error).__name__, "title": error.title, "detail": error.detail, "hint": error.hint}
        ticking.cancel()
        sys.stdout.write(json.dumps({**said, "seconds": time.monotonic() - before, "stall": max(stalls)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.stdin.readline))
