"""known_hosts, matched by name only and compared with what ssh-keygen finds."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import asyncssh
import pytest

from runbook_tui.adapters.known_hosts import KnownHosts, read_known_hosts

if TYPE_CHECKING:
    from pathlib import Path


def public_line() -> str:
    """A new key's public line."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    return " ".join(key.export_public_key().decode().split()[:2])


def read(folder: Path, text: str) -> KnownHosts:
    """Read a file with this text."""
    file = folder / "known_hosts"
    file.write_text(text, encoding="utf-8")
    return read_known_hosts([file, folder / "not there"])


def lines(keys: tuple[asyncssh.SSHKey, ...]) -> list[str]:
    """The public lines of keys."""
    return [" ".join(key.export_public_key().decode().split()[:2]) for key in keys]


@pytest.mark.parametrize(
    ("written", "name", "port", "is_found"),
    [
        ("new.test", "new.test", 22, True),
        ("NEW.test", "new.TEST", 22, True),
        ("new.test,192.0.2.9", "new.test", 22, True),
        ("192.0.2.9", "new.test", 22, False),
        ("*.test", "new.test", 22, True),
        ("n?w.test", "new.test", 22, True),
        ("*.test,!new.test", "new.test", 22, False),
        ("[new.test]:2222", "new.test", 2222, True),
        ("[new.test]:2222", "new.test", 22, False),
        ("[new.test]:2222", "new.test", 2223, False),
        ("new.test", "new.test", 2222, True),
        ("newXtest", "new.test", 22, False),
        ("new.test.evil", "new.test", 22, False),
    ],
)
def test_names_match_as_in_sshd_manual(tmp_path: Path, written: str, name: str, port: int, is_found: bool) -> None:
    """Names, patterns, negation, `[name]:port` and the name without a port as a second try."""
    key = public_line()
    found = read(tmp_path, f"{written} {key} a comment\n").keys(name, port)
    assert lines(found.hosts) == ([key] if is_found else [])


def test_line_for_the_port_wins_over_the_name_alone(tmp_path: Path) -> None:
    """With a line for `[name]:port`, the key of the plain name does not count for that port."""
    first, second = public_line(), public_line()
    known = read(tmp_path, f"new.test {first}\n[new.test]:2222 {second}\n")
    assert lines(known.keys("new.test", 2222).hosts) == [second]


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
@pytest.mark.parametrize("name", ["new.test", "[new.test]:2222"])
def test_hashed_names_match(tmp_path: Path, name: str) -> None:
    """A file that ssh-keygen hashed still has the name, and no other."""
    key = public_line()
    file = tmp_path / "known_hosts"
    file.write_text(f"{name} {key}\n", encoding="ascii")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "new.test" not in file.read_text(encoding="ascii")
    known = read_known_hosts([file])
    assert lines(known.keys("new.test", 2222).hosts) == [key]
    assert not known.keys("old.test", 2222).hosts


def test_markers_are_kept_apart(tmp_path: Path) -> None:
    """A revoked key and a certificate authority are not host keys."""
    host, authority, revoked = public_line(), public_line(), public_line()
    known = read(tmp_path, f"a {host}\n@cert-authority * {authority}\n@revoked\ta {revoked}\n").keys("a")
    assert (lines(known.hosts), lines(known.authorities), lines(known.revoked)) == ([host], [authority], [revoked])


def test_key_revoked_under_the_plain_name_is_revoked_at_any_port(tmp_path: Path) -> None:
    """Revocation counts for the name with and without its port."""
    key = public_line()
    known = read(tmp_path, f"[a]:2222 {key}\n@revoked a {key}\n").keys("a", 2222)
    assert lines(known.revoked) == [key]


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        ("just-one-word", "neither"),
        ("@strange a KEY", "marker"),
        ("a ssh-ed25519 AAAAnonsense", "key"),
        ("|1|%%%|%%% KEY", "hashed"),
        ("|2|AAAA|AAAA KEY", "hashed"),
        ("\x00\xff\x01 \x02", "key"),
        ("@revoked", "neither"),
    ],
)
def test_garbage_is_named_and_the_rest_is_used(tmp_path: Path, garbage: str, why: str) -> None:
    """A line that cannot be used is told with its number, and those around it count."""
    first, second = public_line(), public_line()
    known = read(tmp_path, f"# comment\n\na {first}\n{garbage.replace('KEY', first)}\na {second}\n")
    assert lines(known.keys("a").hosts) == [first, second]
    assert [bad.line for bad in known.bad_lines] == [4]
    assert why in known.bad_lines[0].why
    assert str(known.bad_lines[0]).startswith(f"{tmp_path}/known_hosts line 4: ")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder in the place of the file is told, not a crash."""
    known = read_known_hosts([tmp_path])
    assert known.bad_lines[0].path == tmp_path
