"""openssl for machines without it: s_client talks to a TLS server, x509 and pkey show what one looks at."""

from __future__ import annotations

import os
import select
import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization

if TYPE_CHECKING:
    from runbook_tui.demo.standins.call import Call, Options

_PEM = serialization.Encoding.PEM
_PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo
_TIMES = "%b %e %H:%M:%S %Y GMT"

PATIENCE = 60.0
"""Seconds a server may be silent: a busy machine's world is slow."""


def openssl(call: Call) -> int:
    """Do one of s_client, x509, pkey, version."""
    name, *rest = call.argv[1:] or ("",)
    words = tuple(f"-{word}" if word.startswith("-") and len(word) > 2 else word for word in rest)  # -x is --x here
    match name:
        case "s_client":
            return s_client(call, words)
        case "x509":
            return certificate(call, words)
        case "pkey":
            given = call.options("", long="in= pubout noout out=", arguments=words)
            key = serialization.load_pem_private_key(call.file(given.value("in")).read_bytes(), None)
            if "pubout" in given.flags:
                call.stdout.write(key.public_key().public_bytes(_PEM, _PUBLIC).decode())
            return 0
        case "version":
            call.say(ssl.OPENSSL_VERSION)
            return 0
        case _:
            return call.refuse(name)


def certificate(call: Call, words: tuple[str, ...]) -> int:
    """Show a certificate: -subject -enddate -checkend SECONDS -pubkey -ext subjectAltName.

    Raises:
        ValueError: the file is no certificate.
    """
    given = call.options("", long="in= noout subject issuer enddate startdate checkend= pubkey ext=", arguments=words)
    text = call.file(given.value("in")).read_bytes() if given.value("in") else call.stdin.read()
    try:
        found = x509.load_pem_x509_certificate(text)
    except ValueError:
        call.fail("Could not find certificate from " + (given.value("in") or "stdin"))
    for flag, title, name in (("subject", "subject", found.subject), ("issuer", "issuer", found.issuer)):
        if flag in given.flags:
            call.say(f"{title}={name.rfc4514_string().replace('=', ' = ')}")
    if "startdate" in given.flags:
        call.say(f"notBefore={found.not_valid_before_utc.strftime(_TIMES)}")
    if "enddate" in given.flags:
        call.say(f"notAfter={found.not_valid_after_utc.strftime(_TIMES)}")
    if "pubkey" in given.flags:
        call.stdout.write(found.public_key().public_bytes(_PEM, _PUBLIC).decode())
    if "ext" in given.values:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        listed = ", ".join(f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName))
        call.say(f"X509v3 Subject Alternative Name: \n    {listed}")
    if "noout" not in given.flags:
        call.stdout.write(found.public_bytes(_PEM).decode())
    if seconds := given.value("checkend"):
        soon = found.not_valid_after_utc < datetime.now(UTC) + timedelta(seconds=int(seconds))
        call.say(f"Certificate will {'' if soon else 'not '}expire")
        return 1 if soon else 0
    return 0


def s_client(call: Call, words: tuple[str, ...]) -> int:
    """Talk to a TLS server through standard input and output."""
    given = call.options(
        "", long="connect= servername= CAfile= starttls= verify_hostname= quiet crlf verify_return_error showcerts"
        " ign_eof brief", arguments=words,
    )  # fmt: skip
    name, _, port = given.value("connect").rpartition(":")
    address = _address(call, name)
    try:
        plain = socket.create_connection(
            (address, call.machine.host.port(int(port))), PATIENCE, source_address=(call.machine.host.address, 0)
        )
    except OSError as error:
        call.fail(f"{error.strerror}\nconnect:errno={error.errno}")
    with plain:
        if given.value("starttls") in {"imap", "smtp"}:
            _start_tls(plain, given.value("starttls"))
        elif given.value("starttls"):
            call.refuse(f"-starttls {given.value('starttls')}")
        secure, trouble = _secured(call, plain, given, name)
    with secure:
        if "quiet" not in given.flags:
            version, cipher = secure.version(), (secure.cipher() or ("?",))[0]
            call.say(f"CONNECTED(00000003)\nNew, {version}, Cipher is {cipher}")
            call.say(f"Verify return code: {trouble or '0 (ok)'}\n---")
        return _converse(call, secure, given)


def _address(call: Call, name: str) -> str:
    for machine in call.machine.world.machines.values():
        if name in {machine.host.name, machine.host.fqdn, machine.host.address}:
            return machine.host.address
    if name.startswith("127."):
        return call.machine.host.address if name == "127.0.0.1" else name
    return call.fail(f"getaddrinfo: Name or service not known\nconnect:errno=2 ({name})")


def _start_tls(plain: socket.socket, protocol: str) -> None:
    with plain.makefile("rb") as lines:
        lines.readline()
        plain.sendall(b". STARTTLS\r\n" if protocol == "imap" else b"EHLO openssl.client\r\nSTARTTLS\r\n")
        for line in lines:
            if line.startswith((b". ", b"220 ")):
                return


def _secured(call: Call, plain: socket.socket, given: Options, name: str) -> tuple[ssl.SSLSocket, str]:
    """Wrap a connection; the certificate is looked at, and only -verify_return_error makes a bad one an end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "verify_return_error" in given.flags:
        if given.value("CAfile"):
            context.load_verify_locations(call.file(given.value("CAfile")))
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = "verify_hostname" in given.values
    server = given.value("verify_hostname") or given.value("servername") or name
    try:
        secure = context.wrap_socket(plain, server_hostname=server)
    except ssl.SSLCertVerificationError as error:
        call.fail(f"verify error:num={error.verify_code}:{error.verify_message}")
    return secure, "" if context.verify_mode is ssl.CERT_REQUIRED else "20 (unable to get local issuer certificate)"


def _converse(call: Call, secure: ssl.SSLSocket, given: Options) -> int:
    reading, typing = True, call.stdin.fileno()
    while not call.hung_up():
        ready, _, _ = select.select([secure.fileno(), *([typing] if reading else [])], [], [], 1)
        if secure.fileno() in ready or secure.pending():
            said = _heard(secure)
            if said == b"":
                return 0
            call.stdout.write((said or b"").decode("utf-8", "surrogateescape"))
            call.stdout.flush()
        if typing in ready:
            typed = os.read(typing, 65536)
            if not typed:
                reading = False
                if not given.flags & {"quiet", "ign_eof"}:
                    return 0
            secure.sendall(typed.replace(b"\n", b"\r\n") if "crlf" in given.flags else typed)
    return 1


def _heard(secure: ssl.SSLSocket) -> bytes | None:
    """Give what the server said, empty at its end. None: only the protocol's own came, as TLS 1.3's session tickets."""
    patience = secure.gettimeout()
    secure.setblocking(False)
    try:
        return secure.recv(65536)
    except ssl.SSLWantReadError:
        return None
    finally:
        secure.settimeout(patience)
