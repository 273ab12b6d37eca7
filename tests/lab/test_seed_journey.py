"""A plain how-to on a host with an /etc of its own: settle, confirm one by one, fail, retry, skip, export."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.sshd import find_sshd, operator_key, start_sshd, write_ssh_files
from tests.support.talk import finished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sshd import Sshd, SshFiles

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace with an /etc of its own"),
    pytest.mark.skipif(find_sshd() is None, reason="needs an OpenSSH server"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux)"),
]

OWN_PLACE = r"""
set -e
etc=$1; shift
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$etc/upper,workdir=$etc/work" /etc
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
hostname new
exec "$@"
"""

POSTMAP = """#!/bin/sh
[ $# -eq 1 ] && [ -f "$1" ] || { echo "postmap: this stand-in takes one existing file" >&2; exit 64; }
sum=$(cksum <"$1"); echo "$sum" >"$1.db"; echo "postmap $1" >>"$HOME/effects"
"""

SERVICE = """#!/bin/sh
case "$*" in
  "postfix restart"|"postfix reload") ;;
  *) echo "service: this stand-in knows postfix only" >&2; exit 64;;
esac
echo "service $*" >>"$HOME/effects"
[ -e "$HOME/license" ] || { : >"$HOME/license"; echo "Restarting postfix: failed" >&2; exit 1; }
echo "Restarting postfix: ok"
"""



@dataclass(frozen=True, slots=True)
class Case:
    """A how-to whose step 2.3 sets a key in main.cf, creates a map and runs postmap and service."""

    document: Path
    setting: str
    map: str
    row: str
    literals: tuple[str, ...]
    service: str


CASES = [
    Case(
        Path(os.environ.get("MAILRUNBOOK_TEST_DOCS", "/nonexistent")) / "seed-mail-server-migration.md",
        "transport_maps", "transport_maps", "example.org smtp:[mail.example.org]\n",
        ("set domain.tld=example.org", "set mail.plop.tld=mail.example.org"), "restart",
    ),
    Case(
        Path(__file__).parent.parent / "fixtures" / "moving-house.md",
        "virtual_alias_maps", "lists", "news@lists.example.org news@box.example.org\n",
        ("set lists.tld=lists.example.org", "set box.cellar.tld=box.example.org"), "reload",
    ),
]  # fmt: skip


@pytest.fixture
def new_host(case: Case, tmp_path: Path) -> Iterator[tuple[Sshd, SshFiles, Path]]:
    """Start `new` in a mount and UTS namespace: overlay on /etc, tmpfs on /run, stand-ins first in PATH."""
    tools, etc = tmp_path / "tools", tmp_path / "etc"
    for folder in (tools, etc / "upper" / "postfix", etc / "work"):
        folder.mkdir(parents=True)
    (etc / "upper/postfix/main.cf").write_text(f"myhostname = new.example.org\n{case.setting} =\n")
    for name, text in (("postmap", POSTMAP), ("service", SERVICE)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    script = tmp_path / "own-place.sh"
    script.write_text(OWN_PLACE)
    key = operator_key(tmp_path / "operator")
    server = start_sshd(
        tmp_path / "new", [key.public],
        environment={"PATH": f"{tools}:/usr/bin:/bin"},
        within=["unshare", "-m", "-u", "--propagation", "private", "sh", str(script), str(etc)],
    )  # fmt: skip
    try:
        yield server, write_ssh_files(tmp_path / "files", key, {"new.test": server}), etc / "upper"
    finally:
        server.stop()


@pytest.mark.parametrize("case", CASES, ids=["seed", "own"])
def test_the_three_actions_of_the_transport_step(
    case: Case, new_host: tuple[Sshd, SshFiles, Path], tmp_path: Path
) -> None:
    """Two files and a command are settled and confirmed one by one; the command fails once and is retried."""
    if not case.document.is_file():
        pytest.skip("MAILRUNBOOK_TEST_DOCS names no folder with this document")
    server, files, upper = new_host
    before = sorted(Path("/etc").glob("postfix/*"))
    out = tmp_path / "transcript.md"
    lines = [
        "yes",
        "go 2.3a", "confirm",
        "set host new", "set mode set", "confirm", "yes",
        "go 2.3b", "set host new", "set mode create", *case.literals, "confirm", "yes",
        "go 2.3c", "set host new", "confirm", "no", "confirm", "yes", "retry", "yes",
        "go 2.4", "skip the zone is looked after elsewhere",
        f"export md {out}", "status", "quit",
    ]  # fmt: skip
    done = finished(
        "run", str(case.document), "--host", "new=new.test", "--plain", "--run-id", "seed",
        state=tmp_path / "state", stdin="\n".join(lines) + "\n", timeout=90, more=files.environment(),
    )  # fmt: skip
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    written = (upper / "postfix/main.cf").read_text().splitlines()
    assert written == ["myhostname = new.example.org", f"{case.setting} = hash:/etc/postfix/{case.map}"], said
    assert (upper / "postfix" / case.map).read_text() == case.row
    effects = [f"postmap /etc/postfix/{case.map}", f"service postfix {case.service}"]
    assert (server.home / "effects").read_text().splitlines() == effects * 2
    assert "2.3c failed" in said
    assert "2.3c done" in said
    text = out.read_text()
    for expected in ("the zone is looked after elsewhere", "exit status 1", "example.org", "127.0.0.1"):
        assert expected in text, expected
    assert sorted(Path("/etc").glob("postfix/*")) == before, "this machine's own /etc was touched"
