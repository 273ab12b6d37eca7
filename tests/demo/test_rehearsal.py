"""The whole rehearsal as a user starts it: the migration runbook against the world, and every mail accounted for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.isolation import namespaces
from runbook_tui.demo.isolation.descendants import marked
from runbook_tui.demo.mistakes import MISTAKES

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 300
"""Seconds for a whole rehearsal on a machine that does much else."""
COUNTS = ("numbered", "lost", "twice", "bounced", "queued")


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `mailrunbook demo` with state and temporary folders of its own."""
    temporary, state = folder / "t", folder / "state"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(temporary), "MAILRUNBOOK_STATE_DIR": str(state)}
    return subprocess.run(
        [sys.executable, "-m", "runbook_tui", "demo", *options], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder with a path short enough for sockets below it."""
    folder = Path(tempfile.mkdtemp(prefix="rh-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def counts(text: str) -> dict[str, int]:
    """Read the report's lines."""
    return {word: int(number) for word, number in re.findall(rf"^({'|'.join(COUNTS)}) (\d+)$", text, re.MULTILINE)}


def named(text: str, kind: str) -> set[int]:
    """Read the numbers of the mails of a class."""
    return {int(n) for group in re.findall(rf"^{kind}: ([\d ]+)", text, re.MULTILINE) for n in group.split()}


def nothing_is_left(place: Path) -> None:
    """No folder of a world, and no process that belongs to one."""
    assert not list((place / "t").iterdir())
    assert not marked(place / "t")


def test_a_whole_migration_loses_nothing(place: Path) -> None:
    """Every step is confirmed by the scripted operator, mails keep coming, and each arrives on new, once."""
    if why := namespaces.probe():
        pytest.skip(f"no user namespaces: {why}")
    done = demo(place, "--auto", "--tier", "ns")
    assert done.returncode == 0, done.stdout + done.stderr
    found = counts(done.stdout)
    assert found.pop("numbered") > 20
    assert found == {"lost": 0, "twice": 0, "bounced": 0, "queued": 0}
    assert done.stdout.startswith("Tier ns")
    nothing_is_left(place)
    exported = transcript(place)
    assert exported.startswith("# REHEARSAL")
    assert "operator scripted operator" in exported
    assert re.search(r"Stand-ins used, and how often: .*postconf \d+", exported)
    assert "Reconciled: numbered" in exported


def transcript(place: Path) -> str:
    """Export the one run there is."""
    run = next((place / "state" / "runs").iterdir()).name
    environment = os.environ | {"MAILRUNBOOK_STATE_DIR": str(place / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "runbook_tui", "export", run], env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.lab
@pytest.mark.parametrize("options", [("--tier", "plain"), ("--tier", "ns", "--rate", "10")], ids=" ".join)
def test_a_whole_migration_in_the_other_ways(place: Path, options: tuple[str, ...]) -> None:
    """Without namespaces, and with many more mails, nothing is lost either."""
    done = demo(place, "--auto", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done.stdout) | {"numbered": 0} == dict.fromkeys(COUNTS, 0)
    nothing_is_left(place)


BARE = """
import sys
from runbook_tui.demo.command import rehearse
from runbook_tui.demo.facts import DemoWishes
sys.exit(rehearse(DemoWishes(auto=True, bare=True, tier=sys.argv[1])))
"""


@pytest.mark.lab
@pytest.mark.parametrize("tier", ["ns", "plain"])
def test_a_whole_migration_on_a_machine_without_tools(place: Path, tier: str) -> None:
    """As if ssh, rsync, openssl and dig were missing: their stand-ins carry the migration, and nothing is lost."""
    (place / "t").mkdir()
    environment = os.environ | {"TMPDIR": str(place / "t"), "MAILRUNBOOK_STATE_DIR": str(place / "state")}
    done = subprocess.run(
        [sys.executable, "-c", BARE, tier], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=LONGEST, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done.stdout) | {"numbered": 0} == dict.fromkeys(COUNTS, 0)
    nothing_is_left(place)


@pytest.mark.lab
@pytest.mark.parametrize(
    ("mistake", "kind"), [("relay_domains", "bounced"), ("loop", "bounced"), ("final-before-rsync", "lost")]
)
def test_a_mistake_is_told_by_the_numbers_of_its_mails(place: Path, mistake: str, kind: str) -> None:
    """The report names each mail that the mistake hit, and the exit status is 1."""
    done = demo(place, "--auto", "--mistake", mistake)
    assert done.returncode == 1, done.stdout + done.stderr
    assert counts(done.stdout)[kind] == len(named(done.stdout, kind)) > 0
    nothing_is_left(place)


def test_every_mistake_is_tried() -> None:
    """A mistake that is added wants a row in the test above."""
    assert set(MISTAKES) == {"relay_domains", "loop", "final-before-rsync"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tier", "nope"), "there is no such tier"),
        (("--auto", "--mistake", "nope"), "final-before-rsync"),
        (("--mistake", "loop"), "--mistake is for --auto"),
        (("--auto", "--rate", "-1"), "no negative numbers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_cannot_stand(place: Path, options: tuple[str, ...], words: str) -> None:
    """A wrong option is said in a sentence with exit status 2, before anything is started."""
    done = demo(place, *options)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    nothing_is_left(place)


def test_a_rehearsal_is_not_gone_on_with_in_life(place: Path) -> None:
    """Its world is gone: `resume` says so, and a bare command does not offer it."""
    if why := namespaces.probe():
        pytest.skip(f"no user namespaces: {why}")
    environment = os.environ | {"TMPDIR": str(place / "t"), "MAILRUNBOOK_STATE_DIR": str(place / "state")}
    (place / "t").mkdir()
    begun = subprocess.run(
        [sys.executable, "-m", "runbook_tui", "demo", "--plain"], env=environment, input="yes\nquit\n",
        capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    assert begun.returncode == 0, begun.stdout + begun.stderr
    run = next((place / "state" / "runs").iterdir()).name
    resumed = subprocess.run(
        [sys.executable, "-m", "runbook_tui", "resume", run], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    assert resumed.returncode == 2
    assert "its world is gone" in resumed.stderr
    bare = subprocess.run(
        [sys.executable, "-m", "runbook_tui"], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    assert run not in bare.stdout
    nothing_is_left(place)
