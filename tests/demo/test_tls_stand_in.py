"""The stand-in of openssl s_client: a conversation with a real TLS server."""

from __future__ import annotations

import io
import os
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runbook_tui.demo.standins import openssl

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.demo.standins.call import Call, Options


def test_a_server_that_waits_for_the_first_word_gets_it(tmp_path: Path) -> None:
    """What TLS 1.3 sends by itself after the handshake keeps nobody from typing."""
    contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    contexts[0].load_cert_chain(_certificate(tmp_path / "pem"))
    contexts[1].check_hostname, contexts[1].verify_mode = False, ssl.CERT_NONE
    typed, typing = os.pipe()
    turns: list[str] = []

    def hung_up() -> bool:
        turns.append("")
        if len(turns) == 2:
            os.write(typing, b"hello\n")
        return False

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=_answer_once, args=(listening, contexts[0]))
        server.start()
        said = io.StringIO()
        call = SimpleNamespace(hung_up=hung_up, stdin=SimpleNamespace(fileno=lambda: typed), stdout=said)
        given = SimpleNamespace(flags=frozenset({"quiet", "crlf"}))
        with socket.create_connection(listening.getsockname(), 10) as plain, contexts[1].wrap_socket(plain) as secure:
            assert openssl._converse(cast("Call", call), secure, cast("Options", given)) == 0
        server.join(10)
    for end in (typed, typing):
        os.close(end)
    assert said.getvalue() == "heard b'hello\\r\\n'"


def _answer_once(listening: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = listening.accept()
    with context.wrap_socket(plain, server_side=True) as secure:
        secure.sendall(f"heard {secure.recv(100)!r}".encode())


def _certificate(file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file
