"""What the world trusts: a certificate authority of its own with server certificates, and SSH keys."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import asyncssh
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LIFE = timedelta(days=90)
"""In world time, which runs fast: longer than any rehearsal."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's key and certificate with the authority's, all PEM."""

    key: bytes
    chain: bytes


class CertificateAuthority:
    """Issues certificates that hold from a day before `now` on, aware UTC."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name("Rehearsal authority")
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Iterable[str], addresses: Iterable[str] = ()) -> Certificate:
        """Make a key and a certificate for a server known by these names and addresses; the first name is its own."""
        names = tuple(names)
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [
            *(x509.DNSName(name) for name in names), *(x509.IPAddress(ip_address(one)) for one in addresses),
        ]  # fmt: skip
        certificate = (
            self._builder(_common_name(names[0]), key.public_key())
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return Certificate(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            certificate.public_bytes(serialization.Encoding.PEM) + self.pem,
        )

    def client(self) -> ssl.SSLContext:
        """Make a context for clients that trust this authority alone and check names."""
        return ssl.create_default_context(cadata=self.pem.decode("ascii"))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=1))
            .not_valid_after(self._now + LIFE)
        )


def server_context(chain: Path, key: Path) -> ssl.SSLContext:
    """Make a context for a server from its PEM files.

    Raises:
        ssl.SSLError: they do not belong together.
        OSError: one cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


def write_key(path: Path, pem: bytes) -> None:
    """Write a private key that only its owner can read, from the first octet on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(pem)


def ssh_key(comment: str, algorithm: str = "ssh-ed25519") -> asyncssh.SSHKey:
    """Make an SSH key pair: a host's, or a user's."""
    return asyncssh.generate_private_key(algorithm, comment=comment)


def public_line(key: asyncssh.SSHKey) -> str:
    """Give the public half as a line of authorized_keys, without the line end."""
    return key.export_public_key().decode("utf-8").strip()


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
