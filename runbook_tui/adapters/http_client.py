"""Fetches the beginning of one page over HTTP/1.1 or HTTPS; it follows nobody anywhere."""

from __future__ import annotations

import http.client
import io
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from runbook_tui.adapters import tls_client
from runbook_tui.adapters.wire import BrokenError, talking, text
from runbook_tui.core.contact import PageSeen, TlsSeen, Trouble

if TYPE_CHECKING:
    import socket
    import ssl

    from runbook_tui.adapters.tls_client import Trust
    from runbook_tui.adapters.wire import Wire
    from runbook_tui.core.contact import Endpoint, PageAsk

LARGEST_BODY = 64 * 1024
LARGEST_HEAD = 32 * 1024


async def look(endpoint: Endpoint, ask: PageAsk, trust: Trust) -> PageSeen:
    """Fetch it. A page whose certificate is not good is not fetched."""
    seen, received = PageSeen(), bytearray()
    try:
        context = await trust.context(ask.tls.ca) if ask.tls else None
        async with talking(endpoint, ask.patience) as wire:
            if context is not None and ask.tls is not None:
                seen = replace(seen, tls=await _secured(wire, context, ask.tls.name))
            wire.stage = "the page"
            await wire.send(_request(ask))
            await _receive(wire, received)
    except BrokenError as error:
        tls = TlsSeen(error.trouble, error.said, error.stage, code=error.code) if error.code else seen.tls
        seen = replace(seen, trouble=error.trouble, said=error.said, stage=error.stage, tls=tls)
    return _parsed(bytes(received), seen) if received else seen


async def _secured(wire: Wire, context: ssl.SSLContext, name: str) -> TlsSeen:
    return tls_client.facts(await wire.start_tls(context, name))


def _request(ask: PageAsk) -> bytes:
    return (
        f"GET {ask.target} HTTP/1.1\r\nHost: {ask.name}\r\nUser-Agent: mailrunbook\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii", "replace")


async def _receive(wire: Wire, received: bytearray) -> None:
    """Read to the end, or to where enough has come."""
    needed: int | None = None
    while len(received) < LARGEST_HEAD + LARGEST_BODY:
        data = await wire.some()
        received += data
        if not data:
            if not received:
                raise BrokenError(Trouble.RESET, "", wire.stage)
            return
        if needed is None and b"\r\n\r\n" in received:
            needed = _length(bytes(received))
        if needed is not None and len(received) >= needed:
            return


def _length(received: bytes) -> int:
    """Give how long the whole answer is when its head says so; a server may leave the connection open after it."""
    found = _response(received)
    head = received.index(b"\r\n\r\n") + 4
    length = None if found is None else found.length
    return LARGEST_HEAD + LARGEST_BODY if length is None else head + length


def _response(received: bytes) -> http.client.HTTPResponse | None:
    response = http.client.HTTPResponse(cast("socket.socket", _Received(received)), method="GET")
    try:
        response.begin()
    except (http.client.HTTPException, ValueError):
        return None
    return response


def _parsed(received: bytes, seen: PageSeen) -> PageSeen:
    response = _response(received)
    if response is None:
        return replace(seen, trouble=Trouble.ODD, said=text(received), stage="the page")
    whole = True
    try:
        body = response.read(LARGEST_BODY)
        whole = len(body) == LARGEST_BODY or not response.length
    except http.client.IncompleteRead as error:
        body, whole = error.partial, False
    except (http.client.HTTPException, ValueError):
        body, whole = b"", False
    return replace(
        seen, status=response.status, reason=text(response.reason.encode("utf-8", "backslashreplace")),
        location=text((response.getheader("Location") or "").encode("utf-8", "backslashreplace")),
        body=body[:LARGEST_BODY].decode("utf-8", "backslashreplace"), whole=whole and seen.trouble is None,
    )  # fmt: skip


class _Received:
    """What http.client reads as if it came from a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)
