"""One client's connection: greeting, TLS, login, and the loop that reads commands and answers them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from runbook_tui.demo.imap import folders, selected
from runbook_tui.demo.imap.folders import Folders, name_in, refused
from runbook_tui.demo.imap.maildir import MailboxError
from runbook_tui.demo.imap.selected import Answer, DisconnectError, Selected
from runbook_tui.demo.imap.wire import Command, ReplyError, bad, no, read_command

if TYPE_CHECKING:
    import ssl

    from runbook_tui.demo.imap.maildir import Store

IDLE_LOOK = 0.4
"""Seconds between two looks at the mailbox while a client waits in IDLE."""
_PATIENCE = 1800
"""Seconds a client may be silent: RFC 3501 section 5.4."""
_BEFORE_LOGIN = "IMAP4rev1 SASL-IR ID IDLE LITERAL+"
_AFTER_LOGIN = f"{_BEFORE_LOGIN} UNSELECT CHILDREN NAMESPACE UIDPLUS MOVE"
_NO_UPDATES = (b"CLOSE", b"UNSELECT", b"SELECT", b"EXAMINE", b"LOGOUT")
_KEEPS_NUMBERS = (b"FETCH", b"STORE", b"SEARCH")


class Backend(Protocol):
    """What a session needs of its server."""

    hostname: str
    tls: ssl.SSLContext | None
    plaintext: bool

    def open_store(self, user: str, password: str) -> Store | None:
        """Give the user's mail if the password is right."""

    def log(self, text: str) -> None:
        """Write to the mail log."""


@dataclass(slots=True)
class Session:
    """A connection; `user` is empty until the login."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    backend: Backend
    encrypted: bool
    user: str = ""
    _store: Store | None = None
    _selected: Selected | None = None
    _over: bool = False

    @property
    def peer(self) -> str:
        """The client's address."""
        name = self.writer.get_extra_info("peername")
        return str(name[0]) if name else ""

    async def run(self) -> None:
        """Serve the client until it is done, silent for half an hour, or gone."""
        try:
            await self._send(f"* OK [CAPABILITY {self._capabilities()}] Dovecot (rehearsal) ready.".encode())
            while not self._over:
                await self._serve()
        except asyncio.CancelledError:
            self.writer.write(b"* BYE Server shutting down.\r\n")
            raise
        except TimeoutError:
            self.writer.write(b"* BYE Disconnected for inactivity.\r\n")
        except (DisconnectError, ValueError) as error:
            self.writer.write(f"* BYE {error}\r\n".encode())
        except (EOFError, OSError):
            pass  # the client is gone
        finally:
            self.writer.close()
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(1):
                    await self.writer.wait_closed()

    async def _serve(self) -> None:
        async with asyncio.timeout(_PATIENCE):
            command = await read_command(self.reader, self.writer)
        try:
            text = await self._do(command)
            if self._selected and command.name not in _NO_UPDATES:
                for line in self._selected.news(expunges=command.uid or command.name not in _KEEPS_NUMBERS):
                    await self._send(line)
        except MailboxError as error:
            word, text = "NO", str(refused(error))
        except ReplyError as error:
            word, text = error.word, str(error)
        except FileNotFoundError:
            word, text = "NO", "[EXPUNGEISSUED] Some of the requested messages no longer exist."
        except ConnectionError:
            raise
        except OSError as error:
            self.backend.log(f"imap({self.user}): Error: {error}")
            word, text = "NO", "[SERVERBUG] Internal error occurred. Refer to server log for more information."
        else:
            word = "OK"
        if text:
            await self._send(b"%s %s %s" % (command.tag or b"*", word.encode(), text.encode()))

    async def _do(self, command: Command) -> str:
        if command.problem:
            raise ReplyError("BAD", command.problem)
        if command.uid and command.name not in selected.COMMANDS:
            raise bad("Unknown command")
        match command.name:
            case b"CAPABILITY":
                await self._send(f"* CAPABILITY {self._capabilities()}".encode())
                return "Capability completed."
            case b"NOOP":
                return "NOOP completed."
            case b"ID":
                await self._send(b'* ID ("name" "Dovecot")')
                return "ID completed."
            case b"LOGOUT":
                self._over = True
                await self._send(b"* BYE Logging out")
                return "Logout completed."
            case _ if self._store is None:
                return await self._enter(command)
            case b"SELECT" | b"EXAMINE":
                return await self._select(self._store, command)
            case b"IDLE":
                return await self._idle()
            case name if name in folders.COMMANDS:
                return await self._tell(folders.COMMANDS[name](Folders(self._store, self.backend.hostname), command))
            case name if name in selected.COMMANDS or name in {b"CLOSE", b"UNSELECT"}:
                return await self._on_selected(command)
            case _:
                raise bad("Unknown command")

    async def _enter(self, command: Command) -> str:
        """Do what is possible before the login."""
        match command.name:
            case b"STARTTLS" if self.backend.tls and not self.encrypted:
                await self._send(command.tag + b" OK Begin TLS negotiation now.")
                await self.writer.start_tls(self.backend.tls)
                self.encrypted = True
                return ""
            case b"LOGIN":
                return await self._login(command.text(0), command.text(1))
            case b"AUTHENTICATE" if command.text(0).upper() == "PLAIN":
                return await self._authenticate(command)
            case b"AUTHENTICATE":
                raise no("Unsupported authentication mechanism.")
            case _:
                raise ReplyError("BAD", "Error in IMAP command received by server.")

    async def _authenticate(self, command: Command) -> str:
        """AUTHENTICATE PLAIN, RFC 4616, with or without an initial response."""
        if len(command.arguments) > 1:
            response = command.text(1).encode()
        else:
            await self._send(b"+ ")
            response = (await self.reader.readline()).strip()
        try:
            _, user, password = base64.b64decode(response, validate=True).decode().split("\0")
        except (binascii.Error, ValueError):
            raise no("Invalid base64 data in continued response") from None
        return await self._login(user, password)

    async def _login(self, user: str, password: str) -> str:
        if not self._may_log_in():
            await self._send(
                b"* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. "
                b"If anyone was listening, the password was exposed."
            )
            raise no("[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.")
        self._store = self.backend.open_store(user, password)
        if self._store is None:
            self.backend.log(f"imap-login: Disconnected (auth failed, 1 attempts): user=<{user}>, rip={self.peer}")
            raise no("[AUTHENTICATIONFAILED] Authentication failed.")
        self.user = user
        secured = ", TLS" if self.encrypted else ""
        self.backend.log(f"imap-login: Login: user=<{user}>, method=PLAIN, rip={self.peer}{secured}")
        return f"[CAPABILITY {self._capabilities()}] Logged in"

    async def _select(self, store: Store, command: Command) -> str:
        if self._selected:
            self._selected = None
            await self._send(b"* OK [CLOSED] Previous mailbox closed.")
        read_only = command.name == b"EXAMINE"
        mailbox = store.mailbox(name_in(command))
        self._selected = Selected(store, mailbox, self.backend.hostname, read_only=read_only)
        return await self._tell(self._selected.opening())

    async def _on_selected(self, command: Command) -> str:
        chosen = self._selected
        if chosen is None:
            raise ReplyError("BAD", "No mailbox selected")
        if command.name in selected.COMMANDS:
            return await self._tell(selected.COMMANDS[command.name](chosen, command))
        self._selected = None
        if command.name == b"CLOSE":
            chosen.remove_deleted()
        return f"{command.name.decode().capitalize()} completed."

    async def _idle(self) -> str:
        """IDLE, RFC 2177: look at the mailbox until the client says DONE."""
        await self._send(b"+ idling")
        line = asyncio.ensure_future(self.reader.readline())
        try:
            while not line.done():
                await asyncio.wait([line], timeout=IDLE_LOOK)
                for news in self._selected.news() if self._selected else ():
                    await self._send(news)
            done = line.result().strip().upper()
        finally:
            line.cancel()
        if not done and self.reader.at_eof():
            raise EOFError
        if done != b"DONE":
            raise ReplyError("BAD", "Expected DONE")
        return "Idle completed."

    async def _tell(self, answer: Answer) -> str:
        """Send a command's untagged lines; now and then, let others have their turn."""
        lines = 0
        while True:
            try:
                line = next(answer)
            except StopIteration as end:
                return str(end.value)
            self.writer.write(line + b"\r\n")
            lines += 1
            if lines % 50 == 0:
                await self.writer.drain()
                await asyncio.sleep(0)

    async def _send(self, line: bytes) -> None:
        self.writer.write(line + b"\r\n")
        await self.writer.drain()

    def _may_log_in(self) -> bool:
        """Tell whether a password may travel: as in Dovecot also where both ends are the same address."""
        own = self.writer.get_extra_info("sockname")
        return self.encrypted or self.backend.plaintext or (own is not None and own[0] == self.peer)

    def _capabilities(self) -> str:
        if self._store:
            return _AFTER_LOGIN
        starttls = " STARTTLS" if self.backend.tls and not self.encrypted else ""
        return f"{_BEFORE_LOGIN}{starttls} {'AUTH=PLAIN' if self._may_log_in() else 'LOGINDISABLED'}"
