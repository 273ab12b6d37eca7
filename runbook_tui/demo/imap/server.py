"""The IMAP server of a host: Dovecot's place in the world, on ports 143 and 993."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from runbook_tui.demo.imap import settings
from runbook_tui.demo.imap.maildir import Store
from runbook_tui.demo.imap.session import Session
from runbook_tui.demo.machine import ServiceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from runbook_tui.demo.host import Host, User

_LONGEST_LINE = 2**20
"""Bytes: a client that asks for 20,000 mails names each of them in one line."""


class ImapServer:
    """Serves the Maildirs of a host's users as its dovecot.conf says, which is read at start and reload only.

    `authenticate` tells whether a user's password is right.
    """

    def __init__(self, host: Host, tls: ssl.SSLContext, authenticate: Callable[[str, str], bool]) -> None:
        self.hostname = host.fqdn
        self.tls: ssl.SSLContext | None = tls
        self.plaintext = False
        self._host = host
        self._context = tls
        self._authenticate = authenticate
        self._location = "~/Maildir"
        self._running = False
        self._servers: list[asyncio.Server] = []
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._stores: dict[Path, Store] = {}

    @property
    def running(self) -> bool:
        """Whether it serves now."""
        return self._running

    @property
    def sessions(self) -> list[Session]:
        """The sessions of clients that are logged in."""
        return [session for session in self._sessions.values() if session.user]

    async def start(self) -> None:
        """Open the ports.

        Raises:
            ServiceError: the configuration is broken, a certificate is missing, or a port is taken.
        """
        if self.running:
            return
        wanted = self._configure()
        address = self._host.address
        self._running = True
        try:
            for port in wanted:
                implicit = self.tls if port == 993 else None
                self._servers.append(
                    await asyncio.start_server(
                        self._accept, address, self._host.port(port), ssl=implicit, limit=_LONGEST_LINE
                    )
                )
        except OSError as error:
            await self.stop()
            raise ServiceError(f"dovecot: Fatal: bind({address}) failed: {error.strerror or error}") from error
        self._host.log("dovecot", f"master: Dovecot v{settings.VERSION} starting up for imap")

    async def stop(self) -> None:
        """Close the ports and say BYE to every client."""
        was_running, self._running = self._running, False
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        await self._end(list(self._sessions))
        for server in servers:
            await server.wait_closed()
        if was_running:
            self._host.log("dovecot", "master: Warning: Killed with signal 15")

    async def reload(self) -> None:
        """Read the configuration again; clients that are there stay.

        Raises:
            ServiceError: the configuration is broken; the old one stays in use.
        """
        if self.running:
            self._configure()

    async def kick(self, user: str) -> list[str]:
        """End the sessions of a user, or of all for `*`; give the users who had one."""
        ended = [task for task, session in self._sessions.items() if session.user and user in {"*", session.user}]
        users = sorted({self._sessions[task].user for task in ended})
        await self._end(ended)
        return users

    def store(self, user: str) -> Store | None:
        """Give a user's mail where mail_location says it is; None when there is no such user.

        Only Maildirs are served: where the setting says mbox, an empty Maildir at its path stands for it.
        """
        account = self._host.users().get(user)
        if account is None:
            return None
        path = self._host.path(_expand(self._location, account))
        return self._stores.setdefault(path, Store(path))

    def open_store(self, user: str, password: str) -> Store | None:
        """Give the user's mail if the password is right."""
        return self.store(user) if self._authenticate(user, password) else None

    def log(self, text: str) -> None:
        """Write to the host's mail log."""
        self._host.log("dovecot", text)

    def _configure(self) -> tuple[int, ...]:
        """Take over the configuration; give the ports to serve."""
        conf = settings.read(self._host)
        for name in ("ssl_cert", "ssl_key"):
            path = conf.value(name).removeprefix("<").strip()
            if conf.value("ssl") != "no" and path and not self._host.path(path).exists():
                raise ServiceError(
                    f"doveconf: Fatal: Error in configuration file {conf.lines[name]}: {name}: "
                    f"Can't open file {path}: No such file or directory"
                )
        encrypts = conf.value("ssl") != "no" and bool(conf.value("ssl_cert"))
        self.tls = self._context if encrypts else None
        self.plaintext = conf.value("disable_plaintext_auth") == "no" and conf.value("ssl") != "required"
        _, _, location = conf.value("mail_location").partition(":")
        self._location = location.partition(":")[0] or "~/Maildir"
        listens = set(re.split(r"[\s,]+", conf.value("listen"))) & {"*", "::", self._host.address, self._host.fqdn}
        if "imap" not in conf.value("protocols").split() or not listens:
            return ()  # it runs, but nobody outside can reach it
        return (143, 993) if encrypts else (143,)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # the streams always run this in a task of its own
            return
        session = Session(reader, writer, self, encrypted=writer.get_extra_info("ssl_object") is not None)
        self._sessions[task] = session
        try:
            await session.run()
        except asyncio.CancelledError:
            pass  # stopped or kicked: the client was told
        finally:
            del self._sessions[task]

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _expand(location: str, user: User) -> str:
    """Fill in what mail_location may have of a user: ~ %h %u %n."""
    values = {"~": user.home, "%h": user.home, "%u": user.name, "%n": user.name}
    return re.sub(r"^~|%[hun]", lambda match: values[match[0]], location)
