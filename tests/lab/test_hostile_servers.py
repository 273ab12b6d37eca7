"""Servers that put escape sequences into every protocol: the program on a real terminal shows them as text."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest

from tests.lab.test_canary import ESCAPE, press_until, wait_for
from tests.support.terminal import Terminal
from tests.ui.test_terminal import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.lab

NASTY = "a\x1b]0;PWNED\x07b\x1b[2Jc\x9b31md\u202ee\x7ff\x1b]52;c;cHduZWQ=\x07g\u200bh\x1b]8;;http://evil\x1b\\i"
NAMES = ("smtp", "imap", "banner", "web", "txt", "queue", "mine")


@contextmanager
def answering(first: bytes) -> Iterator[int]:
    """Answer every connection with this, whatever it asks; give the port."""

    class Talks(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(first)
            self.request.settimeout(5)
            try:
                while self.request.recv(4096):
                    self.request.sendall(first)
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talks) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def resolving() -> Iterator[int]:
    """Answer every question with a hostile TXT record; give the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        over = threading.Event()

        def serve() -> None:
            door.settimeout(0.2)
            while not over.is_set():
                try:
                    asked, peer = door.recvfrom(4096)
                except TimeoutError:
                    continue
                question = dns.message.from_wire(asked)
                answer = dns.message.make_response(question)
                answer.flags |= dns.flags.AA | dns.flags.RA
                words = "".join(f"\\{byte:03}" for byte in NASTY.encode())
                text = dns.rdata.from_text("IN", "TXT", f'"{words}"')
                answer.answer.append(dns.rrset.from_rdata(question.question[0].name, 60, text))
                door.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            over.set()
            thread.join()


def book_of(ports: dict[str, int]) -> str:
    """Give a runbook whose checks ask them all."""
    return f"""---
runbook:
  version: 1
  checks:
    smtp: {{type: smtp, host: local, port: {ports["smtp"]}, accept: [a@d.test], every: 2s, timeout: 3s}}
    imap: {{type: imap, host: local, port: {ports["imap"]}, user: plop, secret: imap, every: 2s, timeout: 3s}}
    banner: {{type: tcp, host: local, port: {ports["tcp"]}, expect: "^220 good", every: 2s, timeout: 3s}}
    web: {{type: http, url: "http://127.0.0.1:{ports["web"]}/", status: 200, every: 2s, timeout: 3s}}
    txt: {{type: dns, record: TXT, name: d.test, at: ["127.0.0.1:{ports["dns"]}"], expect: "v=spf1", every: 2s}}
    queue: {{type: queue, host: local, max: 0, every: 2s, timeout: 5s}}
    mine: {{type: command, host: local, run: "cat nasty; exit 3", every: 2s}}
---
# Hostile night

## Do it

- Look:

  ```sh {{.run host=local}}
  cat nasty; touch ran
  ```
"""


def test_nothing_that_a_server_says_acts_on_the_terminal(tmp_path: Path) -> None:
    """SMTP, IMAP, TCP, HTTP, DNS, Postfix's queue and a command: no sequence of theirs arrives, the words do."""
    home, tools, state = (tmp_path / name for name in ("home", "tools", "state"))
    for folder in (home, tools):
        folder.mkdir()
    (home / "nasty").write_text(f"{NASTY}\nline after it\n")
    mail = {
        "queue_name": "deferred", "queue_id": "4Xw1", "arrival_time": int(time.time()), "message_size": 9,
        "sender": f"{NASTY}@d.test", "recipients": [{"address": f"{NASTY}@e.test", "delay_reason": NASTY}],
    }  # fmt: skip
    (home / "mail.json").write_text(json.dumps(mail, ensure_ascii=False) + "\n")
    (tools / "postqueue").write_text(f"#!/bin/sh\ncat {home}/mail.json\n")
    (tools / "postqueue").chmod(0o755)
    line = f"{NASTY}\r\n".encode()
    greetings = {
        "smtp": b"220 " + line, "imap": b"* OK " + line, "tcp": b"220 " + line,
        "web": b"HTTP/1.1 500 " + line + b"Server: " + line + b"Content-Length: 0\r\n\r\n",
    }  # fmt: skip
    (tmp_path / "secrets.json").write_text(json.dumps({"imap": "kanarienvogel-imap"}))
    with ExitStack() as stack:
        ports = {name: stack.enter_context(answering(first)) for name, first in greetings.items()}
        ports["dns"] = stack.enter_context(resolving())
        book = tmp_path / "book.md"
        book.write_text(book_of(ports))
        more = {"HOME": str(home), "PATH": f"{tools}:/usr/bin:/bin:/usr/sbin:/sbin"}
        journal = state / "runs/night/events.jsonl"
        command = ("calm", "run", str(book), "--run-id", "night")
        module = "tests.support.crashing"  # gives it the password, and breaks nothing
        terminal = stack.enter_context(Terminal(state, *command, term="xterm-256color", more=more, module=module))

        def has(*words: str) -> bool:
            return journal.exists() and all(word in journal.read_text() for word in words)

        press_until(terminal, ("\x1b[F", "y"), lambda: has('"consent"'))
        wait_for(terminal, lambda: has(*(f'"check":"{name}"' for name in NAMES)))
        press_until(terminal, (ESCAPE, "c"), lambda: "Run (y)" in terminal.shown)
        press_until(terminal, ("\x1b[F", "y"), (home / "ran").exists)
        wait_for(terminal, lambda: "line after it" in terminal.shown)
        for _ in range(2):
            press_until(terminal, (ESCAPE, "v"), lambda: "banner" in terminal.shown)
        press_until(terminal, (ESCAPE, "q", "y"), lambda: terminal.process.poll() is not None)
        terminal.read_rest()
    seen = terminal.shown.encode()
    assert "␛]0;PWNED".encode() in seen, "the hostile text was not even shown"
    for payload in (b"\x1b]0;", b"\x1b]52;", b"\x1b]8;", *(sign.encode() for sign in "\x9b\u202e\u200b\x7f")):
        assert payload not in seen, payload
    rest = OURS.sub(b"", seen)
    assert b"\x1b" not in rest, rest[max(0, rest.index(b"\x1b") - 40) :][:120]
    told = [json.loads(record) for record in journal.read_text().splitlines()]
    values = {r["check"]: r["value"] + r.get("detail", "") for r in told if r.get("check") in NAMES}
    assert set(values) == set(NAMES)
    assert {name for name in NAMES if "PWNED" not in values[name]} <= {"imap"}, values
    assert "keyring" not in values["imap"]
