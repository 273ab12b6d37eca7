"""ssh, scp and ssh-keygen for machines without an SSH client: asyncssh behind the same words."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from runbook_tui.demo.standins import reach
from runbook_tui.demo.standins.openssl import openssl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.standins.call import Call, Command

_UNREACHED = 255


def ssh(call: Call) -> int:
    """Run a command on another host; what it says and reads are the caller's own streams."""
    words, taken = list(call.argv[1:]), 0
    while taken < len(words) and words[taken].startswith("-"):
        taken += 1 + (words[taken][1:] in {"o", "l", "i", "p", "F"})
    given = call.options("nTtqxo:l:i:p:F:v", arguments=tuple(words[:taken]))
    if taken == len(words):
        call.refuse("no host")
    user, _, name = words[taken].rpartition("@")
    command = " ".join(words[taken + 1 :])
    if not command:
        call.refuse("a shell of its own")
    silent = "n" in given.flags
    return call.wait(_run(call, name, user or given.value("l"), command, silent=silent))


async def _run(call: Call, name: str, user: str, command: str, *, silent: bool) -> int:
    try:
        connection = await reach.connect(call, name, user)
    except reach.UnreachableError as error:
        call.warn(str(error))
        return _UNREACHED
    async with connection:
        # asyncssh closes what it is given; the call closes its own streams
        process = await connection.create_process(
            command, encoding=None,
            stdin=asyncssh.DEVNULL if silent or _is_nothing(call.stdin.fileno()) else os.dup(call.stdin.fileno()),
            stdout=os.dup(call.stdout.fileno()), stderr=os.dup(call.stderr.fileno()),
        )  # fmt: skip
        done = await process.wait()
    return _UNREACHED if done.exit_status is None else done.exit_status


def _is_nothing(descriptor: int) -> bool:
    """Tell whether this is /dev/null, which cannot be waited for (epoll(7): EPERM)."""
    return os.fstat(descriptor).st_rdev == Path(os.devnull).stat().st_rdev


def scp(call: Call) -> int:
    """Copy files to or from one other host."""
    given = call.options("rpqBCo:i:P:F:")
    *sources, target = given.rest or ("",)
    if not sources:
        call.refuse("two names are wanted")
    return call.wait(_copy(call, sources, target, recursive="r" in given.flags, keep="p" in given.flags))


async def _copy(call: Call, sources: list[str], target: str, *, recursive: bool, keep: bool) -> int:
    for source in sources:
        there = target if ":" in target else source
        who, _, path = there.partition(":")
        if ":" not in there or (":" in target and ":" in source):
            call.warn("scp: one side is wanted on another host")
            return 1
        user, _, name = who.rpartition("@")
        try:
            connection = await reach.connect(call, name, user)
        except reach.UnreachableError as error:
            call.warn(f"{error}\nscp: Connection closed")
            return _UNREACHED
        async with connection, connection.start_sftp_client() as client:
            try:
                if there is target:
                    await client.put(str(call.file(source)), path or ".", recurse=recursive, preserve=keep)
                else:
                    await client.get(path, str(call.file(target)), recurse=recursive, preserve=keep)
            except (OSError, asyncssh.SFTPError) as error:
                call.warn(f"scp: {posixpath.basename(source)}: {error}")
                return 1
    return 0


def ssh_keygen(call: Call) -> int:
    """Make a key pair without a passphrase; show a fingerprint with -l; forget a host with -R."""
    given = call.options("qt:b:N:C:f:lR:y")
    if "R" in given.values:
        return _forget(call, given.value("R"), given.value("f"))
    account = call.machine.host.users().get(call.user)
    path = call.file(given.value("f") or f"{account.home if account else '/root'}/.ssh/id_ed25519")
    if given.flags & {"l", "y"}:
        key = asyncssh.read_public_key(path) if "l" in given.flags else asyncssh.read_private_key(path)
        if "l" in given.flags:
            call.say(f"256 {key.get_fingerprint()} {key.get_comment() or 'no comment'} ({_kind(key).upper()})")
        else:
            call.stdout.write(key.export_public_key().decode())
        return 0
    if given.values.get("N", ("x",))[-1]:
        call.refuse("a passphrase, or a question for one")
    if path.exists():
        call.fail(f"{given.value('f')} already exists.\nOverwrite (y/n)? ")
    algorithms = {"ed25519": "ssh-ed25519", "ecdsa": "ecdsa-sha2-nistp256", "rsa": "ssh-rsa"}
    kind = given.value("t", "ed25519")
    if kind not in algorithms:
        call.fail(f"unknown key type {kind}", 255)
    comment = given.value("C") or f"{call.user}@{call.machine.host.name}"
    key = asyncssh.generate_private_key(algorithms[kind], comment=comment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    path.with_name(f"{path.name}.pub").write_bytes(key.export_public_key())
    if "q" not in given.flags:
        call.say(f"Your public key has been saved in {given.value('f')}.pub\n{key.get_fingerprint()} {comment}")
    return 0


def _kind(key: asyncssh.SSHKey) -> str:
    return key.algorithm.decode().removeprefix("ssh-").partition("-")[0]


def _forget(call: Call, name: str, file: str) -> int:
    account = call.machine.host.users().get(call.user)
    path = call.file(file or f"{account.home if account else '/root'}/.ssh/known_hosts")
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if name not in line.partition(" ")[0].split(",")]
    if len(kept) == len(lines):
        call.warn(f"Host {name} not found in {path.name}")
        return 0
    path.write_text("".join(kept), encoding="utf-8")
    call.say(f"# Host {name} found\n{path.name} updated.")
    return 0


COMMANDS: Mapping[str, Command] = {"ssh": ssh, "scp": scp, "ssh-keygen": ssh_keygen, "openssl": openssl}
