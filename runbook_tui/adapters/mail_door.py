"""Knocks at an SMTP port: connects, reads the first line of the greeting (RFC 5321 3.1), and leaves."""

from __future__ import annotations

import asyncio
import contextlib
import errno

from runbook_tui.core.knock import Door, Knock

PATIENCE = 5.0
"""Seconds for connection and greeting together."""

LONGEST_GREETING = 1024
"""Bytes of the first line; RFC 5321 4.5.3.1.5 allows 512."""

_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES, errno.EPERM}


class SystemDoors:
    """Implements `ports.MailDoors` for this machine's own network."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience

    async def knock(self, address: str, port: int = 25) -> Knock:
        """Say what the port does. Never raises for it."""
        try:
            async with asyncio.timeout(self._patience):
                reader, writer = await asyncio.open_connection(address, port, limit=LONGEST_GREETING)
                try:
                    return await _greeted(reader, writer)
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        except TimeoutError:
            return Knock(Door.SILENT)
        except OSError as error:
            why = error.strerror or str(error)
            return Knock(Door.UNREACHABLE if error.errno in _NO_WAY else Door.REFUSED, why[:200])


async def _greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Knock:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        return Knock(Door.CLOSED, "a greeting without end")
    except asyncio.IncompleteReadError as error:
        return Knock(Door.CLOSED, _text(error.partial))
    said = _text(line)
    writer.write(b"QUIT\r\n")
    match line[:3]:
        case b"220":
            return Knock(Door.OPEN, said)
        case code if code[:1] == b"4" and code.isdigit():
            return Knock(Door.LATER, said)
        case _:
            return Knock(Door.CLOSED, said)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").strip()[:200]
