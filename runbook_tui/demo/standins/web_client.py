"""curl, as far as one looks at a page of this world: names lead to its hosts, certificates are not looked at."""

from __future__ import annotations

import http.client
import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runbook_tui.demo.dns.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.standins.call import Call, Command

_NOT_RESOLVED, _NOT_CONNECTED, _HTTP_ERROR = 6, 7, 22


def curl(call: Call) -> int:
    """Get a page. https is refused without -k: nobody here knows the authorities that curl would trust.

    Raises:
        OSError: the output file cannot be written.
    """
    given = call.options(
        "sSfkLIo:w:m:H:d:i",
        long="silent show-error fail insecure location head include output= write-out= max-time= connect-timeout="
        " header= data= resolve=",
    )
    if len(given.rest) != 1:
        call.refuse("one address is wanted")
    url = urlsplit(given.rest[0] if "://" in given.rest[0] else f"http://{given.rest[0]}")
    if url.scheme == "https" and not given.flags & {"k", "insecure"}:
        call.refuse("https without -k")
    host = _host(call, url.hostname or "", given.values.get("resolve", ()))
    if host is None:
        call.fail(f"curl: (6) Could not resolve host: {url.hostname}", _NOT_RESOLVED)
    data = given.value("d") or given.value("data")
    method = "HEAD" if given.flags & {"I", "head"} else "POST" if data else "GET"
    headers = dict(one.split(": ", 1) for name in ("H", "header") for one in given.values.get(name, ()))
    if data:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    connection = _connection(host, secure=url.scheme == "https")
    try:
        connection.request(method, url.path or "/", data or None, {"Host": url.hostname or "", **headers})
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        port = url.port or (443 if url.scheme == "https" else 80)
        call.fail(f"curl: (7) Failed to connect to {url.hostname} port {port}: Connection refused", _NOT_CONNECTED)
    finally:
        connection.close()
    if given.flags & {"f", "fail"} and answer.status >= 400:
        call.fail(f"curl: (22) The requested URL returned error: {answer.status}", _HTTP_ERROR)
    lines = "".join(f"{name}: {value}\r\n" for name, value in answer.getheaders())
    head = (
        f"HTTP/1.1 {answer.status} {answer.reason}\r\n{lines}\r\n"
        if given.flags & {"I", "head", "i", "include"}
        else ""
    )
    target = given.value("o") or given.value("output")
    if target and target != "/dev/null":
        call.file(target).write_bytes(body)
    elif not target:
        call.stdout.write(head + body.decode("utf-8", "replace"))
    form = given.value("w") or given.value("write-out")
    call.stdout.write(re.sub(r"%\{(http_code|response_code)\}", str(answer.status), form).replace("\\n", "\n"))
    return 0


def _connection(host: Host, *, secure: bool) -> http.client.HTTPConnection:
    if not secure:
        return http.client.HTTPConnection(host.address, host.port(80), timeout=20)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host.address, host.port(443), timeout=20, context=context)


def _host(call: Call, name: str, resolved: tuple[str, ...]) -> Host | None:
    """Find who is meant: by --resolve, by address, by name; 127.0.0.1 is the caller itself."""
    for one in resolved:
        wanted, _, address = one.split(":", 2)
        if wanted == name:
            name = address
    own = call.machine.host
    if name in {"localhost", "127.0.0.1"}:
        return own
    for machine in call.machine.world.machines.values():
        if name in {machine.host.address, machine.host.name, machine.host.fqdn}:
            return machine.host
    address = _looked_up(call, name)
    return next((m.host for m in call.machine.world.machines.values() if m.host.address == address), None)


def _looked_up(call: Call, name: str) -> str:
    """Ask the host's resolver."""
    resolver = call.machine.world.resolvers[0]
    try:
        found = call.wait(Names(resolver.address, resolver.port).addresses(name))
    except LookupError:
        return ""
    return found[0] if found else ""


COMMANDS: Mapping[str, Command] = {"curl": curl}
