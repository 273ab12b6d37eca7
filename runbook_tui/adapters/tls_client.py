"""Looks at a server's TLS: is its certificate good for a name, and if not, what certificate is it?"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from runbook_tui.adapters.wire import BrokenError, talking, text
from runbook_tui.core.contact import Certificate, Endpoint, SmtpReply, TlsAsk, TlsSeen, Trouble

if TYPE_CHECKING:
    from runbook_tui.adapters.wire import Wire

MOST_NAMES = 50
MOST_LINES = 100
"""Lines of one reply or greeting."""


class Trust:
    """TLS contexts by file of authorities, each read once. `ca` is what an empty one means; empty: the system's."""

    def __init__(self, ca: str = "") -> None:
        self._ca = ca
        self._known: dict[str, ssl.SSLContext] = {}

    async def context(self, ca: str) -> ssl.SSLContext:
        """Give the context that verifies certificate and name.

        Raises:
            BrokenError: the file cannot be read.
        """
        path = ca or self._ca
        if path not in self._known:
            try:
                self._known[path] = await asyncio.to_thread(ssl.create_default_context, cafile=path or None)
            except OSError as error:  # ssl.SSLError is one
                why = f"{path}: {error.strerror or error}"
                raise BrokenError(Trouble.NO_AUTHORITIES, why, "the authorities") from error
        return self._known[path]


def any_context() -> ssl.SSLContext:
    """Give a context that takes every certificate: to look at one that is not good, never to send a secret."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def look(endpoint: Endpoint, ask: TlsAsk, trust: Trust) -> TlsSeen:
    """Look at the server's TLS. Never raises for what is found."""
    try:
        return await _handshake(endpoint, ask, await trust.context(ask.ca))
    except BrokenError as error:
        refused = TlsSeen(error.trouble, error.said, error.stage, code=error.code)
    if not refused.code:
        return refused
    try:
        seen = await _handshake(endpoint, ask, any_context())
    except BrokenError:
        return refused
    return replace(seen, code=refused.code, said=refused.said)


async def _handshake(endpoint: Endpoint, ask: TlsAsk, context: ssl.SSLContext) -> TlsSeen:
    async with talking(endpoint, ask.patience) as wire:
        if ask.starttls == "smtp":
            await _smtp(wire)
        elif ask.starttls == "imap":
            await _imap(wire)
        return facts(await wire.start_tls(context, ask.name))
    raise AssertionError("unreachable")


async def _smtp(wire: Wire) -> None:
    """Come to where TLS begins (RFC 3207)."""
    expect(await smtp_reply(wire), 220, wire)
    wire.stage = "EHLO"
    await wire.send(b"EHLO %s\r\n" % literal(wire.own_address))
    hello = expect(await smtp_reply(wire), 250, wire)
    wire.stage = "STARTTLS"
    if not offers_starttls(hello):
        raise BrokenError(Trouble.ODD, "STARTTLS is not offered", wire.stage)
    await wire.send(b"STARTTLS\r\n")
    expect(await smtp_reply(wire), 220, wire)


async def _imap(wire: Wire) -> None:
    """Come to where TLS begins (RFC 3501 6.2.1)."""
    greeting = await wire.line()
    if not greeting.upper().startswith("* OK"):
        raise BrokenError(Trouble.ODD, greeting, wire.stage)
    wire.stage = "STARTTLS"
    await wire.send(b"a STARTTLS\r\n")
    for _ in range(MOST_LINES):
        line = await wire.line()
        if line.lower().startswith("a "):
            if line.upper().startswith("A OK"):
                return
            break
    else:
        line = "an answer without end"
    raise BrokenError(Trouble.ODD, line, wire.stage)


async def smtp_reply(wire: Wire) -> SmtpReply:
    """Read one SMTP reply, of however many lines within reason; its texts are parted by ` / `.

    Raises:
        BrokenError: it is none (RFC 5321 4.2).
    """
    texts: list[str] = []
    code = ""
    for _ in range(MOST_LINES):
        line = await wire.line()
        found = re.fullmatch(r"([2-5][0-9][0-9])([ -]?)(.*)", line, re.DOTALL)
        if found is None or (code and found[1] != code):
            raise BrokenError(Trouble.ODD, line, wire.stage)
        code = found[1]
        texts.append(found[3].strip())
        if found[2] != "-":
            return SmtpReply(int(code), " / ".join(texts))
    raise BrokenError(Trouble.ODD, "a reply without end", wire.stage)


def expect(reply: SmtpReply, code: int, wire: Wire) -> SmtpReply:
    """Give the reply when it has the code.

    Raises:
        BrokenError: it has not.
    """
    if reply.code != code:
        raise BrokenError(Trouble.ODD, str(reply), wire.stage)
    return reply


def offers_starttls(hello: SmtpReply) -> bool:
    """Whether EHLO's answer names the extension; its first line is a greeting."""
    return "STARTTLS" in (word.upper() for word in hello.text.split(" / ")[1:])


def literal(address: str) -> bytes:
    """Give an address as EHLO takes it from who has no name (RFC 5321 4.1.3)."""
    return f"[IPv6:{address}]".encode() if ":" in address else f"[{address}]".encode()


def facts(tls: ssl.SSLObject) -> TlsSeen:
    """Give what is to be said of a session: its version, and the server's certificate where it can be read."""
    der = tls.getpeercert(binary_form=True)
    certificate = _certificate(der) if der else None
    said = "" if certificate is not None else "its certificate cannot be read"
    return TlsSeen(version=tls.version() or "", certificate=certificate, sent=_sent(tls), said=said)


def _sent(tls: ssl.SSLObject) -> int:
    # Python has it in the open from 3.13 on; before, only inside. Without it a sentence is less exact.
    inside = tls if hasattr(tls, "get_unverified_chain") else getattr(tls, "_sslobj", None)
    chain = getattr(inside, "get_unverified_chain", None)
    return len(chain() or ()) if chain is not None else 0


def _certificate(der: bytes) -> Certificate | None:
    try:
        found = x509.load_der_x509_certificate(der)
        return Certificate(
            _names(found), _issuer(found), _key(found), found.not_valid_before_utc, found.not_valid_after_utc
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return ()
    if not isinstance(extension, x509.SubjectAlternativeName):
        return ()
    dns = extension.get_values_for_type(x509.DNSName)
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [
        one for one in extension.get_values_for_type(x509.IPAddress)
        if isinstance(one, ipaddress.IPv4Address | ipaddress.IPv6Address)
    ]  # fmt: skip
    return tuple(text(str(name).encode()) for name in (*dns, *addresses))[:MOST_NAMES]


def _issuer(found: x509.Certificate) -> str:
    common = found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(common[0].value) if common else found.issuer.rfc4514_string()
    return text(name.encode("utf-8", "backslashreplace"))


def _key(found: x509.Certificate) -> str:
    match found.public_key():
        case rsa.RSAPublicKey() as key:
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey() as key:
            return f"EC {key.key_size}"
        case dsa.DSAPublicKey() as key:
            return f"DSA {key.key_size}"
        case key:
            return type(key).__name__.strip("_").removesuffix("PublicKey")
