"""A host's web server with the webmail page, which really logs in to the IMAP server its configuration names."""

from __future__ import annotations

import asyncio
import html
import imaplib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from runbook_tui.demo.machine import ServiceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from runbook_tui.demo.host import Host

SITES = {"freebsd": "/usr/local/etc/apache24/Includes", "debian": "/etc/apache2/sites-enabled"}
"""Where Apache looks for sites: a `.conf` there is an enabled one."""
NOT_WEBMAIL = ("000-default", "default-ssl")
"""Sites that Debian brings along."""
PATIENCE = 10.0
"""Real seconds for a request, and for the IMAP server."""
LARGEST_FORM = 65536

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>Webmail on {host}</h1>{body}</body></html>
"""
_FORM = """<form method="post" action="/?_task=login"><input name="_user"><input name="_pass" type="password">
<button>Login</button></form>"""

_IMAP_HOST = re.compile(
    r"""^\s*\$(?:rcmail_)?config\['(?:imap|default)_host'\]\s*=\s*['"]([^'"]*)""", re.MULTILINE
)

Answer = tuple[HTTPStatus, str]


class WebServer:
    """A `machine.Service` on ports 80 and, with `server_tls`, 443.

    `database` says whether webmail's database is there; `address_of` turns the name in webmail's `imap_host` into an
    address; `client_tls` is what webmail trusts. Which sites are enabled is read at start and reload alone.
    """

    def __init__(
        self, host: Host, *, database: Callable[[], bool], address_of: Callable[[str], str],
        client_tls: Callable[[], ssl.SSLContext], server_tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._database = database
        self._address_of = address_of
        self._client_tls = client_tls
        self._server_tls = server_tls
        self._servers: list[asyncio.Server] = []
        self._enabled = False

    @property
    def running(self) -> bool:
        """Whether it serves now."""
        return bool(self._servers)

    async def start(self) -> None:
        """Read the sites and listen.

        Raises:
            ServiceError: a port is taken.
        """
        if self.running:
            return
        await self.reload()
        ports = [(80, None), *([(443, self._server_tls)] if self._server_tls else [])]
        try:
            for port, tls in ports:
                self._servers.append(
                    await asyncio.start_server(self._serve, self._host.address, self._host.port(port), ssl=tls)
                )
        except OSError as error:
            await self.stop()
            raise ServiceError(f"AH00072: could not bind to address {self._host.address}: {error.strerror}") from error

    async def stop(self) -> None:
        """Listen no more."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
            await server.wait_closed()

    async def reload(self) -> None:
        """Read which sites are enabled."""
        folder = self._host.path(SITES[self._host.layout.system])
        self._enabled = any(site.stem not in NOT_WEBMAIL for site in folder.glob("*.conf"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"^content-length:\s*(\d+)", head, re.IGNORECASE | re.MULTILINE)
                form = await reader.readexactly(min(int(length[1]), LARGEST_FORM)) if length else b""
                status, body = await self._answer(head.partition(" ")[0], form.decode("utf-8", "replace"))
            text = _PAGE.format(title=status.phrase, host=html.escape(self._host.name), body=body).encode()
            writer.write(
                f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: text/html; charset=utf-8\r\n"
                f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            pass  # a visitor who went away, or never said what he wanted
        finally:
            writer.close()

    async def _answer(self, method: str, form: str) -> Answer:
        """Give the page: webmail's form, the mailbox behind it, or what is wrong."""
        if not self._enabled:
            return HTTPStatus.SERVICE_UNAVAILABLE, "<p>No site is enabled here.</p>"
        if not self._database():
            return HTTPStatus.INTERNAL_SERVER_ERROR, "<h2>DATABASE ERROR: CONNECTION FAILED!</h2>"
        if method != "POST":
            return HTTPStatus.OK, _FORM
        values = parse_qs(form)
        user, password = (values.get(name, [""])[0] for name in ("_user", "_pass"))
        try:
            messages = await asyncio.to_thread(self._log_in, user, password)
        except (OSError, LookupError, imaplib.IMAP4.error) as error:
            why = html.escape(str(error))
            return HTTPStatus.INTERNAL_SERVER_ERROR, f"<p>Connection to storage server failed: {why}</p>"
        if messages is None:
            return HTTPStatus.UNAUTHORIZED, f"<p>Login failed.</p>{_FORM}"
        return HTTPStatus.OK, f"<p>Inbox: {messages} messages</p>"

    def _log_in(self, user: str, password: str) -> int | None:
        """Log in as webmail does; give how many mails the INBOX has, None for a wrong password; new mail stays new."""
        server = self._imap_host()
        local = server in ("localhost", "127.0.0.1")
        tls = self._client_tls()
        if local:
            tls.check_hostname = False
        address = self._host.address if local else self._address_of(server)
        client = imaplib.IMAP4(address, self._host.port(143), timeout=PATIENCE)
        try:
            if not local:
                client.host = server  # the name that the certificate must have
            client.starttls(tls)
            try:
                client.login(user, password)
            except imaplib.IMAP4.error:
                return None
            _, [status] = client.status("INBOX", "(MESSAGES)")
            found = re.search(rb"MESSAGES (\d+)", status or b"")
            return int(found[1]) if found else 0
        finally:
            client.shutdown()

    def _imap_host(self) -> str:
        """Read webmail's configuration: `imap_host` since Roundcube 1.6, `default_host` before."""
        try:
            text = self._host.path(f"{self._host.layout.roundcube}/config.inc.php").read_text(encoding="utf-8")
        except FileNotFoundError:
            return "localhost"
        found = _IMAP_HOST.search(text)
        return re.sub(r"^\w+://|:\d+$", "", found[1]) if found else "localhost"
