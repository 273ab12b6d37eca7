"""A host `new` with an /etc of its own: mount and UTS namespaces, an overlay, stand-ins first in PATH."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.sshd import Sshd, SshFiles, operator_key, start_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@dataclass(frozen=True, slots=True)
class NewHost:
    """The server, the operator's files, and where what is written to its /etc lies."""

    server: Sshd
    files: SshFiles
    etc: Path


@pytest.fixture(params=CASES, ids=["seed", "own"])
def case(request: pytest.FixtureRequest) -> Case:
    """Give each how-to that is there."""
    found: Case = request.param
    if not found.document.is_file():
        pytest.skip("MAILRUNBOOK_TEST_DOCS names no folder with this document")
    return found


@pytest.fixture
def new_host(case: Case, tmp_path: Path) -> Iterator[NewHost]:
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
        yield NewHost(server, write_ssh_files(tmp_path / "files", key, {"new.test": server}), etc / "upper")
    finally:
        server.stop()
