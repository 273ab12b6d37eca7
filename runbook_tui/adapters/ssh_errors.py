"""One clear sentence for each way in which a connection can fail."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncssh

from runbook_tui.adapters.ssh_host_keys import explain_refusal, judge
from runbook_tui.core.errors import HostError
from runbook_tui.ports import Link

if TYPE_CHECKING:
    from runbook_tui.adapters.known_hosts import KnownHosts, KnownKeys
    from runbook_tui.adapters.ssh_credentials import Credentials
    from runbook_tui.adapters.ssh_login import Client, Identities
    from runbook_tui.adapters.ssh_target import Target
    from runbook_tui.ports import ExpectedKeys, KeyRefusal


LOGIN_TIMEOUT: Final = "The login took too long."


class ConnectError(Exception):
    """A connection was not made: what to tell, the state it leaves, and the host key that was not accepted."""

    def __init__(self, error: HostError, link: Link = Link.DOWN, refusal: KeyRefusal | None = None) -> None:
        super().__init__(error.title)
        self.error = error
        self.link = link
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried, for telling why it failed. `known` is what counts for the target."""

    target: Target
    known: KnownKeys
    expected: ExpectedKeys
    known_hosts: KnownHosts
    client: Client
    identities: Identities
    credentials: Credentials

    def explain(self, error: Exception) -> ConnectError:
        """Say why `error` kept us from connecting."""
        match error:
            case asyncssh.DisconnectError() if self.credentials.given_up or self.credentials.wants_change:
                return self._login()
            case asyncssh.HostKeyNotVerifiable():
                return self._host_key(error)
            case asyncssh.PermissionDenied():
                return self._login()
            case asyncssh.KeyExchangeFailed():
                title = f"{self.target} and this program have no way of encryption in common."
            case asyncssh.ConnectionLost() if error.reason == LOGIN_TIMEOUT:
                title = f"{self.target} did not complete the login in time."
            case asyncssh.ConnectionLost() | OSError() if self.client.methods:
                title = f"The connection to {self.target} was lost during the login."
            case asyncssh.DisconnectError() if self.client.methods:
                return self._login(error.reason)
            case asyncssh.DisconnectError():
                title = f"{self.target} closed the connection before the login."
            case _:
                return ConnectError(unreachable(self.target, error))
        hint = "The server may be starting, full of connections or keeping this address out; try again later."
        said = f". The server said: {self.client.greeting}" if self.client.greeting else ""
        return ConnectError(HostError(title, f"{_text(error)}{said}", hint))

    def _host_key(self, error: asyncssh.HostKeyNotVerifiable) -> ConnectError:
        refusal = judge(self, str(error))
        if refusal is None:
            hint = "Ask who runs the server's certificate authority."
            return _refused(f"The host certificate of {self.target.name} is not valid.", _text(error), hint)
        return ConnectError(explain_refusal(refusal, self.known_hosts.bad_lines), Link.REFUSED, refusal)

    def _login(self, reason: str = "") -> ConnectError:
        methods = self.client.methods
        details = [f"The server offers: {', '.join(methods)}."] if methods else []
        if reason:
            details.append(f"It said: {reason}.")
        count = len(self.identities.pairs)
        details.append(
            f"{count} {'key was' if count == 1 else 'keys were'} offered." if count else "No key was offered."
        )
        details += [*self.identities.unusable, *self.credentials.refused]
        title, hint = self._login_words()
        return _refused(title, " ".join(details), hint)

    def _login_words(self) -> tuple[str, str]:
        target, given, methods = self.target, self.credentials, self.client.methods
        stored = f"It can be stored beforehand: mailrunbook secret set '{given.name}'." if given.name else ""
        if given.wants_change:
            hint = f"Change it with ssh {target} in another terminal, then connect again."
            return f"{target} wants a new password before it lets anybody in; this program changes none.", hint
        if given.given_up:
            return f"{target} is not connected: {given.given_up}.", stored
        if given.over and "publickey" not in methods and {"password", "keyboard-interactive"} & set(methods):
            return f"{target} asks for a password, and there is nobody to ask for it.", stored
        return f"{target} refused the login.", "Look which user, key or password is the right one there."


def _refused(title: str, detail: str, hint: str) -> ConnectError:
    return ConnectError(HostError(title, detail, hint), Link.REFUSED)


def _text(error: Exception) -> str:
    return error.reason if isinstance(error, (asyncssh.DisconnectError, asyncssh.ChannelOpenError)) else str(error)


_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


def unreachable(target: Target, error: Exception) -> HostError:
    """Say why no connection was made at all."""
    where = f"{target.address} port {target.port}"
    match error:
        case socket.gaierror():
            hint = "Check the spelling, HostName in your ssh configuration, and DNS."
            return HostError(f"The name {target.address} does not resolve.", error.strerror or "", hint)
        case ConnectionRefusedError():
            hint = "Is sshd running there, and on this port?"
            return HostError(f"{where} refused the connection.", "Nothing listens there.", hint)
        case TimeoutError():
            hint = "Is the machine up, and does a firewall let SSH through?"
            return HostError(f"{where} does not answer.", "The connection attempt timed out.", hint)
        case OSError() if error.errno in _UNREACHABLE:
            hint = "Check this machine's network, or a VPN that is needed."
            return HostError(f"There is no route to {where}.", error.strerror or "", hint)
        case asyncssh.ChannelOpenError():
            return HostError(f"{where} cannot be reached from the jump host.", error.reason)
        case _:
            return HostError(f"{where} cannot be connected to.", _text(error))
