"""The far end of the stand-ins: a socket in each host's folder; every command is served by a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from runbook_tui.demo.machine import ServiceError
from runbook_tui.demo.standins.call import Call, Exit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.machine import Machine
    from runbook_tui.demo.standins.call import Command

DOOR = "/run/rehearsal/door"
"""Where the socket is on every host."""

BROKEN_PIPE = 141
"""What a shell shows for a command that SIGPIPE ended."""

SOFTWARE = 70
"""A stand-in broke: EX_SOFTWARE of sysexits(3). Its traceback goes to the world's own standard error."""

NOT_FOUND, UNAVAILABLE = 127, 69


class Door:
    """Serves one host's stand-ins from `open` to `close`; both are called in the world's loop."""

    def __init__(self, machine: Machine, commands: Mapping[str, Command]) -> None:
        self._machine = machine
        self._commands = commands
        self._listener: socket.socket | None = None
        self._callers: set[socket.socket] = set()

    def open(self) -> None:
        """Listen.

        Raises:
            OSError: the path is too long for a Unix socket (107 bytes) or the folder cannot be written.
        """
        path = self._machine.host.path(DOOR)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self._listener = listener
        loop = asyncio.get_running_loop()
        loop.add_reader(listener, self._accept, listener, loop)

    def close(self) -> None:
        """Stop listening; whoever still waits for an answer learns that there will be none."""
        if self._listener is None:
            return
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        for caller in tuple(self._callers):
            caller.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        try:
            caller, _ = listener.accept()
        except OSError:  # it went again before it was asked in
            return
        caller.setblocking(True)
        self._callers.add(caller)
        threading.Thread(target=self._serve, args=(caller, loop), daemon=True, name="stand-in").start()

    def _serve(self, caller: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        status = SOFTWARE
        try:
            call = _read(caller, self._machine, loop)
            if call is not None:
                loop.call_soon_threadsafe(self._machine.world.calls.update, call.argv[:1])
                try:
                    status = perform(self._commands, call)
                finally:
                    _hang_up(call)
        finally:
            self._callers.discard(caller)
            with caller:
                _answer(caller, status)


def perform(commands: Mapping[str, Command], call: Call) -> int:
    """Do what was called for; give its exit status, 0 to 255."""
    name = call.argv[0]
    command = commands.get(name)
    try:
        if command is None:
            call.fail(f"{name}: not found", NOT_FOUND)
        return (command(call) or 0) & 255
    except Exit as end:
        return end.status & 255
    except BrokenPipeError:
        return BROKEN_PIPE
    except CancelledError:  # the world ends
        return UNAVAILABLE
    except (OSError, ServiceError) as error:
        return _complain(call, f"{name}: {_sentence(error)}")


def _complain(call: Call, text: str) -> int:
    try:
        call.warn(text)
    except BrokenPipeError:
        return BROKEN_PIPE
    return 1


def _sentence(error: OSError | ServiceError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _read(caller: socket.socket, machine: Machine, loop: asyncio.AbstractEventLoop) -> Call | None:
    """Read the one request of a connection; None when the caller went before it was complete."""
    head, descriptors, _, _ = socket.recv_fds(caller, 4, 3)
    body = b""
    if len(head) == 4:
        size = int.from_bytes(head, "big")
        while len(body) < size and (more := caller.recv(size - len(body))):
            body += more
    if len(descriptors) != 3 or not body:
        for descriptor in descriptors:
            os.close(descriptor)
        return None
    folder, user, *argv = body.decode("utf-8", "surrogateescape").split("\0")
    stdin, stdout, stderr = descriptors
    return Call(
        machine, loop, tuple(argv), folder, user,
        open(stdin, "rb"),  # noqa: PTH123
        open(stdout, "w", buffering=1, encoding="utf-8", errors="surrogateescape"),  # noqa: PTH123
        open(stderr, "w", buffering=1, encoding="utf-8", errors="surrogateescape"),  # noqa: PTH123
        hung_up=lambda: _is_gone(caller),
    )  # fmt: skip


def _is_gone(caller: socket.socket) -> bool:
    try:
        return not caller.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:  # it says nothing more and is still there
        return False
    except OSError:
        return True


def _hang_up(call: Call) -> None:
    for stream in (call.stdin, call.stdout, call.stderr):
        try:
            stream.close()
        except OSError:  # what it still held could not be written; its descriptor is closed all the same
            continue


def _answer(caller: socket.socket, status: int) -> None:
    try:
        caller.sendall(bytes([status]))
    except OSError:  # killed meanwhile
        return
