"""SSH signatures over a run's seal or a transcript: with the agent's or a file's key, never asking anybody."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.sshsig import SSHAllowedSigners

from runbook_tui.core.errors import SigningError
from runbook_tui.core.seal import NAMESPACE, SIGNATURE_NAME, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEY_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")
"""Where the operator's key is looked for, under `~/.ssh`, when the agent has none."""

LIST_TIMEOUT = 5.0
SIGN_TIMEOUT = 20.0
"""Seconds that an agent may take; one that asks its owner for consent gets no more either."""

_AGENT_KEY = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) \S+", re.ASCII)
"""A key that signs without its owner's finger: those of security keys are used when they are named only."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature in the form that `ssh-keygen -Y verify` reads, and the key that made it, as people compare it."""

    data: bytes
    key: str


def sign(data: bytes, named: Path | None, environment: Mapping[str, str], home: Path) -> Signed:
    """Sign with the named key, else with the agent's first, else with a key file that has no passphrase.

    A name is that of a private key, or of a public one (`.pub`) whose private half the agent holds.

    Raises:
        SigningError: there is no such key; the detail says what was looked at.
    """
    why: list[str] = []
    if named is None and (line := _first_of_agent(environment, why)):
        with tempfile.TemporaryDirectory(prefix="mailrunbook-") as folder:
            public = Path(folder) / "key.pub"
            public.write_text(f"{line}\n", encoding="ascii")
            if made := _by_agent(data, public, environment, why):
                return made
    for path in (named,) if named else _key_files(home / ".ssh", why):
        if made := _by_file(data, path, environment, why):
            return made
    if named:
        title = f"{named} cannot be used to sign"
        hint = "Add it to ssh-agent with `ssh-add` when it has a passphrase, or name another key."
    else:
        title = "No SSH key was found to sign with"
        hint = f"By hand, in the run's folder: ssh-keygen -Y sign -n {NAMESPACE} -f KEY SHA256SUMS"
    raise SigningError(title, " ".join(why), hint)


def _key_files(folder: Path, why: list[str]) -> list[Path]:
    found = [path for name in KEY_FILES if (path := folder / name).is_file()]
    if not found:
        why.append(f"{folder} has none of {', '.join(KEY_FILES)}.")
    return found


def _first_of_agent(environment: Mapping[str, str], why: list[str]) -> str:
    if not environment.get("SSH_AUTH_SOCK"):
        why.append("No agent is running.")
        return ""
    done = _run(("ssh-add", "-L"), b"", environment, LIST_TIMEOUT)
    if isinstance(done, str):
        why.append(f"The agent was not asked: {done}.")
        return ""
    line = next((line for line in done.stdout.decode("utf-8", "replace").split("\n") if _AGENT_KEY.match(line)), "")
    found = _AGENT_KEY.match(line)
    if found is None:
        why.append("The agent has no key.")
        return ""
    return found.group()


def _by_agent(data: bytes, public: Path, environment: Mapping[str, str], why: list[str]) -> Signed | None:
    """Have `ssh-keygen` sign: with the agent, or with the private key beside a public one; it asks nobody."""
    command = ("ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(public))
    done = _run(command, data, environment, SIGN_TIMEOUT)
    if isinstance(done, str):
        why.append(f"{public.name} did not sign: {done}.")
        return None
    found = check(data, done.stdout)
    if found.problem:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        why.append(f"{public.name} did not sign: {said or found.problem}.")
        return None
    return Signed(done.stdout, found.key)


def _by_file(data: bytes, path: Path, environment: Mapping[str, str], why: list[str]) -> Signed | None:
    try:
        key = asyncssh.read_private_key(str(path))
    except OSError as error:
        why.append(f"{path}: {error.strerror or error}.")
        return None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        # It has a passphrase, or is only the public half: then the agent may hold it.
        if environment.get("SSH_AUTH_SOCK"):
            return _by_agent(data, path, environment, why)
        why.append(f"{path}: {error}.")
        return None
    try:
        made = asyncssh.create_sshsig(key, data, namespace=NAMESPACE)
    except (ValueError, NotImplementedError) as error:
        why.append(f"{path}: {error}.")
        return None
    return Signed(made, check(data, made).key)


def _run(
    command: Sequence[str], data: bytes, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[bytes] | str:
    """Run a program of OpenSSH in a session without a terminal, so that it cannot ask; a text says why not."""
    own = {**environment, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603 -- OpenSSH's own programs, no shell
            command, input=data, capture_output=True, timeout=seconds, check=False, start_new_session=True, env=own
        )
    except subprocess.TimeoutExpired:
        return f"`{command[0]}` did not answer within {seconds:.0f} s"
    except OSError as error:
        return f"`{command[0]}` cannot be run: {error.strerror or error}"


class _AnySigner(SSHAllowedSigners):
    """Lets every key pass whose signature is for this program, and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.key = ""

    def validate(self, key: asyncssh.SSHKey, principal: str, namespace: str, ca: bool = False) -> bool:  # noqa: ARG002
        """Take the key of a signature whose sum is right."""
        self.key = f"{key.get_fingerprint()} ({key.get_algorithm()})"
        return namespace == NAMESPACE


def check(data: bytes, made: bytes) -> Signature:
    """Check a signature by itself: who made it is given, whether that may be is for the reader to say."""
    signer = _AnySigner()
    try:
        good = asyncssh.validate_sshsig(data, made, "", signer)
    except (ValueError, NotImplementedError) as error:
        return Signature(problem=f"{SIGNATURE_NAME} cannot be checked: {error}")
    if good:
        return Signature(key=signer.key)
    if signer.key:
        return Signature(problem=f"{SIGNATURE_NAME} was made for another purpose than {NAMESPACE}")
    return Signature(problem=f"{SIGNATURE_NAME} is not a signature of this SHA256SUMS")


def environment_and_home() -> tuple[Mapping[str, str], Path]:
    """Give what `sign` looks at on this machine."""
    return os.environ, Path.home()
