"""The near end of a stand-in: hands its arguments, folder and three descriptors to the world and gives back the status.

Started as `python -IS client.py DOOR NAME ARGUMENT...` for every call, so it imports built-in modules alone: `os`
and `socket` would cost more than everything else it does.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import posix
import sys

UNAVAILABLE = 69
"""Exit status when there is no world to ask: EX_UNAVAILABLE of sysexits(3)."""


def ask(door: str, name: str, arguments: list[str]) -> int:
    """Have a command done by the world behind the socket `door`; give its exit status.

    Raises:
        OSError: nobody is there.
    """
    try:
        folder = posix.getcwdb()
    except FileNotFoundError:
        folder = b"/"
    user = posix.environ.get(b"LOGNAME", b"root")
    words = [word.encode("utf-8", "surrogateescape") for word in (name, *arguments)]
    body = b"\0".join([folder, user, *words])
    descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(door)
    head = len(body).to_bytes(4, "big")
    connection.sendmsg([head], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    while body:
        body = body[connection.send(body) :]
    answer = connection.recv(1)
    if not answer:
        raise ConnectionResetError
    return answer[0]


def main() -> int:
    """Read the command line, as the wrappers write it."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl-C ends it as it ends the real command
    door, name, *arguments = sys.argv[1:]
    try:
        return ask(door, name, arguments)
    except OSError:
        sys.stderr.write(f"{name}: the rehearsal has ended\n")
        return UNAVAILABLE


if __name__ == "__main__":
    posix._exit(main())  # noqa: SLF001 -- the fastest way out: there is nothing to clean up
