"""The world's certificates in real TLS handshakes, and its SSH keys."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.trust import CertificateAuthority, public_line, server_context, ssh_key, write_key

if TYPE_CHECKING:
    from pathlib import Path


def files(folder: Path, authority: CertificateAuthority) -> tuple[Path, Path]:
    """Issue a certificate for the mail server and write it down."""
    certificate = authority.issue(["old.example.test", "mail.example.test"], ["127.0.0.1"])
    chain, key = folder / "chain.pem", folder / "private" / "key.pem"
    chain.write_bytes(certificate.chain)
    write_key(key, certificate.key)
    return chain, key


@pytest.mark.parametrize(
    ("name", "trusted"),
    [("old.example.test", True), ("mail.example.test", True), ("127.0.0.1", True), ("new.example.test", False)],
)
async def test_a_client_accepts_the_names_in_the_certificate_alone(tmp_path: Path, name: str, trusted: bool) -> None:
    """Host name, service name and address are good; another name is refused."""
    authority = CertificateAuthority()
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server_context(*files(tmp_path, authority))
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        shake = asyncio.open_connection("127.0.0.1", port, ssl=authority.client(), server_hostname=name)
        if trusted:
            _, writer = await shake
            writer.close()
            await writer.wait_closed()
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                await shake


async def test_another_authority_s_client_refuses(tmp_path: Path) -> None:
    """Two rehearsals do not trust each other."""
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server_context(*files(tmp_path, CertificateAuthority()))
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1", port, ssl=CertificateAuthority().client(), server_hostname="old.example.test"
            )


def test_private_keys_are_private(tmp_path: Path) -> None:
    """Nobody but the owner may read a key, also when the file was there before."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_key(path, b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"secret"


def test_ssh_keys_have_a_public_line() -> None:
    """The public half is one line with type and comment, and no two keys are the same."""
    lines = {public_line(ssh_key("root@old")) for _ in range(2)}
    assert len(lines) == 2
    assert all(line.startswith("ssh-ed25519 ") and line.endswith(" root@old") for line in lines)
