"""curl: asks the web server of the host that is meant."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runbook_tui.demo import trust
from runbook_tui.demo.standins.web_client import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.demo.standins.conftest import BareWorld, Run


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what was asked for; /down is a 503."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = "503 Service Unavailable" if "/down" in head else "200 OK"
    asked = next(line for line in head.splitlines() if line.startswith("Host"))
    body = f'name="_user" {head.splitlines()[0]} {asked}\n'
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


async def test_a_page_is_asked_of_the_named_host(world: BareWorld, run: Run, tmp_path: Path) -> None:
    """--resolve to 127.0.0.1 means the caller itself; a 503 fails with -f; nobody there is 7, no such name 6."""
    new = world.machines["new"]
    host = new.host
    certificate = trust.CertificateAuthority().issue(["webmail.example.test"])
    (tmp_path / "chain").write_bytes(certificate.chain)
    (tmp_path / "key").write_bytes(certificate.key)
    tls = trust.server_context(tmp_path / "chain", tmp_path / "key")
    server = await asyncio.start_server(serve, host.address, host.port(80))
    secure = await asyncio.start_server(serve, host.address, host.port(443), ssl=tls)
    resolve = "webmail.example.test:443:127.0.0.1"
    async with server, secure:
        page = await run(COMMANDS, new, "curl", "-s", "-k", "--resolve", resolve, "https://webmail.example.test/")
        assert (page.status, page.out) == (0, 'name="_user" GET / HTTP/1.1 Host: webmail.example.test\n')
        down = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\\n", "http://new.example.test/down")
        assert (await run(COMMANDS, new, *down)).out == "503\n"
        assert (await run(COMMANDS, new, "curl", "-sf", "http://new/down")).status == 22
        assert (await run(COMMANDS, new, "curl", "https://new/")).status == 64
    assert (await run(COMMANDS, new, "curl", "-s", "http://new/")).status == 7
