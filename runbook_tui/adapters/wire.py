"""A TCP connection of ours, plain or TLS, with bounds on everything: time, the length of a line, what is kept."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runbook_tui.core.contact import Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runbook_tui.core.contact import Endpoint

LONGEST_LINE = 2048
"""Bytes of a line; RFC 5321 4.5.3.1 allows 512, and extensions a little more."""

LONGEST_SAID = 200
CHUNK = 16 * 1024
CONNECTING = "the connection"



class BrokenError(Exception):
    """The dialogue went no further. `code` is OpenSSL's reason against a certificate, 0 for all else."""

    def __init__(self, trouble: Trouble, said: str = "", stage: str = "", code: int = 0) -> None:
        super().__init__(f"{stage}: {trouble} {said}")
        self.trouble = trouble
        self.said = said[:LONGEST_SAID]
        self.stage = stage
        self.code = code


class Wire:
    """One connection. `stage` is what is being done, for the sentence when it breaks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.stage = "the greeting"
        self._reader = reader
        self._writer = writer
        self._buffer = b""
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    @property
    def own_address(self) -> str:
        """This end's address."""
        return str(self._writer.get_extra_info("sockname")[0]).partition("%")[0]

    async def line(self) -> str:
        """Give the next line without its end.

        Raises:
            BrokenError: it is too long, or the connection ended before it did.
        """
        while b"\n" not in self._buffer[: LONGEST_LINE + 1]:
            if len(self._buffer) > LONGEST_LINE:
                raise BrokenError(Trouble.ODD, "a line without end", self.stage)
            more = await self.some()
            if not more:
                raise BrokenError(Trouble.RESET, text(self._buffer), self.stage)
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return text(line.rstrip(b"\r"), LONGEST_LINE)

    async def some(self) -> bytes:
        """Give what comes next, nothing at the end; it does not look at what `line` left over."""
        if self._tls is None:
            return await self._reader.read(CHUNK)
        while True:
            try:
                return self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._exchange()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self._writer.write(data)
        await self._writer.drain()

    async def start_tls(self, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
        """Speak TLS from here on. Text that came too early is what an attacker in between would have put there.

        Raises:
            BrokenError: there is text in plain after the leave to begin.
        """
        if self._buffer:
            raise BrokenError(Trouble.ODD, "text in plain after STARTTLS", self.stage)
        self.stage = "TLS"
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name or None)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._exchange()
            except ssl.SSLError:
                self._writer.write(self._outgoing.read())  # the alert that tells the server why
                raise
            else:
                break
        self._writer.write(self._outgoing.read())
        await self._writer.drain()
        self._tls = tls
        return tls

    async def _exchange(self) -> None:
        self._writer.write(self._outgoing.read())
        await self._writer.drain()
        data = await self._reader.read(CHUNK)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


@asynccontextmanager
async def talking(endpoint: Endpoint, patience: float) -> AsyncIterator[Wire]:
    """Connect, and end it all after `patience` seconds.

    Raises:
        BrokenError: for whatever the network or the far side did.
    """
    wire: Wire | None = None
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(endpoint.address, endpoint.port)
            wire = Wire(reader, writer)
            yield wire
    except TimeoutError:
        # A TCP stack that gave up by itself (ETIMEDOUT) is no other than one we did not wait for.
        raise BrokenError(Trouble.SILENT if wire is None else Trouble.HUNG, "", _stage(wire)) from None
    except ssl.SSLCertVerificationError as error:
        raise BrokenError(Trouble.TLS, error.verify_message, _stage(wire), error.verify_code) from error
    except ssl.SSLEOFError:
        raise BrokenError(Trouble.RESET, "", _stage(wire)) from None
    except ssl.SSLError as error:
        raise BrokenError(Trouble.TLS, error.reason or str(error), _stage(wire)) from error
    except OSError as error:
        raise BrokenError(trouble_of(error), error.strerror or str(error), _stage(wire)) from error
    finally:
        if writer is not None:
            writer.transport.abort()


def trouble_of(error: OSError) -> Trouble:
    """Give what an error of the network means."""
    if isinstance(error, ConnectionRefusedError):
        return Trouble.REFUSED
    if isinstance(error, TimeoutError):
        return Trouble.SILENT
    return Trouble.RESET if isinstance(error, ConnectionError) else Trouble.UNREACHABLE


def text(data: bytes, longest: int = LONGEST_SAID) -> str:
    """Give a stranger's bytes as text."""
    return data[:longest].decode("utf-8", "backslashreplace").strip()[:longest]


def _stage(wire: Wire | None) -> str:
    return CONNECTING if wire is None else wire.stage
