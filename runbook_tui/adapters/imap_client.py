"""Looks at one mailbox over IMAP, in a thread: EXAMINE alone and BODY.PEEK, so that nothing over there is changed.

IMAPClient 4.1 is kept from what a hostile server could do with it: all bytes together, each literal and the whole
time are bounded, and whoever gives up closes the socket under the thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import socket
import ssl
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient, SocketTimeout

from runbook_tui.adapters.wire import CONNECTING, BrokenError, text, trouble_of
from runbook_tui.core.contact import Folder, ImapSeen, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runbook_tui.adapters.tls_client import Trust
    from runbook_tui.core.contact import Endpoint, ImapAsk
    from runbook_tui.core.secret import Secret

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of a whole session that are read."""
BODY = 4096
"""Bytes of the one body that is fetched."""
MOST_FOLDERS = 200
STATUS_SHARE = 0.6
"""Share of the patience after which no further folder is asked for its status."""

_NO_MAIL = {b"\\noselect", b"\\nonexistent"}
_NOT_THE_PASSWORD = ("[UNAVAILABLE]", "[SERVERBUG]", "[INUSE]", "[LIMIT]", "[CONTACTADMIN]")
"""RFC 5530: the login failed for another reason than name and password."""


async def look(endpoint: Endpoint, ask: ImapAsk, secret: Secret | None, trust: Trust) -> ImapSeen:
    """Look at it. Never raises for what is found; the thread has ended, or ends at once, when this returns."""
    try:
        context = await trust.context(ask.tls.ca)
    except BrokenError as error:
        return ImapSeen(error.trouble, error.said, error.stage)
    rope = _Rope()
    loop = asyncio.get_running_loop()
    work = loop.run_in_executor(None, _Look(endpoint, ask, secret, context, rope).run)
    deadline = loop.call_later(ask.patience, rope.cut)
    try:
        return await asyncio.shield(work)
    finally:
        deadline.cancel()
        rope.cut()


class _Rope:
    """Holds the socket that a thread waits at, so that another one can end the waiting."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self.was_cut = False

    def hold(self, held: socket.socket) -> None:
        """Take the socket in use now."""
        self._socket = held
        if self.was_cut:
            raise TimeoutError

    def cut(self) -> None:
        """End every waiting at the socket, now and later."""
        self.was_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own, which takes the TLS state from under the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    @property
    def held(self) -> bool:
        """Whether there was a connection."""
        return self._socket is not None

    def close(self) -> None:
        """Let the socket go."""
        if self._socket is not None:
            self._socket.close()


class _Connection(imaplib.IMAP4):
    """A connection to an address, with the certificate verified for a name, and bounded in what it reads."""

    def __init__(self, endpoint: Endpoint, ask: ImapAsk, context: ssl.SSLContext, rope: _Rope) -> None:
        self._ask = ask
        self._context = context
        self._rope = rope
        self._left = MOST_BYTES
        super().__init__(endpoint.address, endpoint.port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002 -- imaplib's own hook
        plain = socket.create_connection((self.host, self.port), self._ask.patience)
        self._rope.hold(plain)
        return plain if self._ask.tls.starttls else self.wrap_socket(plain)

    def wrap_socket(self, plain: socket.socket, server_hostname: str = "") -> socket.socket:  # noqa: ARG002
        """Begin TLS; the name is the one that was asked for, whatever address is connected to."""
        secured = self._context.wrap_socket(
            plain, server_hostname=self._ask.tls.name, do_handshake_on_connect=False
        )
        self._rope.hold(secured)
        secured.do_handshake()
        return secured

    def read(self, size: int) -> bytes:
        """Read a literal."""
        self._take(size)
        return super().read(size)

    def readline(self) -> bytes:
        """Read a line."""
        line = super().readline()
        self._take(len(line))
        return line

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self.abort("more than it could need")


class _Client(IMAPClient):  # type: ignore[misc]  # the library has no types
    """IMAPClient over our connection."""

    def __init__(self, endpoint: Endpoint, ask: ImapAsk, context: ssl.SSLContext, rope: _Rope) -> None:
        self._parts = endpoint, ask, context, rope
        super().__init__(
            endpoint.address, endpoint.port, use_uid=False, ssl=not ask.tls.starttls,
            timeout=SocketTimeout(ask.patience, ask.patience),
        )  # fmt: skip

    def _create_IMAP4(self) -> _Connection:  # noqa: N802 -- the library's name
        return _Connection(*self._parts)


class _Look:
    """One look; `_seen` is what is known so far, and `_stage` what is being done."""

    def __init__(
        self, endpoint: Endpoint, ask: ImapAsk, secret: Secret | None, context: ssl.SSLContext, rope: _Rope,
    ) -> None:  # fmt: skip
        self._endpoint, self._ask, self._secret, self._context, self._rope = endpoint, ask, secret, context, rope
        self._seen = ImapSeen()
        self._stage = CONNECTING
        self._began = time.monotonic()

    def run(self) -> ImapSeen:
        """Go as far as it goes."""
        try:
            with self._connected() as client:
                self._talk(client)
        except ssl.SSLCertVerificationError as error:
            self._broke(Trouble.TLS, error.verify_message, error.verify_code)
        except OSError as error:  # ssl.SSLError is one
            self._network(error)
        except imaplib.IMAP4.error as error:
            self._refused(error)
        except BrokenError as error:
            self._broke(error.trouble, error.said)
        except Exception as error:  # noqa: BLE001 -- the parser raises whatever a server's bytes lead it to
            self._broke(Trouble.NOT_UNDERSTOOD, f"{type(error).__name__}: {error}")
        finally:
            self._rope.close()
        return replace(self._seen, seconds=time.monotonic() - self._began)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        client = _Client(self._endpoint, self._ask, self._context, self._rope)
        try:
            yield client
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                client.logout()
        finally:
            with contextlib.suppress(imaplib.IMAP4.error, OSError, AttributeError):
                client.shutdown()

    def _talk(self, client: Any) -> None:  # noqa: ANN401 -- the library has no types
        if self._ask.tls.starttls:
            self._stage = "STARTTLS"
            client.starttls(_Wrapping(client))
        self._stage = "CAPABILITY"
        self._capabilities(client)
        if self._secret is None:
            return
        self._login(client, self._secret.reveal())
        self._stage = "CAPABILITY"
        self._capabilities(client)
        self._folders(client)
        self._stage = f"EXAMINE {self._ask.select}"
        opened = client.select_folder(self._ask.select, readonly=True)
        messages = int(opened[b"EXISTS"])
        self._seen = replace(self._seen, opened=messages)
        if messages:
            self._stage = "FETCH"
            self._body(client, messages)

    def _capabilities(self, client: Any) -> None:  # noqa: ANN401 -- same
        found = frozenset(self._text(word).upper() for word in client.capabilities())
        self._seen = replace(self._seen, capabilities=frozenset(sorted(found)[:100]))

    def _login(self, client: Any, password: str) -> None:  # noqa: ANN401 -- same
        """Log in with AUTHENTICATE where that is offered: a login's name is not quoted by imaplib."""
        self._stage = "LOGIN"
        user = self._ask.user
        if any(not char.isprintable() for char in user + password):
            raise BrokenError(Trouble.ODD, "the user or the password has a character that cannot be sent")
        if "AUTH=PLAIN" in self._seen.capabilities:
            client.plain_login(user, password)
        elif "LOGINDISABLED" in self._seen.capabilities:
            raise BrokenError(Trouble.ODD, "it offers no way to log in with a password")
        else:
            client.login(f'"{user}"' if not user.isalnum() and '"' not in user else user, password)

    def _folders(self, client: Any) -> None:  # noqa: ANN401 -- same
        prefix, delimiter = "", ""
        if "NAMESPACE" in self._seen.capabilities:
            self._stage = "NAMESPACE"
            prefix, delimiter = (client.namespace().personal or (("", ""),))[0]
            self._seen = replace(self._seen, namespace=(self._text(prefix), self._text(delimiter)))
        self._stage = "LIST"
        listed = _with_mail(client.list_folders())
        self._stage = "LSUB"
        subscribed = _with_mail(client.list_sub_folders())[:MOST_FOLDERS]
        paths = tuple(self._path(name, prefix, delimiter) for delimiter, name in subscribed)
        self._seen = replace(self._seen, subscribed=paths)
        for place, (cut_at, name) in enumerate(listed):
            self._stage = "STATUS"
            late = time.monotonic() - self._began > STATUS_SHARE * self._ask.patience
            if place >= MOST_FOLDERS or late:
                self._seen = replace(self._seen, left_out=len(listed) - place)
                break
            folder = self._status(client, name, self._path(name, prefix, cut_at))
            self._seen = replace(self._seen, folders=(*self._seen.folders, folder))

    def _status(self, client: Any, name: str, path: tuple[str, ...]) -> Folder:  # noqa: ANN401 -- same
        try:
            found = client.folder_status(name, ("MESSAGES", "UNSEEN", "UIDVALIDITY"))
            messages, unseen, validity = (int(found[key]) for key in (b"MESSAGES", b"UNSEEN", b"UIDVALIDITY"))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            return Folder(path, trouble=self._text(_words(error)))
        except (KeyError, ValueError, TypeError, IndexError):
            return Folder(path, trouble="its status was not understood")
        return Folder(path, messages, unseen, validity)

    def _path(self, name: str, prefix: str, delimiter: str) -> tuple[str, ...]:
        own = name[len(prefix) :] if prefix and name.startswith(prefix) and name != prefix else name
        parts = own.split(delimiter) if delimiter else [own]
        parts[0] = "INBOX" if parts[0].upper() == "INBOX" else parts[0]
        return tuple(self._text(part) for part in parts[:20])

    def _body(self, client: Any, number: int) -> None:  # noqa: ANN401 -- same
        found = client.fetch([number], [f"BODY.PEEK[]<0.{BODY}>", "RFC822.SIZE"]).get(number, {})
        came = next((value for key, value in found.items() if key.startswith(b"BODY[]")), b"") or b""
        self._seen = replace(self._seen, body=(len(came), min(BODY, int(found.get(b"RFC822.SIZE", BODY)))))

    def _text(self, found: object) -> str:
        """Give a stranger's text, bounded, and never with the password in it: a server knows it and may say it."""
        whole = found.decode("utf-8", "backslashreplace") if isinstance(found, bytes) else str(found)
        password = self._secret.reveal() if self._secret else ""
        whole = whole.replace(password, "(the password)") if password else whole
        return text(whole.encode("utf-8", "backslashreplace"))

    def _network(self, error: OSError) -> None:
        match error:
            case TimeoutError():
                self._broke(Trouble.HUNG if self._rope.held else Trouble.SILENT, "")
            case ssl.SSLEOFError():
                self._broke(Trouble.RESET, "")
            case ssl.SSLError():
                self._broke(Trouble.TLS, error.reason or str(error))
            case _:
                self._broke(trouble_of(error), error.strerror or "")

    def _refused(self, error: imaplib.IMAP4.error) -> None:
        inner = error.__context__ if isinstance(error.__context__, imaplib.IMAP4.error) else error
        said = _words(inner)
        if isinstance(inner, imaplib.IMAP4.abort):
            ended = "EOF" in said or "socket error" in said or "BYE" in said
            self._broke(Trouble.RESET if ended else Trouble.ODD, said)
        elif self._stage == "LOGIN" and not said.upper().startswith(_NOT_THE_PASSWORD):
            self._broke(Trouble.LOGIN, said)
        else:
            self._broke(Trouble.ODD, said)

    def _broke(self, trouble: Trouble, said: str, code: int = 0) -> None:
        if self._rope.was_cut and not code:
            trouble, said = Trouble.HUNG if self._rope.held else Trouble.SILENT, ""
        stage = "TLS" if code and self._stage == CONNECTING else self._stage
        self._seen = replace(self._seen, trouble=trouble, said=self._text(said), stage=stage, code=code)


class _Wrapping:
    """Stands for an SSLContext where imaplib begins TLS by itself."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 -- the library has no types
        self.wrap_socket = client._imap.wrap_socket  # noqa: SLF001 -- there is no other way to one's own connection


def _with_mail(found: Sequence[tuple[tuple[bytes, ...], bytes | None, str]]) -> list[tuple[str, str]]:
    """Give delimiter and name of the folders that can be opened (MIGRATION.md I10)."""
    return [
        ((delimiter or b"").decode("ascii", "replace"), str(name)) for flags, delimiter, name in found
        if not any(flag.lower() in _NO_MAIL for flag in flags)
    ]  # fmt: skip


def _words(error: BaseException) -> str:
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "backslashreplace") if isinstance(first, bytes) else str(first)
