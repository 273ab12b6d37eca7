"""A certificate authority of the tests' own, and certificates of every kind that goes wrong."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Issued:
    """A certificate with its key; `above` are the certificates that are sent after it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write chain and key as PEM; give both paths."""
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        pem = serialization.Encoding.PEM
        chain.write_bytes(b"".join(one.public_bytes(pem) for one in (self.certificate, *self.above)))
        key.write_bytes(self.key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))  # fmt: skip
        return chain, key

    def context(self, folder: Path, name: str) -> ssl.SSLContext:
        """Give a server's TLS context."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.write(folder, name))
        return context


def issue(
    names: Sequence[str],
    by: Issued | None = None,
    *,
    common_name: str = "server",
    authority: bool = False,
    days: tuple[float, float] = (-10, 90),
    send: tuple[x509.Certificate, ...] = (),
) -> Issued:
    """Make a certificate, good from and until so many days from now; signed by itself without `by`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    issuer = by.certificate.subject if by else subject
    signer = by.key if by else key
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
        ), critical=True)
    )  # fmt: skip
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
    return Issued(key, builder.sign(signer, hashes.SHA256()), send)


@dataclass(frozen=True)
class Papers:
    """A root and an intermediate authority; `ca` is the root's file, the one that is trusted."""

    folder: Path
    root: Issued
    middle: Issued
    ca: str

    @classmethod
    def make(cls, folder: Path) -> Papers:
        """Make both."""
        root = issue([], common_name="Test Root", authority=True)
        middle = issue([], root, common_name="Test Middle", authority=True)
        return cls(folder, root, middle, str(root.write(folder, "root")[0]))

    def context(self, kind: str, name: str = "mail.example.test") -> ssl.SSLContext:
        """Give the context of a server whose certificate is `good`, or of one of the kinds that are not."""
        sent = (self.middle.certificate,)
        match kind:
            case "expired":
                made = issue([name], self.middle, days=(-20, -3), send=sent)
            case "not yet":
                made = issue([name], self.middle, days=(3, 20), send=sent)
            case "soon":
                made = issue([name], self.middle, days=(-20, 5.5), send=sent)
            case "other name":
                made = issue(["\x1b]0;x\x07evil".encode("unicode_escape").decode(), "b.test"], self.middle, send=sent)
            case "no name":
                made = issue([], self.middle, send=sent)
            case "self-signed":
                made = issue([name])
            case "incomplete":
                made = issue([name], self.middle)
            case "stranger":
                other = issue([], common_name="Other Root", authority=True)
                made = issue([name], other, send=(other.certificate,))
            case "stranger's":
                other = issue([], common_name="Other Root", authority=True)
                middle = issue([], other, common_name="Other Middle", authority=True)
                made = issue([name], middle, send=(middle.certificate,))
            case _:
                made = issue([name], self.middle, send=sent)
        return made.context(self.folder, "server")
